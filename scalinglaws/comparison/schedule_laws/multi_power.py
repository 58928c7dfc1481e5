"""The multi-power law of Luo et al. (arXiv 2503.12811).

L = L0 + A S^-alpha - B sum_k (eta_{k-1} - eta_k) G(eta_k^-gamma S_k),  G(x) = 1 - (1 + C x)^-beta

S is the sum of all rates (warm-up included), S_k that from update k on: each fall of the rate lowers the loss, the
more the longer the run has gone on since, and saturates. Rises, those of the warm-up too, do the opposite; here the
first one is that from 0 to the first rate, so that peak rates compare whether or not a warm-up was recorded.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.tau_power import power_of_tau

__all__ = ["MULTI_POWER", "PUBLISHED"]

Array = NDArray[np.float64]

PUBLISHED = MappingProxyType(
    {
        "25M": MappingProxyType(
            {
                "L0": 3.04045406, "A": 0.52468604, "B": 363.78751622,
                "alpha": 0.50786857, "C": 2.06560812, "beta": 0.58279013, "gamma": 0.64142257,
            }
        ),
        "100M": MappingProxyType(
            {
                "L0": 2.6514477, "A": 0.60115152, "B": 437.9464276,
                "alpha": 0.45295811, "C": 2.13245612, "beta": 0.59785199, "gamma": 0.65523644,
            }
        ),
    }
)  # fmt: skip
"""Parameters that the authors publish with their code, by model size; fitted to cosine, constant and two-stage runs
at a peak rate of 3e-4. Constants depend on the unit of the rate, here the rate itself."""

_SAFE = 700.0  # exp of more overflows


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    alpha, rate_c, beta, gamma = shapes
    power, power_slope = power_of_tau(alpha, look)
    with np.errstate(divide="ignore"):  # a rate of zero afterwards forgets at once; no time since, not at all
        log_after = np.maximum(np.log(look.after), -_SAFE)
        logs = np.minimum(np.log(rate_c) - gamma * log_after + np.log(look.lag), _SAFE)
    grown = np.logaddexp(0.0, logs)
    rest = np.exp(-beta * grown)
    slope = beta * rest * expit(logs)  # derivative of G by log C
    features = np.zeros((look.step.size, 3))
    slopes = np.zeros((look.step.size, 3, 4))
    features[:, 0], features[:, 1], slopes[:, 1, 0] = 1.0, power, power_slope
    features[:, 2] = -look.total(1.0 - rest)
    slopes[:, 2, 1] = -look.total(slope) / rate_c
    slopes[:, 2, 2] = -look.total(grown * rest)
    slopes[:, 2, 3] = look.total(slope * log_after)
    return features, slopes


def _starts(look: History) -> Array:
    """Exponents as published, and others; C such that the effect of a fall sets in after a share of the run."""
    peak, length = float(look.rate.max()), float(look.tau.max())
    rows = [
        (alpha, peak**gamma / (share * length), beta, gamma)
        for share in (1e-3, 2e-2)
        for alpha, beta, gamma in ((0.5, 0.6, 0.6), (0.3, 0.4, 0.3), (0.7, 1.0, 0.9))
    ]
    return np.array(rows)


MULTI_POWER = ScheduleLaw(
    name="multi-power",
    formula="L = L0 + A S^-alpha - B sum_k (eta_{k-1} - eta_k) [1 - (1 + C eta_k^-gamma S_k)^-beta]",
    source="Luo et al., arXiv 2503.12811",
    amplitudes=("L0", "A", "B"),
    shapes=(
        Shape(name="alpha", low=0.01, high=5.0),
        Shape(name="C", low=1e-9, high=1e9),
        Shape(name="beta", low=0.01, high=10.0),
        Shape(name="gamma", low=1e-3, high=4.0),
    ),
    features=_features,
    starts=_starts,
)
