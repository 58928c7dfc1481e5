"""The schedule that a fitted law thinks best, and why not to believe it at once.

`search_schedule` looks among all schedules that never rise after warm-up, as tables of a few tens of knots, at a fixed
length and peak: the rate at each knot is the peak less the drops so far, drops are not negative and add up to the peak
at most. It compares with the best of the standard shapes, says how sure the gain is, how far the schedule found is
from those fitted, and which defects of the law the optimum may exploit (`defects`). An optimum is by its nature where
a law errs in its own favour: train it once before trusting it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, minimize

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.base import ScheduleLaw
from scalinglaws.comparison.schedule_laws.result import ScheduleFit
from scalinglaws.comparison.schedule_laws.stretches import Draws
from scalinglaws.comparison.schedule_laws.tables import Table, standards, starts
from scalinglaws.errors import InputError, require
from scalinglaws.schedules import Schedule

__all__ = ["Found", "SearchResult", "defects", "find_schedule", "search_schedule"]

Array = NDArray[np.float64]

_SLOPE = 1e-4
"""Change of a drop, over the peak, from which slopes are taken."""
_FAR = 0.1
"""A schedule whose rates differ from every fitted one by more than this share of the peak on average is far away."""
_WORTH = 1e-4
"""A change of the loss smaller than this, in nats, is no defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The schedule of lowest predicted final loss under given parameters.

    Parameters
    ----------
    schedule
        A table of rates.
    loss
        Predicted final loss, nats/token.
    standard
        Predicted final loss of each standard schedule, by name.
    best
        Name of the best of them.
    rival
        That schedule.
    """

    schedule: Schedule
    loss: float
    standard: Mapping[str, float]
    best: str
    rival: Schedule

    @property
    def gain(self) -> float:
        """How much lower the loss is than that of the best standard schedule."""
        return self.standard[self.best] - self.loss


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A schedule found under a fitted law.

    Parameters
    ----------
    found
        The schedule and the predicted losses.
    gain_low, gain_high
        Interval of the gain over refits of resampled curves, the two schedules held; the law is taken as right.
    level
        Its nominal coverage.
    distance
        Mean difference to the rates of the closest fitted run, each over its peak and at the same fraction of the
        run: 0 for a schedule that was fitted.
    closest
        That run.
    cautions
        Sentences: defects of the law, and where the schedule leaves what was fitted.
    """

    found: Found
    gain_low: float
    gain_high: float
    level: float
    distance: float
    closest: str
    cautions: tuple[str, ...]


def find_schedule(
    law: ScheduleLaw,
    values: Mapping[str, float],
    *,
    steps: int,
    peak: float,
    warmup: int = 0,
    floor: float = 0.0,
    knots: int = 24,
) -> Found:
    """Minimise the predicted final loss over schedules that never rise after warm-up.

    Parameters
    ----------
    law, values
        The law and its parameters.
    steps, peak, warmup
        Length in updates, largest rate, and updates of linear warm-up.
    floor
        Lowest rate allowed, as a fraction of the peak.
    knots
        Points of the table after warm-up, closer to each other towards the end of the run.

    Raises
    ------
    InputError
        For lengths, rates and knots out of range.

    Examples
    --------
    >>> from scalinglaws.comparison.schedule_laws.convex import CONVEX
    >>> found = find_schedule(CONVEX, {"L0": 0.0, "P": 0.5, "Q": 0.5}, steps=400, peak=0.05, floor=0.01, knots=8)
    >>> found.best, found.loss <= found.standard["linear"]
    ('linear', True)
    """
    require(isinstance(knots, int) and 2 <= knots <= 200, "knots", knots, "must be an integer from 2 to 200")
    require(warmup >= 0 and steps > warmup + knots, "steps", steps, f"must exceed {warmup + knots}: warm-up and knots")
    require(bool(np.isfinite(peak)) and peak > 0, "peak", peak, "must be positive and finite")
    require(0 <= floor < 1, "floor", floor, "must lie in [0, 1)")
    table = Table.of(steps, peak, warmup, floor, knots)
    known = standards(table)
    standard = {name: _final(law, values, _rates(schedule)) for name, schedule in known.items()}
    ends = [_descend(law, values, table, start) for start in starts(table)]
    drops, loss = min(ends, key=lambda end: end[1])
    best = min(standard, key=lambda name: standard[name])
    return Found(schedule=table.schedule(drops), loss=loss, standard=standard, best=best, rival=known[best])


