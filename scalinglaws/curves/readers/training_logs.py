"""JSON logs {summary, config, name, history} of the llm-baselines family of trainers, one file per run.

What is special about them (runs of Hägele et al., arXiv 2405.18392, and Schaipp et al., arXiv 2501.18965):
a resumed run appends to its history, so steps come unsorted and twice; a run annealed from a checkpoint holds
only its cooldown, and is spliced onto the stable run of the same set-up when that is in the folder; the
evaluation at the very end is in a group of its own, `final-val`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.curves.raw import Options, RawRun, find, from_rows
from scalinglaws.curves.readers.base import Raw, Reader, read_json
from scalinglaws.curves.tabular import Table, stem
from scalinglaws.errors import InputError

__all__ = ["READER"]

_KEYS = ("config", "history")
_SCHEDULES = {"cos": "cosine", "const": "constant"}
# A cooldown continues a run when these settings agree; what it changes is the decay and where it ends.
_SAME_RUN = (
    "model", "dataset", "n_layer", "n_head", "n_embd", "lr", "seed", "data_seed", "scheduler", "warmup_steps",
    "batch_size", "acc_steps", "world_size", "sequence_length", "opt", "weight_decay",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    run: RawRun
    config: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def start(self) -> float:
        return float(np.min(self.run.columns["step"]))

    @property
    def decays(self) -> bool:
        return bool(self.config.get("wsd_fract_decay"))

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(repr(self.config.get(k)) for k in _SAME_RUN)


def read(path: Path, options: Options) -> Raw:
    """Read one log or a folder of logs."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no .json file")
    logs = [_log(file, options) for file in files]
    spliced = [_splice(log, logs) for log in logs]
    return Raw(
        runs=[run for run, _ in spliced],
        notes=list(dict.fromkeys(note for log in logs for note in log.notes)) + [note for _, note in spliced if note],
    )


def _log(path: Path, options: Options) -> _Log:
    log = read_json(path)
    if not isinstance(log, dict) or not all(isinstance(log.get(k), dict) for k in _KEYS):
        raise InputError(f"{path.name}: holds no objects {' and '.join(_KEYS)}, so it is no training log")
    config, history = log["config"], log["history"]
    table = _history(history.get("val"), path.name)
    found = find(table, options, required=("step", "loss"))
    names = {q: c for q, c in found.names.items() if q in ("step", "loss")}
    name = log["name"] if isinstance(log.get("name"), str) and log["name"] else stem(path)
    run = from_rows(table, names, options, name=name, facts={})
    step, loss = run.columns["step"], run.loss
    end = _last_evaluation(history.get("final-val"), path.name)
    notes = [] if not found.notes else [n.replace(f"{path.name}: ", "") for n in found.notes]
    if end is not None and names["loss"] == "val_loss" and end[0] > np.max(step):
        step, loss = np.append(step, end[0]), np.append(loss, end[1])
        notes.append("the last point of each run is its full evaluation (final-val)")
    facts = _facts(config, log.get("summary"), path.name)
    finished = np.max(step) >= _number(config, "iterations", path.name, default=0.0)
    batch, seq_len = facts.get("batch"), facts.get("seq_len")
    columns = {"step": step, "lr": _rates(history.get("train"), step, path.name)}
    if isinstance(batch, float) and isinstance(seq_len, float):
        columns["tokens"] = step * batch * seq_len
    run = RawRun(
        name=name,
        source=run.source,
        loss=loss,
        measured=np.append(run.measured, np.full(len(step) - len(run.measured), True)),
        columns=columns,
        facts={**facts, "status": "finished" if finished else "partial"},
        unit=run.unit,
    )
    return _Log(run=run, config=config, notes=tuple(notes))


def _history(group: Any, source: str) -> Table:
    if not isinstance(group, dict) or not group.get("iter"):
        raise InputError(f"{source}: history holds no evaluations (val: iter, val_loss)")
    steps = group["iter"]
    if not isinstance(steps, list):
        raise InputError(f"{source}: val: iter is no list of steps")
    full = {k: v for k, v in group.items() if isinstance(v, list) and len(v) == len(steps)}
    return Table.read(full, source)


