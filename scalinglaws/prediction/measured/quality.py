"""What is wrong with the optimum of a budget: codes that a reader can act on, and how uncertain it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.fitting.table import Table
from scalinglaws.prediction.measured.slices import Slice

__all__ = ["CODES", "Budget", "judge"]

Array = NDArray[np.float64]

CODES: Mapping[str, str] = {
    "wrong-curvature": "the losses bend down or have no minimum",
    "unbracketed": "the minimum lies outside the sizes that were trained, or at their edge",
    "too-few-points": "fewer than five different sizes",
    "off-centre": "the minimum lies in the outer half of the sizes, so one side is hardly seen",
    "budget-not-constant": "the compute of its runs differs by more than the tolerance",
    "near-duplicates": "two different sizes are within 2 % of each other, and say little more than one",
    "weak-curvature": "the losses rise from the minimum by less than three times their scatter",
}
"""What can be wrong with a budget; the first two keep it out of the line."""

_FAR = 100.0
_DRAWS = 400
_LEAST_NOISE = 1e-9  # relative; a table without noise still has weights
_LARGEST_NOISE = 1.0
_SIZES = 5
_SCATTERS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The optimum of one budget.

    Parameters
    ----------
    flops
        The budget.
    params, tokens, loss
        N*, D* and the fitted loss there; NaN if there is no minimum, or none within a factor of e^100.
    error
        Standard error of log N*: its spread under noise as large as the scatter of neighbouring losses, pooled over
        the budgets; NaN if no budget has four sizes to estimate that from.
    points
        Runs of this budget.
    codes
        Keys of `CODES`.
    used
        Whether the line goes through it.
    """

    flops: float
    params: float
    tokens: float
    loss: float
    error: float
    points: int
    codes: tuple[str, ...]
    used: bool

    def sentence(self) -> str:
        """Return what is wrong with this budget; "" if nothing is.

        Examples
        --------
        >>> Budget(flops=1e18, params=1e8, tokens=1e9, loss=3.0, error=0.1, points=4, codes=("too-few-points",),
        ...        used=True).sentence()
        '1e+18 FLOP: fewer than five different sizes'
        """
        if not self.codes:
            return ""
        words = "; ".join(CODES[code] for code in self.codes)
        return f"{self.flops:.3g} FLOP: {words}" + ("" if self.used else " (left out of the line)")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; None for what is not a number."""
        numbers = {k: getattr(self, k) for k in ("flops", "params", "tokens", "loss", "error")}
        return dict(plain(numbers)) | {"points": self.points, "codes": list(self.codes), "used": self.used}


def judge(
    table: Table, slices: tuple[Slice, ...], method: str, tolerance: float, *, extrapolate: bool = False
) -> tuple[Budget, ...]:
    """Find the optimum of every slice and say what is wrong with it; arguments as in `isoflop`."""
    scatter = _scatter(table, slices)
    return tuple(_budget(table, each, method, tolerance, scatter, extrapolate) for each in slices)


def _budget(table: Table, each: Slice, method: str, tolerance: float, scatter: float, extrapolate: bool) -> Budget:
    loss, weight = table.loss[None], table.weight[None]
    x, value, bend = (float(part[0]) for part in each.minima(loss, weight, method))
    codes = _codes(table, each, x, bend, tolerance, scatter, value)
    if abs(x - each.log_n[0]) > _FAR:  # a straight line has its minimum beyond all numbers
        x = value = np.nan
    used = "wrong-curvature" not in codes and (extrapolate or "unbracketed" not in codes)
    return Budget(
        flops=each.flops,
        params=float(np.exp(x)),
        tokens=float(np.exp(each.log_d(np.array(x)))),
        loss=value,
        error=_error(table, each, method, scatter) if used else np.nan,
        points=int(each.rows.size),
        codes=codes,
        used=used,
    )


def _codes(
    table: Table, each: Slice, x: float, bend: float, tolerance: float, scatter: float, least: float
) -> tuple[str, ...]:
    log_n, loss = each.log_n, table.loss[each.rows]
    half = 0.5 * (log_n[-1] - log_n[0])
    minimum = bool(np.isfinite(x)) and bend > 0
    inside = minimum and bool(each.holds(np.array(x)))
    ends = min(loss[0], loss[-1])
    wrong = {
        "wrong-curvature": not minimum,
        "unbracketed": minimum and not inside,
        "too-few-points": each.sizes < _SIZES,
        "off-centre": inside and abs(x - log_n[0] - half) > 0.5 * half,
        "budget-not-constant": each.spread > 1.0 + tolerance,
        "near-duplicates": bool(np.any((np.diff(log_n) > 0) & (np.diff(log_n) <= np.log(1.02)))),
        "weak-curvature": inside and ends - least < _SCATTERS * scatter * least,
    }
    return tuple(code for code in CODES if wrong[code])


def _scatter(table: Table, slices: tuple[Slice, ...]) -> float:
    """Return the relative scatter of the losses, pooled over the slices; NaN if none has four sizes.

    From third divided differences of neighbours, which no parabola contributes to: the misfit of a curve to a wide
    sweep is not noise. Their median does not see the few that straddle a kink.
    """
    contrasts = []
    for each in slices:
        x, loss = each.log_n, table.loss[each.rows] / table.loss[each.rows].min()
        sizes, first = np.unique(x, return_index=True)
        mean = np.add.reduceat(loss, first) / np.diff(np.append(first, x.size))
        for k in range(sizes.size - 3):
            gaps = sizes[k : k + 4, None] - sizes[k : k + 4]
            share = 1.0 / np.prod(np.where(gaps == 0, 1.0, gaps), axis=1)
            contrasts.append(abs(share @ mean[k : k + 4]) / np.linalg.norm(share))
    return float(np.median(contrasts) / 0.6745) if contrasts else float("nan")


def _error(table: Table, each: Slice, method: str, scatter: float) -> float:
    """Return the spread of log N* when noise as large as the scatter is added to the losses.

    Drawn, and not propagated by a derivative: which piece of an interpolant holds the minimum changes with the noise.
    """
    if not np.isfinite(scatter):
        return float("nan")
    noise = min(max(scatter, _LEAST_NOISE), _LARGEST_NOISE) * np.random.default_rng(0).standard_normal(
        (_DRAWS, table.rows)
    )
    x = each.minima(table.loss * np.exp(noise), np.broadcast_to(table.weight, noise.shape), method).x
    return float(np.std(x[np.isfinite(x)])) if np.isfinite(x).sum() > _DRAWS // 2 else float("nan")
