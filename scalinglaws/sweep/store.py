"""Where the records of a sweep are kept: a folder with one file for each cell, or this process's memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from scalinglaws._files import atomic_path
from scalinglaws.errors import require
from scalinglaws.sweep.records import Record

__all__ = ["FolderStore", "MemoryStore", "Store"]

_SUFFIXES = (".nc", ".json")


class Store(Protocol):
    """Keeps the newest record of each key."""

    def put(self, key: str, record: Record) -> None:
        """Keep a record."""
        ...

    def get(self, key: str) -> list[Record]:
        """Return the records kept under a key, the one to try first in front."""
        ...


class MemoryStore:
    """Keeps records as long as this object lives."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def put(self, key: str, record: Record) -> None:
        """Keep a record."""
        self._records[key] = record

    def get(self, key: str) -> list[Record]:
        """Return the record of a key, if there is one."""
        return [self._records[key]] if key in self._records else []


class FolderStore:
    """Keeps one file for each key, `<key>.json` or `<key>.nc`, written whole or not at all.

    Raises
    ------
    InputError
        If the path is there and is not a folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        require(self._folder.is_dir() or not self._folder.exists(), "store", str(folder), "must be a folder")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._names = {path.name for path in self._folder.iterdir() if path.suffix in _SUFFIXES}

    def put(self, key: str, record: Record) -> None:
        """Write a record in place of an older one."""
        with atomic_path(self._folder / f"{key}{record.suffix}") as temporary:
            temporary.write_bytes(record.content)
        self._names.add(f"{key}{record.suffix}")
        for suffix in _SUFFIXES:  # after the new one is safe: killed in between, a cell has two files and not none
            if suffix != record.suffix and f"{key}{suffix}" in self._names:
                (self._folder / f"{key}{suffix}").unlink(missing_ok=True)
                self._names.discard(f"{key}{suffix}")

    def get(self, key: str) -> list[Record]:
        """Read the files of a key: one, or both kinds after a death between writing one and removing the other."""
        paths = [self._folder / f"{key}{suffix}" for suffix in _SUFFIXES if f"{key}{suffix}" in self._names]
        return [Record(path.suffix, path.read_bytes()) for path in paths if path.exists()]
