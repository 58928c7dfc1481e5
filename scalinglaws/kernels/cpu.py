"""Runs on the processor: one Numba call per run and chunk, side by side in the caller's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels.bundle import Bundle
from scalinglaws.kernels.sgd import RUNNING, advance_run

__all__ = ["advance", "available", "fetch", "load"]

Map: TypeAlias = Callable[[Callable[[int], None], Iterable[int]], Iterable[Any]]


def available() -> bool:
    """Whether this backend can run here."""
    return True


def load(bundle: Bundle) -> Bundle:
    """Put a bundle where this backend computes."""
    return bundle


def fetch(array: Any) -> NDArray[Any]:
    """Bring an array of a loaded bundle back to NumPy."""
    return np.asarray(array)


def advance(
    bundle: Bundle,
    first: int,
    lr: NDArray[np.float64],
    batch: NDArray[np.int64],
    record: NDArray[np.int64],
    out: NDArray[np.float64],
    run_map: Map,
) -> None:
    """Take one chunk of updates in every run that is still going.

    Parameters
    ----------
    bundle
        From `load`; changed in place.
    first
        Number of updates done before this chunk.
    lr, batch
        Shape (problems, n): learning rate and batch of each update of the chunk.
    record
        Steps t in (first, first + n] after which the risk is kept, increasing.
    out
        Shape (runs, record.size), filled with the risks; inf for runs that have diverged.
    run_map
        `map`, or the `map` of a thread pool: calls a function for every run.
    """

    def advance_one(i: int) -> None:
        if bundle.status[i] != RUNNING:
            out[i] = np.inf
            return
        p = bundle.problem[i]
        error = bundle.error[bundle.error_at[i] : bundle.error_at[i + 1]]
        bundle.risk[i], bundle.status[i] = advance_run(
            error,
            bundle.eigenvalues[bundle.problem_at[p] : bundle.problem_at[p + 1]],
            np.empty_like(error),
            bundle.keys[i],
            first,
            lr[p],
            batch[p],
            record,
            out[i],
            bundle.risk[i],
            bundle.ceiling[i],
        )

    for _ in run_map(advance_one, range(bundle.risk.size)):
        pass
