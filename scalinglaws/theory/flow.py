r"""The large-d limit of random features for any real number of features, as modes of a flow in continuous time.

`theory.modes` serves whole d and discrete updates. A law that is fitted to measured curves needs neither, but it
must be smooth in everything, and its derivatives: d is a real number (v = 4 d; sums over j are continued by
`models.sums.real_sum_nodes`), time is continuous, and derivatives are taken along a contour that stays where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.kernels.limit_slopes import falling_root, limit_slopes
from scalinglaws.models.sums import real_sum_nodes
from scalinglaws.theory.contour import interval_contour

__all__ = ["SMALLEST", "FlowModes", "flow_modes"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

SMALLEST = 8.0
"""Fewest features: from here on sums to v = 4 d are smooth in d."""

_SPACING = 0.5  # of the contour's points: exp(-pi^2 / 0.5) = 3e-9
_INSIDE = 0.4  # z at this share of kappa_0 lies below the spectrum whatever its shape, and not far
_OPEN = 60.0  # edges at this multiple of the spectrum leave the contour in the right half-plane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowModes:
    """Modes of the flow, with derivatives at fixed decay rates.

    Parameters
    ----------
    z
        Decay rates, shape (modes,).
    initial, floor
        Initial amplitudes and irreducible risk, then their derivatives by alpha, beta and log d, shapes (4, modes) and
        (4,).
    source
        How strongly noise drives each mode, then its derivatives by alpha and log d, shape (3, modes).
    trace
        sum_j j^(-2 alpha), then its derivatives by alpha and log d, shape (3,).
    """

    z: Complex
    initial: Complex
    floor: Float
    source: Complex
    trace: Float


def flow_modes(alpha: float, beta: float, d: float) -> FlowModes:
    """Put the limiting spectrum of d features on a contour.

    Parameters
    ----------
    alpha, beta
        Data and target complexity.
    d
        Features, a real number >= `SMALLEST`.

    Raises
    ------
    InputError
        For fewer features.

    Examples
    --------
    >>> modes = flow_modes(1.0, 0.7, 1e6)
    >>> f"{modes.floor[0] + modes.initial[0].sum().real:.6f}"  # sum_j j^(-3.4), j <= 4e6
    '1.138664'
    """
    require(d >= SMALLEST, "d", d, f"must be {SMALLEST:g} or more")
    j, count, ends, end_weight = real_sum_nodes(4.0 * d, alpha)
    log_j = np.log(j)
    s, end_s = np.exp(-2.0 * alpha * log_j), ends ** (-2.0 * alpha)
    energy, end_energy = count * s * np.exp(-2.0 * beta * log_j), end_s * ends ** (-2.0 * beta)
    trace = np.array([count @ s, -2.0 * (log_j * count) @ s, end_weight @ end_s])
    kappa_0 = falling_root(s, count, d, trace[0] / d)
    z, weight = _contour(*_edges(s, count, d, kappa_0))
    out = np.geomspace(1e3 * (1.0 + 1.0 / abs(z[0])), 1.0, 16, endpoint=False) * z[0]
    target = np.empty((4, z.size), dtype=np.complex128)
    inner = np.empty((3, z.size), dtype=np.complex128)
    route = np.concatenate([out, z])
    sums = s, log_j, count, energy, end_s, end_energy, end_weight
    converged = limit_slopes(*sums, d, kappa_0, route, out.size, target, inner)
    assert converged, "the contour came too close to the spectrum"
    return FlowModes(
        z=z,
        initial=weight * target,
        floor=_floor(s, log_j, count, energy, end_weight * end_s, end_weight * end_energy, end_s, d, kappa_0),
        source=weight * z * inner,
        trace=trace,
    )


def _edges(s: Float, count: Float, d: float, kappa_0: float) -> tuple[float, float]:
    """Bound the spectrum from below and from above."""
    kappa = _INSIDE * kappa_0
    above = (1.0 - _INSIDE) * kappa_0 / d * float((count * s / (s + kappa_0)) @ (1.0 / (s + kappa)))  # -m
    return kappa * above, (1.0 + math.sqrt(float(count @ s) / d)) ** 2


def _contour(low: float, high: float) -> tuple[Complex, Complex]:
    """Points and weights of a contour that clears the spectrum."""
    y, weight = _unit_contour(math.floor(2.0 * math.log2(low / high)) - 1)
    half = _OPEN * high
    return half * y, -2.0 * half * weight


@lru_cache(maxsize=256)
def _unit_contour(half_octaves: int) -> tuple[Complex, Complex]:
    """Lay a contour round an interval whose ends are apart by this many factors of sqrt 2."""
    return interval_contour(2.0 ** (0.5 * half_octaves) / _OPEN, 1.2 / _OPEN, _SPACING)


def _floor(
    s: Float,
    log_j: Float,
    count: Float,
    energy: Float,
    end_trace: Float,
    end_energy: Float,
    end_s: Float,
    d: float,
    kappa_0: float,
) -> Float:
    """Irreducible risk F_0 = kappa_0 sum_j c_j^2 / (s_j + kappa_0) and its derivatives by alpha, beta and log d."""
    inverse = 1.0 / (s + kappa_0)
    missed = energy @ inverse
    by_kappa = missed - kappa_0 * (energy @ inverse**2)
    falls = (count * s) @ inverse**2  # what the degrees of freedom, held at d, lose by kappa
    k_alpha = -2.0 * kappa_0 * ((log_j * count * s) @ inverse**2) / falls
    k_size = (float(np.sum(end_trace / (end_s + kappa_0))) - d) / falls
    tilt = (log_j * energy) @ inverse
    e_alpha = -2.0 * tilt + 2.0 * ((log_j * energy * s) @ inverse**2)
    e_size = float(np.sum(end_energy / (end_s + kappa_0)))
    return np.array(
        [
            kappa_0 * missed,
            kappa_0 * e_alpha + by_kappa * k_alpha,
            -2.0 * kappa_0 * tilt,
            kappa_0 * e_size + by_kappa * k_size,
        ]
    )
