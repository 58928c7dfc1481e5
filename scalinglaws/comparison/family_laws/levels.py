r"""Runs of which each lies too high or too low as a whole: how fitted records are weighted for it.

Seeds of one size differ mostly by a factor that holds along the whole run, for each has its own features or its own
initialisation. The log residual of record i of run r is then

    u_r + e_i,      var u = L(N),  var e = W(N),

and least squares, which takes records for independent, believes the factor of a run as much as its course. Generalised
least squares is least squares of

    (r_i - share mean(r)) / sqrt(W),        share = 1 - sqrt(W / (W + m L))  for m records,

(Fuller and Battese, JASA 68 (1973) 626), whose entries are independent. Variances are power laws of N, read off the
residuals of an earlier fit, so that what a law misses counts as noise like all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import FamilyCurves

__all__ = ["Levels"]

Array = NDArray[np.float64]

_EXACT = 1e-18  # variance of what rounding leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Variances of the log residuals of a family: ln variance = constant + slope ln N.

    Parameters
    ----------
    level
        Constant and slope of the mean of a run.
    course
        Of its records round that mean.
    middle
        Geometric mean of the latter variance over the fitted runs: whitened residuals keep its size.

    Examples
    --------
    >>> from scalinglaws.comparison.path import Path
    >>> curves = FamilyCurves.of([Path(rate=np.full(9, 0.1))] * 2, [10.0, 40.0], [[3, 6, 9]] * 2)
    >>> levels = Levels.of(np.array([0.2, 0.21, 0.19, 0.1, 0.105, 0.095]), curves)
    >>> levels.said(curves)
    '20 % (size 10) to 10 % (size 40) from run to run, 1 % to 0.5 % along a run'
    >>> levels.whiten(np.array([0.2, 0.21, 0.19, 0.1, 0.105, 0.095]), curves).round(4).tolist()
    [0.0041, 0.0112, -0.003, 0.0041, 0.0112, -0.003]
    """

    level: tuple[float, float]
    course: tuple[float, float]
    middle: float

    @classmethod
    def of(cls, residuals: Array, curves: FamilyCurves) -> Levels:
        """Read the variances off log residuals, shape (n,)."""
        level = np.array([np.mean(residuals[part]) ** 2 for part in curves.slices])
        course = np.array([_about_mean(residuals[part]) for part in curves.slices])
        trend = _trend(curves.size, course)
        middle = float(np.exp(trend[0] + trend[1] * np.mean(np.log(curves.size))))
        return cls(level=_trend(curves.size, level), course=trend, middle=middle)

    def whiten(self, rows: Array, look: FamilyCurves) -> Array:
        """Transform residuals, shape (n,), or their Jacobian, shape (n, p)."""
        out = np.empty_like(rows)
        level, course = self._variances(look.size)
        for part, high, wide in zip(look.slices, level, course, strict=True):
            mine = rows[part]
            share = 1.0 - np.sqrt(wide / (wide + len(mine) * high))
            out[part] = (mine - share * mine.mean(axis=0)) * np.sqrt(self.middle / wide)
        return out

    def said(self, look: FamilyCurves) -> str:
        """Describe the noise in words, from the smallest size to the largest."""
        ends = np.array([look.size.min(), look.size.max()])
        (a, b), (c, d) = (100.0 * np.sqrt(v) for v in self._variances(ends))
        return f"{a:.2g} % (size {ends[0]:.3g}) to {b:.2g} % (size {ends[1]:.3g}) from run to run, " + (
            f"{c:.2g} % to {d:.2g} % along a run"
        )

    def _variances(self, size: Array) -> tuple[Array, Array]:
        level, course = (np.exp(c + s * np.log(size)) for c, s in (self.level, self.course))
        return level, course


def _about_mean(residuals: Array) -> float:
    return float(residuals.var(ddof=1)) if residuals.size > 1 else 0.0


def _trend(size: Array, variance: Array) -> tuple[float, float]:
    """Fit a line to the logarithms of the mean variance of each size, every size weighted by its runs."""
    sizes, place, count = np.unique(size, return_inverse=True, return_counts=True)
    mean = np.log(np.bincount(place, variance) / count + _EXACT)
    if sizes.size == 1:
        return float(mean[0]), 0.0
    slope, constant = np.polyfit(np.log(sizes), mean, 1, w=np.sqrt(count))
    return float(constant), float(slope)
