"""Which law predicts what was left out: the error of every law on every split, against the scatter between seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws import FamilyContest
from scalinglaws.errors import require
from scalinglaws.plotting.style import MEASURED, PREDICTED, axes_of, label_log

__all__ = ["ContestArtists", "draw_family_contest"]

Array = NDArray[np.float64]

_ERRORS = {"end_error": "end points", "curve_error": "whole curves"}
_MARKERS = "osD^vPX*<>"
_THEORY = (PREDICTED, "#1d4ed8", "#0f766e", "#9333ea", "#b45309")
_EMPIRICAL = (MEASURED, "#7a8594", "#b8c0cc")
_WIDTH = 0.7
"""Share of a row's height that its laws take."""


class ContestArtists(NamedTuple):
    """What `draw_family_contest` drew: the points of each law by its name, and the marks of the seed noise."""

    points: dict[str, PathCollection]
    seeds: LineCollection | None
    axes: Axes


def draw_family_contest(result: FamilyContest, *, by: str = "end_error", ax: Axes | None = None) -> ContestArtists:
    """Draw the mean error of each law on each split, in percent; theory's laws are filled, empirical ones hollow.

    Parameters
    ----------
    result
        From `contest_families`.
    by
        "end_error" or "curve_error".
    ax
        Where to draw; the current axes if not given.

    Raises
    ------
    InputError
        For another error, and for a contest without a split.
    """
    require(by in _ERRORS, "by", by, f"must be one of {', '.join(_ERRORS)}")
    errors = result.errors
    splits = [str(name) for name in errors["split"].values]
    require(len(splits) > 0, "result", dict(result.refused), "must hold one split or more")
    ax = axes_of(ax)
    laws = [str(name) for name in errors["law"].values]
    rows = np.arange(len(splits), dtype=np.float64)
    shifts = np.linspace(-0.5, 0.5, len(laws)) * _WIDTH if len(laws) > 1 else np.zeros(1)
    points = {}
    theory, empirical = iter(_THEORY * 3), iter(_EMPIRICAL * 3)
    for law, shift, marker in zip(laws, shifts, _MARKERS * 3, strict=False):
        filled = bool(errors["theory"].sel(law=law))
        color = next(theory if filled else empirical)
        values = 100.0 * errors[by].sel(law=law).values
        points[law] = ax.scatter(
            values,
            rows + shift,
            s=34,
            marker=marker,
            facecolors=color if filled else "none",
            edgecolors=color,
            label=law,
        )
    seeds = _seed_noise(100.0 * errors["seed_noise"].values, rows, ax) if by == "end_error" else None
    for row in rows[1:]:
        ax.axhline(row - 0.5, color="#d7dbe0", lw=0.6)
    ax.set(xscale="log", xlabel=f"mean error of held-out {_ERRORS[by]} (%)", ylim=(len(splits) - 0.5, -0.5))
    ax.set_yticks(rows, [_said(result, name) for name in splits])
    ax.grid(visible=False, axis="y")
    label_log(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ContestArtists(points, seeds, ax)


def _seed_noise(noise: Array, rows: Array, ax: Axes) -> LineCollection | None:
    known = np.isfinite(noise)
    if not known.any():
        return None
    return ax.vlines(
        noise[known], rows[known] - 0.45, rows[known] + 0.45, color=MEASURED, lw=1.0, ls="--", label="seed noise"
    )


def _said(result: FamilyContest, split: str) -> str:
    """Name a split in two lines: what is left out, and how many runs."""
    row = result.errors.sel(split=split)
    return f"{split}\n{int(row['held'])} of {int(row['held']) + int(row['fitted'])} runs"
