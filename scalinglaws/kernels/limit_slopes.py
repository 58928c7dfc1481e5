r"""The limiting resolvents of random features along a contour, with their derivatives by alpha, beta and log d.

As in `theory.limit`, z = -kappa m with m = 1 - S / d, S = sum_j s_j / (s_j + kappa), and the target's resolvent is
-(kappa / z) E with E = sum_j c_j^2 / (s_j + kappa). Derivatives are taken at fixed z, where

    dkappa/dp = -(dz/dp at fixed kappa) / (dz/dkappa),

so that a contour may stay where it is while its model moves. s_j = j^(-2 alpha), c_j^2 = j^(-2 alpha - 2 beta).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel, summing

__all__ = ["falling_root", "limit_slopes"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

SMALL = 1e-9
"""Relative size of a Newton step after which the next would be below rounding."""
MAX_NEWTON = 50


@summing
def falling_root(s: Float, weight: Float, level: float, kappa: float) -> float:
    """Solve sum weight s / (s + kappa) = level from above: Newton's steps in logarithms fall monotonically.

    The logarithm of the sum is concave in that of kappa, so that every tangent crosses the level above the curve.
    """
    for _ in range(200):
        total, slope = 0.0, 0.0
        for i in range(s.size):
            part = weight[i] * s[i] / (s[i] + kappa)
            total += part
            slope += part * kappa / (s[i] + kappa)
        step = np.log(total / level) * total / slope
        kappa *= np.exp(step)
        if abs(step) < 1e-14:
            break
    return kappa


@summing
def _moments(s: Float, weight: Float, trace: Float, real: float, imag: float) -> tuple[complex, complex]:
    """Sum weight / (s + kappa) and trace / (s + kappa)^2."""
    w_tu, w_u, p_uu, p_ttuu, p_tuu = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        t = s[i] + real
        u = 1.0 / (t * t + imag * imag)
        w_tu += weight[i] * t * u
        w_u += weight[i] * u
        puu = trace[i] * u * u
        p_uu += puu
        p_tuu += puu * t
        p_ttuu += puu * t * t
    return complex(w_tu, -imag * w_u), complex(p_ttuu - imag * imag * p_uu, -2.0 * imag * p_tuu)


@summing
def _totals(
    s: Float, log_j: Float, energy: Float, trace: Float, real: float, imag: float
) -> tuple[complex, complex, complex, complex, complex, complex, complex]:
    """Sum e/(s+k), e/(s+k)^2, l e/(s+k), l e s/(s+k)^2, p/(s+k), p/(s+k)^2 and l p/(s+k)^2, with l = log j."""
    e1, e2, e3, e4, p1, p2, p3 = 0j, 0j, 0j, 0j, 0j, 0j, 0j
    for i in range(s.size):
        t = s[i] + real
        u = 1.0 / (t * t + imag * imag)
        inverse = complex(t * u, -imag * u)
        square = complex((t * t - imag * imag) * u * u, -2.0 * t * imag * u * u)
        e1 += energy[i] * inverse
        e2 += energy[i] * square
        e3 += log_j[i] * energy[i] * inverse
        e4 += log_j[i] * energy[i] * s[i] * square
        p1 += trace[i] * inverse
        p2 += trace[i] * square
        p3 += log_j[i] * trace[i] * square
    return e1, e2, e3, e4, p1, p2, p3


@kernel
def limit_slopes(
    s: Float,
    log_j: Float,
    count: Float,
    energy: Float,
    end_s: Float,
    end_energy: Float,
    end_weight: Float,
    d: float,
    kappa_0: float,
    route: Complex,
    first: int,
    target: Complex,
    trace_out: Complex,
) -> bool:
    """Fill in the resolvents at each z of `route` from its element `first` on; return whether Newton converged.

    Parameters
    ----------
    s, log_j, count, energy
        Nodes of the sums over j, their logarithms, and what each stands for in sums of 1 and of c_j^2.
    end_s, end_energy, end_weight
        Nodes whose weighted sum is the derivative of a sum by log d.
    kappa_0, d
        As in `theory.limit.Resolvent`.
    route
        From far away, where kappa = -z + trace / d, to the contour, and along it.
    target, trace_out
        Resolvent of the target, then its derivatives by alpha, beta and log d, shape (4, n); Tr K (K - z)^-1, then
        its derivatives by alpha and log d, shape (3, n).
    """
    trace = count * s
    weight = trace / (s + kappa_0) / d
    shift = -route[0] + trace.sum() / d - kappa_0
    converged = True
    z, slope = route[0], -1.0 + 0.0j
    for n in range(route.size):
        if n > 0:
            shift = shift * np.exp(z / (shift * slope) * np.log(route[n] / z))
        small = False
        for _ in range(MAX_NEWTON):
            kappa = kappa_0 + shift
            mean, square = _moments(s, weight, trace, kappa.real, kappa.imag)
            m = shift * mean
            z, slope = -kappa * m, -m - kappa * square / d
            change = (route[n] - z) / slope
            shift = shift + change
            small = abs(change) <= SMALL * abs(shift)
            if small:
                break
        converged = converged and small
        if n < first:
            continue
        at, kappa = n - first, kappa_0 + shift
        e1, e2, e3, e4, p1, p2, p3 = _totals(s, log_j, energy, trace, kappa.real, kappa.imag)
        z, m = route[n], -route[n] / kappa
        slope = -m - kappa * p2 / d
        p_size, e_size = 0j, 0j
        for i in range(end_s.size):
            p_size += end_weight[i] * end_s[i] / (end_s[i] + kappa)
            e_size += end_weight[i] * end_energy[i] / (end_s[i] + kappa)
        p_alpha = -2.0 * kappa * p3  # derivatives of S and of E at fixed kappa
        e_alpha = -2.0 * e3 + 2.0 * e4
        k_alpha = -kappa * p_alpha / d / slope
        k_size = -kappa * (p_size - p1) / d / slope
        target[0, at] = -kappa / z * e1
        target[1, at] = -(k_alpha * e1 + kappa * (e_alpha - e2 * k_alpha)) / z
        target[2, at] = 2.0 * kappa / z * e3
        target[3, at] = -(k_size * e1 + kappa * (e_size - e2 * k_size)) / z
        trace_out[0, at] = p1
        trace_out[1, at] = p_alpha - p2 * k_alpha
        trace_out[2, at] = p_size - p2 * k_size
    return converged
