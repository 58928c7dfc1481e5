"""One compute-optimal size by every law, approach and published fit: how much the choice matters, at a glance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, label_log, scientific
from scalinglaws.prediction.advising import Advice
from scalinglaws.prediction.measured.differences import WORDS

__all__ = ["OpinionArtists", "size_opinions"]

_PUBLISHED = "#7a8594"
_APPROACH = "#1d4ed8"
_FADED = "#c9cdd3"


class OpinionArtists(NamedTuple):
    """What `size_opinions` drew: what has an interval by name, the published sizes, and the interval of the answer."""

    bars: dict[str, ErrorbarContainer]
    published: Line2D
    band: object


def size_opinions(advice: Advice, *, ax: Axes | None = None) -> OpinionArtists:
    """Draw N* at the largest budget by every law and approach, with intervals, and by published laws.

    The answer is filled, laws that stand up about as well are dark, others pale; an end that is open is left out.
    """
    ax = axes_of(ax)
    rows = _rows(advice)
    bars = {}
    for place, (name, row, color) in enumerate(rows):
        n, low, high = (float(row[key]) for key in ("params", "params_low", "params_high"))
        spread = [[n - low if 0 < low <= n else 0.0], [high - n if n <= high < np.inf else 0.0]]
        chosen = name == advice.chosen.name
        face = color if chosen else "white"
        bars[name] = ax.errorbar(
            [n], [place], xerr=spread, fmt="D" if chosen else "o", color=color, markerfacecolor=face, capsize=3, ms=6
        )
    said = advice.published.isel(flops=-1)
    places = len(rows) + np.arange(said.sizes["name"])
    (dots,) = ax.plot(said["params"].values, places, "x", color=_PUBLISHED)
    best = advice.optimum.isel(flops=-1)
    low, high = float(best["params_low"]), float(best["params_high"])
    finite = np.isfinite([low, high]).all()
    band = ax.axvspan(low, high, color=PREDICTED, alpha=0.08, lw=0) if finite else None
    names = [name for name, *_ in rows] + [f"{name} (published)" for name in said["name"].values]
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel=f"compute-optimal parameters N* at {scientific(float(best['flops']))} FLOP")
    label_log(ax.xaxis)
    ax.grid(axis="x", alpha=0.3)
    return OpinionArtists(bars, dots, band)


def _rows(advice: Advice) -> list[tuple[str, xr.Dataset, str]]:
    """Name, point with interval and colour of everything that has an interval."""
    rows = []
    for one in advice.candidates:
        if one.usable:
            close = MEASURED if one.name in advice.contenders else _FADED
            rows.append((one.name, one.optimum.isel(flops=-1), PREDICTED if one is advice.chosen else close))
    if advice.approaches is not None:
        table = advice.approaches.table.isel(flops=-1)
        others = [str(name) for name in table["approach"].values if name != "parametric"]  # the chosen law again
        rows += [(WORDS[name], table.sel(approach=name), _APPROACH) for name in others]
    return rows
