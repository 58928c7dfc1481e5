"""Schedules that never rise after warm-up as a vector of drops: the space in which `search` looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws import schedules
from scalinglaws.schedules import Schedule

__all__ = ["Table", "standards", "starts"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Schedules as drops at knots: fractions of the peak, after warm-up.

    Parameters
    ----------
    steps, peak, warmup
        Length in updates, largest rate, updates of warm-up.
    floor
        Lowest rate over the peak.
    at
        The knots, increasing updates from the end of warm-up to the end.
    """

    steps: int
    peak: float
    warmup: int
    floor: float
    at: NDArray[np.int64]

    @classmethod
    def of(cls, steps: int, peak: float, warmup: int, floor: float, knots: int) -> Table:
        """Place `knots` points after warm-up."""
        done = 1.0 - (1.0 - np.linspace(0.0, 1.0, knots)) ** 1.5  # closer towards the end, where memory is short
        at = np.unique(np.round(warmup + done * (steps - warmup)).astype(np.int64))
        return cls(steps=steps, peak=peak, warmup=warmup, floor=floor, at=at)

    def levels(self, drops: Array) -> Array:
        """Rates at the knots over the peak."""
        return np.maximum(1.0 - np.append(0.0, np.cumsum(drops)), self.floor)

    def drops(self, schedule: Schedule) -> Array:
        """Return the drops closest to a schedule: what its rates at the knots say."""
        level = np.minimum.accumulate(np.clip(schedule(self.at) / self.peak, self.floor, 1.0))
        level[0] = 1.0
        return -np.diff(level)

    def schedule(self, drops: Array) -> Schedule:
        """Return the table as a schedule, warm-up included."""
        rate = self.peak * self.levels(drops)
        if not self.warmup:
            return schedules.from_table(self.at, rate)
        first = self.peak / self.warmup  # the ramp reaches the peak at its last update
        head, start = ([0, self.warmup - 1], [first, self.peak]) if self.warmup > 1 else ([0], [self.peak])
        return schedules.from_table(np.append(head, self.at), np.append(start, rate))


def standards(table: Table) -> dict[str, Schedule]:
    """Return the usual schedules of the same length, peak, warm-up and floor, by name."""
    shared = {"peak": table.peak, "steps": table.steps, "warmup": table.warmup, "floor": table.floor}
    made = {"cosine": schedules.cosine(**shared), "linear": schedules.linear(**shared)}  # type: ignore[arg-type]
    for decay in (0.1, 0.2, 0.3, 0.5, 0.7):
        made[f"wsd:{decay}"] = schedules.wsd(decay=decay, **shared)  # type: ignore[arg-type]
    return made


def starts(table: Table) -> list[Array]:
    """Return drops from which to search."""
    made = standards(table)
    return [table.drops(made[name]) for name in ("linear", "wsd:0.2", "cosine")]
