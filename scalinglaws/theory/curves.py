"""What a solver with a constant rate returns: curves that are sums of exponentials in the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ExponentialSum", "RiskCurves", "log1p"]

BLOCK = 2**22
"""Exponentials computed at once: 64 MiB."""
GONE = -746.0
"""exp of this is zero."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExponentialSum:
    """A curve P(r) = Re sum_l weight_l (1 + q_l)^r.

    Parameters
    ----------
    q, weight
        Exponents and amplitudes, real or complex, shape (n,); q = 0 is the part that stays.
    """

    q: NDArray[Any]
    weight: NDArray[Any]

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Evaluate at `steps`; infinite where the sum overflows."""
        logs = log1p(self.q)
        rows = max(1, BLOCK // self.q.size)
        value = np.empty(steps.size)
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, steps.size, rows):
                exponent = np.multiply.outer(steps[first : first + rows].astype(np.float64), logs)
                exponent[exponent.real < GONE] = GONE  # the phase of what has vanished is slow to reduce
                value[first : first + rows] = (np.exp(exponent) @ self.weight).real
        return np.where(np.isfinite(value), value, np.inf)


@dataclass(frozen=True, slots=True)
class RiskCurves:
    """Expected risk of SGD and its two parts, risk = forcing + noise.

    Parameters
    ----------
    risk
        P(r).
    forcing
        F(r): what the noiseless average of the updates would leave, with the same factor per mode and step.
    noise
        P(r) - F(r): what mini-batch noise adds, its amplification of the forcing included.
    """

    risk: ExponentialSum
    forcing: ExponentialSum
    noise: ExponentialSum


def log1p(x: NDArray[Any]) -> NDArray[Any]:
    """Give log(1 + x) with full relative accuracy in the real part; NumPy's loses it for small complex x.

    Examples
    --------
    >>> log1p(np.array([1e-20 + 1e-20j])).real * 1e20
    array([1.])
    """
    if not np.iscomplexobj(x):
        return np.asarray(np.log1p(x))
    real, imag = x.real, x.imag
    return np.asarray(0.5 * np.log1p(real * (2.0 + real) + imag * imag) + 1j * np.arctan2(imag, 1.0 + real))
