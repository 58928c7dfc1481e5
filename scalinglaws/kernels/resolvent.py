"""Continuation of the random-feature resolvents along a path of the spectral variable.

z = -kappa shift sum_j weight_j / (s_j + kappa) with kappa = kappa_0 + shift (`theory.limit`) is solved for
the shift at one point after the other: a tangent step in logarithms, then Newton.
The sums are in real arithmetic, which vectorises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel, summing

__all__ = ["follow_path"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

SMALL = 1e-8
"""Relative size of a Newton step after which the next would be below rounding."""
MAX_NEWTON = 50


@summing
def _moments(
    s: Float, weight: Float, trace: Float, real: float, imag: float
) -> tuple[float, float, float, float, float]:
    """Sum over 1 / (s + kappa) = (t - i imag) u with t = s + real, u = 1 / (t^2 + imag^2)."""
    w_tu, w_u, p_u, p_uu, p_tuu = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        t = s[i] + real
        u = 1.0 / (t * t + imag * imag)
        w_tu += weight[i] * t * u
        w_u += weight[i] * u
        pu = trace[i] * u
        p_u += pu
        p_uu += pu * u
        p_tuu += t * pu * u
    return w_tu, w_u, p_u, p_uu, p_tuu


@summing
def _totals(s: Float, energy: Float, trace: Float, real: float, imag: float) -> tuple[float, float, float, float]:
    e_tu, e_u, p_tu, p_u = 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        t = s[i] + real
        u = 1.0 / (t * t + imag * imag)
        e_tu += energy[i] * t * u
        e_u += energy[i] * u
        p_tu += trace[i] * t * u
        p_u += trace[i] * u
    return e_tu, e_u, p_tu, p_u


@kernel
def _z_and_slope(
    s: Float, weight: Float, trace: Float, d: float, kappa_0: float, shift: complex
) -> tuple[complex, complex]:
    kappa = kappa_0 + shift
    w_tu, w_u, p_u, p_uu, p_tuu = _moments(s, weight, trace, kappa.real, kappa.imag)
    m = shift * complex(w_tu, -kappa.imag * w_u)
    squares = complex(p_u - 2.0 * kappa.imag**2 * p_uu, -2.0 * kappa.imag * p_tuu) / d
    return -kappa * m, -m - kappa * squares


@kernel
def follow_path(
    s: Float,
    energy: Float,
    trace: Float,
    weight: Float,
    d: float,
    kappa_0: float,
    shift: complex,
    path: Complex,
    target: Complex,
    trace_out: Complex,
) -> bool:
    """Fill in the target's resolvent and Tr K (K - z)^-1 at each z of `path`.

    `shift` is a guess for the first point. Returns whether every Newton iteration converged.
    """
    converged = True
    z, slope = _z_and_slope(s, weight, trace, d, kappa_0, shift)
    for i in range(path.size):
        shift = shift * np.exp(z / (shift * slope) * np.log(path[i] / z))
        small = False
        for _ in range(MAX_NEWTON):
            z, slope = _z_and_slope(s, weight, trace, d, kappa_0, shift)
            change = (path[i] - z) / slope
            shift = shift + change
            small = abs(change) <= SMALL * abs(shift)
            if small:
                break
        converged = converged and small
        kappa = kappa_0 + shift
        e_tu, e_u, p_tu, p_u = _totals(s, energy, trace, kappa.real, kappa.imag)
        target[i] = -kappa / path[i] * complex(e_tu, -kappa.imag * e_u)
        trace_out[i] = complex(p_tu, -kappa.imag * p_u)
    return converged
