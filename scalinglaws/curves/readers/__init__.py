"""Readers of measured curves, one module per format; `scalinglaws.curves.read_curves` picks among them.

A new format is one new module here that defines `READER` (see `base`), and one line below.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from scalinglaws.curves.readers.base import Reader
from scalinglaws.errors import InputError

__all__ = ["find_reader", "reader_names"]

# In the order they are tried: the more particular a format, the earlier.
_MODULES = {
    "tensorboard": "tensorboard",
    "training_logs": "training_logs",
    "huggingface": "huggingface",
    "wandb": "wandb",
    "long": "long",
    "folder": "folder",
}


def reader_names() -> list[str]:
    """Names of the formats.

    Examples
    --------
    >>> "wandb" in reader_names()
    True
    """
    return list(_MODULES)


def find_reader(path: Path, name: str = "auto") -> Reader:
    """Return the named reader, or the first that recognises the path."""
    if name != "auto":
        if name not in _MODULES:
            raise InputError(f"reader = {name!r}: must be auto, netcdf, {', '.join(_MODULES)}")
        return _load(name)
    for candidate in _MODULES:
        reader = _load(candidate)
        if reader.sniff(path):
            return reader
    raise InputError(f"{path}: its format is not recognised; say which with reader= ({', '.join(_MODULES)})")


def _load(name: str) -> Reader:
    reader: Reader = import_module(f"scalinglaws.curves.readers.{_MODULES[name]}").READER
    return reader
