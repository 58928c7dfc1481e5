"""The baseline that knows no schedule: a power law of gradient-flow time.

What a law of schedules must beat. It is right while the rate is constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History

__all__ = ["TAU_POWER", "power_of_tau"]

Array = NDArray[np.float64]


def power_of_tau(alpha: float, look: History) -> tuple[Array, Array]:
    """Return tau^-alpha and its derivative by alpha, shape (n,) each."""
    logs = np.log(look.tau)
    value = np.exp(-alpha * logs)
    return value, -logs * value


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    value, slope = power_of_tau(shapes[0], look)
    features = np.stack([np.ones_like(value), value], axis=1)
    return features, np.stack([np.zeros_like(slope), slope], axis=1)[:, :, None]


def _starts(look: History) -> Array:
    del look
    return np.array([[0.5], [0.25], [1.0]])


TAU_POWER = ScheduleLaw(
    name="tau-power",
    formula="L = L0 + A tau^-alpha",
    source="the limit of every law below for a constant rate",
    amplitudes=("L0", "A"),
    shapes=(Shape(name="alpha", low=0.01, high=5.0),),
    features=_features,
    starts=_starts,
)
