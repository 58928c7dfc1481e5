"""Measured runs on the phase diagram: the posterior, the confidence region and the point of the fit."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D

from scalinglaws.plotting.phases import PhaseArtists, phase_diagram
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of
from scalinglaws.prediction.placing import Placement

__all__ = ["PlacementArtists", "draw_placement"]

_TOP = 1.3
"""The diagram shows this range of alpha and beta at least."""


class PlacementArtists(NamedTuple):
    """What `draw_placement` drew; the boundary is None where the region is smaller than a cell of the grid."""

    diagram: PhaseArtists
    region: QuadContourSet | None
    point: Line2D


def draw_placement(placed: Placement, *, whole: bool = True, ax: Axes | None = None) -> PlacementArtists:
    """Draw where runs lie over the phases, coloured by the derived loss exponent.

    Parameters
    ----------
    placed
        From `place`.
    whole
        Show the whole diagram; else only the grid round the region.
    ax
        Where to draw; the current axes if not given.
    """
    ax = axes_of(ax)
    grid = placed.region
    alpha, beta = grid["alpha"].values, grid["beta"].values
    limits = {name: (float(x[0]), float(x[-1])) for name, x in (("alpha", alpha), ("beta", beta))}
    if whole:
        limits = {name: (0.0, max(_TOP, 1.1 * getattr(placed, name))) for name in limits}
    diagram = phase_diagram(alpha=limits["alpha"], beta=limits["beta"], cmap="Blues_r", ink=MEASURED, ax=ax)
    region, inside, within = None, grid["inside"].values, grid["distance"].values.T
    if inside.any() and not inside.all():
        region = ax.contour(alpha, beta, within, levels=[grid.attrs["quantile"]], colors=PREDICTED)
    label = f"fit, with the {100 * placed.level:.0f} % region"
    (point,) = ax.plot([placed.alpha], [placed.beta], "o", color=PREDICTED, ms=5, zorder=5, label=label)
    likely = [f"{name}: {p:.2f}" for name, p in placed.probabilities.items() if p >= 0.01]
    ax.legend(loc="upper right", title="probability of " + ", ".join(likely[:4]), title_fontsize="small")
    ax.set(xlim=limits["alpha"], ylim=limits["beta"])
    return PlacementArtists(diagram, region, point)
