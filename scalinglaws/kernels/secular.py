"""Roots of 1 = sum_i weights_i / (poles_i - y), each to full relative accuracy as an offset from a pole.

The equation of a diagonal matrix plus rank one (Golub, SIAM Rev. 15 (1973) 318). One root lies below
the first pole and one between any two neighbours. The unknown is its offset from the nearer pole; each step
solves the quadratic of Li's middle-way model (LAPACK working note 89): the sums over the poles on either side
are replaced by one pole each, matched in value and slope. A bracket guards the steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import inlined, kernel, summing

__all__ = ["residues", "secular_roots"]

Float = NDArray[np.float64]

MAX_STEPS = 100
EPS = 2.3e-16


@summing
def _side(poles: Float, weights: Float, first: int, last: int, origin: float, offset: float) -> tuple[float, float]:
    """Sum over poles first, ..., last - 1 and its derivative by y, at y = origin + offset."""
    value, slope = 0.0, 0.0
    for i in range(first, last):
        term = 1.0 / ((poles[i] - origin) - offset)
        value += weights[i] * term
        slope += weights[i] * term * term
    return value, slope


@inlined
def _step(excess: float, below: float, above: float, slope_below: float, slope_above: float) -> float:
    """Middle-way step; `below` < 0 < `above` are the distances to the neighbouring poles."""
    c = excess + below * slope_below + above * slope_above
    b = c * (below + above) - below * below * slope_below - above * above * slope_above
    product = below * above * excess
    root = np.sqrt(max(b * b - 4.0 * c * product, 0.0))
    step: float = 2.0 * product / (b + root) if b > 0.0 else (b - root) / (2.0 * c)
    return step


@kernel
def _solve(poles: Float, weights: Float, i: int, origin: float, low: float, high: float) -> float:
    """Offset from `origin` of the root between poles i - 1 and i, inside (low, high)."""
    count = poles.size
    offset = 0.5 * (low + high)
    for _ in range(MAX_STEPS):
        value_below, slope_below = _side(poles, weights, 0, i, origin, offset)
        value_above, slope_above = _side(poles, weights, i, count, origin, offset)
        excess = 1.0 - value_below - value_above  # falls with y
        if excess > 0.0:
            low = offset
        else:
            high = offset
        above = (poles[i] - origin) - offset
        if i == 0:
            change = above * excess / (excess + above * slope_above)
        else:
            change = _step(excess, (poles[i - 1] - origin) - offset, above, slope_below, slope_above)
        trial = offset + change
        if not low < trial < high:
            trial = 0.5 * (low + high)
        done = abs(trial - offset) <= 2.0 * EPS * abs(trial)
        offset = trial
        if done:
            break
    return offset


@kernel
def secular_roots(poles: Float, weights: Float, origins: NDArray[np.int64], offsets: Float) -> None:
    """Fill in the roots y_i = poles[origins[i]] + offsets[i], ascending; y_i is below poles[i].

    Poles ascend strictly and weights are positive; all arrays have one length.
    """
    total = weights.sum()
    for i in range(poles.size):
        if i == 0:
            origins[0] = 0
            offsets[0] = _solve(poles, weights, 0, poles[0], -total, 0.0)
            continue
        half = 0.5 * (poles[i] - poles[i - 1])
        value = _side(poles, weights, 0, poles.size, poles[i - 1], half)[0]
        if value > 1.0:
            origins[i] = i - 1
            offsets[i] = _solve(poles, weights, i, poles[i - 1], 0.0, half)
        else:
            origins[i] = i
            offsets[i] = _solve(poles, weights, i, poles[i], -half, 0.0)


@kernel
def residues(
    poles: Float, weights: Float, sources: Float, origins: NDArray[np.int64], offsets: Float, out: Float
) -> None:
    """Divide sum_i sources_i / (poles_i - y) by sum_i weights_i / (poles_i - y)^2 at each root.

    The quotient goes to out[0], the inverse of the second sum to out[1].
    """
    for i in range(origins.size):
        origin = poles[origins[i]]
        value = _side(poles, sources, 0, poles.size, origin, offsets[i])[0]
        slope = _side(poles, weights, 0, poles.size, origin, offsets[i])[1]
        out[0, i] = value / slope
        out[1, i] = 1.0 / slope
