"""The table of end points that fits take: one row per run with N, D, C and the final loss.

`end_points` makes it from measured curves, `read_table` from a file, DataFrame or mapping that already holds
final values. Intermediate checkpoints are not independent rows: only the last observation of a run enters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.curves.columns import check_scale, find_columns, one_line
from scalinglaws.curves.counting import flops_by, params_by, tokens_by, unit_slip
from scalinglaws.curves.schema import validate
from scalinglaws.curves.tabular import Table
from scalinglaws.curves.units import guess_unit, parse_unit, to_nats
from scalinglaws.errors import InputError, require

__all__ = ["end_points", "read_table"]

_NUMBERS = ("seed", "width", "depth", "peak_lr", "batch", "seq_len")
_UNITS = {"params": "parameters", "tokens": "tokens", "flops": "FLOP", "loss": "nats/token"}
_OPTIONAL = ("unique_tokens", "epochs", "error")  # read where they hold numbers, for the laws that ask for them
_QUANTITIES = ("run", "params", "tokens", "flops", "loss", "step", "lr", *_NUMBERS, *_OPTIONAL, "schedule")


def end_points(ds: xr.Dataset, *, params: str = "total", flops: str = "6ND") -> xr.Dataset:
    """Take the last observation of every finished run of a family.

    Parameters
    ----------
    ds
        A family of measured runs.
    params
        What counts as N; a key of `schema.PARAMS_CONVENTIONS`.
    flops
        What counts as C; one of `schema.FLOPS_CONVENTIONS`.

    Returns
    -------
        Over `run`: params, tokens, flops, loss (nats per token), and what is known of seed, width, depth,
        peak_lr, batch, seq_len, schedule and parameterization. Runs left out (diverged or partial) are listed in
        `attrs["notes"]`, a JSON list of sentences.

    Raises
    ------
    InputError
        When no run is finished, or parameters, tokens or the asked count of FLOPs are unknown.

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> curve = dict(step=np.array([1, 2]), loss=np.array([3.0, 2.5]), batch=4, seq_len=8)
    >>> table = end_points(from_runs([Run(name="a", params={"unspecified": 1e3}, **curve)]))
    >>> table.tokens.item(), table.flops.item(), table.loss.item()
    (64.0, 384000.0, 2.5)
    """
    validate(ds)
    notes: list[str] = []
    kept = np.ones(ds.sizes["run"], dtype=bool)
    if "status" in ds:
        kept = ds["status"].values == "finished"
        notes = [
            f"run {name} is {status} and was left out"
            for name, status in zip(ds["run"].values[~kept], ds["status"].values[~kept], strict=True)
        ]
    if not kept.any():
        raise InputError("runs: none of the family is finished, so there are no end points")
    last = (np.cumsum(ds["row_size"].values) - 1)[kept]
    family = ds.isel(run=np.flatnonzero(kept))
    tail = family.isel(obs=last).assign(row_size=("run", np.ones(len(last), dtype=np.int64)))
    tokens = tokens_by(tail).values
    if np.isnan(tokens).any():
        names = [str(n) for n in tail["run"].values[np.isnan(tokens)]]
        raise InputError(
            f"tokens: unknown for run {names[0]}"
            + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            + "; give a tokens column, or batch and seq_len, when reading"
        )
    extra = {n: tail[n].values for n in (*_NUMBERS, "schedule", "parameterization") if n in tail} | {
        "steps": tail["step"].values
    }
    values = {
        "params": params_by(tail, params).values,
        "tokens": tokens,
        "flops": flops_by(tail, flops, params=params).values,
        "loss": tail["loss"].values,
    }
    table = _table(tail["run"].values, values, extra, notes, params_convention=params, flops_convention=flops)
    table["loss"].attrs["units"] = ds["loss"].attrs["units"]
    return table


def read_table(
    data: Any,
    *,
    columns: Mapping[str, str | None] | None = None,
    scale: Mapping[str, float] | None = None,
    loss_unit: str | None = None,
    bytes_per_token: float | None = None,
    batch: float | None = None,
    seq_len: float | None = None,
) -> xr.Dataset:
    """Read a table of final losses: one row per run with two of N, D and C, and the loss.

    Parameters
    ----------
    data
        Path of a CSV, TSV or Parquet file (also .gz), a DataFrame, or a mapping of columns.
    columns
        Column of a quantity where the guess of `curves.columns` does not do, for example
        `{"loss": "loss_c4_val"}`; None leaves a quantity out.
    scale
        Factors to plain units, for example `{"flops": 1e9}` for a column in GFLOP. Never guessed.
    loss_unit, bytes_per_token
        Unit of the loss (`units.UNITS`) where its name does not tell, and bytes per token for bits/byte.
    batch, seq_len
        Sequences per update and tokens per sequence where no column holds them: tokens missing from the table
        are steps x batch x seq_len.

    Returns
    -------
        As `end_points`. Tokens missing are D = C/(6N), FLOPs missing C = 6ND; `attrs["notes"]` says so.

    Raises
    ------
    InputError
        Naming the file and the column that is missing, ambiguous, not a number or not positive; or when the
        table holds curves, several steps of a run.

    Examples
    --------
    >>> table = read_table({"N": [1e6, 2e6], "Training FLOP": [6e13, 2.4e14], "loss": [3.5, 3.1]})
    >>> table.tokens.values, json.loads(table.attrs["notes"])[0]
    (array([10000000., 20000000.]), 'table: tokens are D = C/(6N)')
    """
    check_scale(scale, [q for q in _QUANTITIES if q not in ("run", "loss", "schedule")])
    table = Table.read(data)
    if table.rows == 0:
        raise InputError(f"{table.source}: holds a header and no rows")
    found = find_columns(
        list(table.columns), _QUANTITIES, required=("params", "loss"), given=columns, source=table.source
    )
    names, notes = dict(found.names), list(found.notes)
    _refuse_curves(table, names)
    loss, keep = _loss(table, names["loss"], loss_unit, bytes_per_token, notes)
    values = {
        q: _scaled(table, names[q], q, scale)[keep]
        for q in ("params", "tokens", "flops", "step", *_NUMBERS)
        if q in names
    }
    for quantity, constant in (("batch", batch), ("seq_len", seq_len)):
        if constant is not None:
            require(0 < constant < np.inf, quantity, constant, "must be a positive finite number")
            values[quantity] = np.full(loss.shape, float(constant))
    if "peak_lr" not in values and "lr" in names:
        values["peak_lr"] = _scaled(table, names["lr"], "lr", scale)[keep]
    for quantity in ("params", "tokens", "flops"):
        if quantity in values:
            _positive(values[quantity], f"{table.source}: column {names[quantity]!r}")
    _complete(values, table.source, notes)
    extra: dict[str, NDArray[Any]] = {q: values[q] for q in _NUMBERS if q in values}
    extra |= {"steps": values["step"]} if "step" in values else {}
    extra |= _optional(table, names, scale, keep, notes)
    if "schedule" in names:
        extra["schedule"] = table.text(names["schedule"])[keep]
    main = {q: values[q] for q in ("params", "tokens", "flops")} | {"loss": loss}
    return _table(_run_names(table, names, keep), main, extra, notes, source=table.source)


def _optional(
    table: Table,
    names: Mapping[str, str],
    scale: Mapping[str, float] | None,
    keep: NDArray[np.bool_],
    notes: list[str],
) -> dict[str, NDArray[np.float64]]:
    """Columns that some laws ask for, where they hold numbers."""
    found = {}
    for quantity in (q for q in _OPTIONAL if q in names):
        try:
            found[quantity] = _scaled(table, names[quantity], quantity, scale)[keep]
        except InputError:
            notes.append(f"{table.source}: column {names[quantity]!r} holds no numbers and was left out")
    return found


def _refuse_curves(table: Table, names: Mapping[str, str]) -> None:
    """Checkpoints of one run are no independent rows: a fit to them would be far too sure of itself."""
    if "run" in names and "step" in names:
        labels = table.text(names["run"]).tolist()
        if len(set(labels)) < len(labels):
            raise InputError(
                f"{table.source}: column {names['run']!r} names runs that have several steps, so it holds curves; "
                "use read_curves, then end_points"
            )


def _loss(
    table: Table, column: str, loss_unit: str | None, bytes_per_token: float | None, notes: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Losses in nats per token, and which rows have one."""
    where = f"{table.source}: column {column!r}"
    raw = table.numbers(column)
    keep = np.isfinite(raw)
    if not keep.any():
        raise InputError(f"{where}: holds no finite loss")
    if not keep.all():
        notes.append(f"{table.source}: {np.sum(~keep)} rows without a finite loss were left out")
    unit = parse_unit(loss_unit) if loss_unit is not None else guess_unit(column)
    if unit != "nats/token":
        notes.append(f"{where}: converted from {unit} to nats/token")
    loss = to_nats(raw[keep], unit, bytes_per_token, name=where)
    _positive(loss, where)
    return loss, keep


