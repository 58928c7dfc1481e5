"""W&B's CSV export of a chart: a step column, then one column per run called "<run> - <metric>".

The columns "<run> - <metric>__MIN" and "__MAX" of smoothed charts and the runs' own "_step" are dropped.
A blank cell means that the run logged nothing at that step.
"""

from __future__ import annotations

from pathlib import Path

from scalinglaws.curves.columns import SPELLINGS, normalise, shown
from scalinglaws.curves.raw import PER_OBS, Options, from_rows
from scalinglaws.curves.raw import find as find_quantities
from scalinglaws.curves.readers.base import Raw, Reader
from scalinglaws.curves.tabular import TABLE_SUFFIXES, Table, read_text
from scalinglaws.errors import InputError

__all__ = ["READER"]

_BETWEEN = " - "
_AXES = frozenset((*SPELLINGS["step"], *SPELLINGS["tokens"]))


def read(path: Path, options: Options) -> Raw:
    """Read a chart exported as CSV."""
    table = Table.read(path)
    if not table.rows:
        raise InputError(f"{table.source}: holds a header and no rows")
    shared = [c for c in table.columns if _BETWEEN not in c]
    runs: dict[str, dict[str, str]] = {}
    dropped = 0
    for column in table.columns:
        if _BETWEEN not in column:
            continue
        run, metric = column.rsplit(_BETWEEN, 1)
        if metric.endswith(("__MIN", "__MAX")) or metric == "_step":
            dropped += 1
        else:
            runs.setdefault(run, {})[metric] = column
    if not runs:
        raise InputError(f"{table.source}: no column is called '<run>{_BETWEEN}<metric>' among {shown(table.columns)}")
    notes = [f"{table.source}: {dropped} columns of ranges and steps (__MIN, __MAX, _step) were dropped"]
    raw = []
    for run, metrics in runs.items():
        part = Table(
            source=table.source,
            columns={m: table.columns[c] for m, c in metrics.items()}
            | {s: table.columns[s] for s in shared if s not in metrics},
        )
        found = find_quantities(part, options)
        names = {q: c for q, c in found.names.items() if q in ("loss", *PER_OBS)}
        raw.append(from_rows(part, names, options, name=run, facts={}))
        notes += found.notes
    return Raw(runs=raw, notes=list(dict.fromkeys(notes if dropped else notes[1:])))


def _sniff(path: Path) -> bool:
    if not (path.is_file() and path.name.lower().endswith(TABLE_SUFFIXES[:-1])):
        return False
    try:
        # Only a header with the mark is worth parsing the whole table for.
        if _BETWEEN not in read_text(path).lstrip().partition("\n")[0]:
            return False
        columns = list(Table.read(path).columns)
    except InputError:
        return False
    axis = any(normalise(c) in _AXES for c in columns if _BETWEEN not in c)
    return axis and any(_BETWEEN in c for c in columns)


READER = Reader(name="wandb", sniff=_sniff, read=read)
