"""What a reader hands over before any rule is applied, and what the caller said about the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.columns import Columns, find_columns, one_line, shown
from scalinglaws.curves.tabular import Table
from scalinglaws.curves.units import guess_unit, parse_unit
from scalinglaws.errors import InputError

__all__ = ["FACTS", "PER_OBS", "Options", "RawRun", "find", "from_rows", "scaled"]

PER_OBS = ("step", "tokens", "flops", "lr", "noise_trace")
"""Numbers that change along a run, next to its loss."""

FACTS = ("params", "batch", "seq_len", "peak_lr", "seed", "width", "depth", "schedule", "status")
"""What holds for a whole run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller of `read_curves` said; each field is documented there."""

    columns: Mapping[str, str | None] | None = None
    scale: Mapping[str, float] | None = None
    loss_unit: str | None = None
    bytes_per_token: float | None = None
    params: float | Mapping[str, float] | None = None
    batch: float | None = None
    seq_len: float | None = None
    pattern: str | None = None
    run_table: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRun:
    """One curve as it stands in its file.

    Attributes
    ----------
    name
        Name of the run.
    source
        What the sentences call it, for example "runs.csv: run a".
    loss
        In `unit`, shape (rows,).
    measured
        False where the file holds no loss at all (a blank cell), shape (rows,).
    columns
        Quantity of `PER_OBS` -> values, shape (rows,), NaN where unknown.
    facts
        Quantity of `FACTS` -> value as read.
    unit
        Unit of the loss (`units.UNITS`).
    """

    name: str
    source: str
    loss: NDArray[np.float64]
    measured: NDArray[np.bool_]
    columns: Mapping[str, NDArray[np.float64]]
    facts: Mapping[str, float | str] = field(default_factory=dict)
    unit: str = "nats/token"


def find(table: Table, options: Options, *, required: Sequence[str] = ("loss",)) -> Columns:
    """Find the columns of a table of curves."""
    wanted = ("run", "loss", *PER_OBS, *FACTS, "loss_unit")
    return find_columns(list(table.columns), wanted, required=required, given=options.columns, source=table.source)


def scaled(table: Table, column: str, quantity: str, scale: Mapping[str, float] | None) -> NDArray[np.float64]:
    """Numbers of a column in plain units, after the caller's factor."""
    return np.asarray(table.numbers(column) * float((scale or {}).get(quantity, 1.0)))


def from_rows(
    table: Table, names: Mapping[str, str], options: Options, *, name: str, facts: Mapping[str, float | str]
) -> RawRun:
    """Make one raw run of all rows of a table, with the columns `names`.

    In a table of text a blank loss is "not measured" and `nan` is "not a number". A table of numbers cannot
    tell the two apart: NaN between losses then means that such rows log something else.
    """
    column = names["loss"]
    loss = table.numbers(column)
    measured = ~table.blank(column)
    finite = np.flatnonzero(np.isfinite(loss))
    between = loss[finite[0] : finite[-1]] if finite.size else loss
    if table.columns[column].dtype.kind == "f" and finite.size and np.isnan(between).any():
        measured = ~np.isnan(loss)
    name = one_line(name) or "run"
    return RawRun(
        name=name,
        source=f"{table.source}: run {name}",
        loss=loss,
        measured=measured,
        columns={q: scaled(table, names[q], q, options.scale) for q in PER_OBS if q in names},
        facts=facts,
        unit=_unit(table, names),
    )


def _unit(table: Table, names: Mapping[str, str]) -> str:
    """Take the unit from the table's own column of units, else from the name of the loss column."""
    if "loss_unit" not in names:
        return guess_unit(names["loss"])
    stated = sorted(set(table.text(names["loss_unit"]).tolist()) - {""})
    if len(stated) > 1:
        raise InputError(f"{table.source}: the loss mixes units ({shown(stated)}); convert it to one first")
    return parse_unit(stated[0], f"{table.source}: loss unit") if stated else guess_unit(names["loss"])
