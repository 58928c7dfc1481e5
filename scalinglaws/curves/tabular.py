"""A table of named columns from CSV, TSV, Parquet, a DataFrame or a mapping, checked cell by cell.

Text is parsed here rather than by pandas so that an odd cell is an error with its column and row, a blank cell
("not measured") stays distinct from `nan` ("not a number"), and pandas need not be imported.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.columns import one_line, shown
from scalinglaws.errors import InputError

__all__ = ["TABLE_SUFFIXES", "Table", "read_text", "stem"]

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
_BLANK = frozenset({"", "na", "n/a", "none", "null", "<na>", "nat", "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of equal length: numbers as float arrays, anything else as arrays of text.

    Attributes
    ----------
    source
        What the sentences call the table: the file name, or "table".
    columns
        Name -> values, shape (rows,).
    """

    source: str
    columns: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))

    @classmethod
    def read(cls, data: Any, source: str = "table") -> Table:
        """Read a path, a DataFrame or a mapping of columns (called `source`); an `InputError` names any fault."""
        if isinstance(data, Table):
            return data
        if isinstance(data, str | os.PathLike):
            return _from_path(Path(data))
        if isinstance(data, Mapping) or hasattr(data, "columns"):
            return _from_columns(data, source)
        raise InputError(f"table: a {type(data).__name__} is not a path, a DataFrame or a mapping of columns")

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Values of a column as numbers, NaN where blank; a cell that is no number is an `InputError`."""
        values = self.columns[column]
        if values.dtype.kind == "f":
            return values
        cells = ["nan" if none else cell for cell, none in zip(values, self.blank(column), strict=True)]
        try:
            return np.array([float(cell) for cell in cells], dtype=np.float64)
        except ValueError:
            row = next(i for i, cell in enumerate(cells) if not _is_number(cell))
        raise InputError(f"{self.source}: column {column!r}, row {row + 1}: {cells[row][:40]!r} is not a number")

    def blank(self, column: str) -> NDArray[np.bool_]:
        """Where a column of text holds nothing; numbers are never blank."""
        values = self.columns[column]
        if values.dtype.kind == "f":
            return np.zeros(values.shape, dtype=bool)
        return np.array([cell.strip().lower() in _BLANK for cell in values], dtype=bool)

    def text(self, column: str) -> NDArray[Any]:
        """Values of a column as text; whole numbers lose their decimals ("3", not "3.0")."""
        values = self.columns[column]
        if values.dtype.kind != "f":
            return values
        return np.array([f"{v:.0f}" if v == np.rint(v) else repr(float(v)) for v in values], dtype=object)


def stem(path: Path) -> str:
    """File name without its suffixes (`run.csv.gz` -> `run`; a dot inside a number stays).

    Examples
    --------
    >>> stem(Path("a/lr0.1.csv.gz"))
    'lr0.1'
    """
    name = path.name
    for suffix in sorted((*TABLE_SUFFIXES, ".json", ".nc", ".gz"), key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def read_text(path: Path) -> str:
    """Read a text file, compressed or not, as UTF-8 or (with its mark) UTF-16; InputError otherwise."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        reason = error.strerror or "its compressed data are damaged"
        raise InputError(f"{path}: cannot be read ({reason})") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path}: its compressed data are truncated or damaged") from error
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: is not UTF-8 text (byte {error.start})") from error
    if "\x00" in text:
        raise InputError(f"{path.name}: holds zero bytes, so it is not text")
    if not text.strip():
        raise InputError(f"{path.name}: is empty")
    return text


def _from_path(path: Path) -> Table:
    if path.name.lower().endswith(".parquet"):
        return _from_parquet(path)
    return _from_text(read_text(path), path.name)


def _from_text(text: str, source: str) -> Table:
    header = text.lstrip().splitlines()[0]
    separator = max(",\t;", key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [row for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{source}: line {lines.line_num} is not a row of a table ({one_line(str(error))})") from error
    if not rows:
        raise InputError(f"{source}: is empty")
    names, body = [name.strip() for name in rows[0]], rows[1:]
    for number, row in enumerate(body, start=1):
        if len(row) != len(names):
            raise InputError(f"{source}: row {number} has {len(row)} cells, and the header names {len(names)} columns")
    _check_names(names, source)
    columns = zip(*body, strict=True) if body else [()] * len(names)
    return Table(
        source=source,
        columns={n: np.array(c, dtype=object) for n, c in zip(names, columns, strict=True) if n},
    )


def _check_names(names: list[str], source: str) -> None:
    if all(_is_number(name) for name in names):
        raise InputError(f"{source}: the first row holds numbers, and it must name the columns")
    twice = sorted({n for n in names if n and names.count(n) > 1})
    if twice:
        raise InputError(f"{source}: more than one column is called {shown(twice)}")


def _from_parquet(path: Path) -> Table:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise InputError(f"{path.name}: Parquet needs pyarrow; install it with the extra readers") from None
    try:
        frame = parquet.read_table(path).to_pandas()
    except Exception as error:  # pyarrow reports damage as ArrowInvalid, OSError, TypeError and more
        raise InputError(f"{path.name}: cannot be read as Parquet, so it is truncated or of another kind") from error
    return _from_columns(frame, path.name)


def _from_columns(data: Any, source: str) -> Table:
    keys = list(data.keys() if isinstance(data, Mapping) else data.columns)
    _check_names([str(name) for name in keys], source)
    columns = {str(name): _column(data[name], f"{source}: column {str(name)!r}") for name in keys}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{source}: the columns differ in length ({listed})")
    return Table(source=source, columns=columns)


def _column(values: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: must be a plain list of values") from error
    if array.ndim != 1:
        raise InputError(f"{name}: has shape {array.shape}, and must hold one value per row")
    if array.dtype.kind in "iuf":
        return array.astype(np.float64)
    # In a column of objects NaN is pandas' word for "nothing here".
    return np.array(["" if isinstance(v, float) and v != v else str(v) for v in array], dtype=object)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
