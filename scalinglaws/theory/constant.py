r"""Large-d risk of SGD with a constant rate: one contour integral that is exact at every discrete step.

Given the features the expected risk obeys P(r) = F(r) + sum_{s<r} K(r-1-s) P(s) with
F(r) = int g(lambda)^r dmu, K(r) = lr^2 B int lambda^2 g(lambda)^r dnu, g = 1 - a and
a(lambda) = 2 lr B lambda - lr^2 B (B+1) lambda^2 (Paquette et al., arXiv 2405.15074, eq. 6-8). With the
generating variable x = 1 / (1 + q), sum_r F(r) x^r = (1 + q) F^(q) where F^(q) = int dmu / (q + a(lambda)),
and likewise for K, so that exactly

    P(r) = 1/(2 pi i) oint F^(q) / (1 - K^(q)) (1 + q)^r dq,        r = 0, 1, 2, ...

(in continuous time (1 + q)^r would read exp(q r): the discrete case costs no more). q + a(lambda) is
quadratic in lambda with roots z_1 + z_2 = 2 / (lr (B+1)), so partial fractions turn F^ and K^ into the
resolvents of `theory.limit` at z_1 and z_2. All singularities are real: the image of the spectrum, q = 0
(whose residue is the risk at infinite time), and possibly one pole to the right of the spectrum's image,
where K^(q) = 1. The contour does not depend on r: a curve is a few hundred exponentials, whatever d, v and r
are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.theory.contour import interval_contour
from scalinglaws.theory.curves import ExponentialSum, RiskCurves
from scalinglaws.theory.limit import Complex, FeatureLimit, root

__all__ = ["ConstantRate"]

Float = NDArray[np.float64]

FAR = 1e3
"""The continuation of the resolvent starts this many times further out than the spectrum."""
TINY = 1e-30
"""Relative size of an imaginary step."""
MARGIN = 1e-3
"""A contour round growing terms passes this fraction of the growth rate to their right."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConstantRate:
    """SGD with a constant rate on the large-d limit of random features.

    Parameters
    ----------
    limit
        The model's limiting resolvents.
    lr, batch
        Rate of the summed gradient, > 0, and batch size.
    label_noise
        Variance of the label noise.
    """

    limit: FeatureLimit
    lr: float
    batch: int
    label_noise: float

    @property
    def centre(self) -> float:
        """Give 1 / (lr (B+1)), the eigenvalue that decays fastest; a mode at twice it never decays."""
        return 1.0 / (self.lr * (self.batch + 1))

    @property
    def fastest(self) -> float:
        """Give a(centre) = B / (B+1), the largest decay rate per step."""
        return self.batch / (self.batch + 1)

    @property
    def kernel_norm(self) -> float:
        """Sum of the noise kernel, ||K|| = K^(0); infinite when the top mode is unstable by itself."""
        if 2.0 * self.centre <= self.limit.top:
            return math.inf
        return self.limit.trace_above(self.limit.kappa_above(2.0 * self.centre)) / (self.batch + 1)

    def decay_rate(self, eigenvalue: float) -> float:
        """Give a(eigenvalue), one minus the factor of the squared error per step."""
        ratio = eigenvalue / self.centre
        return self.fastest * ratio * (2.0 - ratio)

    def curves(self) -> RiskCurves:
        """Risk, forcing and noise at every step, as sums of exponentials."""
        low, high, shift = self._interval()
        y, weight = interval_contour(low, high)
        q, weight = shift - (1.0 + shift) * y, -2.0 * (1.0 + shift) * weight
        forcing, kernel = self._transforms(q)
        risk = forcing / (1.0 - kernel)
        parts = np.stack([risk, forcing, risk * kernel], axis=1) * weight[:, None]
        for pole, residues in [] if shift else self._poles():
            q, parts = np.append(q, pole), np.vstack([parts, residues])
        return RiskCurves(*(ExponentialSum(q=q, weight=part) for part in parts.T))

    def _poles(self) -> list[tuple[float, tuple[float, float, float]]]:
        """Poles at q >= 0 and the residues there of the transforms of risk, forcing and noise."""
        floor, norm = self.limit.irreducible + self.label_noise, self.kernel_norm
        settled = floor / (1.0 - norm)
        poles = [(0.0, (settled, floor, settled * norm))]
        if norm > 1.0:
            growth = self._pole_beyond(0.0)
            step = TINY * growth  # a complex step gives the derivative without a difference
            forcing, kernel = self.transforms_at(complex(growth, step))
            residue = -forcing.real / (kernel.imag / step)
            poles.append((growth, (residue, 0.0, residue)))
        return poles

    def _interval(self) -> tuple[float, float, float]:
        """Interval [low, high] of y = (shift - q) / (1 + shift) that holds the singularities to enclose.

        Those are all but the poles at q >= 0, or all of them when `shift` > 0.
        """
        high = self.fastest if self.limit.top >= self.centre else self.decay_rate(self.limit.top)
        low = min(self.decay_rate(self.limit.gap), self.decay_rate(self.limit.top))
        if low <= 0.0:
            growth = self._pole_beyond(-low) - low
            shift = growth * (1.0 + MARGIN)
            return (shift - growth) / (1.0 + shift), (shift + high) / (1.0 + shift), shift
        if self.kernel_norm < 1.0 < self._kernel(-low):  # the pole lies between the spectrum and q = 0
            low = root(lambda y: self._kernel(-y) - 1.0, 1e-20 * low, low)
        return low, high, 0.0

    def _pole_beyond(self, edge: float) -> float:
        """Distance from `edge` >= 0 to the growth rate per step: the q > edge where K^(q) = 1."""
        beyond = 1.0
        while self._kernel(edge + beyond) > 1.0:
            beyond *= 2.0
        return root(lambda q: 1.0 - self._kernel(edge + q), 1e-20 * beyond, beyond)

    def _kernel(self, q: float) -> float:
        return self.transforms_at(complex(q))[1].real

    def transforms_at(self, q: complex) -> tuple[complex, complex]:
        """F^ and K^ at a real q to the right of the spectrum's image, or infinitesimally close to one."""
        of = self.limit.resolvent
        z_1, z_2 = self._roots(np.asarray(q))
        below = self.limit.shift_below(z_1.real), self.limit.kappa_above(z_2.real) - of.kappa_0
        shift, z = np.array(below, dtype=np.complex128), np.array([z_1, z_2])
        if q.imag:
            shift += 1j * (z.imag / of.z_and_slope(shift)[1].real)
        forcing, kernel = self._combine(np.asarray(q), z, *of.sums(shift, z))
        return complex(forcing), complex(kernel)

    def _transforms(self, q: Complex) -> tuple[Complex, Complex]:
        """F^ and K^ at complex points of the contour."""
        reach = 2.0 * math.log(FAR * max(1.0, self.limit.top / self.centre))
        out = q[0] * np.exp(np.linspace(reach, 0.0, math.ceil(reach), endpoint=False))
        z, far = self._roots(q), self._roots(out)
        target, trace = np.empty_like(z), np.empty_like(z)
        for i in range(2):
            target[:, i], trace[:, i] = self.limit.follow(z[:, i], far[:, i])
        return self._combine(q, z, target, trace)

    def _combine(self, q: Complex, z: Complex, target: Complex, trace: Complex) -> tuple[Complex, Complex]:
        """Partial fractions: F^ and K^ at q from the resolvents at both roots (last axis)."""
        gap = z[..., 1] - z[..., 0]
        forcing = (target[..., 0] - target[..., 1]) * self.centre**2 / (self.fastest * gap) + self.label_noise / q
        kernel = (z[..., 0] * trace[..., 0] - z[..., 1] * trace[..., 1]) / ((self.batch + 1) * gap)
        return forcing, kernel

    def _roots(self, q: Complex) -> Complex:
        """Find the eigenvalues with a(z) = -q, shape (..., 2); the first is the smaller one."""
        spread = np.sqrt(1.0 + q / self.fastest)
        smaller = -self.centre * q / self.fastest / (1.0 + spread)
        return np.stack([smaller, self.centre * (1.0 + spread)], axis=-1)
