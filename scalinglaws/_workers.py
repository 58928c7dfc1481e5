"""Processes that work for this one: each does many tasks, dies alone, and never outlives the one that asked for it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection, wait
from queue import LifoQueue
from typing import Any, ParamSpec, TypeVar

from scalinglaws.errors import InputError

__all__ = ["cores", "exit_with_parent", "worker_pool"]

P = ParamSpec("P")
T = TypeVar("T")

_STARTS = 3
"""Times a worker may die while it starts before the whole pool gives up."""


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[Executor]:
    """Open a pool of processes, one task on one core each.

    Parameters
    ----------
    workers
        Processes; by default as many as there are cores to run on.

    Notes
    -----
    A worker that dies takes one task with it: its future raises `concurrent.futures.BrokenExecutor`, a new worker
    takes the place of the dead one, and every other task goes on.

    An error or Ctrl-C inside the block ends the workers at once, and so does the death of this process however it
    dies: they hold one end of a pipe whose other end only this process has. The pool starts fresh interpreters, so a
    script that uses it needs the usual `if __name__ == "__main__":`.

    Examples
    --------
    >>> with worker_pool(1) as pool:
    ...     pool.submit(abs, -3).result()
    3
    """
    watched, lifeline = multiprocessing.get_context("spawn").Pipe(duplex=False)
    pool = _Workers(workers or cores(), watched)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # first, or the queue would revive the workers that end here
        lifeline.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        lifeline.close()
        watched.close()


def cores() -> int:
    """Count the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Workers(Executor):
    """Pools of one process each, so that a death says which task it was and breaks nothing else."""

    def __init__(self, workers: int, watched: Connection) -> None:
        self._watched = watched
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._idle: LifoQueue[ProcessPoolExecutor | None] = LifoQueue()  # the last one used first: it is warm
        for _ in range(workers):
            self._idle.put(None)  # started when first needed
        self._starting = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in the first worker that is free."""
        # Packed here: what a worker cannot unpack inside a pool's own queue would look like its death.
        return self._threads.submit(self._run, pickle.dumps((fn, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the tasks that run end, then the workers; without `wait`, only take no more tasks."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        while wait and not self._idle.empty():  # all are idle only once every thread has ended
            if (worker := self._idle.get()) is not None:
                worker.shutdown()

    def _run(self, task: bytes) -> Any:
        worker = self._idle.get()
        try:
            try:
                future = worker.submit(_unpack, task) if worker else None
            except BrokenExecutor:  # killed while it was idle: no fault of this task
                future = None
            if worker is None or future is None:
                worker = self._start()
                future = worker.submit(_unpack, task)
            return future.result()
        except BrokenExecutor:
            worker = None
            raise
        finally:
            self._idle.put(worker)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        for _ in range(_STARTS):
            worker = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker, initargs=(self._watched,))
            try:
                with self._starting:
                    ready = worker.submit(int)
                ready.result()
                return worker
            except BrokenExecutor:
                worker.shutdown()
        raise InputError(
            "workers: a process ends while it starts; does the script keep its work under if __name__ == '__main__'?"
        )


def _unpack(task: bytes) -> Any:
    fn, args, kwargs = pickle.loads(task)
    return fn(*args, **kwargs)


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
