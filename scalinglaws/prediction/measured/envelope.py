"""Approach 1 on measured curves: the run of least loss at each of many budgets, and lines through their sizes.

It needs whole curves, several sizes whose compute overlaps, and every point of a curve must be as good as a run that
had been meant to end there. A decaying learning rate breaks that: the middle of one long cosine is worse than the end
of a shorter one, which favours small models (Hoffmann et al. 2022, section 2). A table of end points of several
horizons per size does not have the problem: the end points of a size, joined, are its curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.prediction.measured.chains import DECAYED, Curve, curves_of
from scalinglaws.prediction.measured.lines import PowerLine, power_line

__all__ = ["Envelope", "envelope", "log_tokens", "winners"]

Array = NDArray[np.float64]

POINTS = 1500
"""Budgets at which the best run is looked for (Hoffmann et al. 2022, section 3.1)."""

_END = 0.9  # of the final compute: the last tenth of a curve counts as its end


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """Approach 1: the best run at each budget and the power laws through them; arrays have shape (budgets,).

    Parameters
    ----------
    flops
        Log-spaced budgets; where the smallest or the largest size that reaches a budget wins, the best one may lie
        beyond, and the budget is left out.
    params, tokens, loss
        Of the best run at each.
    names
        Which curve that is.
    params_line, tokens_line
        N* and D* as power laws of compute.
    curves, grid
        What was compared, at which log budgets before any was left out.
    warnings
        Sentences; none for a healthy envelope.
    """

    flops: Array
    params: Array
    tokens: Array
    loss: Array
    names: tuple[str, ...]
    params_line: PowerLine
    tokens_line: PowerLine
    curves: tuple[Curve, ...]
    grid: Array
    warnings: tuple[str, ...]


def envelope(data: Any, *, points: int = POINTS, params: str = "total", flops: str = "6ND") -> Envelope:
    """Take the best run at each of many budgets, and fit how its size and tokens grow with compute.

    Parameters
    ----------
    data
        A family of measured runs (finished ones are used); or whatever else `fitting.as_table` accepts, with two or
        more horizons for each of several sizes.
    points
        Log-spaced budgets over the compute of all curves.
    params, flops
        How a family's N and C are counted.

    Raises
    ------
    InputError
        When there are no whole curves, or no budget at which a size wins that is neither smallest nor largest.

    References
    ----------
    Hoffmann et al. (2022), arXiv 2203.15556, approach 1.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 13), 6)
    >>> d = n * np.tile(np.geomspace(1, 400, 6), 13)
    >>> found = envelope({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
    >>> bool(abs(found.params_line.exponent - 0.37 / 0.72) < 0.02), found.warnings
    (True, ())
    """
    whole = isinstance(points, int) and points >= 10
    require(whole, "points", points, "must be an integer, 10 or more")
    curves = curves_of(data, params=params, flops=flops)
    grid = np.linspace(min(c.log_c[0] for c in curves), max(c.log_c[-1] for c in curves), points)
    log_n, heights = np.array([curve.log_n for curve in curves]), np.stack([c.heights(grid) for c in curves])
    place, inner = winners(log_n, heights)
    if np.unique(log_n[place[inner]]).size < 2:
        raise InputError(
            f"curves: of {np.unique(log_n).size} sizes, fewer than two are ever the best at a budget that smaller and "
            "larger sizes reach too, so no envelope can be followed; add sizes between, or longer runs"
        )
    budgets, best = grid[inner], place[inner]
    sizes, tokens = np.exp(log_n[best]), np.exp(log_tokens(curves, budgets, best))
    return Envelope(
        flops=np.exp(budgets),
        params=sizes,
        tokens=tokens,
        loss=heights[best, np.flatnonzero(inner)],
        names=tuple(curves[k].name for k in best),
        params_line=power_line(np.exp(budgets), sizes),
        tokens_line=power_line(np.exp(budgets), tokens),
        curves=curves,
        grid=grid,
        warnings=_warnings(curves, budgets, best),
    )


def winners(log_n: Array, heights: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the curve of least loss at each budget, and whether its size has competitors on both sides.

    Parameters
    ----------
    log_n
        Log size of each curve, shape (curves,).
    heights
        Losses, infinite where a curve has none, shape (curves, budgets).

    Returns
    -------
    place, inner
        Shape (budgets,). Not `inner`: of the sizes with a loss at that budget the smallest or the largest wins, so
        that the best one may lie beyond.
    """
    there = np.isfinite(heights)
    small = np.where(there, log_n[:, None], np.inf).min(axis=0)
    large = np.where(there, log_n[:, None], -np.inf).max(axis=0)
    place = heights.argmin(axis=0)
    size = log_n[place]
    return place, (size > small + 1e-9) & (size < large - 1e-9)


def log_tokens(curves: tuple[Curve, ...], budgets: Array, best: NDArray[np.int64]) -> Array:
    """Return log D of the best curve at each log budget, shape (budgets,)."""
    out = np.empty(best.size)
    for k in np.unique(best):
        here = best == k
        out[here] = np.interp(budgets[here], curves[k].log_c, curves[k].log_d)
    return out


def _warnings(curves: tuple[Curve, ...], budgets: Array, best: NDArray[np.int64]) -> tuple[str, ...]:
    """Say so when most of the best points lie inside curves whose learning rate was still to fall."""
    if any(np.unique(curve.rows).size > 1 for curve in curves):
        return ()  # curves of end points
    early = budgets < np.array([curves[k].log_c[-1] for k in best]) + np.log(_END)
    hot = np.zeros(best.size, dtype=bool)
    for k in np.unique(best):
        curve, here = curves[k], best == k
        if curve.heat is not None:
            hot[here] = np.interp(budgets[here], curve.log_c, curve.heat) > DECAYED
    if hot.mean() > 0.1:
        return (
            f"At {100 * hot.mean():.0f} % of the budgets the best run has more than half of its peak learning rate and "
            "would decay later: the middle of a long schedule is worse than a short one's end, which favours small "
            "models; train each size for several horizons.",
        )
    unknown = all(curve.heat is None for curve in curves)
    sizes, counts = np.unique([curve.log_n for curve in curves], return_counts=True)
    if unknown and early.mean() > 0.5 and np.all(counts == 1):
        return (
            f"Each of the {sizes.size} sizes has one run, and at {100 * early.mean():.0f} % of the budgets the best "
            "point lies inside a run: if those runs followed one long decaying schedule, the envelope is biased "
            "towards small models.",
        )
    return ()