@np.errstate(over="ignore")  # a result beyond floats is infinite, and refused as such
def _scaled(table: Table, column: str, quantity: str, scale: Mapping[str, float] | None) -> NDArray[np.float64]:
    return np.asarray(table.numbers(column) * float((scale or {}).get(quantity, 1.0)))


def _positive(values: NDArray[np.float64], name: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        raise InputError(f"{name} = {values[bad[0]]:g}: must be a positive finite number in every row")


@np.errstate(over="ignore")  # a result beyond floats is infinite, and refused as such
def _complete(values: dict[str, NDArray[np.float64]], source: str, notes: list[str]) -> None:
    """Fill in tokens or FLOPs from what there is, and check that the three agree on units."""
    steps = ("step", "batch", "seq_len")
    if "tokens" not in values and all(q in values for q in steps):
        values["tokens"] = np.prod([values[q] for q in steps], axis=0)
        _positive(values["tokens"], f"{source}: tokens = steps x batch x seq_len")
        notes.append(f"{source}: tokens are steps x batch x seq_len")
    if "tokens" not in values:
        if "flops" not in values:
            raise InputError(
                f"{source}: holds neither tokens nor FLOPs; name one with columns={{'tokens': ...}}, "
                "or give steps, batch and seq_len"
            )
        values["tokens"] = values["flops"] / (6.0 * values["params"])
        notes.append(f"{source}: tokens are D = C/(6N)")
        if float(values["tokens"].min()) < 1:
            raise InputError(
                f"{source}: D = C/(6N) falls below one token, so FLOPs are in another unit; "
                "give scale={'flops': 1e9} for GFLOP, 1e15 for PFLOP"
            )
    six = 6.0 * values["params"] * values["tokens"]
    _positive(six, f"{source}: 6ND")
    if "flops" in values and (slip := unit_slip(values["flops"], six)):
        del values["flops"]
        notes.append(f"{source}: {slip}")
    if "flops" not in values:
        values["flops"] = six
        notes.append(f"{source}: FLOPs are C = 6ND")


def _run_names(table: Table, names: Mapping[str, str], keep: NDArray[np.bool_]) -> NDArray[Any]:
    """Names from the run column if they are distinct, else the row numbers."""
    if "run" in names:
        texts = table.text(names["run"])[keep]
        if len(set(texts.tolist())) == len(texts):
            return np.array([one_line(text) for text in texts], dtype=object)
    return np.array([str(row) for row in np.flatnonzero(keep)], dtype=object)


def _table(
    runs: NDArray[Any],
    values: Mapping[str, NDArray[np.float64]],
    extra: Mapping[str, NDArray[Any]],
    notes: list[str],
    **attrs: str,
) -> xr.Dataset:
    return xr.Dataset(
        {n: ("run", v, {"units": _UNITS[n]}) for n, v in values.items()} | {n: ("run", v) for n, v in extra.items()},
        coords={"run": ("run", runs)},
        attrs={**attrs, "notes": json.dumps(notes, ensure_ascii=False)},
    )
