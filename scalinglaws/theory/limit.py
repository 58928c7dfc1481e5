r"""The large-d limit of random features without drawing them: resolvents of K = W^T D W as sums over D.

With s_j the data spectrum and 0 < kappa_0 the root of sum_j s_j / (s_j + kappa) = d, everything is an
explicit function of kappa = kappa_0 + shift (Paquette et al., arXiv 2405.15074, section 1.3, with z = -kappa
m):

    z(kappa)                           = -kappa (1 - S(kappa) / d),      S(kappa) = sum_j s_j / (s_j + kappa)
    Tr K (K - z)^-1                    -> S(kappa)
    <c, (D^(1/2) W W^T D^(1/2) - z)^-1 c>  -> -(kappa / z) sum_j c_j^2 / (s_j + kappa)

Written with `shift`, 1 - S/d = (shift / d) sum_j s_j / ((s_j + kappa)(s_j + kappa_0)) has no cancellation, so
eigenvalues of any smallness keep their relative accuracy.
Negative z (outside the spectrum on the left) has shift > 0, the gap below the spectrum has shift < 0, and z
above the spectrum has kappa < -s_1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from scalinglaws.errors import require
from scalinglaws.kernels.resolvent import follow_path
from scalinglaws.models import PLRF

__all__ = ["FeatureLimit", "Resolvent", "feature_limit", "root"]

Complex = NDArray[np.complex128]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolvent:
    """The limiting resolvents as functions of shift = kappa - kappa_0, by sums over nodes s.

    Parameters
    ----------
    s
        Data eigenvalues at the nodes.
    energy, trace, weight
        What each node stands for in sums of c_j^2, of s_j, and of s_j / (s_j + kappa_0) / d.
    kappa_0, d
        Value of kappa at z = 0, and the number of features.
    """

    s: Float
    energy: Float
    trace: Float
    weight: Float
    kappa_0: float
    d: int

    def z_and_slope(self, shift: Complex) -> tuple[Complex, Complex]:
        """Spectral variable and its derivative by kappa at `shift`, any shape."""
        kappa = self.kappa_0 + shift
        inverse = 1.0 / (self.s + kappa[..., None])
        m = shift * (inverse @ self.weight)
        return -kappa * m, -m - kappa * (inverse**2 @ (self.trace / self.d))

    def sums(self, shift: Complex, z: Complex) -> tuple[Complex, Complex]:
        """Give the target's resolvent and Tr K (K - z)^-1 at z = z(kappa_0 + shift)."""
        kappa = self.kappa_0 + shift
        inverse = 1.0 / (self.s + kappa[..., None])
        return -kappa / z * (inverse @ self.energy), inverse @ self.trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureLimit:
    """Deterministic equivalent of a random-feature model.

    Parameters
    ----------
    resolvent
        The limiting resolvents.
    gap_shift, gap
        Left edge of the non-zero spectrum: its shift and the smallest eigenvalue.
    top_kappa, top
        Right edge: its kappa and the largest eigenvalue.
    """

    resolvent: Resolvent
    gap_shift: float
    gap: float
    top_kappa: float
    top: float

    @property
    def irreducible(self) -> float:
        """Limit of the irreducible risk, F_0 = sum_j c_j^2 kappa_0 / (s_j + kappa_0)."""
        of = self.resolvent
        return float(of.energy @ (of.kappa_0 / (of.s + of.kappa_0)))

    def trace_above(self, kappa: float) -> float:
        """Give -Tr K (K - z)^-1 = sum_j s_j / (x - s_j) for kappa = -x < -s_1."""
        return float(self.resolvent.trace @ (1.0 / (-kappa - self.resolvent.s)))

    def z_above(self, kappa: float) -> float:
        """Spectral variable z above the spectrum, for kappa < -s_1."""
        return -kappa * (1.0 + self.trace_above(kappa) / self.resolvent.d)

    def kappa_above(self, z: float) -> float:
        """Solve z(kappa) = z for z >= `top`."""
        if z <= self.top:
            return self.top_kappa
        return -root(lambda x: self.z_above(-x) - z, -self.top_kappa, z * (1.0 + 1e-9))  # z_above(-x) > x

    def shift_below(self, z: float) -> float:
        """Solve z(kappa_0 + shift) = z for real z up to the edge `gap`."""

        def excess(shift: float) -> float:
            return float(self.resolvent.z_and_slope(np.asarray(shift, dtype=np.complex128))[0].real) - z

        if z >= self.gap * (1.0 - 1e-12):
            return self.gap_shift
        if z >= 0:
            return -root(lambda x: excess(-x), 1e-30 * -self.gap_shift, -self.gap_shift)
        size = self.resolvent.kappa_0 - z
        while excess(size) > 0:
            size *= 2.0
        return root(lambda x: -excess(x), 1e-30 * self.resolvent.kappa_0, size)

    def follow(self, path: Complex, toward_infinity: Complex) -> tuple[Complex, Complex]:
        """Evaluate the resolvents along a path that stays off the spectrum.

        kappa(z) is continued from far away, where kappa = -z + trace / d.

        Parameters
        ----------
        path
            Points z, shape (n,).
        toward_infinity
            Points from far away to the beginning of the path, shape (k,).

        Returns
        -------
        Resolvent of the target and trace of K (K - z)^-1, each of shape (n,).
        """
        of, route = self.resolvent, np.concatenate([toward_infinity, path])
        target, trace = np.empty_like(route), np.empty_like(route)
        shift = complex(-route[0] + of.trace.sum() / of.d - of.kappa_0)
        arrays = of.s, of.energy, of.trace, of.weight
        converged = follow_path(*arrays, float(of.d), of.kappa_0, shift, route, target, trace)
        assert converged, "the path came too close to the spectrum"
        return target[len(toward_infinity) :], trace[len(toward_infinity) :]


