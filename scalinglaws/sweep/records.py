"""One cell as one sealed record: JSON for plain values and failures, NetCDF for a dataset.

A record says what it is (schema, version, function, spec), so a file that was copied, renamed or damaged, or that
another function or version wrote, is never taken for the cell. Records are made where the cell is computed, so the
bytes on disk do not depend on who computed them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore
from xarray.backends.locks import HDF5_LOCK

from scalinglaws.sweep.specs import call, canonical_json, plain

__all__ = ["Failure", "Record", "compute", "decode", "encode_failure"]

_SEAL = b"scalinglaws cell sha256 "
_ATTR = "scalinglaws_cell"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no value.

    Attributes
    ----------
    error
        Type of the error, or "WorkerDied".
    sentence
        Its message, on one line.
    """

    error: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Record:
    """The bytes of one computed cell and the kind of file they are, ".json" or ".nc"."""

    suffix: str
    content: bytes


def compute(function: Callable[..., Any], spec: Any, about: Mapping[str, Any]) -> Record:
    """Compute one cell and encode it; whatever the function raises becomes its `Failure`.

    Parameters
    ----------
    function, spec
        What to call and what to call it with.
    about
        What the record says of itself; its entry `spec` is the plain form of `spec`.
    """
    try:
        value = call(function, spec, about["spec"])
        if isinstance(value, xr.Dataset):
            return Record(".nc", _dataset_bytes(value, about))
        return _json_record(about, "value", plain("result", value))
    except (Exception, SystemExit) as error:
        sentence = " ".join(str(error).split())
        return encode_failure(about, Failure(type(error).__name__, sentence[:_LONGEST]))


def encode_failure(about: Mapping[str, Any], failure: Failure) -> Record:
    """Encode a cell that has no value."""
    return _json_record(about, "failure", asdict(failure))


def decode(record: Record, about: Mapping[str, Any]) -> Any:
    """Return what a record holds, a value or a `Failure`.

    Raises
    ------
    ValueError
        If the record is damaged or is not about this cell.
    """
    return _from_netcdf(record.content, about) if record.suffix == ".nc" else _from_json(record.content, about)


def _json_record(about: Mapping[str, Any], kind: str, value: Any) -> Record:
    body = {**about, kind: value}
    seal = hashlib.sha256(canonical_json(body).encode()).hexdigest()
    return Record(".json", json.dumps({**body, "sha256": seal}).encode())


def _from_json(content: bytes, about: Mapping[str, Any]) -> Any:
    body = json.loads(content)
    if not isinstance(body, dict):
        raise ValueError("is not a record")
    seal = body.pop("sha256", None)
    if seal != hashlib.sha256(canonical_json(body).encode()).hexdigest():
        raise ValueError("its checksum does not match")
    _check_about({name: body.get(name) for name in about}, about)
    return Failure(**body["failure"]) if "failure" in body else body["value"]


def _dataset_bytes(ds: xr.Dataset, about: Mapping[str, Any]) -> bytes:
    marked = ds.drop_encoding().assign_attrs({_ATTR: canonical_json(dict(about))})
    with tempfile.TemporaryDirectory(prefix="scalinglaws-") as folder:
        path = Path(folder, "cell.nc")
        # Not to_netcdf: on a Dask worker it takes a lock that all workers share, and this file is nobody else's.
        with contextlib.closing(H5NetCDFStore.open(os.fspath(path), mode="w", lock=HDF5_LOCK)) as file:
            marked.dump_to_store(file)
        content = path.read_bytes()
    return content + _SEAL + hashlib.sha256(content).hexdigest().encode()  # HDF5 ignores what follows its data


def _from_netcdf(content: bytes, about: Mapping[str, Any]) -> xr.Dataset:
    body, _, digest = content.rpartition(_SEAL)
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise ValueError("its checksum does not match")
    with contextlib.closing(io.BytesIO(body)) as buffer, xr.open_dataset(buffer, engine="h5netcdf") as file:
        ds = file.load().drop_encoding()
    _check_about(json.loads(ds.attrs.pop(_ATTR)), about)
    ds.attrs = {name: value.item() if isinstance(value, np.generic) else value for name, value in ds.attrs.items()}
    return ds


def _check_about(found: Any, about: Mapping[str, Any]) -> None:
    if canonical_json(found) != canonical_json(dict(about)):  # as text: 1 is not 1.0, and nan is nan
        raise ValueError("is about another cell")
