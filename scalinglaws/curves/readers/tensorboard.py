"""TensorBoard event files: one run per folder that holds some, its scalars by tag. Needs the extra `readers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scalinglaws.curves.raw import PER_OBS, Options, RawRun, find, from_rows
from scalinglaws.curves.readers.base import Raw, Reader, as_table
from scalinglaws.errors import InputError

__all__ = ["READER"]

_MARK = "tfevents"


def read(path: Path, options: Options) -> Raw:
    """Read an event file, or every folder with event files below a folder."""
    if path.is_file():
        folders = {path: path.parent.name}
    else:
        holding = sorted({file.parent for file in path.rglob(f"*{_MARK}*") if file.is_file()})
        folders = {f: str(f.relative_to(path)) if f != path else path.name for f in holding}
    if not folders:
        raise InputError(f"{path}: holds no event file (*{_MARK}*)")
    runs, notes = [], []
    for folder, name in folders.items():
        run, found = _one(folder, name, options)
        runs.append(run)
        notes += found
    return Raw(runs=runs, notes=list(dict.fromkeys(notes)))


def _one(folder: Path, name: str, options: Options) -> tuple[RawRun, list[str]]:
    table = as_table(_records(folder), name)
    if not table.rows:
        raise InputError(f"{folder}: its event files hold no scalars")
    found = find(table, options, required=("step", "loss"))
    names = {q: c for q, c in found.names.items() if q in ("loss", *PER_OBS)}
    cut = [
        f"{file.name}: is damaged or was still being written; what came before that was read" for file in _cut(folder)
    ]
    return from_rows(table, names, options, name=name, facts={}), [*found.notes, *cut]


def _records(folder: Path) -> list[dict[str, Any]]:
    """One record per scalar event: its step, and its value under its tag."""
    try:
        from tensorboard.backend.event_processing import event_accumulator as events
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise InputError(
            f"{folder}: event files need tensorboard; install it with pip install 'scalinglaws[readers]'"
        ) from None
    try:
        # Events of a resumed run are kept: which record of a step wins is a rule of this package.
        log = events.EventAccumulator(
            str(folder), size_guidance={events.SCALARS: 0, events.TENSORS: 0}, purge_orphaned_data=False
        ).Reload()
        tags = log.Tags()
        scalars = [(e.step, tag, e.value) for tag in tags["scalars"] for e in log.Scalars(tag)]
        for tag in tags["tensors"]:
            for event in log.Tensors(tag):
                value = make_ndarray(event.tensor_proto)
                if value.ndim == 0 and value.dtype.kind in "fiu":
                    scalars.append((event.step, tag, value.item()))
    except Exception as error:  # protobuf, struct and decompression errors have no common base
        raise InputError(f"{folder}: cannot be read as event files, so they are damaged or of another kind") from error
    by_event: dict[tuple[int, int], dict[str, Any]] = {}
    seen: dict[tuple[int, str], int] = {}
    for step, tag, value in scalars:
        again = seen[step, tag] = seen.get((step, tag), -1) + 1
        by_event.setdefault((step, again), {"step": step})[tag] = value
    return list(by_event.values())


def _cut(folder: Path) -> list[Path]:
    """List the event files that end inside a record; TensorBoard itself stops there without a word."""
    from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    cut = []
    for file in sorted(folder.glob(f"*{_MARK}*")) if folder.is_dir() else [folder]:
        records = PyRecordReader_New(str(file))
        try:
            while True:
                records.GetNext()
        except OutOfRangeError:
            continue
        except DataLossError:
            cut.append(file)
    return cut


def _sniff(path: Path) -> bool:
    if path.is_file():
        return _MARK in path.name
    return any(file.is_file() for file in path.rglob(f"*{_MARK}*"))


READER = Reader(name="tensorboard", sniff=_sniff, read=read)
