"""Curves or a table of final losses? Read whichever an input holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws.curves.raw import Options, find
from scalinglaws.curves.read import read_curves
from scalinglaws.curves.readers import find_reader
from scalinglaws.curves.readers.long import split_runs
from scalinglaws.curves.table import read_table
from scalinglaws.curves.tabular import Table
from scalinglaws.errors import InputError, require

__all__ = ["read_any"]

KINDS = ("auto", "curves", "table")


def read_any(
    data: Any, *, kind: str = "auto", columns: Mapping[str, str | None] | None = None, **options: Any
) -> xr.Dataset:
    """Read a family of curves, or the table of final losses if that is what the input holds.

    Parameters
    ----------
    data
        A path; or a DataFrame or mapping, which is a table.
    kind
        "curves", "table", or "auto": a CSV, TSV or Parquet file is a table when it has no steps, or when most of
        its runs have one row or two, which is no curve; every other file or folder holds curves.
    columns, options
        Passed on to `read_curves` or `read_table`.

    Examples
    --------
    >>> table = read_any({"N": [1e6, 2e6], "D": [2e7, 4e7], "loss": [3.5, 3.1]})
    >>> "row_size" in table
    False
    """
    require(kind in KINDS, "kind", kind, f"must be one of {', '.join(KINDS)}")
    if not isinstance(data, str | os.PathLike):
        return read_table(data, columns=columns, **options)
    path = Path(data)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    is_table = _holds_table(path, columns) if kind == "auto" else kind == "table"
    return (read_table if is_table else read_curves)(path, columns=columns, **options)


def _holds_table(path: Path, columns: Mapping[str, str | None] | None) -> bool:
    if path.suffix.lower() == ".nc" or find_reader(path).name != "long":
        return False
    table, options = Table.read(path), Options(columns=columns)
    if "step" not in find(table, options).names:
        return True
    runs = split_runs(table, options, path.name).runs
    return float(np.median([run.loss.size for run in runs])) <= 2
