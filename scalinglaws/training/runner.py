"""Train a ladder: one run after another, or one on each worker of an executor; resumable at any moment.

Every run uses its own number of threads (one by default) wherever it runs, so curves are bit-identical
whatever the number of workers. On small models that is also faster: two runs on one thread each do 1.3 to 3
times the work per second of one run on two threads. On several GPUs, each run has one of them to itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import xarray as xr

from scalinglaws._progress import Progress, Report, silent
from scalinglaws._workers import worker_pool
from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError
from scalinglaws.training.board import Board
from scalinglaws.training.checks import check_torch
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.ladder import Ladder
from scalinglaws.training.planning import plan
from scalinglaws.training.provenance import describe, join_runs, read_ended
from scalinglaws.training.slots import places_for
from scalinglaws.training.spreading import spread
from scalinglaws.training.tasks import task_of

__all__ = ["train_ladder", "worker_pool"]


def train_ladder(
    ladder: Ladder | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    executor: Executor | None = None,
    report: Report = silent,
    checkpoint_every: float = 10.0,
    devices: str | Sequence[str] | None = None,
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
    devices
        Names such as "cuda:0,cuda:1", or "all": with an executor, each run has one of them to itself while it goes
        on. What a run is does not depend on which it gets. By default runs on GPUs share torch's current one.

    Raises
    ------
    InputError
        If a run breaks a rule, `out` holds another run of its name, or there is no such device here; all are checked
        before the first starts. Also if a run could not go on (no memory or disk left, a damaged checkpoint, a worker
        that died): at the end, naming all such runs, the others being finished and kept. A run that diverges has not
        failed: its curve up to there is in the family.

    Examples
    --------
    >>> import tempfile
    >>> common = {"depth": 1, "batch": 4, "eval_tokens": 1024, "tokens": 2048}
    >>> ds = train_ladder({"common": common, "grid": [{"width": [16, 32]}]}, tempfile.mkdtemp())
    >>> ds.run.values.tolist()
    ['width16', 'width32']
    """
    ladder = Ladder.coerce(ladder)
    check_torch()
    first = ladder.runs[0]
    corpus = task_of(first).load(first)
    plans = {run.name: plan(run, corpus) for run in ladder.runs}
    places = places_for(ladder.runs, devices)
    _check_devices(ladder.runs, places)
    board = Board({name: p.work(p.steps) for name, p in plans.items()}, report)
    for run in ladder.runs:
        if read_ended(run, corpus, Path(out)) is not None:
            board.end(run.name)
    order = sorted(board.waiting(ladder.runs), key=lambda r: board.cost[r.name], reverse=executor is not None)
    if executor is None:
        _one_by_one(order, out, board, places=places, checkpoint_every=checkpoint_every)
    else:
        spread(order, out, board, executor, places=places, checkpoint_every=checkpoint_every)
    board.close(os.fspath(out))
    families = {run.name: load_curves(Path(out, f"{run.name}.nc")) for run in ladder.runs}
    return join_runs(families, {"ladder": ladder.name, **describe(ladder.runs, corpus)})


def _check_devices(runs: Sequence[TrainConfig], places: list[str] | None) -> None:
    """Raise an `InputError` if a device is not there; torch is not asked about the CPU."""
    for run in runs:
        for place in places or [run.device]:
            if place != "cpu":
                from scalinglaws.training.devices import open_device

                open_device(run, place)


def _one_by_one(
    order: list[TrainConfig],
    out: str | os.PathLike[str],
    board: Board,
    *,
    places: list[str] | None,
    checkpoint_every: float,
) -> None:
    from scalinglaws.training.single import train  # torch is not needed to spread runs over workers

    def note(progress: Progress, /) -> None:
        board.put(progress)
        board.tell(progress.label)

    for run in order:
        try:
            place = places[0] if places else None
            train(run, out=out, report=note, checkpoint_every=checkpoint_every, device=place)
            board.end(run.name)
        except InputError as error:
            board.fail(run.name, str(error))
        board.tell(run.name)
