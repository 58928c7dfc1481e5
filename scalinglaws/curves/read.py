"""Measured curves in, one labelled family out: pick the reader, apply the rules, say what was repaired."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from scalinglaws.curves.clean import clean
from scalinglaws.curves.columns import check_scale
from scalinglaws.curves.facts import facts_of_runs
from scalinglaws.curves.family import Run, from_runs
from scalinglaws.curves.raw import FACTS, PER_OBS, Options
from scalinglaws.curves.readers import find_reader
from scalinglaws.curves.readers.base import Raw
from scalinglaws.curves.store import FAMILY_FILE, HDF5_SIGNATURE, load_curves
from scalinglaws.curves.units import parse_unit
from scalinglaws.errors import InputError

__all__ = ["read_curves"]


def read_curves(
    path: str | os.PathLike[str],
    *,
    reader: str = "auto",
    columns: Mapping[str, str | None] | None = None,
    scale: Mapping[str, float] | None = None,
    loss_unit: str | None = None,
    bytes_per_token: float | None = None,
    params: float | Mapping[str, float] | None = None,
    batch: float | None = None,
    seq_len: float | None = None,
    pattern: str | None = None,
    run_table: Any = None,
) -> xr.Dataset:
    r"""Read measured loss curves as one labelled family.

    What was guessed, left out, merged or repaired is told in `attrs["notes"]`, a JSON list of sentences; the
    rules are the table in `scalinglaws.curves.clean`.

    Parameters
    ----------
    path
        A file or a folder: this package's own .nc, a folder of trained runs that holds one (family.nc), a long CSV,
        TSV or Parquet table, W&B's CSV export, `trainer_state.json`, TensorBoard event files, training logs in JSON,
        or a folder of such files.
    reader
        The format where it is not recognised: one of `readers.reader_names()`, or "netcdf".
    columns
        Column of a quantity where the guess does not do, such as `{"loss": "c4_val"}`; None leaves it out.
    scale
        Factors to plain units, such as `{"flops": 1e15, "tokens": 1e6}`. Units of counts are never guessed.
    loss_unit, bytes_per_token
        Unit of the loss (`units.UNITS`) where the name of its column does not tell; bits/byte need the mean
        number of bytes per token.
    params
        Parameters of every run, or by run name, where the files do not hold them. Without them a family can
        be read and its schedule studied, but nothing that needs N.
    batch, seq_len
        Sequences per update and tokens per sequence.
    pattern
        Regular expression for the names of runs whose named groups are metadata,
        for example `r"(?P<schedule>[a-z]+)_(?P<params>\d+)M"`; a size suffix (25M) inside the group counts.
    run_table
        Table (path, DataFrame or mapping) with a column `run` and metadata columns.

    Returns
    -------
        The family (variables of `curves.schema`), loss in nats per token.

    Raises
    ------
    InputError
        One sentence with the file, the run or column, and the rule that is broken.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "runs.csv"
    >>> _ = path.write_text("run,params,step,val_loss\na,1e6,2,3.0\na,1e6,1,3.5\nb,2e6,1,3.2\n")
    >>> ds = read_curves(path)
    >>> ds.run.values.tolist(), ds.loss.values.tolist(), json.loads(ds.attrs["notes"])
    (['a', 'b'], [3.5, 3.0, 3.2], ['steps were out of order and were sorted (run a)'])
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    options = Options(
        columns=columns,
        scale=scale,
        loss_unit=loss_unit,
        bytes_per_token=bytes_per_token,
        params=params,
        batch=batch,
        seq_len=seq_len,
        pattern=pattern,
        run_table=run_table,
    )
    check_scale(scale, (*PER_OBS, *FACTS))
    if reader == "auto" and (path / FAMILY_FILE).is_file():
        path = path / FAMILY_FILE
    if reader == "netcdf" or (reader == "auto" and _is_netcdf(path)):
        return _own_file(path, options)
    # Huge numbers may overflow on the way; every result is checked for being finite instead.
    with np.errstate(all="ignore"):
        raw = find_reader(path, reader).read(path, options)
        return _family(raw, options, path.name)


def _own_file(path: Path, options: Options) -> xr.Dataset:
    if options != Options():
        raise InputError(f"{path}: is a file of this package, and is read as it is, without further keywords")
    ds = load_curves(path)
    if not bool(((ds["loss"] > 0) & np.isfinite(ds["loss"])).all()):
        raise InputError(f"{path}: loss must be positive and finite in nats per token")
    return ds


def _is_netcdf(path: Path) -> bool:
    if not path.is_file():
        return False
    if path.name.lower().endswith((".nc", ".nc4", ".h5")):
        return True
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def _family(raw: Raw, options: Options, source: str) -> xr.Dataset:
    notes = list(dict.fromkeys(raw.notes))
    unit = _one_unit(raw, options, source)
    if unit != "nats/token":
        notes.append(f"losses are converted from {unit} to nats/token")
    runs: list[Run] = []
    remarks: dict[str, list[str]] = {}
    for one, facts in zip(raw.runs, facts_of_runs(raw.runs, options), strict=True):
        run, repairs = clean(one, facts, unit=unit, bytes_per_token=options.bytes_per_token)
        for repair in repairs:
            remarks.setdefault(repair, []).append(one.name)
        if run is not None:
            runs.append(run)
    if not runs:
        raise InputError(f"{source}: no run holds a finite loss")
    names = [run.name for run in runs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"{source}: more than one run is called {twice[0]!r}")
    notes += [f"{remark} ({_listed(named)})" for remark, named in remarks.items()]
    notes += _duplicates(runs)
    return from_runs(runs, {"source": source, "notes": json.dumps(notes, ensure_ascii=False)})


def _one_unit(raw: Raw, options: Options, source: str) -> str:
    if options.loss_unit is not None:
        return parse_unit(options.loss_unit)
    units = {run.unit: run.name for run in raw.runs}
    if len(units) > 1:
        which = ", ".join(f"{unit} in run {name}" for unit, name in units.items())
        raise InputError(f"{source}: the loss mixes units between runs ({which}); convert them to one first")
    return next(iter(units), "nats/token")


def _duplicates(runs: Iterable[Run]) -> list[str]:
    """Name the runs that hold the same curve as an earlier one; they are kept, for the caller to judge."""
    seen: dict[tuple[bytes, bytes], Run] = {}
    notes = []
    for run in runs:
        first = seen.setdefault((run.step.tobytes(), run.loss.tobytes()), run)
        if first is run:
            continue
        facts = ("params", "peak_lr", "seed", "schedule")
        differ = [f for f in facts if repr(getattr(run, f)) != repr(getattr(first, f))]
        but = f"though they differ in {', '.join(differ)}" if differ else "with the same params, lr, seed and schedule"
        notes.append(f"runs {first.name} and {run.name} hold the same curve, {but}; both are kept")
    return notes


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"run {shown}" if len(names) == 1 else f"runs {shown}"
