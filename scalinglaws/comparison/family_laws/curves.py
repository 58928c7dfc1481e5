"""What a family law sees: records of runs of several sizes, with tokens, gradient-flow time, rate, size and batch.

`FamilyCurves` holds no loss, so that it describes runs still to be done as well; `FamilyRecords` adds the measured
losses of runs to fit. Rates and batches are kept as recorded: a law's own scales of time and noise absorb their units,
and so hold for every run that shares them.

Seeds of one size, batch and schedule are one group. A law gives them one curve: `distinct` holds each group's records
once, so that a costly law solves once for all seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws.records import usable
from scalinglaws.curves import Run, iter_runs, params_by, tokens_by
from scalinglaws.errors import InputError, require

__all__ = ["Distinct", "FamilyCurves", "FamilyRecords", "counted_by"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_DIGITS = 1e6
"""Rates that were given are told apart to one part in this many of the peak."""
_SAME_TIME, _SAME_RATE = 1e-3, 5e-2
"""Logs round rates, and note them at other updates for each seed: the sums of rates of one schedule agree at every
update to this share of the whole, and its last rates to this share of the peak."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distinct:
    """The records of a family with seeds counted once.

    Parameters
    ----------
    runs
        One run of each group, shape (groups,).
    steps
        Steps at which some run of the group has a record, increasing, one array for each group.
    place
        Where each record of the family is in the concatenation of `steps`, shape (n,).
    """

    runs: Index
    steps: tuple[Index, ...]
    place: Index


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyCurves:
    """Records of several runs end to end, without their losses.

    Parameters
    ----------
    names
        The runs, shape (r,).
    size
        Parameters of each run by one counting convention, or its width where parameters are unknown, shape (r,).
    batch
        Samples an update, shape (r,); all 1 where unknown, which takes every batch for the same.
    paths
        Learning rates of each run.
    run
        Index of the run of each record, in blocks, shape (n,); what follows has this shape too.
    step
        Updates done.
    tokens
        Tokens seen; samples or updates where these are unknown (see `clock`).
    clock
        "tokens", "samples" or "updates".

    Examples
    --------
    >>> path = Path(rate=np.full(100, 0.1))
    >>> curves = FamilyCurves.of([path, path], [1e6, 4e6], [[50, 100], [100]])
    >>> curves.N.tolist(), curves.tau.round(2).tolist(), curves.clock
    ([1000000.0, 1000000.0, 4000000.0], [5.0, 10.0, 10.0], 'updates')
    """

    names: tuple[str, ...]
    size: Array
    batch: Array
    paths: tuple[Path, ...]
    run: Index
    step: Index
    tokens: Array
    clock: str

    @classmethod
    def of(
        cls,
        paths: Sequence[Path],
        size: ArrayLike,
        steps: Sequence[ArrayLike],
        *,
        batch: ArrayLike = 1.0,
        tokens: Sequence[ArrayLike] | None = None,
        names: Sequence[str] | None = None,
    ) -> FamilyCurves:
        """Describe runs by hand, for example runs that nobody has done yet.

        Parameters
        ----------
        paths, size, batch
            Learning rates, size and batch of each run; one number stands for all.
        steps
            For each run the updates done at its records, whole numbers from 1 to the length of its path.
        tokens
            For each run the tokens at its records; updates stand in where they are not given.
        names
            Of the runs; numbers by default.

        Raises
        ------
        InputError
            For lists that do not belong together, sizes or batches that are not positive, and steps outside a path.
        """
        count = len(paths)
        require(count > 0, "paths", list(paths), "must hold one run or more")
        sizes, batches = (_positive(name, value, count) for name, value in (("size", size), ("batch", batch)))
        require(len(steps) == count, "steps", len(steps), f"must hold one list for each of {count} runs")
        at = [_steps(path, step) for path, step in zip(paths, steps, strict=True)]
        seen = [a.astype(np.float64) for a in at] if tokens is None else [np.asarray(t, dtype=float) for t in tokens]
        require([t.shape for t in seen] == [a.shape for a in at], "tokens", None, "must have the shapes of steps")
        return cls(
            names=tuple(str(i) for i in range(count)) if names is None else tuple(names),
            size=sizes,
            batch=batches,
            paths=tuple(paths),
            run=np.repeat(np.arange(count), [a.size for a in at]),
            step=np.concatenate(at),
            tokens=np.concatenate(seen),
            clock="updates" if tokens is None else "tokens",
        )

    @cached_property
    def N(self) -> Array:
        """Size of the run of each record, shape (n,)."""
        return self.size[self.run]

    @cached_property
    def tau(self) -> Array:
        """Gradient-flow time of each record: the sum of the rates of the updates done, shape (n,)."""
        return np.concatenate([self.paths[r].tau_at(self.step[part]) for r, part in enumerate(self.slices)])

    @cached_property
    def rate(self) -> Array:
        """Rate of the last update before each record, shape (n,)."""
        return np.concatenate([self.paths[r].rate[self.step[part] - 1] for r, part in enumerate(self.slices)])

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where the records of each run are."""
        edges = np.searchsorted(self.run, np.arange(len(self.paths) + 1))
        return tuple(slice(int(a), int(b)) for a, b in pairwise(edges))

    @cached_property
    def group(self) -> Index:
        """Index of each run's group, shape (r,): runs of one group differ in nothing but their seed."""
        known: dict[tuple[float, float, bytes], int] = {}
        keys = ((n, b, _fingerprint(p)) for n, b, p in zip(self.size, self.batch, self.paths, strict=True))
        return np.array([known.setdefault(key, len(known)) for key in keys])

    @cached_property
    def distinct(self) -> Distinct:
        """Each group's records once; see `Distinct`."""
        groups = np.arange(int(self.group.max()) + 1)
        of_record = self.group[self.run]
        steps = tuple(np.unique(self.step[of_record == g]) for g in groups)
        start = np.cumsum([0, *(s.size for s in steps)])
        place = np.empty(self.step.size, dtype=np.int64)
        for g in groups:
            mine = of_record == g
            place[mine] = start[g] + np.searchsorted(steps[g], self.step[mine])
        first = np.array([np.flatnonzero(self.group == g)[0] for g in groups])
        return Distinct(runs=first, steps=steps, place=place)

    def take(self, runs: ArrayLike) -> FamilyCurves:
        """Keep the runs with these indices, in this order."""
        chosen = np.asarray(runs, dtype=np.int64)
        records = np.concatenate([np.arange(self.slices[r].start, self.slices[r].stop) for r in chosen])
        lengths = [self.slices[r].stop - self.slices[r].start for r in chosen]
        return replace(
            self,
            names=tuple(self.names[r] for r in chosen),
            size=self.size[chosen],
            batch=self.batch[chosen],
            paths=tuple(self.paths[r] for r in chosen),
            run=np.repeat(np.arange(chosen.size), lengths),
            step=self.step[records],
            tokens=self.tokens[records],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyRecords:
    """Measured losses of several runs, and what a law sees of them.

    Parameters
    ----------
    curves
        The records.
    loss
        Measured, shape (n,).
    left_out
        Runs that diverged.
    """

    curves: FamilyCurves
    loss: Array
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        runs: xr.Dataset,
        *,
        params: str = "non_embedding",
        skip: float = 0.0,
        warmup: int | None = None,
        paths: Mapping[str, Path] | None = None,
        most: int | None = None,
        log: bool = True,
    ) -> FamilyRecords:
        """Take the records after warm-up of the runs that did not diverge.

        Parameters
        ----------
        runs
            A family of runs.
        params
            What counts as N, a key of `schema.PARAMS_CONVENTIONS`. Families that hold only the total are counted by
            it, those without parameters by their width.
        skip
            Fraction of each run's updates whose records are left out at its start.
        warmup
            Updates of warm-up, where the files do not hold them and the rule of `Path.of_run` is not wanted.
        paths
            Learning rates by run name, in place of those stored with the run.
        most
            Records to keep of each run; all by default.
        log
            Keep them evenly in the logarithm of the step, else evenly in their number.

        Raises
        ------
        InputError
            For a run without learning rates, without a known size or without records after warm-up, if batches are
            known for some runs only, and if all runs diverged.

        Examples
        --------
        >>> from scalinglaws import model_family, schedules
        >>> shape = schedules.linear(0.3, 500)
        >>> runs = model_family(1.0, 0.7, sizes=[32, 64], horizon=(500, 1.0), schedule=shape, seeds=2)
        >>> records = FamilyRecords.of(runs, most=20)
        >>> records.loss.size, records.curves.group.tolist(), len(records.curves.distinct.runs)
        (68, [0, 0, 1, 1], 2)
        """
        require(0.0 <= skip < 1.0, "skip", skip, "must lie in [0, 1)")
        known = paths or {}
        diverged = runs["status"].values == "diverged"
        names = [str(name) for name in runs["run"].values]
        if diverged.all():
            raise InputError(f"runs = {names}: all of them diverged, none is left to fit")
        chosen = [(i, run) for i, run in enumerate(iter_runs(runs)) if not diverged[i]]
        where = [i for i, _ in chosen]
        their = _shared([known[r.name] if r.name in known else Path.of_run(r, warmup=warmup) for _, r in chosen])
        keep = [_thin(run, usable(run, p, skip), most, log) for (_, run), p in zip(chosen, their, strict=True)]
        batch = _batches(np.array([run.batch for _, run in chosen]), names)
        tokens, clock = _clock(runs, where, keep)
        curves = FamilyCurves(
            names=tuple(run.name for _, run in chosen),
            size=_sizes(runs, params)[where],
            batch=batch,
            paths=tuple(their),
            run=np.repeat(np.arange(len(chosen)), [k.size for k in keep]),
            step=np.concatenate([run.step[k] for (_, run), k in zip(chosen, keep, strict=True)]),
            tokens=tokens,
            clock=clock,
        )
        loss = np.concatenate([run.loss[k] for (_, run), k in zip(chosen, keep, strict=True)])
        left_out = tuple(name for name, out in zip(names, diverged, strict=True) if out)
        return cls(curves=curves, loss=loss, left_out=left_out)

    def take(self, runs: ArrayLike) -> FamilyRecords:
        """Keep the runs with these indices, in this order."""
        parts = [self.loss[self.curves.slices[r]] for r in np.asarray(runs, dtype=np.int64)]
        return replace(self, curves=self.curves.take(runs), loss=np.concatenate(parts))


