"""How a CPU is used best: runs at once times threads each, by the tokens per second that all of them reach together.

Each way is tried with as many processes as it would have, on updates of the run in question. Processes start at
different moments, so what counts is what they did in the time in which all of them worked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scalinglaws._workers import cores, exit_with_parent, worker_pool
from scalinglaws.errors import InputError, require
from scalinglaws.training.checks import check_torch
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.ladder import Ladder
from scalinglaws.training.planning import plan
from scalinglaws.training.tasks import task_of

__all__ = ["Tuned", "joint_rate", "tune_threads", "ways"]

_SECONDS = 3.0
"""Time each process works, beyond what starting apart costs: half of it at least is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """One way to use the cores, and how fast it is.

    Attributes
    ----------
    workers, threads
        Runs at once, and threads of each.
    tokens_per_second
        Over all of them.
    """

    workers: int
    threads: int
    tokens_per_second: float


def ways(cores: int) -> list[tuple[int, int]]:
    """Return pairs of workers and threads that use the cores fully: threads in powers of two.

    Examples
    --------
    >>> ways(6)
    [(6, 1), (3, 2), (1, 4), (1, 6)]
    """
    powers = [2**i for i in range(cores.bit_length()) if 2**i <= cores]
    return [(cores // threads, threads) for threads in dict.fromkeys([*powers, cores])]


def tune_threads(ladder: Ladder, *, seconds: float = _SECONDS) -> list[Tuned]:
    """Time each way on the dearest run of a ladder, on the CPU; the fastest comes first.

    Parameters
    ----------
    seconds
        Time each process works in each way; starting it takes some more.

    Raises
    ------
    InputError
        If the ladder is described for another device, or the processes did not work at the same time.
    """
    check_torch()
    corpus = task_of(ladder.runs[0]).load(ladder.runs[0])
    run = max(ladder.runs, key=lambda r: plan(r, corpus).training_flops)
    require(run.device == "cpu", "device", run.device, "must be cpu: there are no threads to tune elsewhere")
    found = []
    for workers, threads in ways(cores()):
        with worker_pool(workers) as pool:
            tried = replace(run, threads=threads)
            futures = [pool.submit(_work, tried, seconds) for _ in range(workers)]
            rate = joint_rate([future.result() for future in futures], run.batch * run.seq_len)
        found.append(Tuned(workers=workers, threads=threads, tokens_per_second=rate))
    return sorted(found, key=lambda way: -way.tokens_per_second)


def joint_rate(ends: Sequence[Sequence[float]], tokens: int) -> float:
    """Return tokens per second over all processes in the time in which all of them worked.

    Parameters
    ----------
    ends
        For each process, the times at which its updates ended.
    tokens
        Tokens of one update.

    Examples
    --------
    >>> joint_rate([[0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]], tokens=10)
    30.0
    """
    first, last = max(times[0] for times in ends), min(times[-1] for times in ends)
    if last <= first:
        raise InputError("tuning: the processes did not work at the same time; the machine is too busy to compare ways")
    rate = 0.0
    for times in ends:
        inside = [t for t in times if first <= t <= last]
        rate += (len(inside) - 1) * tokens / (inside[-1] - inside[0]) if len(inside) > 1 else 0.0
    return rate


def _work(run: TrainConfig, seconds: float) -> list[float]:
    """Return the times at which updates ended."""
    from scalinglaws.training.estimating import update_times

    exit_with_parent()
    corpus = task_of(run).load(run)
    return [time.time() for _ in update_times(run, plan(run, corpus), corpus, seconds)]
