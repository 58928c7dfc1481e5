"""The table a law is fitted to: one row per independent run, with N, D, loss and compute.

`as_table` accepts whatever holds such rows: a family of measured runs (its end points are taken), a Dataset over
`run`, a DataFrame, a mapping of columns, a file. Checkpoints of one run are not independent rows: give them one
`cluster` label, so that the bootstrap resamples them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require, shown

__all__ = ["EXTRA", "Table", "as_table"]

Array = NDArray[np.float64]

_LARGEST = 1e50  # beyond any unit; products of such numbers still fit into a float

EXTRA = ("unique_tokens", "epochs", "error", "batch", "steps")
"""Columns that some laws ask for: distinct tokens, how often they were seen, a second metric, how tokens were spent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Final losses of runs, one row each; all arrays have shape (rows,).

    Parameters
    ----------
    params, tokens
        N and D. Any unit does, if FLOPs are given; FLOPs default to 6 N D.
    loss
        Nats per token, or any positive error measure.
    flops
        Training compute of each row.
    weight
        Weight of each row in the objective; 1 if not given.
    cluster
        Label of the group a row belongs to, for the bootstrap; each row is its own group if not given.
    run
        Names; row numbers if not given.
    loss_unit
        Of the loss: "nats/token", or "1" for a mean squared error.
    extra
        Further numbers by name, which a law may ask for; see `EXTRA`. Checked when a law does.

    Raises
    ------
    InputError
        For columns that are not numbers, of unequal length, empty, not positive or not finite.

    Examples
    --------
    >>> table = Table(params=[1e6, 1e7], tokens=[2e7, 2e8], loss=[4.0, 3.2])
    >>> table.flops.tolist(), table.run.tolist()
    ([120000000000000.0, 1.2e+16], ['0', '1'])
    """

    params: Any
    tokens: Any
    loss: Any
    flops: Any = None
    weight: Any = None
    cluster: Any = None
    run: Any = None
    loss_unit: str = "nats/token"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("params", "tokens", "loss"):
            self._set(name, _positive(name, getattr(self, name)))
            self._check_shape(name)
        flops = 6.0 * self.params * self.tokens if self.flops is None else _positive("flops", self.flops)
        self._set("flops", flops)
        self._set("weight", _positive("weight", np.ones(self.rows) if self.weight is None else self.weight))
        for name in ("run", "cluster"):
            labels = getattr(self, name)
            labels = np.arange(self.rows).astype(str) if labels is None else np.asarray(labels, dtype=str)
            self._set(name, labels)
        for name in ("flops", "weight", "run", "cluster"):
            self._check_shape(name)
        columns = {name: np.array(values) for name, values in self.extra.items()}
        for name, values in columns.items():
            require(values.shape == (self.rows,), f"table: shape of {name}", values.shape, f"must be {(self.rows,)}")
            values.flags.writeable = False
        object.__setattr__(self, "extra", columns)
        require(len(set(self.run.tolist())) == self.rows, "table: run", self.run.tolist(), "names must be distinct")

    def _set(self, name: str, values: NDArray[Any]) -> None:
        values.flags.writeable = False
        object.__setattr__(self, name, values)

    def _check_shape(self, name: str) -> None:
        shape = getattr(self, name).shape
        require(shape == (self.rows,), f"table: shape of {name}", shape, f"must be {(self.rows,)}, as params")

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.params.size)

    def column(self, name: str) -> Array:
        """Return a column of positive numbers by name, also one of `extra`; `unique_tokens` follow from epochs.

        Raises
        ------
        InputError
            When the table does not have it, or it is not positive and finite in every row.

        Examples
        --------
        >>> table = Table(params=[1e6], tokens=[4e7], loss=[4.0], extra={"epochs": [4.0]})
        >>> table.column("unique_tokens").tolist()
        [10000000.0]
        """
        if name in ("params", "tokens", "loss", "flops"):
            return np.asarray(getattr(self, name))
        if name in self.extra:
            return _positive(name, self.extra[name])
        if name == "unique_tokens" and "epochs" in self.extra:
            return np.asarray(self.tokens / _positive("epochs", self.extra["epochs"]))
        known = ", ".join(("params", "tokens", "loss", "flops", *self.extra))
        raise InputError(f"table: column {name!r}: the law needs it, and the table has only {known}")

    def take(self, rows: ArrayLike) -> Table:
        """Return the rows of a boolean mask or of indices."""
        which = np.asarray(rows)
        columns = {name: getattr(self, name)[which] for name in _COLUMNS}
        extra = {name: values[which] for name, values in self.extra.items()}
        return Table(**columns, loss_unit=self.loss_unit, extra=extra)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return plain lists, for JSON."""
        columns = {name: getattr(self, name) for name in _COLUMNS} | dict(self.extra)
        return {name: [None if value != value else value for value in v.tolist()] for name, v in columns.items()}


_COLUMNS = tuple(f.name for f in fields(Table) if f.name not in ("loss_unit", "extra"))


def _positive(name: str, values: Any) -> Array:
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "iufO":
            raise TypeError
        array = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"table: {name} = {shown(values)}: must be a column of numbers") from None
    require(array.ndim == 1 and array.size > 0, f"table: shape of {name}", array.shape, "must be one row or more")
    bad = np.flatnonzero(~(np.isfinite(array) & (array > 0)))
    if bad.size:
        raise InputError(f"table: {name} = {array[bad[0]]} in row {bad[0]}: must be positive and finite")
    odd = np.flatnonzero((array < 1.0 / _LARGEST) | (array > _LARGEST))
    if odd.size:
        raise InputError(
            f"table: {name} = {array[odd[0]]} in row {odd[0]}: must lie between {1.0 / _LARGEST:g} and {_LARGEST:g}"
        )
    return array


def as_table(data: Any, *, params: str = "total", flops: str = "6ND") -> Table:
    """Return the table of end points that `data` holds.

    Parameters
    ----------
    data
        A `Table`; a Dataset over `run` with params, tokens, loss and optionally flops, weight and cluster; a
        family of measured runs; a DataFrame, a mapping of columns, or the path of a file.
    params, flops
        How a family's N and C are counted; keys of `curves.schema.PARAMS_CONVENTIONS`, `FLOPS_CONVENTIONS`.

    Raises
    ------
    InputError
        Naming the column that is missing or malformed.

    Examples
    --------
    >>> as_table({"params": [1e6, 2e6], "tokens": [2e7, 4e7], "loss": [4.0, 3.6]}).rows
    2
    """
    from scalinglaws.curves.table import end_points, read_table

    if isinstance(data, Table):
        return data
    if not isinstance(data, xr.Dataset):
        with np.errstate(over="ignore"):  # absurd sizes are refused below, in a sentence
            data = read_table(data)
    elif "obs" in data.dims:
        data = end_points(data, params=params, flops=flops)
    for name in ("params", "tokens", "loss"):
        found = data[name].dims if name in data else None
        require(found == ("run",), f"table: dimensions of {name}", found, "must be ('run',)")
    columns: dict[str, Any] = {name: data[name].values for name in _COLUMNS if name in data}
    extra = {name: np.asarray(data[name].values, np.float64) for name in EXTRA if name in data}
    known = {name: values for name, values in extra.items() if np.isfinite(values).any()}
    return Table(**columns, loss_unit=data["loss"].attrs.get("units", "nats/token"), extra=known)
