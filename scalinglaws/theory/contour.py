r"""A closed contour round an interval of decay rates, with points spread evenly in its logarithm.

`interval_contour(low, high)` surrounds [low, high] (0 < low < high < 2) inside the disc |1 - y| <= 1, on
which powers (1 - y)^r stay bounded for every r >= 0. Intervals of thirty decades need a few hundred points,
because the trapezoidal rule sees an integrand that is analytic in an annulus:

zeta = y / (2 - y) maps the disc onto the right half-plane, and the half-plane slit along [low, high] is
mapped onto an annulus by a Jacobi elliptic function, here as its theta products (Hale, Higham, Trefethen,
SIAM J. Numer. Anal. 46 (2008) 2505, do the same for a plane slit along the negative axis). The contour is
the circle half-way, on which arg zeta is at most pi/4; the error falls as exp(-pi^2 / spacing).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ellipk, ellipkm1

__all__ = ["interval_contour"]

SPACING = 0.28
"""Step of the trapezoidal rule: exp(-pi^2 / 0.36) = 1e-12."""
PRODUCTS = 4
"""Factors kept of each theta product: the nome is below 0.05 once high / low > 1.5."""


def interval_contour(
    low: float, high: float, spacing: float = SPACING
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    r"""Points y in the upper half-plane and weights with oint f(y) dy / (2 pi i) = 2 Re sum weights * f(y).

    Parameters
    ----------
    low, high
        The interval to surround once, counter-clockwise, 0 < low < high < 2. What lies at y <= 0 or y >= 2
        stays outside. f must be real on the real axis outside the interval.
    spacing
        Step of the rule, whose error is about exp(-pi^2 / spacing).

    Returns
    -------
    Points and weights, from the right end of the interval to the left.

    Examples
    --------
    >>> y, weights = interval_contour(1e-12, 0.5)
    >>> inside = 2 * (weights / (y - 1e-6)).sum().real    # the residue of a pole inside is 1
    >>> outside = 2 * (weights / (y + 1e-13)).sum().real  # and of a pole outside 0
    >>> bool(abs(inside - 1) < 1e-10), bool(abs(outside) < 1e-10)
    (True, True)
    """
    low, high = low / (2.0 - low), high / (2.0 - high)
    low = min(low, high / 1.5)  # a point or a narrow band: widen, so that the products converge at once
    modulus = (low / high) ** 2
    half_period = math.pi * ellipkm1(modulus) / ellipk(modulus)
    count = math.ceil(half_period / spacing)
    tau = (np.arange(count) + 0.5) * (half_period / count)
    zeta, slope = _half_way((tau + 0.5j * math.pi).astype(np.complex128), half_period)
    zeta *= high
    y = 2.0 * zeta / (1.0 + zeta)
    dy = 2.0 * zeta * slope / (1.0 + zeta) ** 2
    return y, dy * (half_period / count) / (2j * math.pi)


def _half_way(w: NDArray[np.complex128], period: float) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Map the annulus: zeta / high at w, and d log zeta / dw."""
    zeta = 2j * np.exp(-0.5 * w) / -np.expm1(-w)
    slope = np.asarray(-0.5 - np.exp(-w) / -np.expm1(-w), dtype=np.complex128)
    norm = 1.0
    for n in range(PRODUCTS):
        for sign in (1.0, -1.0):
            odd = np.exp(-(2 * n + 1) * period + sign * w)
            even = np.exp(-(2 * n + 2) * period + sign * w)
            zeta *= (1.0 - odd) / (1.0 - even)
            slope += sign * (even / (1.0 - even) - odd / (1.0 - odd))
        norm *= ((1.0 + math.exp(-(2 * n + 2) * period)) / (1.0 + math.exp(-(2 * n + 1) * period))) ** 2
    return zeta * norm, slope