def _fingerprint(path: Path) -> bytes:
    rounded = np.round(path.rate / path.peak * _DIGITS).astype(np.int64)
    return rounded.tobytes() + f"{path.peak:.6g}".encode()


def _shared(paths: list[Path]) -> list[Path]:
    """Let runs of one schedule share the first one's path, so that they are seeds of each other."""
    first: dict[int, list[Path]] = {}
    shared = []
    for path in paths:
        known = first.setdefault(path.steps, [])
        same = next((one for one in known if _alike(one, path)), path)
        if same is path:
            known.append(path)
        shared.append(same)
    return shared


def _alike(a: Path, b: Path) -> bool:
    """Whether two paths of one length differ by no more than what a log does to one schedule."""
    along = np.abs(a.tau - b.tau).max() <= _SAME_TIME * a.tau[-1]
    return bool(along and abs(a.rate[-1] - b.rate[-1]) <= _SAME_RATE * a.peak)


def _positive(name: str, value: ArrayLike, count: int) -> Array:
    array = np.asarray(value, dtype=np.float64)
    fits = array.shape in ((), (count,)) and bool(np.all(np.isfinite(array) & (array > 0)))
    require(fits, name, value, f"must be a positive number, or one for each of {count} runs")
    return np.broadcast_to(array, count).copy()


