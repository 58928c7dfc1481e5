"""What every reader is: a name, a test whether a path is its kind, and a function from a path to raw runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scalinglaws.curves.raw import Options, RawRun
from scalinglaws.curves.tabular import Table, read_text
from scalinglaws.errors import InputError

__all__ = ["Raw", "Reader", "as_table", "read_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What a reader found: runs without any rule applied, and sentences on what it guessed or merged."""

    runs: list[RawRun]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One format.

    Attributes
    ----------
    name
        What `read_curves(reader=...)` calls it.
    sniff
        Whether a path (file or folder) is of this format; must not raise for any existing path.
    read
        Reads it; raises `InputError` for anything wrong.
    """

    name: str
    sniff: Callable[[Path], bool]
    read: Callable[[Path, Options], Raw]


def read_json(path: Path) -> Any:
    """Parse a JSON file; anything wrong with it is an `InputError`."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path.name}: is not whole, valid JSON{line}") from error


def as_table(records: Iterable[Mapping[str, Any]], source: str) -> Table:
    """Make a table of text of records that need not have the same keys; blank where a key is absent."""
    records = list(records)
    names = dict.fromkeys(str(name) for record in records for name in record)
    columns = {
        name: np.array(["" if r.get(name) is None else str(r[name]) for r in records], dtype=object) for name in names
    }
    return Table(source=source, columns=columns)
