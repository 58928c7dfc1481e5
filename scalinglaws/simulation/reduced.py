"""SGD in the eigenbasis of its features, chunk by chunk: what `simulate` runs unless asked otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from scalinglaws._progress import Progress, Report
from scalinglaws.kernels.bundle import Bundle, Problem, pack
from scalinglaws.optimizers import ResolvedSGD

__all__ = ["CEILING", "run"]

CEILING = 1e50
"""A run has diverged when its risk exceeds this many times its first value: no excursion comes back from
there, and squares are still far from overflow."""

_CHUNK_UPDATES = 2**23  # mode updates of a run in one call: about 40 ms on one core
_LONGEST_CHUNK = 2**18  # steps, so that a chunk's rates and batches stay small for tiny models


def run(
    problems: Sequence[Problem],
    optimizers: Sequence[ResolvedSGD],
    steps: NDArray[np.int64],
    *,
    backend: ModuleType,
    workers: int,
    progress: Report,
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Simulate every replicate of every problem.

    Returns
    -------
    Risks of shape (runs, steps), the runs of the first problem first, and a status code for each run.
    """
    bundle: Bundle = backend.load(pack(problems, CEILING))
    risk = np.empty((bundle.risk.size, steps.size))
    done = int(steps[0] == 0)
    if done:
        risk[:, 0] = backend.fetch(bundle.risk)
    with ThreadPoolExecutor(workers) as pool:
        for first, last in _chunks(int(steps[-1]), max(p.rho.size for p in problems)):
            at = np.arange(first, last)
            upto = int(np.searchsorted(steps, last, side="right"))
            lr = np.stack([np.broadcast_to(o.rate(at), at.shape) for o in optimizers])
            batch = np.stack([np.broadcast_to(o.batch_at(at), at.shape) for o in optimizers])
            out = np.empty((risk.shape[0], upto - done))
            backend.advance(bundle, first, lr, batch, steps[done:upto], out, pool.map)
            risk[:, done:upto] = out
            done = upto
            progress(Progress(label="simulate", item=1, items=1, done=last, total=float(steps[-1])))
    return risk, backend.fetch(bundle.status)


def _chunks(steps: int, modes: int) -> Iterator[tuple[int, int]]:
    length = int(np.clip(_CHUNK_UPDATES // modes, 1, _LONGEST_CHUNK))
    for first in range(0, steps, length):
        yield first, min(first + length, steps)
