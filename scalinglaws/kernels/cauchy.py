"""Sums over all earlier points with a kernel 1/distance, in one pass.

The kernel is a sum of exponentials, 1/u = int e^(y - u e^y) dy by the trapezoidal rule, and an exponential needs one
number of memory: n points cost n times some hundred operations instead of n^2/2 divisions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel

__all__ = ["cauchy_sums"]

Array = NDArray[np.float64]

_STEP = 0.35
"""Spacing of the nodes in the logarithm: the rule is then right to about exp(-pi^2/0.35) = 6e-13."""
_TAIL = 1e-12
"""What the truncated ends may add, relative."""


def cauchy_sums(weight: Array, gap: Array) -> Array:
    """Return `out[t] = sum_(k < t) weight[k] / (gap[k + 1] + ... + gap[t])`, relative error about 1e-11.

    Parameters
    ----------
    weight
        Non-negative, shape (n,); the last one is not used.
    gap
        Positive distances from each point to the one before, shape (n,); the first one is not used.

    Examples
    --------
    >>> cauchy_sums(np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.5, 0.5])).round(9)
    array([0., 2., 5.])
    """
    if weight.size < 2:
        return np.zeros_like(weight)
    low, high = np.log(_TAIL / gap[1:].sum()), np.log(-np.log(_TAIL) / gap[1:].min())
    rate = np.exp(np.arange(low, high + _STEP, _STEP))
    return _sums(weight, gap, rate, _STEP * rate)


@kernel
def _sums(weight: Array, gap: Array, rate: Array, amount: Array) -> Array:
    memory = np.zeros(rate.size)
    out = np.zeros(weight.size)
    for t in range(1, weight.size):
        total = 0.0
        for j in range(rate.size):
            memory[j] = (memory[j] + weight[t - 1]) * np.exp(-rate[j] * gap[t])
            total += amount[j] * memory[j]
        out[t] = total
    return out