def feature_limit(model: PLRF) -> FeatureLimit:
    """Find kappa_0 and the edges of the limiting spectrum of `model`.

    Raises
    ------
    InputError
        If v = d: the limiting spectrum then reaches zero.

    Examples
    --------
    >>> limit = feature_limit(PLRF(alpha=1.0, beta=0.7, d=100, v=400))
    >>> f"{1 / limit.resolvent.kappa_0:.6f}", f"{limit.irreducible:.9e}", f"{limit.gap:.7e}"
    ('5208.811478', '5.033410584e-04', '3.7220097e-05')
    """
    p, d = model.population, model.d
    require(model.data_dimension > d, "v", model.v, f"must exceed d = {d} in the deterministic limit")
    trace = float(p.count @ p.s)

    def degrees(kappa: float) -> float:
        return float(p.count @ (p.s / (p.s + kappa))) - d

    def left_edge(kappa: float) -> float:
        return float(p.count @ (p.s / (p.s + kappa)) ** 2) - d

    def right_edge(distance: float) -> float:
        return d - float(p.count @ (p.s / (distance + (p.s[0] - p.s))) ** 2)

    kappa_0 = _falling_root(degrees, trace / d)
    gap_kappa = _falling_root(left_edge, kappa_0)
    distance = root(right_edge, p.s[0] * (0.5 / d) ** 0.5, float(np.sqrt(p.count @ p.s**2 / d)) + p.s[0])
    top_kappa = -(p.s[0] + distance)
    weight = p.count * p.s / (p.s + kappa_0) / d
    edge = gap_kappa - kappa_0
    return FeatureLimit(
        resolvent=Resolvent(s=p.s, energy=p.energy, trace=p.count * p.s, weight=weight, kappa_0=kappa_0, d=d),
        gap_shift=edge,
        gap=-gap_kappa * edge * float(weight @ (1.0 / (p.s + gap_kappa))),
        top_kappa=top_kappa,
        top=-top_kappa * (1.0 + float(p.count @ (p.s / (distance + (p.s[0] - p.s)))) / d),
    )


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of an increasing function between two positive numbers, to full relative accuracy."""
    if function(low) >= 0:
        return low
    solution = brentq(lambda x: function(float(np.exp(x))), np.log(low), np.log(high), xtol=1e-15, rtol=1e-15)
    return float(np.exp(solution))


def _falling_root(function: Callable[[float], float], high: float) -> float:
    """Root of a decreasing function on (0, high]."""
    low = high
    while function(low) < 0:
        low *= 1e-2
    return root(lambda x: -function(x), low, high)