def _steps(path: Path, steps: ArrayLike) -> Index:
    at = np.atleast_1d(np.asarray(steps))
    good = at.ndim == 1 and at.size > 0 and bool(np.all((at == np.floor(at)) & (at >= 1) & (at <= path.steps)))
    require(good, "steps", steps, f"must be whole numbers between 1 and {path.steps}, the length of the path")
    return at.astype(np.int64)


def _thin(run: Run, keep: Index, most: int | None, log: bool) -> Index:
    """Thin the places of records, the first and the last of them always kept."""
    if most is None or keep.size <= most:
        return keep
    if not log:
        return keep[np.round(np.linspace(0, keep.size - 1, most)).astype(np.int64)]
    at = np.log(run.step[keep])
    wanted = np.linspace(at[0], at[-1], most)
    nearest = np.clip(np.searchsorted(at, wanted), 1, at.size - 1)
    nearest -= (wanted - at[nearest - 1] < at[nearest] - wanted).astype(np.int64)
    return keep[np.unique(nearest)]


def counted_by(runs: xr.Dataset, params: str) -> str:
    """Return the convention by which a family's parameters can be counted: "total" where only totals are known."""
    groups = [g for g in runs["group"].values if g != "unspecified"]
    only_totals = bool((runs["params"].sel(group=groups).sum("group").values == 0).all())
    return "total" if only_totals else params


def _sizes(runs: xr.Dataset, params: str) -> Array:
    """Size of every run: parameters by the convention, else their total, else widths."""
    if (runs["params"].sum("group").values > 0).all():
        return np.asarray(params_by(runs, counted_by(runs, params)).values, dtype=np.float64)
    width = runs["width"].values if "width" in runs else np.full(runs.sizes["run"], np.nan)
    if not (width > 0).all():
        name = runs["run"].values[np.flatnonzero(~(width > 0))[0]]
        raise InputError(f"run {name}: neither parameters nor width are known, so its size is not")
    return np.asarray(width, dtype=np.float64)


def _batches(batch: Array, names: Sequence[str]) -> Array:
    unknown = ~(batch > 0)
    if unknown.all():
        return np.ones(batch.size)
    if unknown.any():
        raise InputError(f"run {names[int(np.argmax(unknown))]}: its batch is unknown while that of others is known")
    return batch


def _clock(runs: xr.Dataset, where: Sequence[int], keep: Sequence[Index]) -> tuple[Array, str]:
    """Tokens at the kept records, or what stands in for them."""
    ends = np.cumsum(runs["row_size"].values)
    starts = ends - runs["row_size"].values
    at = np.concatenate([starts[i] + k for i, k in zip(where, keep, strict=True)])
    tokens = tokens_by(runs).values[at]
    if np.isfinite(tokens).all():
        return np.asarray(tokens, dtype=np.float64), "tokens"
    step = runs["step"].values[at].astype(np.float64)
    batch = np.repeat(runs["batch"].values[list(where)], [k.size for k in keep]) if "batch" in runs else step * np.nan
    return (step * batch, "samples") if np.isfinite(batch).all() else (step, "updates")
