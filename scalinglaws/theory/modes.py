r"""SGD as a few modes: the form in which rates and batches may change from step to step.

Each mode carries a complex (in the limit) or real (given the features) amplitude,

    y_k(t+1) = g_t(z_k) y_k(t) + lr_t^2 B_t source_k P(t),       P(t) = floor + Re sum_k y_k(t),
    g_t(z) = 1 - 2 lr_t B_t z + lr_t^2 B_t (B_t + 1) z^2.

Given the features z_k are the eigenvalues, y_k(0) = rho_k^2 and source_k = z_k^2. In the limit the sums over
eigenvalues are contour integrals round the spectrum, so z_k are the points of a contour; it lies where |g_t|
<= 1 for every rate and batch of the schedule, because lr_t (B_t + 1) z_k / 2 stays in the lens |arg w/(1-w)|
< pi/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.models import Instance
from scalinglaws.theory.contour import interval_contour
from scalinglaws.theory.limit import FeatureLimit

__all__ = ["Modes", "instance_modes", "limit_modes"]

OVERSHOOT = 1.001
"""When a rate makes the top mode grow, the contour passes between it and this multiple of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Modes:
    """Modes of SGD before the first update.

    Parameters
    ----------
    z
        Eigenvalues, or points of a contour round them.
    initial
        Contribution of each mode to the initial risk (its real part).
    source
        How strongly gradient noise drives each mode.
    floor
        Irreducible risk, label noise included.
    """

    z: NDArray[Any]
    initial: NDArray[Any]
    source: NDArray[Any]
    floor: float


def instance_modes(instance: Instance) -> Modes:
    """Take the modes of a drawn problem: one for each parameter."""
    eigenvalues = instance.eigenvalues
    return Modes(z=eigenvalues, initial=instance.rho**2, source=eigenvalues**2, floor=instance.irreducible)


def limit_modes(limit: FeatureLimit, edge: float, label_noise: float) -> Modes:
    """Put the limiting spectrum on a contour.

    Parameters
    ----------
    edge
        Smallest eigenvalue that does not decay at the largest rate of the schedule, 2 / max(lr (B+1)).

    Examples
    --------
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.theory.limit import feature_limit
    >>> modes = limit_modes(feature_limit(PLRF(alpha=1.0, beta=0.7, d=10**6)), edge=4.0, label_noise=0.0)
    >>> modes.z.size < 250, f"{modes.floor + modes.initial.sum().real:.9f}"  # sum_j j^(-3.4), j <= 4e6
    (True, '1.138663776')
    """
    if edge <= limit.top * (1.0 + 1e-6):
        edge = OVERSHOOT * limit.top
    half = 0.5 * edge
    y, weight = interval_contour(limit.gap / half, limit.top / half)
    z = half * y
    out = np.geomspace(1e3 * (1.0 + limit.top / abs(z[0])), 1.0, 16, endpoint=False) * z[0]
    target, trace = limit.follow(z, out)
    weight = -2.0 * half * weight
    return Modes(
        z=z,
        initial=weight * target,
        source=weight * z * trace,
        floor=limit.irreducible + label_noise,
    )
