r"""The remembered-rate law: the loss shows the noise of a learning rate that lags behind the schedule's.

L(t) = F(T) + b eta_bar(t) F(T)^2,   F(T) = L0 + A T^-alpha
eta_bar(t) = eta(t) + sum_k (eta_(k-1) - eta_k) exp(-(n_k / m)^(1/3))

T is gradient-flow time and n_k counts the updates since the change k, the rise from zero at the start included. F is
gradient flow; the rest is the slowly varying limit of SGD on a quadratic loss, excess = eta Tr Sigma / 4 (arXiv
2507.02119, Eq. 13 and 14), with a noise that falls as training goes on: with the square of the loss. The memory is
a mixture of exponentials exp(-lambda n) whose rates have a power-law spectrum lambda^(-4/3) down to about 1/m and
few below (a stable law of index 1/3), as curvatures that fall like j^-3 give.

Three choices were made by cross-validation inside the fitted runs of language models, none is derived: the square
(against no power and the first; the third does as well), the index 1/3 (against 0.2 to 0.65), and a memory in updates
rather than in gradient-flow time, as if the curvature followed 1/eta. Image transformers prefer a noise in proportion
to the reducible loss and a memory in gradient-flow time.

Five numbers where the multi-power law has seven. Choose it for language models with curves that hold a constant rate
and a decay, and to forecast longer runs. Its memory goes on at rate zero: do not let it choose how long a run rests.
In the coordinates of the fit L = L0 (f + c eta_bar f^2) with f = 1 + r T^-alpha, that is A = r L0 and b = c / L0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, Shape
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.comparison.schedule_laws.tau_power import power_of_tau

__all__ = ["INDEX", "REMEMBERED", "remembered_rate"]

Array = NDArray[np.float64]

INDEX = 1.0 / 3.0
"""Of the stretched exponential, the same for all sizes and data."""


def remembered_rate(memory: float, look: History) -> tuple[Array, Array]:
    """Return the rate whose noise the loss still shows at each record, and its derivative by the memory, (n,) each.

    Examples
    --------
    >>> from scalinglaws.comparison.path import Path
    >>> shown, _ = remembered_rate(4.0, History.of(Path(rate=[0.4] * 4000 + [0.0] * 4), [4000, 4004]))
    >>> shown.round(4).tolist()  # exp(-(4/4)^(1/3)) is left four updates after the fall
    [0.4, 0.1471]
    """
    aged = (look.age / memory) ** INDEX
    kept = np.exp(-aged)
    return look.rate + look.total(kept), look.total(kept * aged) * INDEX / memory


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    alpha, reducible, noise, memory = shapes
    power, power_slope = power_of_tau(alpha, look)
    shown, shown_slope = remembered_rate(memory, look)
    flow = 1.0 + reducible * power
    by_flow = 1.0 + 2.0 * noise * shown * flow
    slopes = [reducible * power_slope * by_flow, power * by_flow, shown * flow**2, noise * shown_slope * flow**2]
    return (flow + noise * shown * flow**2)[:, None], np.stack(slopes, axis=-1)[:, None, :]


def _starts(look: History) -> Array:
    """Exponents of language models; a tenth of the loss reducible at the end; some percent of it noise at the peak."""
    length, reach, peak = float(look.step.max()), float(look.tau.max()), float(look.rate.max())
    return np.array(
        [
            (alpha, 0.1 * reach**alpha, part / peak, share * length)
            for share in (0.02, 0.1)
            for alpha, part in ((0.5, 0.04), (0.3, 0.04), (0.5, 0.01))
        ]
    )


REMEMBERED = ScheduleLaw(
    name="remembered-rate",
    formula="L = L0 (f + c eta_bar f^2), f = 1 + r T^-alpha, memory of a change exp(-(updates since / m)^(1/3))",
    source="arXiv 2507.02119, Eq. 13, with noise that goes with the loss squared and a memory of power-law rates",
    amplitudes=("L0",),
    shapes=(
        Shape(name="alpha", low=0.01, high=5.0),
        Shape(name="r", low=1e-12, high=1e6),
        Shape(name="c", low=1e-12, high=1e9),
        Shape(name="m", low=1e-2, high=1e8),
    ),
    features=_features,
    starts=_starts,
)
"""L0: loss never passed (nats/token). r: reducible part of it, times gradient-flow time^alpha. c: share of the loss
that noise adds, over the rate. m: memory in updates."""
