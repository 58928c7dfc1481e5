"""The rules that turn a raw curve into a `Run`.

====================================  ============================================================================
what is found                         what happens
====================================  ============================================================================
blank loss                            not measured there: the row is left out, noted
loss nan or inf at the end            status "diverged", the curve is cut there, noted
loss nan or inf between finite ones   the row is left out, noted
no finite loss at all                 the run is left out, noted; an error if no run is left
loss zero or negative                 error: a loss in nats per token is positive
perplexity not above 1                error
steps out of order                    sorted, noted
the same step twice, same loss        one record is kept, noted
the same step twice, another loss     the later record is kept, noted (a resumed run repeats steps)
step blank, negative or not whole     error
no step but tokens                    step = tokens / (batch x seq_len) where both are known, else error
tokens or FLOPs that decrease         error
tokens or FLOPs the same throughout   error: a planned budget is not a count
lr negative or infinite               error; below zero by rounding alone, set to zero, noted
FLOPs far from 6 N D                  another unit: left out, noted with the factor to give
FLOPs but no tokens                   D = C/(6N) where N is known, noted
units that differ between runs        error, unless `loss_unit` is given (`curves.read`)
two runs with the same curve          both are kept, noted with what they differ in (`curves.read`)
two runs of one name                  error (`curves.read`)
metadata that change along a run      error (`readers.long`)
empty file, header only, no header    error (`curves.tabular`, readers)
not UTF-8 or UTF-16, ragged rows,
a cell that is no number              error with the row (`curves.tabular`)
no column for the loss, or several    error that lists the columns (`curves.columns`)
====================================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.counting import unit_slip
from scalinglaws.curves.family import Run
from scalinglaws.curves.raw import RawRun
from scalinglaws.curves.units import to_nats
from scalinglaws.errors import InputError

__all__ = ["clean"]

_LARGEST_STEP = 2**53  # beyond it a float no longer counts in ones
Rows = dict[str, NDArray[Any]]


def clean(
    raw: RawRun, facts: Mapping[str, Any], *, unit: str, bytes_per_token: float | None = None
) -> tuple[Run | None, list[str]]:
    """Apply the rules of this module to one raw curve.

    Parameters
    ----------
    raw
        The curve as read.
    facts
        Checked metadata: keyword arguments of `Run`.
    unit
        Unit of its loss.
    bytes_per_token
        For bits/byte.

    Returns
    -------
        The run, or None when it holds no finite loss, and what was repaired (sentences without the run's name).

    Raises
    ------
    InputError
        Naming the run, the quantity, the value and the rule.

    Examples
    --------
    >>> raw = RawRun(name="a", source="a", loss=np.array([2.5, 3.0, np.nan]), measured=np.full(3, True),
    ...              columns={"step": np.array([2.0, 1.0, 3.0])})
    >>> run, notes = clean(raw, {"params": {}}, unit="nats/token")
    >>> run.step, run.loss, run.status, notes
    (array([1, 2]), array([3. , 2.5]), 'diverged', ['steps were out of order and were sorted', \
'the loss stops being finite: the run diverged, and its curve is cut there'])
    """
    notes: list[str] = []
    rows: Rows = {"loss": raw.loss, **raw.columns}
    if not raw.measured.all():
        rows = {n: v[raw.measured] for n, v in rows.items()}
        notes.append("rows without a loss were left out")
    if rows["loss"].size == 0:
        return None, [*notes, "holds no finite loss, so it was left out"]
    rows["step"] = _steps(rows, facts, raw.source)
    rows = _in_order(rows, notes)
    rows, diverged = _finite(rows, notes)
    if rows["loss"].size == 0:
        return None, [*notes, "holds no finite loss, so it was left out"]
    loss = to_nats(rows["loss"], unit, bytes_per_token, name=raw.source)
    bad = np.flatnonzero(~(np.isfinite(loss) & (loss > 0)))
    if bad.size:
        raise InputError(
            f"{raw.source}: loss = {rows['loss'][bad[0]]:g} at step {rows['step'][bad[0]]}: "
            "must be positive and finite in nats per token"
        )
    _check(rows, raw.source, notes)
    if "tokens" in rows and np.isnan(rows["tokens"]).all():
        del rows["tokens"]
    _derive(rows, facts, notes)
    status = "diverged" if diverged else facts.get("status", "finished")
    fields: dict[str, Any] = {n: v for n, v in rows.items() if n not in ("step", "loss")}
    fields |= {**facts, "status": status}
    return Run(name=raw.name, step=rows["step"].astype(np.int64), loss=loss, **fields), notes


def _steps(rows: Rows, facts: Mapping[str, Any], source: str) -> NDArray[np.int64]:
    step = rows.get("step")
    if step is None:
        per_step = facts.get("batch", np.nan) * facts.get("seq_len", np.nan)
        if "tokens" not in rows or not per_step > 0:
            raise InputError(
                f"{source}: holds no steps; name their column with columns={{'step': ...}}, "
                "or give tokens, batch and seq_len; a table of final losses is for read_table"
            )
        step = rows["tokens"] / per_step
        step = np.where(np.abs(step - np.rint(step)) < 1e-6 * np.maximum(step, 1.0), np.rint(step), step)
    bad = np.flatnonzero(~((step >= 0) & (step <= _LARGEST_STEP) & (step == np.rint(step))))
    if bad.size:
        found = "blank" if np.isnan(step[bad[0]]) else f"{step[bad[0]]:g}"
        raise InputError(f"{source}: step = {found}: must be a whole number, zero or more, in every row")
    return step.astype(np.int64)


def _in_order(rows: Rows, notes: list[str]) -> Rows:
    """Sort by step; of one step recorded twice keep the later record, in the order of the file."""
    step = rows["step"]
    if (np.diff(step) > 0).all():
        return rows
    if (np.diff(step) < 0).any():
        notes.append("steps were out of order and were sorted")
    order = np.argsort(step, kind="stable")
    rows = {n: v[order] for n, v in rows.items()}
    again = np.diff(rows["step"]) == 0
    if again.any():
        loss = rows["loss"]
        same = (loss[1:] == loss[:-1]) | (np.isnan(loss[1:]) & np.isnan(loss[:-1]))
        notes.append(
            "steps are recorded twice with the same loss; one record was kept"
            if same[again].all()
            else "steps are recorded twice with different losses; the later record was kept"
        )
    last = np.append(~again, True)
    return {n: v[last] for n, v in rows.items()}


def _finite(rows: Rows, notes: list[str]) -> tuple[Rows, bool]:
    """Cut a curve where it diverges for good; leave out what is not finite before that."""
    finite = np.isfinite(rows["loss"])
    end = int(np.flatnonzero(finite)[-1]) + 1 if finite.any() else 0
    diverged = end < finite.size
    if diverged and end:
        notes.append("the loss stops being finite: the run diverged, and its curve is cut there")
    if not finite[:end].all():
        notes.append("losses that are not finite, between finite ones, were left out")
    return {n: v[:end][finite[:end]] for n, v in rows.items()}, diverged


def _check(rows: Rows, source: str, notes: list[str]) -> None:
    for name in ("tokens", "flops"):
        known = rows[name][~np.isnan(rows[name])] if name in rows else np.empty(0)
        if np.isinf(known).any() or (known < 0).any():
            raise InputError(f"{source}: {name} must be finite and not negative in every row")
        back = np.flatnonzero(np.diff(known) < 0)
        if back.size:
            raise InputError(
                f"{source}: {name} goes from {known[back[0]]:g} to {known[back[0] + 1]:g} between two steps: "
                "must not decrease"
            )
        if known.size > 1 and known[0] == known[-1]:
            raise InputError(
                f"{source}: {name} = {known[0]:g} at every step, so it is a plan and no count; "
                f"leave it out with columns={{{name!r}: None}}"
            )
    if "lr" in rows:
        rows["lr"] = _rates(rows["lr"], source, notes)
    if "noise_trace" in rows and np.isinf(rows["noise_trace"]).any():
        raise InputError(f"{source}: noise_trace must be finite in every row")


def _rates(lr: NDArray[np.float64], source: str, notes: list[str]) -> NDArray[np.float64]:
    if np.isinf(lr).any():
        raise InputError(f"{source}: lr must be finite in every row")
    negative = lr < 0
    if not negative.any():
        return lr
    worst, largest = float(lr[negative].min()), float(np.max(lr, initial=0.0, where=~np.isnan(lr)))
    if -worst > 1e-6 * largest:
        raise InputError(f"{source}: lr = {worst:g}: must not be negative")
    notes.append("a learning rate below zero by rounding was set to zero")
    return np.maximum(lr, 0.0)


def _derive(rows: Rows, facts: Mapping[str, Any], notes: list[str]) -> None:
    """Make FLOPs and tokens agree: drop FLOPs of another unit, take tokens from FLOPs where they are missing."""
    params = sum(facts["params"].values())
    if "flops" not in rows or not params:
        return
    if "tokens" in rows:
        slip = unit_slip(rows["flops"], 6.0 * params * rows["tokens"])
    else:
        tokens = rows["flops"] / (6.0 * params)
        slip = (
            ""
            if tokens[-1] >= rows["step"][-1]
            else (
                "FLOPs mean less than one token per update, so they are in another unit and were left out; "
                "give scale={'flops': 1e15} for PFLOP"
            )
        )
        if not slip:
            rows["tokens"] = tokens
            notes.append("tokens are D = C/(6N)")
    if slip:
        del rows["flops"]
        notes.append(slip)
