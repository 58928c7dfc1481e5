r"""The ageing-noise law: what `scalinglaws.comparison.noise` forecasts from a constant run, as a law of one size.

L = L0 + A T^-s - (B0 + B1 T^-s) d exp(p x)
d = sum_k (eta_{k-1} - eta_k) / peak,      x = sum_k (eta_{k-1} - eta_k) / peak [1 - (T_k / T)^c]

T is gradient-flow time, T_k that of the change k. The first part is the curve at constant rate; the second is the
loss that gradient noise no longer adds (arXiv 2507.02119, Eq. 16): d is how far the rate lies below its peak, and the
noise has a constant part and one in proportion to the reducible loss (Eq. 17). New is that the noise answers the
schedule: it is exp(p) times as large once the rate has rested at zero for long, and follows the rate at the pace c / T
of a problem with no time scale of its own, so that what counts is the age of a change relative to the run. Updates at
rate zero change nothing. Changes during the warm-up are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.tau_power import power_of_tau

__all__ = ["NOISE", "PACE"]

Array = NDArray[np.float64]

PACE = 15.0
"""The pace c of all sizes: pooled over 36 annealed runs of six sizes of transformers on CIFAR-5M, forecast from
their constant runs, it is 15 with a 90 % interval of 12 to 18; runs of one size rarely tell."""


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    s, p = shapes
    power, power_slope = power_of_tau(s, look)
    peak = np.empty(look.step.size)
    for path, part in look.curves:
        peak[part] = path.peak
    share = np.where(look.ramp, 0.0, 1.0 / peak[look.owner])
    since = 1.0 - (look.then / look.tau[look.owner]) ** PACE
    fall, answer = look.total(share), look.total(share * since)
    removed = fall * np.exp(p * answer)
    features = np.stack([np.ones_like(power), power, -removed, -removed * power], axis=1)
    slopes = np.zeros((*features.shape, 2))
    slopes[:, 1, 0] = power_slope
    slopes[:, 3, 0] = -removed * power_slope
    slopes[:, 2, 1] = -removed * answer
    slopes[:, 3, 1] = -removed * answer * power
    return features, slopes


def _starts(look: History) -> Array:
    del look
    return np.array([[0.4, 0.4], [0.6, 0.1], [0.3, 1.0]])


NOISE = ScheduleLaw(
    name="noise",
    formula="L = L0 + A T^-s - (B0 + B1 T^-s) d exp(p x), d = 1 - eta/peak, x = d remembered over the age of the run",
    source="arXiv 2507.02119, Eq. 16 and 17, with noise that ages",
    amplitudes=("L0", "A", "B0", "B1"),
    shapes=(Shape(name="s", low=0.01, high=5.0), Shape(name="p", low=1e-3, high=5.0)),
    features=_features,
    starts=_starts,
)
