"""Train a ladder: one run after another, or one on each worker of an executor; resumable at any moment.

Every run uses its own number of threads (one by default) wherever it runs, so curves are bit-identical
whatever the number of workers. On small models that is also faster: two runs on one thread each do 1.3 to 3
times the work per second of one run on two threads.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from pathlib import Path
from typing import Any

import xarray as xr

from scalinglaws._progress import Progress, Report, silent
from scalinglaws._workers import exit_with_parent, worker_pool
from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.ladder import Ladder
from scalinglaws.training.planning import plan
from scalinglaws.training.provenance import describe, join_runs, read_ended
from scalinglaws.training.tasks import task_of

__all__ = ["train_ladder", "worker_pool"]

_BEAT = 0.3
"""Seconds between two looks at how far the workers are."""


def train_ladder(
    ladder: Ladder | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    executor: Executor | None = None,
    report: Report = silent,
    checkpoint_every: float = 10.0,
) -> xr.Dataset:
    """Train every run of a ladder and return the family.

    Parameters
    ----------
    ladder
        A `Ladder`, a mapping, or the path of a TOML file.
    out
        Folder that keeps one file per run (see `train`). Called again with the same folder, runs that have ended
        are read and interrupted ones go on.
    executor
        Any `concurrent.futures.Executor` whose workers see `out`, for example from `worker_pool`; by default the
        runs follow one another in this process, the cheapest first. With an executor the dearest go first, so that
        no worker is left alone with a long run at the end.
    report
        Told how many FLOPs of how many are done over all runs; `item` is the number of runs that have ended
        plus one.
    checkpoint_every
        Seconds between checkpoints of a run.

    Raises
    ------
    InputError
        If a run breaks a rule, or `out` holds another run of its name; all are checked before the first starts.

    Examples
    --------
    >>> import tempfile
    >>> common = {"depth": 1, "batch": 4, "eval_tokens": 1024, "tokens": 2048}
    >>> ds = train_ladder({"common": common, "grid": [{"width": [16, 32]}]}, tempfile.mkdtemp())
    >>> ds.run.values.tolist()
    ['width16', 'width32']
    """
    ladder = Ladder.coerce(ladder)
    if importlib.util.find_spec("torch") is None:
        raise InputError("torch is not installed, and training needs it: pip install 'scalinglaws[train]'")
    first = ladder.runs[0]
    corpus = task_of(first).load(first)
    plans = {run.name: plan(run, corpus) for run in ladder.runs}
    board = _Board({name: p.work(p.steps) for name, p in plans.items()}, report)
    for run in ladder.runs:
        if read_ended(run, corpus, Path(out)) is not None:
            board.end(run.name)
    order = sorted(board.waiting(ladder.runs), key=lambda r: board.cost[r.name], reverse=executor is not None)
    if executor is None:
        _one_by_one(order, out, board, checkpoint_every)
    else:
        _spread(order, out, board, executor, checkpoint_every)
    families = {run.name: load_curves(Path(out, f"{run.name}.nc")) for run in ladder.runs}
    return join_runs(families, {"ladder": ladder.name, **describe(ladder.runs, corpus)})


class _Board:
    """Adds up how far the runs are and reports the sum."""

    def __init__(self, cost: Mapping[str, float], report: Report) -> None:
        self.cost = dict(cost)
        self._done = dict.fromkeys(self.cost, 0.0)
        self._ended: set[str] = set()
        self._report = report

    def put(self, name: str, done: float) -> None:
        """Note that a run has done `done` FLOPs."""
        self._done[name] = done

    def end(self, name: str) -> None:
        """Note that a run has ended."""
        self._ended.add(name)
        self._done[name] = self.cost[name]

    def waiting(self, runs: Iterable[TrainConfig]) -> list[TrainConfig]:
        """Return the runs that have not ended."""
        return [run for run in runs if run.name not in self._ended]

    def tell(self, label: str) -> None:
        """Report the sum under a label."""
        item = min(len(self._ended) + 1, len(self.cost))
        total = sum(self.cost.values())
        self._report(Progress(label=label, item=item, items=len(self.cost), done=sum(self._done.values()), total=total))


def _one_by_one(order: list[TrainConfig], out: str | os.PathLike[str], board: _Board, checkpoint_every: float) -> None:
    from scalinglaws.training.single import train  # torch is not needed to spread runs over workers

    def note(progress: Progress, /) -> None:
        board.put(progress.label, progress.done)
        board.tell(progress.label)

    for run in order:
        train(run, out=out, report=note, checkpoint_every=checkpoint_every)
        board.end(run.name)
        board.tell(run.name)


def _spread(
    order: list[TrainConfig],
    out: str | os.PathLike[str],
    board: _Board,
    executor: Executor,
    checkpoint_every: float,
) -> None:
    for run in order:
        _beat_path(out, run.name).unlink(missing_ok=True)  # left by a process that was killed
    names = {executor.submit(_task, run, os.fspath(out), checkpoint_every): run.name for run in order}
    waiting = set(names)
    try:
        while waiting:
            ended, waiting = wait(waiting, timeout=_BEAT, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
                board.end(names[future])
            beats = {names[f]: _read_beat(_beat_path(out, names[f])) for f in names if f in waiting}
            going = {name: done for name, done in beats.items() if done is not None}
            for name, done in going.items():
                board.put(name, done)
            board.tell(", ".join(going) or ("starting" if waiting else "finished"))
    finally:
        for future in waiting:
            future.cancel()


def _task(config: TrainConfig, out: str, checkpoint_every: float) -> None:
    from scalinglaws.training.single import train

    exit_with_parent()
    beat, last = _beat_path(out, config.name), 0.0

    def note(progress: Progress, /) -> None:
        nonlocal last
        if time.monotonic() - last >= _BEAT:
            with contextlib.suppress(OSError):  # a beat that cannot be written is no reason to stop
                beat.write_text(repr(progress.done))
            last = time.monotonic()

    try:
        train(config, out=out, report=note, checkpoint_every=checkpoint_every)
    finally:
        beat.unlink(missing_ok=True)


def _beat_path(out: str | os.PathLike[str], name: str) -> Path:
    return Path(out, f".{name}.beat")


def _read_beat(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):  # not started, or being written: no news
        return float(path.read_text())
    return None
