"""Where the cells are computed: this process, worker processes here, or a Dask cluster that is there already."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from scalinglaws._workers import worker_pool
from scalinglaws.errors import InputError, require

__all__ = ["open_executor"]

_PATIENCE = 10.0
"""Seconds to wait for a scheduler to answer."""


@contextmanager
def open_executor(workers: int | None = None, scheduler: str | None = None) -> Iterator[Executor | None]:
    """Open what `sweep(executor=...)` takes, and close it at the end of the block.

    Parameters
    ----------
    workers
        Worker processes on this machine; 0 for one per core. One that dies is replaced and loses one cell.
    scheduler
        Address of a running Dask scheduler, "tcp://host:port". Its workers need this package at the same version and
        the module of the function, and no shared disk: results come back to this process.

    Yields
    ------
    Executor or None
        None, which stands for this process, when neither is given.

    Raises
    ------
    InputError
        If both are given, `workers` is negative, `distributed` is not installed, or no scheduler answers.

    Examples
    --------
    >>> from scalinglaws.sweep import grid, sweep
    >>> with open_executor(workers=1) as executor:
    ...     sweep(pow, grid(base=[2, 3], exp=2), executor=executor).values()
    [4, 9]
    """
    if scheduler is None:
        if workers is None:
            yield None
            return
        require(workers >= 0, "workers", workers, "must be 0, for one per core, or more")
        with worker_pool(workers or None) as pool:
            yield pool
        return
    require(workers is None, "workers", workers, "cannot be given together with scheduler")
    with _dask(scheduler) as executor:
        yield executor


@contextmanager
def _dask(scheduler: str) -> Iterator[Executor]:
    if importlib.util.find_spec("distributed") is None:
        raise InputError(
            "distributed is not installed, and scheduler= needs it: pip install 'scalinglaws[distributed]'"
        )
    from distributed import Client

    connect: Callable[..., Any] = Client  # it has no types
    try:
        client = connect(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler = {scheduler!r}: no Dask scheduler answers there") from error
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