def _last_evaluation(group: Any, source: str) -> tuple[float, float] | None:
    if not isinstance(group, dict) or not group.get("iter") or not group.get("final_val_loss"):
        return None
    table = Table.read({k: group[k] for k in ("iter", "final_val_loss")}, source)
    step, loss = table.numbers("iter"), table.numbers("final_val_loss")
    last = int(np.argmax(step))
    return float(step[last]), float(loss[last])


def _rates(group: Any, step: NDArray[np.float64], source: str) -> NDArray[np.float64]:
    """Learning rates logged with the training loss, where the steps coincide."""
    if not isinstance(group, dict) or not group.get("iter") or not group.get("train_lr"):
        return np.full(step.shape, np.nan)
    table = Table.read({k: group[k] for k in ("iter", "train_lr")}, source)
    by_step = dict(zip(table.numbers("iter").tolist(), table.numbers("train_lr").tolist(), strict=True))
    return np.array([by_step.get(s, np.nan) for s in step.tolist()])


def _facts(config: Mapping[str, Any], summary: Any, source: str) -> dict[str, float | str]:
    facts: dict[str, float | str] = {}
    named = {"peak_lr": "lr", "seed": "seed", "width": "n_embd", "depth": "n_layer", "seq_len": "sequence_length"}
    for fact, key in named.items():
        if config.get(key) is not None:
            facts[fact] = _number(config, key, source)
    if config.get("batch_size") is not None:
        parts = [_number(config, k, source, default=1.0) for k in ("batch_size", "acc_steps", "world_size")]
        facts["batch"] = float(np.prod(parts))
    if isinstance(summary, dict) and summary.get("parameters") is not None:
        facts["params"] = _number(summary, "parameters", source)
    if isinstance(config.get("scheduler"), str):
        name = str(config["scheduler"])
        stable = name == "wsd" and config.get("wsd_fract_decay") == 0
        facts["schedule"] = "constant" if stable else _SCHEDULES.get(name, name)
    return facts


def _number(values: Mapping[str, Any], key: str, source: str, *, default: float | None = None) -> float:
    value = values.get(key)
    value = default if value is None else value
    try:
        read = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan
    except OverflowError:
        read = np.inf
    if not np.isfinite(read):
        raise InputError(f"{source}: {key} = {str(value)[:40]!r}: must be a finite number")
    return read


def _splice(log: _Log, logs: list[_Log]) -> tuple[RawRun, str]:
    """Put the stable run before a cooldown that was logged alone."""
    if log.start == 0 or not log.decays:
        return log.run, ""
    stable = [o for o in logs if o.key == log.key and not o.decays and o.start < log.start]
    if not stable:
        return log.run, f"run {log.run.name} starts at step {log.start:.0f} and its stable run is not in the folder"
    trunk, tail = min(stable, key=lambda o: o.start).run, log.run
    before = trunk.columns["step"] < log.start
    run = RawRun(
        name=tail.name,
        source=tail.source,
        loss=np.append(trunk.loss[before], tail.loss),
        measured=np.append(trunk.measured[before], tail.measured),
        columns={k: np.append(trunk.columns[k][before], v) for k, v in tail.columns.items()},
        facts=tail.facts,
        unit=tail.unit,
    )
    return run, f"run {tail.name} is spliced onto {trunk.name} at step {log.start:.0f}"


def _sniff(path: Path) -> bool:
    if path.is_dir():
        return any(_is_log(file) for file in sorted(path.glob("*.json"))[:1])
    return path.is_file() and path.name.lower().endswith(".json") and _is_log(path)


def _is_log(path: Path) -> bool:
    try:
        log = read_json(path)
    except InputError:
        return False
    return isinstance(log, dict) and all(key in log for key in _KEYS)


READER = Reader(name="training_logs", sniff=_sniff, read=read)
