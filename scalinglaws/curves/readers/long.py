"""Long tables (CSV, TSV, Parquet, also .gz): one row per observation, a column that names the run.

Without such a column the rows are grouped by what is constant along a run (params, seed, schedule, ...), or
are one run named after the file when nothing distinguishes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.columns import shown
from scalinglaws.curves.raw import FACTS, Options, RawRun, find, from_rows
from scalinglaws.curves.readers.base import Raw, Reader
from scalinglaws.curves.tabular import TABLE_SUFFIXES, Table, stem
from scalinglaws.errors import InputError

__all__ = ["READER", "split_runs"]


def read(path: Path, options: Options) -> Raw:
    """Read a long table."""
    return split_runs(Table.read(path), options, stem(path))


def split_runs(table: Table, options: Options, single: str) -> Raw:
    """Split a long table into its runs; `single` names the run when there is only one."""
    if not table.rows:
        raise InputError(f"{table.source}: holds a header and no rows")
    found = find(table, options)
    names, notes = found.names, list(found.notes)
    facts = {q: names[q] for q in FACTS if q in names}
    if "run" in names:
        labels = table.text(names["run"])
        if not all(labels):
            raise InputError(f"{table.source}: column {names['run']!r} is blank in row {_first_blank(labels)}")
    else:
        labels, grouped_by = _labels(table, facts, single)
        if grouped_by:
            notes.append(f"{table.source}: names no run, so rows are grouped by {grouped_by}")
    runs = []
    order, index = np.unique(labels.astype(str), return_inverse=True)
    first = [int(np.argmax(index == i)) for i in range(len(order))]
    for i in np.argsort(first):
        rows = np.flatnonzero(index == i)
        runs.append(_one(table, names, facts, options, rows, str(order[i])))
    used = set(names.values())
    unused = [c for c in table.columns if c not in used and not any(repr(c) in note for note in notes)]
    if unused:
        notes.append(f"{table.source}: columns not used: {shown(unused)}")
    return Raw(runs=runs, notes=notes)


def _one(
    table: Table,
    names: Mapping[str, str],
    facts: Mapping[str, str],
    options: Options,
    rows: NDArray[np.intp],
    name: str,
) -> RawRun:
    part = Table(source=table.source, columns={c: table.columns[c][rows] for c in set(names.values())})
    known: dict[str, float | str] = {}
    for fact, column in facts.items():
        values = [v for v in dict.fromkeys(part.text(column).tolist()) if v.strip() and v != "nan"]
        if len(values) > 1:
            raise InputError(
                f"{table.source}: run {name}: {fact} changes along the run ({shown(values[:2])}), "
                f"and column {column!r} must hold one value per run"
            )
        if values:
            known[fact] = _scaled_fact(values[0], fact, options)
    return from_rows(part, names, options, name=name, facts=known)


def _scaled_fact(value: str, fact: str, options: Options) -> float | str:
    factor = (options.scale or {}).get(fact)
    if factor is None:
        return value
    try:
        return float(value) * factor
    except ValueError:
        raise InputError(f"{fact} = {value[:40]!r}: must be a number to be scaled") from None


def _labels(table: Table, facts: Mapping[str, str], single: str) -> tuple[NDArray[Any], str]:
    texts = {fact: table.text(column) for fact, column in facts.items() if fact != "status"}
    varying = {fact: text for fact, text in texts.items() if len(set(text.tolist())) > 1}
    if not varying:
        return np.full(table.rows, single, dtype=object), ""
    parts = [np.array([f"{fact}={cell}" for cell in text], dtype=object) for fact, text in varying.items()]
    labels = [" ".join(row) for row in zip(*parts, strict=True)]
    return np.array(labels, dtype=object), ", ".join(varying)


def _first_blank(labels: NDArray[Any]) -> int:
    return int(np.argmax([not label for label in labels])) + 1


def _sniff(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(TABLE_SUFFIXES)


READER = Reader(name="long", sniff=_sniff, read=read)
