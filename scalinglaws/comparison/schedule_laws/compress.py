"""Few changes of the learning rate in place of many: the rule behind `History`, on plain arrays.

Seen from one record, consecutive changes form a block if the block is short compared with its distance, measured in
gradient-flow time (to the record, and to the start of training) and in steps, and if the rate hardly varies inside.
A block becomes two changes with the same sum, mean and variance. A smooth kernel is then summed to the fourth order of
(length / distance), and a run of any length costs some hundred terms a record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks", "rate_after", "singles"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Terms = tuple[Index, Array, Array]
"""Owner, place (a fractional step) and size of each change, sorted by owner."""

_NEAR = 4.0
"""A block is at least this many times shorter than its distance, and its rate varies by exp(1/4) at most."""


def singles(drop: Array, rate: Array, tau: Array, change: Index, count: Index, at: Index) -> Terms:
    """Return every change before every record; see `blocks`."""
    del rate, tau, at
    owner = np.repeat(np.arange(count.size), count)
    within = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
    place = change[within]
    return owner, place.astype(np.float64), drop[place]


def blocks(drop: Array, rate: Array, tau: Array, change: Index, count: Index, at: Index) -> Terms:
    """Walk back from all records at once, one block a round, each as long as its distance allows.

    Parameters
    ----------
    drop, rate, tau
        Fall of the rate at each update (steps,), rate of each (steps,), and the sum of the rates before (steps + 1,).
    change
        Updates whose rate differs from the one before, increasing, shape (changes,).
    count
        How many of the changes come before each record, shape (records,).
    at
        Updates done at each record, shape (records,).
    """
    if not count.any():
        return singles(drop, rate, tau, change, np.zeros_like(count), at)
    line = _Line.of(drop, rate, tau, change)
    record, end = np.flatnonzero(count > 0), count[count > 0]
    owners, places, sizes = [], [], []
    while record.size:
        begin = line.begin(end, tau[at[record]], at[record])
        for place, size in line.two_points(begin, end):
            owners.append(record)
            places.append(place)
            sizes.append(size)
        more = begin > 0
        record, end = record[more], begin[more]
    owner, place, size = np.concatenate(owners), np.concatenate(places), np.concatenate(sizes)
    order = np.argsort(owner, kind="stable")
    order = order[size[order] != 0]
    return owner[order], place[order], size[order]


def rate_after(rate: Array, change: Index, place: Array) -> Array:
    """Return the rate after each change; between the changes of a block it is geometric."""
    if change.size == 0:
        return np.zeros(0)
    rates = rate[change]
    nearest = np.minimum(np.searchsorted(change, place), change.size - 1)
    between = np.exp(np.interp(place, change, _logs(rates)))
    return np.where(change[nearest] == place, rates[nearest], between)


def _logs(rates: Array) -> Array:
    """Logarithms, with some number at rates of zero, which no block includes."""
    return np.log(np.where(rates > 0, rates, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The changes of one path, with the running sums from which a block is cut: all over (changes,) or one more."""

    change: Array
    drop: Array
    tau: Array
    first: Index  # where the stretch of one sign begins that a change is part of
    travelled: Array  # total variation of the log rate
    moments: tuple[Array, Array, Array]

    @classmethod
    def of(cls, drop: Array, rate: Array, tau: Array, change: Index) -> _Line:
        drop, rates = drop[change], rate[change]
        turn = np.ones(change.size, dtype=bool)
        turn[1:] = (np.sign(drop[1:]) != np.sign(drop[:-1])) | (rates[1:] == 0) | (rates[:-1] == 0)
        steps = np.abs(np.diff(_logs(rates), prepend=0.0))
        where = change.astype(np.float64)
        return cls(
            change=where,
            drop=drop,
            tau=tau[change],
            first=np.maximum.accumulate(np.where(turn, np.arange(change.size), 0)),
            travelled=np.cumsum(np.where(turn, 0.0, steps)),
            moments=tuple(np.append(0.0, np.cumsum(drop * where**p)) for p in range(3)),  # type: ignore[arg-type]
        )

    def begin(self, end: Index, tau: Array, step: Index) -> Index:
        """Where the longest block that ends before `end` begins, seen from a record at `tau`, `step`."""
        last = end - 1
        limits = (
            (self.tau, np.minimum(tau - self.tau[last], self.tau[last]) / _NEAR),
            (self.change, (step - self.change[last]) / _NEAR),
            (self.travelled, 1.0 / _NEAR),
        )
        begin = self.first[last]
        for axis, reach in limits:
            begin = np.maximum(begin, np.searchsorted(axis, axis[last] - reach, side="left"))
        return np.minimum(begin, last)

    def two_points(self, begin: Index, end: Index) -> list[tuple[Array, Array]]:
        """Places and sizes of two changes with the sum, mean and variance of each block [begin, end)."""
        s0, s1, s2 = (sums[end] - sums[begin] for sums in self.moments)
        low, high = self.change[begin], self.change[end - 1]
        alone = end - begin == 1
        total = np.where(alone, self.drop[begin], s0)
        mean = np.where(alone, low, s1 / total)
        spread = np.where(alone, 0.0, np.sqrt(np.maximum(s2 / total - mean**2, 0.0)))
        half = np.where(alone, 0.0, 0.5 * total)
        # Rounding can push a place out of a block whose share of all changes is tiny; it stays inside.
        return [(np.clip(mean - spread, low, high), total - half), (np.clip(mean + spread, low, high), half)]
