"""The isoFLOP picture: loss along model size at fixed compute, and where the fitted law puts the optimum."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from scalinglaws._numbers import has_optimum
from scalinglaws.fitting import Fit
from scalinglaws.plotting.style import PREDICTED, axes_of, in_unit, label_log, scientific, size_colors

__all__ = ["IsoflopArtists", "isoflop"]


class IsoflopArtists(NamedTuple):
    """What `isoflop` drew."""

    curves: list[Line2D]
    points: PathCollection
    optima: ErrorbarContainer


def isoflop(fit: Fit, flops: ArrayLike, *, level: float = 0.9, ax: Axes | None = None) -> IsoflopArtists:
    """Draw the fitted loss along N at each budget (D = C/6N), its minimum with the interval of N*, and the runs.

    A budget without a compute-optimal size has no minimum to mark; an interval without an end goes on past the frame.

    Parameters
    ----------
    fit
        With a bootstrap attached the minima carry horizontal intervals.
    flops
        Budgets in FLOP, shape (k,); curves and runs share one colour scale of compute.
    level
        Level of the intervals.
    """
    ax = axes_of(ax)
    budgets = np.sort(np.atleast_1d(np.asarray(flops, dtype=np.float64)))
    every = fit.optimal(budgets, level=level)
    exists = [has_optimum(every.isel(flops=i)) for i in range(budgets.size)]
    best = {str(name): column.values[exists] for name, column in every.items()}
    colors = size_colors(np.concatenate([budgets, fit.table.flops]))
    sizes = np.concatenate([fit.table.params, best["params"]])
    left, right = sizes.min() / 3, sizes.max() * 3
    grid = np.geomspace(left, right, 200)
    curves = []
    for c in budgets:
        curves += ax.plot(
            grid, fit.predict(grid, c / (6 * grid)), color=colors.to_rgba(c), label=f"{scientific(c)} FLOP"
        )
    points = ax.scatter(fit.table.params, fit.table.loss, c=colors.to_rgba(fit.table.flops), s=16, alpha=0.75, zorder=3)
    spread = None
    if "params_low" in best:
        low, high = (np.clip(best[end], left / 10, right * 10) for end in ("params_low", "params_high"))
        spread = np.abs(np.stack([best["params"] - low, high - best["params"]]))
    style: dict[str, Any] = {"fmt": "D", "color": PREDICTED, "capsize": 3, "zorder": 4, "label": "predicted optimum"}
    optima = ax.errorbar(best["params"], best["loss"], xerr=spread, **style)
    losses = np.concatenate([fit.table.loss, best["loss"]])
    pad = 0.06 * np.ptp(losses)
    limits = (losses.min() - pad, losses.max() + pad)
    ax.set(
        xscale="log",
        xlim=(left, right),
        xlabel="parameters N",
        ylabel=in_unit("final loss", fit.table.loss_unit),
        ylim=limits,
    )
    label_log(ax.xaxis)
    ax.legend(loc="upper right")
    return IsoflopArtists(curves, points, optima)
