"""A folder of one file per run, of any format that has a reader; runs are named after their files.

Metadata come from the files, from named groups of `pattern` on the file name, or from `run_table`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scalinglaws.curves.raw import Options
from scalinglaws.curves.readers.base import Raw, Reader
from scalinglaws.curves.tabular import TABLE_SUFFIXES, stem
from scalinglaws.errors import InputError

__all__ = ["READER"]

_SUFFIXES = (*TABLE_SUFFIXES, ".json")


def read(path: Path, options: Options) -> Raw:
    """Read every file of a folder that has a known suffix; hidden files are passed over."""
    from scalinglaws.curves.readers import find_reader

    if not path.is_dir():
        raise InputError(f"{path}: is not a folder")
    files = [f for f in sorted(path.iterdir()) if f.is_file() and not f.name.startswith(".")]
    known = [f for f in files if f.name.lower().endswith(_SUFFIXES)]
    if not known:
        raise InputError(f"{path}: holds no file of a known kind ({', '.join(_SUFFIXES)})")
    raw = Raw(runs=[], notes=[f"{f.name}: is of no known kind and was passed over" for f in files if f not in known])
    for file in known:
        one = find_reader(file).read(file, options)
        named = len(one.runs) == 1
        raw.runs.extend(replace(run, name=stem(file) if named else f"{stem(file)}/{run.name}") for run in one.runs)
        raw.notes.extend(one.notes)
    return raw


def _sniff(path: Path) -> bool:
    return path.is_dir()


READER = Reader(name="folder", sniff=_sniff, read=read)
