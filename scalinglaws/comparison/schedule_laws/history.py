"""What a schedule law sees of a run: gradient-flow time, and every change of the learning rate that came before.

Laws with memory add a kernel over all earlier rate changes at every record: 24,000 changes times 500 records for one
cosine run. `History` replaces the changes far in the past by a few: consecutive changes of one sign that are much
closer to each other than to the record (in gradient-flow time, in steps and in the rate itself) become two, with the
same sum, mean and spread (Gauss's two-point rule). It depends on the schedule and the records alone, never on
a law's parameters, so that a fit builds it once; `compress` holds the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.compress import blocks, rate_after, singles
from scalinglaws.errors import require

__all__ = ["History", "ramp_end"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Records of one run or of several, and the rate changes before each of them.

    Parameters
    ----------
    step
        Updates done at each record, shape (n,).
    tau
        Sum of the rates of those updates, shape (n,).
    rate
        Rate of the last of them, shape (n,).
    owner
        Index of the record that each change belongs to, shape (m,); what follows has this shape too.
    drop
        How much the rate fell, `eta_{k-1} - eta_k`; negative where it rose. Before the first update the rate is 0, so
        that a run without warm-up, or one whose warm-up was not recorded, begins with a rise.
    lag
        Gradient-flow time from the change to the record, the rate after the change included.
    age
        Updates from the change to the record.
    after
        The rate after the change.
    then
        Gradient-flow time at the change.
    ramp
        Whether the change is part of the warm-up.
    curves
        For each run its path and the slice of its records; for laws that need every single rate.
    """

    step: Array
    tau: Array
    rate: Array
    owner: Index
    drop: Array
    lag: Array
    age: Array
    after: Array
    then: Array
    ramp: NDArray[np.bool_]
    curves: tuple[tuple[Path, slice], ...]

    @classmethod
    def of(cls, path: Path, steps: ArrayLike, *, exact: bool = False) -> History:
        """Look back from each of `steps` along a path.

        Parameters
        ----------
        steps
            Updates done, integers from 1 to `path.steps`, shape (n,).
        exact
            Keep every single change: slow, and what the compression is tested against.

        Raises
        ------
        InputError
            For steps that are not of the path.

        Examples
        --------
        >>> look = History.of(Path(rate=[0.4, 0.4, 0.1, 0.1]), [1, 4])
        >>> look.tau.round(3).tolist(), look.owner.tolist(), look.drop.round(3).tolist(), look.lag.round(3).tolist()
        ([0.4, 1.0], [0, 1, 1], [-0.4, 0.3, -0.4], [0.4, 0.2, 1.0])
        """
        at = np.atleast_1d(np.asarray(steps))
        whole = at.ndim == 1 and at.size > 0 and bool(np.all(at == np.floor(at)))
        require(whole, "steps", steps, "must be a list of whole numbers")
        at = at.astype(np.int64)
        inside = bool(np.all((at >= 1) & (at <= path.steps)))
        require(inside, "steps", steps, f"must lie between 1 and {path.steps}, the length of the schedule")
        drop = -np.diff(path.rate, prepend=0.0)
        change = np.flatnonzero(drop)
        count = np.searchsorted(change, at, side="left")  # only changes with an update after them count
        owner, place, drop = (singles if exact else blocks)(drop, path.rate, path.tau, change, count, at)
        then = np.interp(place, np.arange(path.steps + 1), path.tau)
        return cls(
            step=at.astype(np.float64),
            tau=path.tau[at],
            rate=path.rate[at - 1],
            owner=owner,
            drop=drop,
            lag=np.maximum(path.tau[at][owner] - then, 0.0),
            age=at[owner] - place,
            after=rate_after(path.rate, change, place),
            then=then,
            ramp=place <= ramp_end(path),
            curves=((path, slice(0, at.size)),),
        )

    @classmethod
    def join(cls, parts: Sequence[History]) -> History:
        """Put the records of several runs end to end."""
        starts = np.cumsum([0, *(p.step.size for p in parts)])
        joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)[:-1]}
        joined["owner"] = np.concatenate([p.owner + s for p, s in zip(parts, starts, strict=False)])
        curves = tuple(
            (path, slice(part.start + int(s), part.stop + int(s)))
            for p, s in zip(parts, starts, strict=False)
            for path, part in p.curves
        )
        return cls(**joined, curves=curves)

    def take(self, keep: Index) -> History:
        """Keep the records at increasing places `keep`, and their changes."""
        new = np.full(self.step.size, -1)
        new[keep] = np.arange(keep.size)
        mine = new[self.owner] >= 0
        records = {name: getattr(self, name)[keep] for name in ("step", "tau", "rate")}
        changes = {name: getattr(self, name)[mine] for name in ("drop", "lag", "age", "after", "then", "ramp")}
        edges = [(path, np.searchsorted(keep, [part.start, part.stop])) for path, part in self.curves]
        curves = tuple((path, slice(int(a), int(b))) for path, (a, b) in edges if b > a)
        return replace(self, **records, **changes, owner=new[self.owner][mine], curves=curves)

    def total(self, kernel: Array) -> Array:
        """Add `drop * kernel` over the changes before each record: shape (m,) to (n,).

        Examples
        --------
        >>> look = History.of(Path(rate=[0.4, 0.3, 0.1]), [1, 3])
        >>> look.total(np.ones(4)).round(3).tolist()
        [-0.4, -0.1]
        """
        return np.bincount(self.owner, weights=self.drop * kernel, minlength=self.step.size).astype(np.float64)


def ramp_end(path: Path) -> int:
    """Return the last update of the warm-up: as the path states it, else where the rate first reaches its peak.

    A peak that comes later than a tenth of the run is a schedule, not a warm-up.

    Examples
    --------
    >>> ramp_end(Path(rate=[0.1, 0.2, *[0.3] * 20, 0.1])), ramp_end(Path(rate=[0.1, 0.1, 0.1, 0.3]))
    (2, 0)
    """
    peak = int(np.argmax(path.rate))
    return max(path.warmup, peak if peak <= 0.1 * path.steps else 0)
