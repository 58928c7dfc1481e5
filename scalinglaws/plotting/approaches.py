"""Approaches to compute-optimal sizes on measured runs: the curves of each budget, and N* by every approach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, in_unit, label_log, scientific, size_colors
from scalinglaws.prediction.measured import Approaches, IsoFlop
from scalinglaws.prediction.measured.differences import WORDS, interval

__all__ = ["ApproachArtists", "SliceArtists", "approach_lines", "isoflop_slices"]

Array = NDArray[np.float64]

_COLORS = {
    "envelope": "#0f766e",
    "envelope-corrected": "#0f766e",
    "isoflop": "#1d4ed8",
    "isoflop-corrected": "#1d4ed8",
    "parametric": PREDICTED,
}
_HEADROOM = 1.2  # of the y axis above the highest minimum, in units of the spread of the minima: walls are cut


class SliceArtists(NamedTuple):
    """What `isoflop_slices` drew: for every budget its runs and curve, the minima without and with codes."""

    points: list[PathCollection]
    curves: list[Line2D]
    minima: Line2D
    doubtful: Line2D


class ApproachArtists(NamedTuple):
    """What `approach_lines` drew, by the names of the approaches."""

    lines: dict[str, Line2D]
    bands: Mapping[str, PolyCollection]
    minima: ErrorbarContainer | None
    envelope: Line2D | None


def isoflop_slices(found: IsoFlop, *, ax: Axes | None = None) -> SliceArtists:
    """Draw the loss along N at each budget with the fitted curve, its minimum, and what is wrong with it.

    Parameters
    ----------
    found
        Approach 2 on a table. Codes stand in the legend, and their minima are hollow; budgets that the line leaves
        out have dashed curves and no minimum.
    """
    ax = axes_of(ax)
    colors = size_colors(found.flops).to_rgba(found.flops)
    points, curves = [], []
    for budget, each, color in zip(found.budgets, found.slices, colors, strict=True):
        points.append(ax.scatter(np.exp(each.log_n), found.table.loss[each.rows], color=color, s=14, zorder=3))
        grid = np.linspace(each.log_n[0], each.log_n[-1], 200)
        drawn = each.curve(found.table, found.method, grid)
        label = "\n".join([f"{scientific(budget.flops)} FLOP", *(f"  {code}" for code in budget.codes)])
        curves += ax.plot(np.exp(grid), drawn, ls="-" if budget.used else "--", color=color, label=label)
    minima = {clean: _diamonds(found, ax, clean=clean) for clean in (True, False)}
    least = np.array([found.table.loss[each.rows].min() for each in found.slices])
    spread = max(float(np.ptp(least)), 0.1 * float(least.min()))
    top = max(float(found.table.loss[each.rows].max()) for each in found.slices)
    ax.set(xscale="log", xlabel="parameters N", ylabel=in_unit("final loss", found.table.loss_unit))
    ax.set_ylim(least.min() - 0.15 * spread, min(top + 0.05 * spread, least.max() + _HEADROOM * spread))
    label_log(ax.xaxis)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return SliceArtists(points, curves, minima[True], minima[False])


def _diamonds(found: IsoFlop, ax: Axes, *, clean: bool) -> Line2D:
    """Mark the minima that are used, filled where nothing is wrong."""
    shown = [budget for budget in found.budgets if budget.used and bool(budget.codes) != clean]
    at = [budget.params for budget in shown], [budget.loss for budget in shown]
    label = "minimum" if clean else "minimum with a code"
    face = PREDICTED if clean else "white"
    label = label if shown else "_nolegend_"
    (line,) = ax.plot(*at, "D", color=PREDICTED, markerfacecolor=face, ms=5, zorder=5, label=label)
    return line


def approach_lines(result: Approaches, *, corrected: bool = False, ax: Axes | None = None) -> ApproachArtists:
    """Draw N* against compute by every approach, with the bands of their joint bootstrap.

    Parameters
    ----------
    result
        Of `compare_approaches`.
    corrected
        Whether the approaches without their bias are drawn too, dotted and without a band.

    Notes
    -----
    Minima of approach 2 carry their standard errors; the thin steps are the sizes that win in approach 1.
    """
    ax = axes_of(ax)
    targets = result.table["flops"].values
    grid = np.geomspace(_lowest(result), max(float(targets[-1]), float(result.fit.table.flops.max())), 60)
    lines, bands = {}, {}
    for name in result.draws:
        dotted = name.endswith("corrected")
        if dotted and not corrected:
            continue
        style: dict[str, Any] = {"color": _COLORS[name], "ls": ":" if dotted else "-", "label": WORDS[name]}
        (lines[name],) = ax.plot(grid, _sizes(result, name, grid), **style)
        if not dotted:
            low, high = (np.exp(v) for v in interval(_log_draws(result, name, grid), result.level))
            bands[name] = ax.fill_between(grid, low, high, color=_COLORS[name], alpha=0.15, lw=0)
    minima = None if result.isoflop is None else _minima(result.isoflop, ax)
    steps = None
    if result.envelope is not None:
        style = {"color": _COLORS["envelope"], "ls": "none", "marker": ".", "ms": 1.5, "alpha": 0.6}
        (steps,) = ax.plot(result.envelope.flops, result.envelope.params, **style)
    ax.axvline(float(result.fit.table.flops.max()), color=MEASURED, lw=0.8, ls="--", label="largest run")
    ax.set(xscale="log", yscale="log", xlabel="training compute (FLOP)", ylabel="compute-optimal parameters N*")
    label_log(ax.yaxis)
    ax.legend(loc="upper left", title=f"bands: {100 * result.level:g} % intervals")
    return ApproachArtists(lines, bands, minima, steps)


def _lowest(result: Approaches) -> float:
    if result.isoflop is not None:
        return float(result.isoflop.flops.min())
    return float(result.fit.table.flops.min())


def _sizes(result: Approaches, name: str, grid: Array) -> Array:
    row = result.table.sel(approach=name)
    slope, size = float(row["size_exponent"]), float(row["params"][-1])
    return np.asarray(size * (grid / float(row["flops"][-1])) ** slope)


def _log_draws(result: Approaches, name: str, grid: Array) -> Array:
    """Draws of log N* along compute: every approach is a power law."""
    draws = result.draws[name]
    off = np.log(grid / float(result.table["flops"][-1]))
    return np.asarray(draws.log_n[:, -1:] + draws.size_exponent[:, None] * off)


def _minima(found: IsoFlop, ax: Axes) -> ErrorbarContainer:
    used = [budget for budget in found.budgets if budget.used]
    n, error = np.array([b.params for b in used]), np.array([b.error for b in used])
    error = np.where(np.isfinite(error), error, 0.0)
    spread = np.stack([n * -np.expm1(-error), n * np.expm1(error)])
    style: dict[str, Any] = {"fmt": "D", "ms": 4, "color": _COLORS["isoflop"], "capsize": 2, "zorder": 4}
    return ax.errorbar([b.flops for b in used], n, yerr=spread, label="minima of the budgets", **style)