def search_schedule(
    fit: ScheduleFit,
    *,
    steps: int,
    peak: float | None = None,
    warmup: int = 0,
    floor: float = 0.0,
    knots: int = 24,
    level: float = 0.9,
    replicates: int = 100,
    rng: int = 0,
) -> SearchResult:
    """Find the best schedule under a fitted law, with the interval of its gain and the cautions it deserves.

    Parameters
    ----------
    fit
        From `fit_schedule`.
    steps, warmup, floor, knots
        As for `find_schedule`.
    peak
        Largest rate; the largest fitted one by default.
    level, replicates, rng
        Of the interval of the gain: its level, and how many refits with which seed.

    Raises
    ------
    InputError
        As `find_schedule`, and for a level outside (0, 1).
    """
    require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    fitted = {name: path for name, (path, _) in zip(fit.records.names, fit.records.look.curves, strict=True)}
    highest = max(path.peak for path in fitted.values())
    chosen = highest if peak is None else peak
    found = find_schedule(fit.law, fit.params, steps=steps, peak=chosen, warmup=warmup, floor=floor, knots=knots)
    low, high = _gain_interval(fit, found, level, fit.bootstrap(replicates, rng=rng, law_error=False))
    apart = {name: _distance(Path.of_schedule(found.schedule), path) for name, path in fitted.items()}
    closest = min(apart, key=lambda name: apart[name])
    cautions = list(defects(fit.law, fit.params, found.schedule))
    if apart[closest] > _FAR:
        away = f"{100 * apart[closest]:.0f} % of the peak"
        cautions.append(f"its rates differ from those of the closest fitted run, {closest}, by {away}")
    longest = max(path.steps for path in fitted.values())
    if steps > 1.02 * longest:  # the last logging interval is no extrapolation
        cautions.append(f"it is {steps / longest:.3g} times as long as the longest fitted run")
    if chosen > 1.001 * highest:
        cautions.append(f"its peak rate is {chosen / highest:.3g} times the largest fitted one")
    if low <= 0:
        cautions.append(f"its gain over {found.best} is not sure to be one: the interval reaches {low:.2g}")
    return SearchResult(
        found=found,
        gain_low=low,
        gain_high=high,
        level=level,
        distance=apart[closest],
        closest=closest,
        cautions=tuple(cautions),
    )


def defects(law: ScheduleLaw, values: Mapping[str, float], schedule: Schedule) -> tuple[str, ...]:
    """Say what a law rewards that no training does: rest at rate zero, and ever higher rates.

    Parameters
    ----------
    law, values
        The law and its parameters.
    schedule
        Where to ask.
    """
    rates = _rates(schedule)
    loss = _final(law, values, rates)
    said = []
    rest = loss - _final(law, values, np.append(rates, np.zeros(rates.size)))
    if rest > _WORTH:
        said.append(f"the law lowers the loss by {rest:.2g} while the run rests at rate zero for as long as it was")
    scaled = [_final(law, values, factor * rates) for factor in (1.0, 10.0, 100.0)]
    if scaled[0] - _WORTH > scaled[1] > scaled[2] + _WORTH:
        said.append(
            "the law lowers the loss the higher all rates are, even a hundred times: it must not choose the peak"
        )
    return tuple(said)


def _rates(schedule: Schedule) -> Array:
    return Path.of_schedule(schedule).rate


def _final(law: ScheduleLaw, values: Mapping[str, float], rates: Array) -> float:
    """Predicted loss at the end, every rate change counted, so that it is smooth in the rates."""
    loss = float(law.predict(values, Path(rate=rates), exact=True)[0])
    return loss if np.isfinite(loss) else np.inf


def _descend(law: ScheduleLaw, values: Mapping[str, float], table: Table, start: Array) -> tuple[Array, float]:
    """Sequential quadratic programming over the drops; never worse than its start."""
    scale = 1e-3  # nats that the search takes as one
    base = _final(law, values, _rates(table.schedule(start)))

    def objective(drops: Array) -> float:
        return (_final(law, values, _rates(table.schedule(np.maximum(drops, 0.0)))) - base) / scale

    most = 1.0 - table.floor
    room = LinearConstraint(np.ones((1, start.size)), -np.inf, most)
    end = minimize(
        objective,
        start,
        method="SLSQP",
        bounds=Bounds(np.zeros(start.size), np.full(start.size, most)),
        constraints=[room],
        options={"maxiter": 100, "ftol": 1e-6, "eps": _SLOPE},
    )
    drops = np.maximum(end.x, 0.0)
    drops *= min(1.0, most / max(drops.sum(), 1e-300))
    loss = _final(law, values, _rates(table.schedule(drops)))
    if not np.isfinite(base) and not np.isfinite(loss):
        raise InputError(f"law = {law.name}: predicts no finite loss for a schedule of {table.steps} steps")
    return (drops, loss) if loss < base else (start, base)


def _gain_interval(fit: ScheduleFit, found: Found, level: float, draws: Draws) -> tuple[float, float]:
    ours, standard = Path.of_schedule(found.schedule), Path.of_schedule(found.rival)
    rows = [fit.problem.values(theta) for theta in draws.theta]
    gains = [float(fit.law.predict(row, standard)[0] - fit.law.predict(row, ours)[0]) for row in rows]
    low, high = np.quantile(gains, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(low), float(high)


def _distance(one: Path, other: Path) -> float:
    """Mean difference of the rates over their peaks at equal fractions of the runs."""
    at = (np.arange(1000) + 0.5) / 1000
    rows = [path.rate[(at * path.steps).astype(np.int64)] / path.peak for path in (one, other)]
    return float(np.mean(np.abs(rows[0] - rows[1])))
