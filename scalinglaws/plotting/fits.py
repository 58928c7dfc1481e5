"""A fitted law against its points: loss against size and data with the other term taken out, and residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.fitting import Fit
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, in_unit, label_log, size_colors

__all__ = ["ResidualArtists", "TermArtists", "data_term", "residuals", "size_term"]

Array = NDArray[np.float64]


class TermArtists(NamedTuple):
    """What `size_term` and `data_term` drew; `hidden` counts points at or below zero, which a log axis omits."""

    points: PathCollection
    law: Line2D
    hidden: int


class ResidualArtists(NamedTuple):
    """What `residuals` drew."""

    points: PathCollection
    zero: Line2D


def size_term(fit: Fit, *, ax: Axes | None = None) -> TermArtists:
    """Draw what limited size costs: the loss less its limit at infinite N, the data term taken out by the law.

    Each point is L - [L(N, D) - L(N, inf)] - L(inf, inf) with the law's own L on the right (a partial residual),
    so its distance to the line is the residual of that run; both axes are logarithmic.
    """
    n, d = fit.table.params, fit.table.tokens
    taken_out = fit.predict(n, d) - fit.predict(n, np.inf)
    grid = np.geomspace(n.min() / 1.3, n.max() * 1.3, 100)
    artists = _term(axes_of(ax), n, fit.table.loss - taken_out, d, grid, fit.predict(grid, np.inf), _floor(fit))
    axes_of(ax).set(xlabel="parameters N", ylabel=in_unit("size term of the loss", fit.table.loss_unit))
    return artists


def data_term(fit: Fit, *, ax: Axes | None = None) -> TermArtists:
    """Draw what limited data costs: as `size_term`, with the size term taken out."""
    n, d = fit.table.params, fit.table.tokens
    taken_out = fit.predict(n, d) - fit.predict(np.inf, d)
    grid = np.geomspace(d.min() / 1.3, d.max() * 1.3, 100)
    artists = _term(axes_of(ax), d, fit.table.loss - taken_out, n, grid, fit.predict(np.inf, grid), _floor(fit))
    axes_of(ax).set(xlabel="training tokens D", ylabel=in_unit("data term of the loss", fit.table.loss_unit))
    return artists


def _floor(fit: Fit) -> float:
    return float(fit.predict(np.inf, np.inf))


def _term(ax: Axes, x: Array, y: Array, other: Array, grid: Array, law: Array, floor: float) -> TermArtists:
    shown = y > floor
    colors = size_colors(other)
    points = ax.scatter(x[shown], y[shown] - floor, c=colors.to_rgba(other[shown]), s=22, zorder=3)
    (line,) = ax.plot(grid, law - floor, color=PREDICTED, label="fitted law")
    ax.set(xscale="log", yscale="log")
    label_log(ax.xaxis)
    label_log(ax.yaxis)
    return TermArtists(points, line, int(np.sum(~shown)))


def residuals(fit: Fit, *, ax: Axes | None = None) -> ResidualArtists:
    """Draw the residuals of log loss in percent against compute, coloured by size."""
    ax = axes_of(ax)
    relative = -100.0 * fit.residuals()
    zero = ax.axhline(0.0, color=PREDICTED)
    colors = size_colors(fit.table.params).to_rgba(fit.table.params)
    points = ax.scatter(fit.table.flops, relative, c=colors, s=22, zorder=3, edgecolors=MEASURED, linewidths=0.3)
    ax.set(xscale="log", xlabel="training compute (FLOP)", ylabel="measured over fitted loss (%)")
    return ResidualArtists(points, zero)
