"""One NetCDF file per family: `save_curves` writes it whole or not at all, `load_curves` reads it back identical.

The layout is `schema` as it stands (CF contiguous ragged arrays), so other NetCDF tools can open and write the file.
Behind the HDF5 data, where those tools do not look, `save_curves` puts a checksum of the whole: HDF5 may meet damage
with values silently changed. A file without one, written by another program, is checked as far as its contents tell.
"""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from scalinglaws._files import atomic_path, netcdf_bytes
from scalinglaws.curves.family import iter_runs
from scalinglaws.curves.schema import SCHEMA, VARIABLES, validate
from scalinglaws.errors import InputError

__all__ = ["FAMILY_FILE", "HDF5_SIGNATURE", "load_curves", "save_curves"]

FAMILY_FILE = "family.nc"
"""Name of the family in a folder of trained runs."""
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of every NetCDF-4 file."""

_SEAL = b"scalinglaws sha256 "


def save_curves(ds: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a family of measured runs to one NetCDF file, atomically.

    Parameters
    ----------
    ds
        A family, as `from_runs` or `read_curves` return it.
    path
        File to write; its folder is made if needed, an older file is replaced only by a whole new one.

    Raises
    ------
    InputError
        When `ds` is not a family or holds an attribute NetCDF cannot store.

    Examples
    --------
    >>> import tempfile
    >>> from scalinglaws.curves import Run, from_runs
    >>> ds = from_runs([Run(name="a", step=np.array([1, 2]), loss=np.array([3.0, 2.5]), params={})])
    >>> path = Path(tempfile.mkdtemp()) / "family.nc"
    >>> save_curves(ds, path)
    >>> load_curves(path).identical(ds)
    True
    """
    ds = validate(ds).assign_attrs(schema=SCHEMA, version=ds.attrs.get("version", version("scalinglaws")))
    for _ in iter_runs(ds):  # each run checks its own steps and shapes
        pass
    for name, value in ds.attrs.items():
        if not isinstance(value, str | int | float | np.number) or isinstance(value, bool):
            raise InputError(f"attrs: {name} is a {type(value).__name__}, and a file keeps text and numbers")
    with atomic_path(path) as temporary:
        temporary.write_bytes(_sealed(netcdf_bytes(ds.drop_encoding())))


def load_curves(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a family of measured runs from a file that `save_curves`, or another NetCDF program, wrote.

    Parameters
    ----------
    path
        The NetCDF file.

    Raises
    ------
    InputError
        When the file is absent, truncated, damaged, written or changed by something else, or of another schema.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    _check_seal(path)
    ds = _open(path)
    if (found := ds.attrs.get("schema")) != SCHEMA:
        raise InputError(f"{path}: has schema {found}, and this version reads schema {SCHEMA}")
    try:
        ds = validate(_plain(ds))
        for _ in iter_runs(ds):
            pass
    except (KeyError, TypeError, ValueError) as error:
        reason = error if isinstance(error, InputError) else "its variables do not hold what their names say"
        raise InputError(f"{path}: {reason}") from error
    return ds


def _open(path: Path) -> xr.Dataset:
    try:
        with h5py.File(path) as raw:  # broken contents fail here and are closed; half-opened by h5netcdf they linger
            _ = [(variable[()], dict(variable.attrs)) for variable in raw.values()]
        with xr.open_dataset(path, engine="h5netcdf") as file:
            return file.load()
    except Exception as error:  # HDF5 reports damage as OSError, KeyError, RuntimeError, ValueError and more
        raise InputError(f"{path}: cannot be read as NetCDF-4, so it is truncated, damaged or foreign") from error


def _sealed(content: bytes) -> bytes:
    """Append the checksum of a file's content to it; HDF5 knows where its data end and ignores what follows."""
    return content + _SEAL + hashlib.sha256(content).hexdigest().encode()


def _check_seal(path: Path) -> None:
    """Refuse a file whose checksum is wrong; one that never had a checksum passes."""
    content = path.read_bytes()
    if not content.startswith(HDF5_SIGNATURE):
        raise InputError(f"{path}: is not a NetCDF-4 file")
    body, seal, digest = content.rpartition(_SEAL)
    if seal and digest != hashlib.sha256(body).hexdigest().encode():
        raise InputError(f"{path}: its checksum does not match, so it is truncated or damaged")


def _plain(ds: xr.Dataset) -> xr.Dataset:
    """Undo what a file does to types: text is object, attributes are plain Python numbers."""
    ds.attrs = {k: v.item() if isinstance(v, np.generic) else v for k, v in ds.attrs.items()}
    for name in ("run", *(n for n, spec in VARIABLES.items() if spec.text and n in ds)):
        ds[name] = ds[name].astype(object)
    ds["group"] = ds["group"].astype(str)
    return ds.drop_encoding()
