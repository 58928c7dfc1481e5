"""Curves of loss over compute for the envelope: of single runs, or of the end points of one size joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.curves import flops_by, iter_runs, params_by, tokens_by
from scalinglaws.errors import InputError
from scalinglaws.fitting.table import Table, as_table

__all__ = ["DECAYED", "Curve", "curves_of"]

Array = NDArray[np.float64]

DECAYED = 0.5
"""Share of the peak learning rate above which it has hardly begun to fall."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One curve of loss over compute.

    Parameters
    ----------
    name
        Of the run, or of the size.
    log_n
        Natural logarithm of its parameters.
    log_c, log_d
        Log compute (increasing) and log tokens, shape (points,).
    rows, raw, starts
        The rows of the table behind the points and their losses, shape (members,), those of a point side by side
        from `starts` (points,) on: seeds that are averaged. All points of a run belong to its one row.
    heat
        Learning rate over its peak at each point, shape (points,); 0 if it does not fall below a half in the end, for
        then all points are alike; None if it is not recorded.
    """

    name: str
    log_n: float
    log_c: Array
    log_d: Array
    rows: NDArray[np.int64]
    raw: Array
    starts: NDArray[np.int64]
    heat: Array | None = None

    @property
    def loss(self) -> Array:
        """Loss at each point, shape (points,)."""
        return np.add.reduceat(self.raw, self.starts) / np.diff(np.append(self.starts, self.raw.size))

    def heights(self, grid: Array, raw: Array | None = None, weight: Array | None = None) -> Array:
        """Return the loss at log budgets, infinite outside the curve.

        Parameters
        ----------
        raw
            Other losses of the members.
        weight
            How often each member was drawn; a curve needs two points that were.
        """
        weight = np.ones(self.raw.size) if weight is None else weight
        total = np.add.reduceat(weight, self.starts)
        there = total > 0
        if there.sum() < 2:
            return np.full(grid.shape, np.inf)
        loss = np.add.reduceat(weight * (self.raw if raw is None else raw), self.starts)[there] / total[there]
        return np.interp(grid, self.log_c[there], loss, left=np.inf, right=np.inf)


def curves_of(data: Any, *, params: str = "total", flops: str = "6ND") -> tuple[Curve, ...]:
    """Return the curves of a family's finished runs, or of the sizes of a table with several horizons each.

    Raises
    ------
    InputError
        When there are fewer than three curves of two points or more.
    """
    if isinstance(data, xr.Dataset) and "obs" in data.dims:
        curves = _of_runs(data, params, flops)
        what = "of the family's finished runs hold two observations or more"
    else:
        curves = _of_sizes(as_table(data))
        what = "of the table's sizes were run for two horizons or more"
    if len(curves) < 3:
        raise InputError(f"curves: only {len(curves)} {what}, and an envelope needs three whole curves")
    return tuple(curves)


def _of_runs(ds: xr.Dataset, params: str, flops: str) -> list[Curve]:
    spent, seen = flops_by(ds, flops, params=params).values, tokens_by(ds).values
    sizes, ends = params_by(ds, params).values, np.cumsum(ds["row_size"].values)
    curves: list[Curve] = []
    row = -1
    for i, run in enumerate(iter_runs(ds)):
        if run.status != "finished":
            continue
        row += 1
        part = slice(int(ends[i] - len(run.step)), int(ends[i]))
        c, d = spent[part], seen[part]
        good = np.isfinite(c) & np.isfinite(d) & np.isfinite(run.loss) & (c > 0) & (d > 0)
        if good.sum() < 2:
            continue
        heat = None if run.lr is None else _heat(run.lr)
        curves.append(
            Curve(
                name=run.name,
                log_n=float(np.log(sizes[i])),
                log_c=np.log(c[good]),
                log_d=np.log(d[good]),
                rows=np.full(int(good.sum()), row),
                raw=run.loss[good],
                starts=np.arange(int(good.sum())),
                heat=None if heat is None else heat[good],
            )
        )
    return curves


def _heat(lr: Array) -> Array | None:
    known = np.isfinite(lr)
    peak = lr[known].max() if known.any() else 0.0
    if peak <= 0:
        return None
    if lr[known][-1] > DECAYED * peak:
        return np.zeros(lr.shape)
    return np.asarray(lr / peak)


def _of_sizes(table: Table) -> list[Curve]:
    """Join the end points of each size by their compute."""
    curves = []
    for size in np.unique(table.params):
        rows = np.flatnonzero(table.params == size)
        rows = rows[np.argsort(table.flops[rows], kind="stable")]
        log_c, starts = np.unique(np.log(table.flops[rows]), return_index=True)
        if log_c.size < 2:
            continue
        curves.append(
            Curve(
                name=f"N = {size:.4g}",
                log_n=float(np.log(size)),
                log_c=log_c,
                log_d=np.log(table.tokens[rows[starts]]),
                rows=rows,
                raw=table.loss[rows],
                starts=starts,
            )
        )
    return curves
