r"""The last-iterate bound of convex optimisation, whose shape resembles measured loss curves (arXiv 2501.18965).

With rates eta_1, ..., eta_T, gradient norms G_k and distance D to a minimiser, the bound for the last iterate is

    Omega_T = D^2/(2 S_T) + Q_T/(2 S_T) + 1/2 sum_(k<T) (eta_k/alpha_k) (gamma_k/beta_k),

S_T = sum eta, Q_T = sum eta^2 G^2, alpha_k = S_T - S_k, beta_k = S_T - S_(k-1), gamma_k = Q_T - Q_(k-1). Because
eta_k/(alpha_k beta_k) = 1/alpha_k - 1/beta_k, summation by parts leaves

    Omega_T = D^2/(2 S_T) + 1/2 [eta_T G_T^2 + sum_(k<T) eta_k^2 G_k^2 / (S_T - S_k)],

which is the noise of SGD with a memory 1/u in gradient-flow time: the same picture as the other laws, with fixed
exponents. `convex_bound` gives the curve over T, `best_base_rate` the scale of the rates that minimises its end, and
the law "convex" fits the two terms and an offset to measured losses, three numbers. Prefer it where two or three
curves must do; it bends too little for an exact fit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.base import ScheduleLaw, path_of
from scalinglaws.comparison.schedule_laws.history import History
from scalinglaws.errors import InputError, require
from scalinglaws.schedules import Schedule

__all__ = ["CONVEX", "BestRate", "ConvexTerms", "best_base_rate", "convex_bound"]

Array = NDArray[np.float64]


class ConvexTerms(NamedTuple):
    """The three terms of Omega_T for T = 1, 2, ..., shape (steps,) each.

    Parameters
    ----------
    distance
        D^2/(2 S_T): what is left of the start.
    average
        Q_T/(2 S_T): the noise of the average iterate.
    last
        1/2 sum (eta_k/alpha_k)(gamma_k/beta_k): what the last iterate costs over the average one.
    """

    distance: Array
    average: Array
    last: Array

    @property
    def total(self) -> Array:
        """Omega_T."""
        return self.distance + self.average + self.last


class BestRate(NamedTuple):
    """The factor by which to multiply all rates, and the bound at the end with it."""

    factor: float
    bound: float


def convex_bound(path: Path | Schedule, *, distance: float = 1.0, gradient: ArrayLike = 1.0) -> ConvexTerms:
    """Return the bound after every update of a path, in one pass.

    Parameters
    ----------
    path
        Learning rates; updates of rate zero at the end repeat the bound, elsewhere they must not occur.
    distance
        D, from the start to a minimiser.
    gradient
        G, the norm of the gradients: one number, or one for each update.

    Raises
    ------
    InputError
        For a rate of zero before a positive one, and constants that are not positive.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> terms = convex_bound(schedules.constant(0.5, steps=3))
    >>> terms.total.round(6).tolist()
    [1.25, 1.0, 0.958333]
    """
    from scalinglaws.kernels.cauchy import cauchy_sums  # compiled code, only where a whole curve is wanted

    rates = path_of(path).rate
    active = int(np.flatnonzero(rates > 0)[-1]) + 1
    eta, squares = rates[:active], _squares(rates, gradient)[:active]
    _check(eta, distance)
    total = np.cumsum(eta)
    average = np.cumsum(squares) / (2.0 * total)
    noise = 0.5 * (squares / eta + cauchy_sums(squares, eta))
    held = np.minimum(np.arange(rates.size), active - 1)
    last = noise - average
    last[0] = 0.0  # an empty sum; the difference is rounding
    return ConvexTerms((distance**2 / (2.0 * total))[held], average[held], last[held])


def best_base_rate(path: Path | Schedule, *, distance: float = 1.0, gradient: ArrayLike = 1.0) -> BestRate:
    """Return the factor sqrt(t1/(t2 + t3)) that minimises the bound at the end, and the bound 2 sqrt(t1 (t2 + t3)).

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> best = best_base_rate(schedules.linear(1.0, steps=400))
    >>> round(best.factor, 7), round(best.bound, 7)
    (0.0495631, 0.1006299)
    """
    rates = path_of(path).rate
    eta = rates[: int(np.flatnonzero(rates > 0)[-1]) + 1]
    _check(eta, distance)
    squares = _squares(rates, gradient)[: eta.size]
    total = np.cumsum(eta)
    start = distance**2 / (2.0 * total[-1])
    noise = 0.5 * _noise_at(eta, squares, total, eta.size)
    return BestRate(float(np.sqrt(start / noise)), float(2.0 * np.sqrt(start * noise)))


def _squares(rates: Array, gradient: ArrayLike) -> Array:
    norms = np.asarray(gradient, dtype=np.float64)
    fits = norms.shape in ((), rates.shape) and bool(np.all(np.isfinite(norms) & (norms > 0)))
    require(fits, "gradient", gradient, f"must be positive: one number, or one for each of the {rates.size} updates")
    return np.asarray((rates * norms) ** 2)


def _check(eta: Array, distance: float) -> None:
    require(bool(np.isfinite(distance)) and distance > 0, "distance", distance, "must be positive and finite")
    zero = np.flatnonzero(eta == 0)
    if zero.size:
        raise InputError(f"rate = 0.0 at step {zero[0]}: the convex bound needs positive rates up to the last update")


def _noise_at(eta: Array, squares: Array, total: Array, steps: int) -> float:
    """Sum eta_k^2 G_k^2/(S_T - S_k) over k < T, and the limit of the last update."""
    last = steps - 1
    return float(squares[last] / eta[last] + np.sum(squares[:last] / (total[last] - total[:last])))


@lru_cache(maxsize=8)
def _columns(look: History) -> Array:
    """Offset, 1/S and noise of each record: they depend on no parameter, so a fit needs them once."""
    columns = np.ones((look.step.size, 3))
    columns[:, 1] = 1.0 / look.tau
    for path, part in look.curves:
        active = np.flatnonzero(path.rate > 0)
        eta = path.rate[active]  # updates of rate zero do nothing
        count = np.searchsorted(active, look.step[part], side="left")
        total, squares = np.cumsum(eta), eta**2
        columns[part, 2] = [_noise_at(eta, squares, total, int(n)) for n in count]
    return columns


def _features(shapes: Array, look: History) -> tuple[Array, Array]:
    columns = _columns(look)
    return columns, np.zeros((*columns.shape, shapes.size))


def _starts(look: History) -> Array:
    del look
    return np.zeros((1, 0))


CONVEX = ScheduleLaw(
    name="convex",
    formula="L = L0 + P/S_T + Q [eta_T + sum_(k<T) eta_k^2/(S_T - S_k)]",
    source="Schaipp et al., arXiv 2501.18965, after Defazio et al., arXiv 2310.07831",
    amplitudes=("L0", "P", "Q"),
    shapes=(),
    features=_features,
    starts=_starts,
)
"""L0: loss never passed (nats/token). P: D^2/2 (loss times rate). Q: G^2/2 (loss over rate)."""
