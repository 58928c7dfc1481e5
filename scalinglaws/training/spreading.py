"""The runs of a ladder on the workers of an executor: one place each, heard of through small files beside the results.

A run that cannot go on, or whose worker dies, is noted and gives its place back; the others go on.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path

from scalinglaws._progress import Progress
from scalinglaws._workers import exit_with_parent
from scalinglaws.errors import InputError
from scalinglaws.training.board import Board
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.slots import Slots

__all__ = ["spread"]

_BEAT = 0.3
"""Seconds between two looks at how far the workers are."""

_DEATH = "its worker process died, for want of memory perhaps; the same call goes on from its last checkpoint"


def spread(
    order: Sequence[TrainConfig],
    out: str | os.PathLike[str],
    board: Board,
    executor: Executor,
    *,
    places: Sequence[str] | None,
    checkpoint_every: float,
) -> None:
    """Train the runs in this order, as many at once as there are places and workers.

    Parameters
    ----------
    places
        Devices, one for each run at a time; None to hand all runs to the executor at once.
    """
    for run in order:
        _beat_path(out, run.name).unlink(missing_ok=True)  # left by a process that was killed
    queue = deque(order)
    slots = Slots([None] * len(order) if places is None else places)
    waiting: dict[Future[None], str] = {}
    try:
        while queue or waiting:
            while queue and slots.free:
                run = queue.popleft()
                waiting[_submit(executor, run, out, checkpoint_every, slots.take(run.name))] = run.name
            ended, _ = wait(waiting, timeout=_BEAT, return_when=FIRST_COMPLETED)
            for future in ended:
                name = waiting.pop(future)
                slots.give_back(name)
                _collect(future, name, board)
            board.tell(_look(waiting.values(), out, board) or ("starting" if waiting else "finished"))
    finally:
        for future in waiting:
            future.cancel()


def _submit(
    executor: Executor, run: TrainConfig, out: str | os.PathLike[str], checkpoint_every: float, place: str | None
) -> Future[None]:
    try:
        return executor.submit(_task, run, os.fspath(out), checkpoint_every, place)
    except BrokenExecutor as error:  # a plain process pool takes no more tasks after one death
        future: Future[None] = Future()
        future.set_exception(error)
        return future


def _collect(future: Future[None], name: str, board: Board) -> None:
    try:
        future.result()
        board.end(name)
    except InputError as error:
        board.fail(name, str(error))
    except BrokenExecutor:
        board.fail(name, _DEATH)


def _look(names: Iterable[str], out: str | os.PathLike[str], board: Board) -> str:
    """Note how far the runs are, and return the names of those that have started."""
    beats = [beat for beat in (_read_beat(_beat_path(out, name), name) for name in names) if beat is not None]
    for beat in beats:
        board.put(beat)
    return ", ".join(beat.label for beat in beats)


def _task(config: TrainConfig, out: str, checkpoint_every: float, place: str | None) -> None:
    from scalinglaws.training.single import train

    exit_with_parent()
    beat, last = _beat_path(out, config.name), 0.0

    def note(progress: Progress, /) -> None:
        nonlocal last
        if time.monotonic() - last >= _BEAT:
            with contextlib.suppress(OSError):  # a beat that cannot be written is no reason to stop
                beat.write_text(json.dumps([progress.done, progress.tokens_per_second, progress.utilization]))
            last = time.monotonic()

    try:
        train(config, out=out, report=note, checkpoint_every=checkpoint_every, device=place)
    finally:
        beat.unlink(missing_ok=True)


def _beat_path(out: str | os.PathLike[str], name: str) -> Path:
    return Path(out, f".{name}.beat")


def _read_beat(path: Path, name: str) -> Progress | None:
    with contextlib.suppress(OSError, ValueError):  # not started, or being written: no news
        done, speed, share = json.loads(path.read_text())
        return Progress(
            label=name, item=1, items=1, done=done, total=math.nan, tokens_per_second=speed, utilization=share
        )
    return None
