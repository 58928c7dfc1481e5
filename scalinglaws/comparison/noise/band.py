"""The interval of a forecast, from how well schedules left out of the fit are forecast (cross-conformal).

What is exchangeable is a schedule and not a record: neighbours on one curve err together. Each schedule of the fit is
forecast from all others. Errors are measured in units of the noise that the model speaks of, Tr Sigma(tau)
(1 + eta - eta'), which is large early and grows with what was removed. Within each schedule the band would need the
`level` quantile of these; it takes that of the worst of them, the only choice for fewer than 1 / (1 - level) schedules.

Schedules unlike any that was fitted are covered less: on the CIFAR-5M runs a nominal 90 % held 98 % of the records of
other schedules when waves were among those fitted, and 74 % of waves when only decays were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.noise.curve import AT_PEAK
from scalinglaws.comparison.noise.model import NoiseModel
from scalinglaws.comparison.noise.pairs import Contrast, Pair

__all__ = ["Band", "band_of"]

Array = NDArray[np.float64]

_ALIKE = 0.05
"""Two runs follow one schedule if their rates, over the peak, differ by less than this on average while annealed."""
_FRACTIONS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Half width of an interval in units of the noise.

    Parameters
    ----------
    width
        Quantile of the errors, in units of `unit`.
    schedules
        Schedules it rests on; one means residuals of the fit itself.
    """

    width: float
    schedules: int

    def half(self, model: NoiseModel, at: Contrast, coordinates: Array) -> Array:
        """Return the half width at the records, nats per token."""
        return self.width * unit(model, at, coordinates)


def unit(model: NoiseModel, at: Contrast, coordinates: Array) -> Array:
    """Return the scale of errors at the records, shape (n,)."""
    noise = at.trace if model.trace == "measured" else (at.tau / model.tau0) ** -coordinates[0]
    return np.asarray(noise * (1.0 - np.minimum(at.change, 0.0)))


def band_of(
    model: NoiseModel, pairs: Sequence[Pair], level: float, refit: Callable[[Sequence[Pair]], tuple[float, Array]]
) -> Band:
    """Forecast each schedule of the fit from the others and measure the errors.

    Parameters
    ----------
    refit
        From pairs to the amplitude and the shapes of the model fitted to them.
    """
    groups = by_schedule(pairs)
    whole = refit(pairs)
    worst = 0.0
    for group in groups:
        others = [pair for pair in pairs if all(pair is not member for member in group)]
        amplitude, shapes = refit(others) if others else whole
        errors = np.concatenate(
            [
                np.abs(p.loss - p.contrast.loss - amplitude * model.gain(p.contrast, shapes))
                / unit(model, p.contrast, whole[1])
                for p in group
            ]
        )
        worst = max(worst, float(np.quantile(errors, level)))
    return Band(width=worst, schedules=len(groups))


def by_schedule(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Group pairs whose rates are the same function of the fraction of the run, whatever they are called."""
    groups: list[tuple[Array, list[Pair]]] = []
    for pair in pairs:
        shape = _shape(pair)
        alike = (members for known, members in groups if _distance(known, shape) < _ALIKE)
        found = next(alike, None)
        if found is None:
            groups.append((shape, [pair]))
        else:
            found.append(pair)
    return [members for _, members in groups]


def _shape(pair: Pair) -> Array:
    """Rate over the peak as a function of the fraction of the run after the peak was reached."""
    rate = pair.target.path.rate / pair.target.path.peak
    top = int(np.argmax(rate >= AT_PEAK))
    at = top + (_FRACTIONS * (rate.size - 1 - top)).astype(np.int64)
    return np.asarray(rate[at])


def _distance(one: Array, other: Array) -> float:
    annealed = np.minimum(one, other) < AT_PEAK
    return float(np.abs(one - other)[annealed].mean()) if annealed.any() else 0.0
