"""IsoFLOP slices of a table: rows of about the same compute, in the order of their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.quantities import positive
from scalinglaws.fitting.table import Table
from scalinglaws.prediction.measured.minima import Minima, fitted_curve, minima

__all__ = ["Slice", "cut"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """The rows of one budget.

    Parameters
    ----------
    flops
        Geometric mean of their compute.
    rows
        Their places in the table, in increasing order of N, shape (points,).
    log_n
        Natural logarithms of N, shape (points,).
    line
        Intercept and slope of log D by log N along the slice: (log C/6, -1) where C = 6 N D is constant.
    spread
        Largest compute over the smallest.
    """

    flops: float
    rows: NDArray[np.int64]
    log_n: Array
    line: tuple[float, float]
    spread: float

    def log_d(self, log_n: Array) -> Array:
        """Return log D of the slice at log N."""
        return np.asarray(self.line[0] + self.line[1] * log_n)

    @property
    def sizes(self) -> int:
        """How many different N there are, those closer than 2 % counted once."""
        return 1 + int(np.sum(np.diff(self.log_n) > np.log(1.02))) if self.rows.size else 0

    def minima(self, loss: Array, weight: Array, method: str) -> Minima:
        """Find the minimum of losses of shape (draws, rows of the table); those outside the sizes are kept."""
        return minima(self.log_n, loss[:, self.rows], weight[:, self.rows], method)

    def curve(self, table: Table, method: str, log_n: Array) -> Array:
        """Return the curve that is fitted to the losses of the slice, at log sizes."""
        return fitted_curve(self.log_n, table.loss[self.rows], table.weight[self.rows], method, log_n)

    def holds(self, log_n: Array) -> NDArray[np.bool_]:
        """Whether a minimum lies strictly between the smallest and the largest size."""
        return np.asarray((log_n > self.log_n[0] + 1e-9) & (log_n < self.log_n[-1] - 1e-9))


def cut(
    table: Table, budgets: ArrayLike | None = None, tolerance: float = 0.1, within: float | None = None
) -> tuple[Slice, ...]:
    """Cut a table into slices of constant compute.

    Parameters
    ----------
    table
        End points of runs; each row is one.
    budgets
        The budgets that were meant, in FLOP: a row belongs to the nearest, if it is within the tolerance of it.
        By default neighbours in compute that differ by less than the tolerance belong together.
    tolerance
        Relative: 0.1 is ten percent.
    within
        Keep the points whose loss is at most this much above the least of the slice, relatively (0.15 is 15 %); by
        default all.

    Returns
    -------
        Slices of three rows or more, in increasing order of compute.

    Raises
    ------
    InputError
        When the table holds no such slice, or an argument is not positive.

    Examples
    --------
    >>> n = np.tile(np.geomspace(1e7, 1e8, 5), 2)
    >>> c = np.repeat([1e18, 1e19], 5)
    >>> table = Table(params=n, tokens=c / (6 * n), loss=np.full(10, 3.0))
    >>> [(f"{s.flops:.3g}", s.rows.size) for s in cut(table)]
    [('1e+18', 5), ('1e+19', 5)]
    """
    require(0 < tolerance < 10, "tolerance", tolerance, "must be positive and below 10")
    require(within is None or within > 0, "within", within, "must be positive")
    groups = _neighbours(table.flops, tolerance) if budgets is None else _nearest(table.flops, budgets, tolerance)
    slices = [_slice(table, rows, within) for rows in groups if rows.size >= 3]
    kept = tuple(s for s in slices if s.rows.size >= 3)
    if not kept:
        raise InputError(
            f"table: no three of the {table.rows} runs share a budget within {100 * tolerance:g} %, "
            "so there is no isoFLOP slice; give budgets= or a larger tolerance="
        )
    return kept


def _neighbours(flops: Array, tolerance: float) -> list[NDArray[np.int64]]:
    order = np.argsort(flops, kind="stable")
    gaps = np.diff(np.log(flops[order])) > np.log1p(tolerance)
    return np.split(order, np.flatnonzero(gaps) + 1)


def _nearest(flops: Array, budgets: ArrayLike, tolerance: float) -> list[NDArray[np.int64]]:
    wanted = np.log(np.sort(np.atleast_1d(positive("budgets", budgets))))
    require(bool((np.diff(wanted) > 0).all()), "budgets", budgets, "must be different")
    distance = np.abs(np.log(flops)[:, None] - wanted)
    place = np.where(distance.min(axis=1) <= np.log1p(tolerance), distance.argmin(axis=1), -1)
    return [np.flatnonzero(place == k) for k in range(wanted.size)]


def _slice(table: Table, rows: NDArray[np.int64], within: float | None) -> Slice:
    if within is not None:
        rows = rows[table.loss[rows] <= (1.0 + within) * table.loss[rows].min()]
    rows = rows[np.argsort(table.params[rows], kind="stable")]
    log_n, log_d = np.log(table.params[rows]), np.log(table.tokens[rows])
    off = log_n - log_n.mean()
    size = float(off @ off)
    slope = float(off @ log_d) / size if size > 0 else -1.0
    flops = table.flops[rows]
    return Slice(
        flops=float(np.exp(np.log(flops).mean())),
        rows=rows,
        log_n=log_n,
        line=(float(log_d.mean() - slope * log_n.mean()), slope),
        spread=float(flops.max() / flops.min()),
    )
