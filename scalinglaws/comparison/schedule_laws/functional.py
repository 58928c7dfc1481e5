"""The functional scaling law at one model size (arXiv 2509.19189, the practical form of its appendix B).

L = L0 + A T^-s - sum_k (eta_{k-1} - eta_k) (B0 + B1 T_k^-s) [1 - (1 + C (T - T_k))^-gamma]

T is gradient-flow time, T_k that of the change k. The noise that a fall of the rate removes has a constant part and
one in proportion to the reducible loss at that time. The rises of the warm-up count with the constant part alone,
T_k^-s being no power law yet: so the law knows that a higher peak rate means a higher loss until it falls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.tau_power import power_of_tau

__all__ = ["FUNCTIONAL"]

Array = NDArray[np.float64]


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    s, rate_c, gamma = shapes
    power, power_slope = power_of_tau(s, look)
    with np.errstate(divide="ignore"):  # no time since the change: no effect yet
        logs = np.log(rate_c) + np.log(look.lag)
    grown = np.logaddexp(0.0, logs)
    rest = np.exp(-gamma * grown)
    log_then = np.log(np.where(look.ramp, 1.0, look.then))
    signal = np.where(look.ramp, 0.0, np.exp(-s * log_then))
    features = np.stack(
        [np.ones_like(power), power, -look.total(1.0 - rest), -look.total(signal * (1.0 - rest))], axis=1
    )
    slopes = np.zeros((*features.shape, 3))
    slopes[:, 1, 0] = power_slope
    slopes[:, 3, 0] = look.total(log_then * signal * (1.0 - rest))
    for i, slope in ((1, gamma * rest * expit(logs) / rate_c), (2, grown * rest)):
        slopes[:, 2, i] = -look.total(slope)
        slopes[:, 3, i] = -look.total(signal * slope)
    return features, slopes


def _starts(look: History) -> Array:
    length = float(look.tau.max())
    return np.array(
        [(s, 1.0 / (share * length), g) for share in (1e-2, 1e-3, 1e-1) for s, g in ((0.5, 0.6), (0.3, 1.0))]
    )


FUNCTIONAL = ScheduleLaw(
    name="functional",
    formula="L = L0 + A T^-s - sum_k (eta_{k-1} - eta_k) (B0 + B1 T_k^-s) [1 - (1 + C (T - T_k))^-gamma]",
    source="arXiv 2509.19189, practical form",
    amplitudes=("L0", "A", "B0", "B1"),
    shapes=(
        Shape(name="s", low=0.01, high=5.0),
        Shape(name="C", low=1e-6, high=1e9),
        Shape(name="gamma", low=0.01, high=10.0),
    ),
    features=_features,
    starts=_starts,
)
