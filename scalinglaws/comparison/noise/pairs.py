"""Each annealed run with the constant run it is compared with, at equal gradient-flow time.

======================================  ===========================================================================
what is found                           what happens
======================================  ===========================================================================
several constant runs of one kind       the longest in tau is the reference; of equally long ones the first
no constant run of the same kind        the run is left out, named
target reaches further than reference   its records beyond are left out, noted
fewer than 8 records left to compare    the run is left out, named
other logging grid than the reference   the reference is interpolated at the target's records, linear in tau
======================================  ===========================================================================

Kind means equal parameters, width, depth, batch and sequence length, and the same peak rate to 1 %. A record is
compared from the update on whose rate lies 1 % below the peak for the first time. For damage within one run see
`noise.curve`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.noise.ageing import Memory
from scalinglaws.comparison.noise.curve import FEWEST, Curve, first_fall
from scalinglaws.comparison.path import Path
from scalinglaws.curves import iter_runs
from scalinglaws.errors import InputError, require

__all__ = ["FALL", "Contrast", "Pair", "Pairing", "contrast", "label", "pair_runs"]

Array = NDArray[np.float64]

FALL = 0.01
"""Fraction of the peak by which the rate must have fallen for a record to be compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """A schedule against a reference run, at the schedule's own records; nothing here was measured under it.

    Parameters
    ----------
    step, tau
        Updates done and gradient-flow time, shape (n,).
    rate, change
        Rate of the last update over the peak, and its difference to the reference's at equal tau (<= 0 for decay).
    loss, trace
        Smoothed loss and noise trace of the reference at equal tau; the trace is NaN where never measured.
    memory
        The fall of the rate up to each record.
    """

    step: NDArray[np.int64]
    tau: Array
    rate: Array
    change: Array
    loss: Array
    trace: Array
    memory: Memory

    def at(self, kept: NDArray[np.bool_]) -> Contrast:
        """Return some of the records."""
        rows = {f.name: getattr(self, f.name)[kept] for f in fields(self) if f.name != "memory"}
        return Contrast(**rows, memory=replace(self.memory, at=self.memory.at[kept]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A target run, its reference, and the contrast between their schedules.

    Parameters
    ----------
    target, reference
        The cleaned runs.
    contrast
        What the schedules and the reference tell.
    loss, trace
        Measured on the target, shape (n,).
    """

    target: Curve
    reference: Curve
    contrast: Contrast
    loss: Array
    trace: Array

    def at(self, kept: NDArray[np.bool_]) -> Pair:
        """Return some of the records."""
        return replace(self, contrast=self.contrast.at(kept), loss=self.loss[kept], trace=self.trace[kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The pairs of a family.

    Parameters
    ----------
    pairs
        In the order of the family.
    references
        The constant runs compared with, by name.
    excluded
        Why each other run takes no part, by name.
    notes
        What was left out of runs that do take part.
    fall
        Fraction of the peak by which the rate must have fallen for a record to be compared.
    """

    pairs: tuple[Pair, ...]
    references: Mapping[str, Curve]
    excluded: Mapping[str, str]
    notes: tuple[str, ...]
    fall: float

    @classmethod
    def of(cls, runs: xr.Dataset | Pairing) -> Pairing:
        """Pair a family by `pair_runs`, or return a pairing as it is."""
        return runs if isinstance(runs, Pairing) else pair_runs(runs)

    def only(self, names: Iterable[str]) -> tuple[Pair, ...]:
        """Return the pairs of the named targets; an unknown name is an `InputError` that tells why."""
        known = {pair.target.name: pair for pair in self.pairs}
        wanted = list(names)
        for name in wanted:
            if name not in known:
                raise InputError(f"run {name}: {self.excluded.get(name, 'is not an annealed run of this family')}")
        return tuple(known[name] for name in known if name in wanted)

    def refusal(self, more: Mapping[str, str] | None = None) -> InputError:
        """Return the error for a family without a pair, with the reasons."""
        reasons = "; ".join(f"{name}: {reason}" for name, reason in (more or self.excluded).items())
        return InputError(f"runs: none can be compared with a constant run ({reasons or 'none is annealed'})")


def pair_runs(runs: xr.Dataset, *, fall: float = FALL) -> Pairing:
    """Pair every annealed run of a family with its constant run.

    Parameters
    ----------
    runs
        A family of measured runs with learning rates.
    fall
        Fraction of the peak by which the rate must have fallen for a record to be compared.

    Raises
    ------
    InputError
        For a `fall` outside (0, 1).

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> step = np.arange(10, 210, 10)
    >>> made = [Run(name=n, step=step, loss=3.0 - step / 1000, params={}, lr=lr) for n, lr in
    ...         (("flat", np.full(20, 0.1)), ("decay", np.linspace(0.1, 0.0, 20)))]
    >>> pairing = pair_runs(from_runs(made))
    >>> [(p.target.name, p.reference.name, len(p.loss)) for p in pairing.pairs], pairing.excluded
    ([('decay', 'flat', 19)], {})
    """
    require(0.0 < fall < 1.0, "fall", fall, "must lie between 0 and 1")
    curves, excluded = [], {}
    for run in iter_runs(runs):
        try:
            curves.append(Curve.of(run, fall=fall))
        except InputError as reason:
            excluded[run.name] = str(reason)
    constant = [c for c in curves if c.fell is None]
    pairs, notes = [], [f"run {c.name}: {note}" for c in curves for note in c.notes]
    for target in (c for c in curves if c.fell is not None):
        reference = _reference(target, constant)
        if reference is None:
            excluded[target.name] = "no constant run has its size, batch and peak rate"
            continue
        pair, beyond = _pair(target, reference, fall)
        if beyond:
            notes.append(f"run {target.name}: {beyond} record(s) beyond the end of {reference.name} were left out")
        if pair.loss.size < FEWEST:
            excluded[target.name] = f"{pair.loss.size} record(s) can be compared, and {FEWEST} are needed"
            continue
        pairs.append(pair)
    used = {c.name: c for c in constant if _reference(c, constant) is c}
    for c in constant:
        if c.name not in used:
            excluded[c.name] = "a longer constant run of the same kind is the reference"
    return Pairing(pairs=tuple(pairs), references=used, excluded=excluded, notes=tuple(notes), fall=fall)


def _reference(target: Curve, constant: Iterable[Curve]) -> Curve | None:
    """Return the longest constant run of a target's kind, of equally long ones the first."""
    kin = [c for c in constant if c.kin == target.kin and c.is_like(target.path)]
    return max(kin, key=lambda c: float(c.tau[-1]), default=None)


def _pair(target: Curve, reference: Curve, fall: float) -> tuple[Pair, int]:
    """Pair two curves; also count the records of the target that lie beyond the reference."""
    assert target.fell is not None  # only annealed runs are paired
    annealed = (target.step > target.fell) & (target.tau >= reference.tau[0])
    within = target.tau <= reference.tau[-1]
    kept = annealed & within
    steps = target.step[kept]
    found = contrast(target.path, steps if kept.any() else target.step[-1:], reference, fall=fall)
    pair = Pair(target=target, reference=reference, contrast=found, loss=target.loss[kept], trace=target.trace[kept])
    return pair, int((annealed & ~within).sum())


def contrast(path: Path, steps: NDArray[np.int64], reference: Curve, *, fall: float = FALL) -> Contrast:
    """Compare a schedule with a reference run at equal gradient-flow time.

    Before the rate falls for the first time nothing differs: the change is zero there, whatever the warm-ups are.

    Parameters
    ----------
    path
        Learning rates of the schedule, of the reference's peak.
    steps
        Updates done, from 1 to `path.steps`, shape (n,).
    reference
        The constant run.
    """
    fell = first_fall(path, fall)
    first = path.steps if fell is None else fell
    relative = path.rate / reference.peak
    drop = np.zeros(path.steps)
    drop[first:] = reference.rate_at(np.minimum(path.tau[first + 1 :], reference.path.tau[-1])) - relative[first:]
    tau = path.tau_at(steps)
    trace = reference.smooth_trace_at(tau) if reference.has_trace else np.full(tau.shape, np.nan)
    return Contrast(
        step=np.asarray(steps, dtype=np.int64),
        tau=tau,
        rate=relative[steps - 1],
        change=-drop[steps - 1],
        loss=reference.smooth_loss_at(tau),
        trace=trace,
        memory=Memory.of(path, drop, steps, first),
    )


def label(pairs: Iterable[Pair], columns: Mapping[str, Iterable[Array]], attrs: Mapping[str, object]) -> xr.Dataset:
    """Put per-record columns of pairs end to end (contiguous ragged arrays over `run` and `obs`)."""
    pairs = list(pairs)
    names = np.array([p.target.name for p in pairs], dtype=object)
    every: dict[str, list[NDArray[Any]]] = {
        "step": [p.contrast.step for p in pairs],
        "tau": [p.contrast.tau for p in pairs],
        "rate": [p.contrast.rate for p in pairs],
        "loss": [p.loss for p in pairs],
        **{name: list(values) for name, values in columns.items()},
    }
    return xr.Dataset(
        {
            "row_size": ("run", np.array([p.loss.size for p in pairs]), {"sample_dimension": "obs"}),
            "schedule": ("run", np.array([p.target.schedule for p in pairs], dtype=object)),
            "params": ("run", np.array([p.target.kin[0] for p in pairs])),
            **{name: ("obs", np.concatenate(values)) for name, values in every.items()},
        },
        coords={"run": names},
        attrs=dict(attrs),
    )
