"""What a ladder will cost before it starts: counts on any machine, seconds measured or from a given speed."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from scalinglaws.errors import InputError, require
from scalinglaws.training.checks import check_torch
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.ladder import Ladder
from scalinglaws.training.memory import memory_bytes
from scalinglaws.training.planning import Plan, plan
from scalinglaws.training.tasks import Data, task_of

__all__ = ["Estimate", "LadderEstimate", "estimate_ladder", "makespan", "update_times"]

_MEASURED_SECONDS = 0.3
"""Time for the updates that are measured for each distinct model, at least `_LEAST` of them."""

_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The cost of one run.

    Attributes
    ----------
    name, params, tokens
        The run, all its parameters, its training tokens.
    flops
        Of training and evaluations, measurements on mini-batches included (sharpness is not).
    seconds
        At the speed assumed; None where there is none.
    memory
        Bytes (`memory_bytes`); None where it is not counted.
    """

    name: str
    params: int
    tokens: int
    flops: float
    seconds: float | None
    memory: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderEstimate:
    """The cost of a ladder.

    Attributes
    ----------
    runs
        One estimate each, in the order of the ladder.
    speed
        Where seconds come from, in words.
    seconds
        All runs, one after another.
    elapsed
        The same on `workers` workers, the dearest first.
    """

    runs: tuple[Estimate, ...]
    speed: str
    workers: int
    seconds: float | None
    elapsed: float | None

    @property
    def totals(self) -> dict[str, float]:
        """Tokens and FLOPs of all runs."""
        return {"tokens": sum(run.tokens for run in self.runs), "flops": sum(run.flops for run in self.runs)}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), **self.totals}


def estimate_ladder(ladder: Ladder, *, flops_per_second: float | None = None, workers: int = 1) -> LadderEstimate:
    """Estimate the cost of every run of a ladder; nothing is written.

    Parameters
    ----------
    ladder
        The runs. Their corpus must be here: its vocabulary is part of the counts.
    flops_per_second
        Speed to assume for every run, for another machine; by default a few updates of each distinct model are timed
        here. Where the device of the ladder is missing here, seconds are None.
    workers
        Runs trained at once.

    Raises
    ------
    InputError
        If a run breaks a rule, or a number is not positive.

    Examples
    --------
    >>> common = {"device": "cuda", "tokens": 250_000}
    >>> ladder = Ladder.from_dict({"common": common, "grid": [{"width": [32, 64]}]})
    >>> cost = estimate_ladder(ladder, flops_per_second=1e9)
    >>> [(run.name, run.params, round(run.seconds)) for run in cost.runs]
    [('width32', 53248, 207), ('width64', 180224, 678)]
    """
    require(workers >= 1, "workers", workers, "must be at least 1")
    given = flops_per_second is None or 0 < flops_per_second < float("inf")
    require(given, "flops_per_second", flops_per_second, "must be positive and finite")
    corpus = task_of(ladder.runs[0]).load(ladder.runs[0])
    plans = [plan(run, corpus) for run in ladder.runs]
    if flops_per_second is not None:
        speeds: list[float] | None = [flops_per_second] * len(plans)
        words = f"assumed: {flops_per_second:.3g} FLOP/s"
    else:
        speeds, words = _measured(ladder.runs, plans, corpus)
    work = [p.work(p.steps) for p in plans]
    seconds = [None] * len(plans) if speeds is None else [w / speed for w, speed in zip(work, speeds, strict=True)]
    known = [second for second in seconds if second is not None]
    return LadderEstimate(
        runs=tuple(
            Estimate(
                name=run.name,
                params=sum(p.params.values()),
                tokens=p.tokens,
                flops=flops,
                seconds=second,
                memory=memory_bytes(run, p),
            )
            for run, p, flops, second in zip(ladder.runs, plans, work, seconds, strict=True)
        ),
        speed=words,
        workers=workers,
        seconds=sum(known) if known else None,
        elapsed=makespan(known, workers) if known else None,
    )


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return how long the jobs take on a number of workers when the longest start first.

    Examples
    --------
    >>> makespan([3.0, 1.0, 2.0, 2.0], workers=2)
    4.0
    """
    busy = [0.0] * workers
    for job in sorted(seconds, reverse=True):
        heapq.heapreplace(busy, busy[0] + job)
    return max(busy)


def _measured(runs: Iterable[TrainConfig], plans: list[Plan], corpus: Data) -> tuple[list[float] | None, str]:
    """FLOP/s of each run by a few updates on its device; None, and why, where it is missing."""
    found: dict[Any, float] = {}
    speeds = []
    try:
        check_torch()
        for run, p in zip(runs, plans, strict=True):
            key = (tuple(p.params.values()), run.batch, run.microbatch, run.precision, run.compile, run.threads)
            if key not in found:
                times = list(itertools.islice(update_times(run, p, corpus, _MEASURED_SECONDS), 1, None))
                found[key] = p.training_flops / p.steps / min(times)
            speeds.append(found[key])
    except InputError as error:
        return None, f"unknown ({error}); give the speed to assume as --flops-per-second"
    return speeds, "measured here, the fastest of a few updates of each model"


def update_times(run: TrainConfig, todo: Plan, corpus: Data, seconds: float) -> Iterator[float]:
    """Yield the wall time of update after update from the start of a run, for some seconds; the first warms up."""
    from scalinglaws.training.devices import open_device, using_threads
    from scalinglaws.training.loop import update
    from scalinglaws.training.state import start

    device, batches, end = open_device(run), task_of(run).batches(run, corpus), float("inf")
    with using_threads(run.threads):
        state = start(run, todo, device)
        for done in itertools.count():
            if done > _LEAST and time.perf_counter() > end:
                return
            begin = time.perf_counter()
            update(state, *device.put(batches(done % todo.steps)), clip=run.clip, microbatch=run.microbatch)
            device.synchronize()
            yield time.perf_counter() - begin
            if done == 0:
                end = time.perf_counter() + seconds
