"""The momentum law of Tissue et al. (arXiv 2408.11029).

L = L0 + A S^-alpha - C S2,  S2 = sum_i m_i,  m_i = lambda m_{i-1} + (eta_{i-1} - eta_i)

S2 counts from the end of warm-up. The memory is stated as `forget` = 1 - lambda (published: 1e-3); C and `forget`
trade off, so give the latter (`fixed={"forget": 1e-3}`) where the runs do not tell. Faults of the law itself: updates
at rate zero keep lowering its loss, and so does any larger rate; runs of different peak rates do not fit one set of
parameters, because the rate as such costs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.tau_power import power_of_tau

__all__ = ["MOMENTUM"]

Array = NDArray[np.float64]


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    alpha, forget = shapes
    power, power_slope = power_of_tau(alpha, look)
    with np.errstate(divide="ignore"):  # forget = 1 keeps nothing
        left = np.exp(look.age * np.log1p(-forget))
    summed = np.where(look.ramp, 0.0, (1.0 - left) / forget)
    before = np.divide(look.age * left, 1.0 - forget, out=np.zeros_like(left), where=left > 0)
    slope = np.where(look.ramp, 0.0, (before - summed) / forget)
    features = np.stack([np.ones_like(power), power, -look.total(summed)], axis=1)
    slopes = np.zeros((*features.shape, 2))
    slopes[:, 1, 0] = power_slope
    slopes[:, 2, 1] = -look.total(slope)
    return features, slopes


def _starts(look: History) -> Array:
    """Memories of a share of the run, the published one among them for runs of some ten thousand steps."""
    length = float(look.step.max())
    return np.array([(alpha, 1.0 / max(share * length, 2.0)) for share in (0.04, 0.2, 0.005) for alpha in (0.5, 0.3)])


MOMENTUM = ScheduleLaw(
    name="momentum",
    formula="L = L0 + A S^-alpha - C sum_i m_i, m_i = (1 - forget) m_{i-1} + eta_{i-1} - eta_i",
    source="Tissue et al., arXiv 2408.11029",
    amplitudes=("L0", "A", "C"),
    shapes=(Shape(name="alpha", low=0.01, high=5.0), Shape(name="forget", low=1e-6, high=0.9)),
    features=_features,
    starts=_starts,
)
