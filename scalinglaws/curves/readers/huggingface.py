"""Hugging Face's `trainer_state.json`: the evaluation loss over steps (the training loss if there is none)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.raw import PER_OBS, Options, RawRun, find, from_rows
from scalinglaws.curves.readers.base import Raw, Reader, as_table, read_json
from scalinglaws.curves.tabular import stem
from scalinglaws.errors import InputError

__all__ = ["READER"]

FILE = "trainer_state.json"


def read(path: Path, options: Options) -> Raw:
    """Read one `trainer_state.json`, or every one in the folders of a folder, each named after its folder."""
    if not path.is_dir():
        run, notes = _one(path, path.parent.name if path.name == FILE else stem(path), options)
        return Raw(runs=[run], notes=notes)
    files = [path / FILE] if (path / FILE).is_file() else sorted(path.glob(f"*/{FILE}"))
    if not files:
        raise InputError(f"{path}: holds no {FILE}")
    raw = [_one(file, file.parent.name, options) for file in files]
    return Raw(runs=[run for run, _ in raw], notes=[note for _, notes in raw for note in notes])


def _one(path: Path, name: str, options: Options) -> tuple[RawRun, list[str]]:
    state = read_json(path)
    log = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(log, list) or not all(isinstance(record, dict) for record in log):
        raise InputError(f"{path.name}: holds no list log_history, so it is no trainer state")
    if not log:
        raise InputError(f"{path.name}: its log_history is empty")
    # The summary that ends a run averages over all of it: `train_loss` is no point of the curve.
    table = as_table(({k: v for k, v in r.items() if k != "train_loss"} for r in log), path.name)
    found = find(table, options, required=("step", "loss"))
    names = {q: c for q, c in found.names.items() if q in ("loss", *PER_OBS)}
    run = from_rows(table, names, options, name=name or stem(path), facts=_facts(state))
    if "lr" in run.columns:
        run = replace(run, columns={**run.columns, "lr": _at_same_step(run)})
    return run, list(found.notes)


def _facts(state: dict[str, Any]) -> dict[str, float | str]:
    done, planned = state.get("global_step"), state.get("max_steps")
    early = isinstance(done, int) and isinstance(planned, int) and done < planned
    return {"status": "partial" if early else "finished"}


def _at_same_step(run: RawRun) -> NDArray[np.float64]:
    """Learning rates by step: the trainer logs them with the training loss, not with the evaluation."""
    step, lr = run.columns["step"], run.columns["lr"]
    by_step = {s: r for s, r in zip(step.tolist(), lr.tolist(), strict=True) if not np.isnan(r)}
    return np.array([by_step.get(s, np.nan) for s in step.tolist()])


def _sniff(path: Path) -> bool:
    if path.is_dir():
        return (path / FILE).is_file() or any(path.glob(f"*/{FILE}"))
    return path.name.lower().endswith(".json")


READER = Reader(name="huggingface", sniff=_sniff, read=read)
