"""The learning rate of every update of a run: what all schedule laws read.

A `Path` comes from a `Schedule` or from a measured run. A run that stores its schedule as JSON is taken at its
word; else the recorded rates are joined by three rules: linear between two records, held where the rate jumps
(it changes far more than on both sides, or in the last interval after a constant rate), and, before the first
record, the ramp on which the first rates rise drawn back to zero, or a linear warm-up if these updates are many more
than the records are apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.curves.family import Run
from scalinglaws.errors import InputError, require
from scalinglaws.schedules import Schedule

__all__ = ["Path"]

Array = NDArray[np.float64]

_JUMP = 4.0
"""A change between two records is a jump if it exceeds this many times what the slopes on both sides explain."""
_MISSING = 2.0
"""Updates before the first record are warm-up if they are more than this many logging intervals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """Learning rates of the updates of one run.

    Parameters
    ----------
    rate
        `rate[t]` is the rate of the update from t to t + 1, shape (steps,).
    warmup
        Updates of warm-up, 0 where there was none.

    Raises
    ------
    InputError
        For rates that are not finite and >= 0, all zero, or none at all.

    Examples
    --------
    >>> path = Path(rate=[0.1, 0.2, 0.2, 0.1])
    >>> path.steps, path.peak, path.tau_at([0, 1, 4]).round(3).tolist()
    (4, 0.2, [0.0, 0.1, 0.6])
    """

    rate: Array
    warmup: int = 0
    tau: Array = field(init=False)

    def __post_init__(self) -> None:
        rate = np.asarray(self.rate, dtype=np.float64)
        require(rate.ndim == 1 and rate.size > 0, "rate", rate.shape, "must hold one rate or more")
        bad = np.flatnonzero(~(np.isfinite(rate) & (rate >= 0)))
        if bad.size:
            raise InputError(f"rate = {rate[bad[0]]} at step {bad[0]}: must be finite and >= 0")
        require(rate.max() > 0, "rate", 0.0, "must be positive at one step at least")
        object.__setattr__(self, "rate", rate)
        object.__setattr__(self, "tau", np.append(0.0, np.cumsum(rate)))

    @classmethod
    def of_schedule(cls, schedule: Schedule, steps: int | None = None) -> Path:
        """Take the rates of a schedule, over its own length unless `steps` is given.

        Examples
        --------
        >>> from scalinglaws import schedules
        >>> Path.of_schedule(schedules.linear(1.0, 4)).rate.tolist()
        [1.0, 0.75, 0.5, 0.25]
        """
        length = schedule.steps if steps is None else steps
        if length is None or length < 1:
            raise InputError(f"steps = {length}: must be given, 1 or more, for a schedule without an end")
        return cls(rate=schedule(np.arange(length)), warmup=schedule.warmup)

    @classmethod
    def of_run(cls, run: Run, *, warmup: int | None = None) -> Path:
        """Take the rates of a measured run up to its last record, by the rules above.

        Parameters
        ----------
        warmup
            Updates of linear warm-up before the first record, where the rule of this module is not wanted.

        Raises
        ------
        InputError
            If the run has neither a schedule nor recorded rates.
        """
        last = int(run.step[-1])
        schedule = _stored_schedule(run)
        if schedule is not None:
            return cls.of_schedule(schedule, steps=last)
        require(run.lr is not None, f"run {run.name}: lr", None, "is needed to know its learning-rate schedule")
        known = np.isfinite(np.asarray(run.lr)) & (run.step >= 0)
        require(bool(known.any()), f"run {run.name}: lr", "NaN", "is needed to know its learning-rate schedule")
        step, rate = run.step[known], np.asarray(run.lr)[known]
        first = int(step[0])
        ramp = _warmup_before(step) if warmup is None else warmup
        require(0 <= ramp <= first, "warmup", ramp, f"must lie between 0 and the first record, at step {first}")
        rates = _between(step, rate, np.arange(last))
        rising = warmup is None and ramp == 0 and step.size > 1 and rate[1] > rate[0]
        if rising:
            slope = (rate[1] - rate[0]) / (step[1] - step[0])
            rates[:first] = np.maximum(rate[0] - slope * (first - np.arange(first)), 0.0)
            ramp = int(step[np.argmax(rate)])
        else:
            rates[:first] = rate[0] * np.minimum((np.arange(first) + 1.0) / max(ramp, 1), 1.0)
        return cls(rate=rates, warmup=ramp)

    @property
    def steps(self) -> int:
        """How many updates."""
        return int(self.rate.size)

    @property
    def peak(self) -> float:
        """Largest rate."""
        return float(self.rate.max())

    def tau_at(self, step: ArrayLike) -> Array:
        """Gradient-flow time, the sum of the rates of the first `step` updates; linear within an update."""
        at = np.asarray(step, dtype=np.float64)
        inside = bool(np.all((at >= 0) & (at <= self.steps)))
        require(inside, "step", step, f"must lie between 0 and {self.steps}, the length of the run")
        return np.asarray(np.interp(at, np.arange(self.steps + 1), self.tau))

    def step_at(self, tau: ArrayLike) -> Array:
        """Fractional step at which the gradient-flow time is reached, the earliest one; NaN where it never is."""
        wanted = np.asarray(tau, dtype=np.float64)
        after = np.clip(np.searchsorted(self.tau, wanted, side="left"), 1, self.steps)
        rate = self.rate[after - 1]
        part = np.divide(self.tau[after] - wanted, rate, out=np.zeros(rate.shape), where=rate > 0)
        reached = (wanted >= 0) & (wanted <= self.tau[-1])
        return np.where(reached, after - part, np.nan)


def _stored_schedule(run: Run) -> Schedule | None:
    if not run.schedule.startswith("{"):
        return None
    return Schedule.from_dict(json.loads(run.schedule))


def _warmup_before(step: NDArray[np.int64]) -> int:
    apart = float(np.median(np.diff(step[:16]))) if step.size > 1 else np.inf
    return int(step[0]) if step[0] > _MISSING * apart else 0


def _between(step: NDArray[np.int64], rate: Array, at: NDArray[np.int64]) -> Array:
    """Linear between records, the earlier rate where the later one is a jump away."""
    if step.size < 2:
        return np.full(at.size, rate[0])
    apart = np.diff(step).astype(np.float64)
    change = np.diff(rate)
    slope = np.abs(change) / apart
    explained = apart * (np.append(0.0, slope[:-1]) + np.append(slope[1:], 0.0))
    inner = np.ones(change.size, dtype=bool)
    inner[0] = False  # a change at either end has one side only: nothing says that it was sudden
    inner[-1] = change.size > 1 and bool(change[-2] == 0.0)  # but for a constant rate
    jump = inner & (np.abs(change) > _JUMP * explained) & (change != 0)
    place = np.clip(np.searchsorted(step, at, side="right") - 1, 0, change.size - 1)
    return np.asarray(np.where(jump[place] & (at < step[place + 1]), rate[place], np.interp(at, step, rate)))
