"""Processes that train, and that never outlive the one that asked for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["exit_with_parent", "worker_pool"]


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[Executor]:
    """Open a pool of processes for `train_ladder`, one run on one core each.

    Parameters
    ----------
    workers
        Processes; by default as many as there are cores to run on.

    Notes
    -----
    An error or Ctrl-C inside the block ends the workers at once, and so does the death of this process however it
    dies: they hold one end of a pipe whose other end only this process has. Checkpoints are atomic, so nothing
    is lost but the seconds since the last. The pool starts fresh interpreters, so a script that uses it
    needs the usual `if __name__ == "__main__":`.

    Examples
    --------
    >>> with worker_pool(1) as pool:
    ...     pool.submit(abs, -3).result()
    3
    """
    context = multiprocessing.get_context("spawn")
    watched, lifeline = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers or _cores(), mp_context=context, initializer=_start_worker, initargs=(watched,))
    try:
        yield pool
    except BaseException:
        lifeline.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        lifeline.close()
        watched.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(watched: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends Ctrl-C to all; the parent decides for all
    _exit_when(watched)


@cache
def exit_with_parent() -> None:
    """Make this process end as soon as the process that started it has, if `multiprocessing` started it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _exit_when(parent.sentinel)


def _exit_when(ready: Any) -> None:
    def watch() -> None:
        wait([ready])
        os._exit(1)  # not sys.exit: the main thread may be deep in an update, and files are atomic anyway

    threading.Thread(target=watch, daemon=True, name="follow-parent").start()
