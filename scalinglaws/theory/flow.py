r"""The large-d limit of random features for any real number of features, as modes of a flow in continuous time.

`theory.modes` serves whole d and discrete updates. A law that is fitted to measured curves needs neither, but it
must be smooth in everything: d is a real number (v = 4 d; sums over j are continued by their quadrature), time is
continuous, and a contour stays where it is while its model moves a little, so that difference quotients are clean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.kernels.resolvent import follow_path
from scalinglaws.models.sums import power_sum_nodes
from scalinglaws.theory.contour import interval_contour

__all__ = ["SMALLEST", "Contour", "FlowModes", "contour_of", "flow_modes"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

SMALLEST = 20.0
"""Fewest features: from here on sums to v = 4 d are smooth in d."""

_HEAD = 32
_SPACING = 0.5  # of the contour's points: exp(-pi^2 / 0.5) = 3e-9
_ROOM = 1.5  # by which the contour clears the edges of the spectrum it was laid for
_OPEN = 40.0  # edges at this multiple of the spectrum leave the contour in the right half-plane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contour:
    """Points round a spectrum, with weights; see `theory.contour`."""

    z: Complex
    weight: Complex


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowModes:
    """Modes of the flow for several targets.

    Parameters
    ----------
    z, source
        Decay rates, and how strongly noise drives each mode, shape (modes,).
    initial, floor
        Initial amplitudes and irreducible risk: first of the target, then of its derivative by beta, shapes (2, modes)
        and (2,).
    trace
        sum_j j^(-2 alpha).
    """

    z: Complex
    source: Complex
    initial: Complex
    floor: Float
    trace: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Nodes j and weights for sums over j = 1, ..., 4 d, with s = j^(-2 alpha), and the edges of the limit."""

    j: Float
    count: Float
    s: Float
    d: float
    kappa_0: float

    @classmethod
    def of(cls, alpha: float, d: float) -> _Sums:
        require(d >= SMALLEST, "d", d, f"must be {SMALLEST:g} or more")
        j, count = power_sum_nodes(4.0 * d, alpha, _HEAD)
        s = j ** (-2.0 * alpha)
        return cls(
            j=j, count=count, s=s, d=d, kappa_0=_crossing(lambda x: float(count @ (s / (s + x))), d, s[-1], s[0])
        )

    def edges(self) -> tuple[float, float]:
        """Return the left end of the spectrum, and a bound on its right end."""
        s, count, d = self.s, self.count, self.d
        kappa = _crossing(lambda x: float(count @ (s / (s + x)) ** 2), d, s[-1] * 1e-6, self.kappa_0)
        shift = kappa - self.kappa_0
        gap = -kappa * shift / d * float((count * s / (s + self.kappa_0)) @ (1.0 / (s + kappa)))
        return gap, (1.0 + math.sqrt(float(count @ s) / d)) ** 2


def contour_of(alpha: float, d: float) -> Contour:
    """Lay a contour round the limiting spectrum, with room for small changes of (alpha, d)."""
    low, high = _Sums.of(alpha, d).edges()
    half = _OPEN * high * _ROOM
    y, weight = interval_contour(low / _ROOM / half, high * _ROOM / half, _SPACING)
    return Contour(z=half * y, weight=-2.0 * half * weight)


def flow_modes(alpha: float, beta: float, d: float, contour: Contour | None = None) -> FlowModes:
    """Put the limiting spectrum of d features on a contour.

    Parameters
    ----------
    alpha, beta
        Data and target complexity.
    d
        Features, a real number >= `SMALLEST`.
    contour
        Laid for neighbouring (alpha, d); a new one by default.

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
    sums = _Sums.of(alpha, d)
    contour = contour_of(alpha, d) if contour is None else contour
    j, s, count, kappa_0 = sums.j, sums.s, sums.count, sums.kappa_0
    energy = count * j ** (-2.0 * alpha - 2.0 * beta)
    energies = np.stack([energy, -2.0 * np.log(j) * energy])
    z = contour.z
    out = np.geomspace(1e3 * (1.0 + s[0] / abs(z[0])), 1.0, 16, endpoint=False) * z[0]
    route = np.concatenate([out, z])
    weight = count * s / (s + kappa_0) / d
    start = complex(-route[0] + count @ s / d - kappa_0)
    resolvent, trace = np.empty((2, route.size), dtype=np.complex128), np.empty_like(route)
    for one, target in zip(energies, resolvent, strict=True):
        converged = follow_path(s, one, count * s, weight, d, kappa_0, start, route, target, trace)
        assert converged, "the contour came too close to the spectrum"
    keep = slice(out.size, None)
    return FlowModes(
        z=z,
        source=contour.weight * z * trace[keep],
        initial=contour.weight * resolvent[:, keep],
        floor=energies @ (kappa_0 / (s + kappa_0)),
        trace=float(count @ s),
    )


def _crossing(function: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Solve function(x) = level for a falling function of positive x: safeguarded secants in logarithms."""
    a, b = math.log(low), math.log(high)
    target = math.log(level)
    fa, fb = (math.log(function(math.exp(x))) - target for x in (a, b))
    x = a
    for _ in range(200):
        x = a + (b - a) * fa / (fa - fb) if fa != fb else a
        f = math.log(function(math.exp(x))) - target
        if abs(f) < 1e-15 or abs(b - a) < 1e-15 * abs(x):
            break
        if f > 0:
            a, fa, fb = x, f, 0.5 * fb  # the Illinois rule: an end that stays counts half
        else:
            b, fb, fa = x, f, 0.5 * fa
    return math.exp(x)
