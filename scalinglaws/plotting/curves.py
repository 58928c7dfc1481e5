"""Measured loss curves over compute, coloured by size, with the envelope of the best loss at each budget."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scalinglaws.curves import flops_by, iter_runs, params_by
from scalinglaws.plotting.style import MEASURED, axes_of, in_unit, label_log, size_colors

__all__ = ["CurveArtists", "compute_curves", "envelope"]

Array = NDArray[np.float64]


class CurveArtists(NamedTuple):
    """What `compute_curves` drew."""

    curves: list[Line2D]
    ends: list[Line2D]
    envelope: Line2D
    colorbar: Colorbar | None


def envelope(curves: list[tuple[Array, Array]], points: int = 200) -> tuple[Array, Array]:
    """Best loss reached by any run within a budget, at log-spaced budgets.

    Parameters
    ----------
    curves
        For each run its compute (n,), increasing and positive, and its loss (n,).
    points
        How many budgets between the smallest and the largest compute.

    Returns
    -------
    tuple
        Budgets (points,) and the least loss at or below each of them (points,), non-increasing.

    Examples
    --------
    >>> budgets, best = envelope([(np.array([1.0, 10.0]), np.array([3.0, 2.0]))], points=3)
    >>> best
    array([3. , 2.5, 2. ])
    """
    grid = np.geomspace(min(c[0] for c, _ in curves), max(c[-1] for c, _ in curves), points)
    tables = [np.interp(np.log(grid), np.log(c), y, left=np.inf, right=np.inf) for c, y in curves]
    return grid, np.minimum.accumulate(np.min(tables, axis=0))


def compute_curves(
    ds: xr.Dataset,
    *,
    params: str = "total",
    flops: str = "6ND",
    ax: Axes | None = None,
    colorbar: bool = True,
) -> CurveArtists:
    """Draw each run's held-out loss against the compute it has spent.

    Parameters
    ----------
    ds
        A family of runs.
    params, flops
        Counting conventions of `scalinglaws.curves.schema`.
    """
    ax = axes_of(ax)
    size = params_by(ds, params).values
    colors = size_colors(size)
    spent = np.split(flops_by(ds, flops, params=params).values, np.cumsum(ds["row_size"].values)[:-1])
    curves, ends, drawn = [], [], []
    for run, c, n in zip(iter_runs(ds), spent, size, strict=True):
        seen = c > 0  # a log axis has no place for the loss before training
        curves += ax.plot(c[seen], run.loss[seen], color=colors.to_rgba(n), lw=1.1)
        ends += ax.plot(c[-1:], run.loss[-1:], "o", color=colors.to_rgba(n))
        drawn.append((c[seen], run.loss[seen]))
    grid, best = envelope(drawn)
    (line,) = ax.plot(grid, best, "--", color=MEASURED, lw=1.2, label="envelope: best loss within the budget")
    counted = "recorded FLOPs" if flops == "recorded" else f"6 N D, N = {params.replace('_', '-')} parameters"
    ax.set(
        xscale="log",
        xlabel=f"training compute (FLOP; {counted})",
        ylabel=in_unit("held-out loss", ds["loss"].attrs["units"]),
    )
    final = min(y[-1] for _, y in drawn)
    top = min(max(float(y[0]) for _, y in drawn), 2.2 * final)
    ax.set_ylim(0.96 * final, top)
    ax.set_xlim(min(float(c[np.argmax(y <= top)]) for c, y in drawn) / 1.5, grid[-1] * 1.5)
    ax.legend(loc="upper right")
    bar = ax.figure.colorbar(colors, ax=ax, label="parameters") if colorbar else None
    if bar is not None:
        label_log(bar.ax.yaxis)
    return CurveArtists(curves, ends, line, bar)
