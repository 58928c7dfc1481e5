"""Compute the cells of a grid that are not in the store yet, and survive what happens on the way.

How deaths are handled. When a worker dies, its executor may blame cells that only waited beside the guilty one (a
process pool blames all of them, a Dask scheduler all that were on that worker). So every blamed cell becomes a
suspect, and suspects are run at the end, one at a time with nothing beside them: then the blame is certain, and a
cell that died for want of memory has all of it.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from scalinglaws._progress import Progress, Report, silent
from scalinglaws.errors import InputError, require
from scalinglaws.sweep.records import Failure, Record, compute, encode_failure
from scalinglaws.sweep.results import Job, Results, find
from scalinglaws.sweep.specs import VERSION, header, name_of, refuse
from scalinglaws.sweep.store import FolderStore, MemoryStore, Store

__all__ = ["sweep"]

Keep = Callable[[Job, Record], None]


def sweep(
    function: Callable[..., Any],
    grid: Sequence[Any],
    *,
    store: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    retries: int = 1,
    retry_failed: bool = False,
    in_flight: int = 256,
    report: Report = silent,
) -> Results:
    """Compute a function at every cell of a grid, once, wherever there is room.

    Parameters
    ----------
    function
        A function at the top of a module, or `functools.partial` of one. A spec that is a mapping is given to it as
        keywords, any other as its one argument. If it has a parameter `rng`, it gets a `numpy.random.Generator` made
        from the spec alone. It returns plain values (numbers, text, lists, dicts, arrays) or an `xarray.Dataset`.
    grid
        The specs: mappings of plain values and objects with `to_dict` (see `grid`), or such objects themselves.
    store
        Folder that keeps one file for each cell, written as the cell finishes. Called again with the same folder, only
        what is missing or damaged is computed. The name of a file is a hash of the spec, the function's name and bound
        arguments, and the version of this package; so start another folder when you change what the function does.
    executor
        Any `concurrent.futures.Executor`, such as `open_executor` gives; by default the cells follow one another in
        this process. Values do not depend on it.
    retries
        Times a cell is run again, alone, after a worker died with it.
    retry_failed
        Whether cells that the store knows as failed are computed again.
    in_flight
        Cells handed to the executor at once; twice the number of its workers keeps them all busy.
    report
        Told how many cells of how many are done.

    Returns
    -------
    Results
        The cells in the order of the grid. One that raised, or whose worker died every time, holds a `Failure`.

    Raises
    ------
    InputError
        If the function cannot be named or sent to the workers, a spec is not made of plain values, or the executor is
        lost; what was finished until then is in the store.

    Notes
    -----
    The number of BLAS threads may change the last bits of a matrix product. Where results must be identical bit for
    bit on any machine, let all processes use one (`OMP_NUM_THREADS=1`), which is also faster with several workers.

    Examples
    --------
    >>> import tempfile
    >>> from scalinglaws.sweep import grid
    >>> folder = tempfile.mkdtemp()
    >>> sweep(divmod, [{"x": 1}], store=folder)[0].failure
    Failure(error='TypeError', sentence='divmod() takes no keyword arguments')
    >>> sweep(pow, grid(base=[2, 3], exp=2), store=folder).values()
    [4, 9]
    >>> sweep(pow, grid(base=[2, 3, 4], exp=2), store=folder).computed
    1
    """
    require(retries >= 0, "retries", retries, "must be 0 or more")
    require(in_flight >= 1, "in_flight", in_flight, "must be 1 or more")
    shelf: Store = MemoryStore() if store is None else FolderStore(store)
    describe = partial(_describe, head=header(function))
    missing = _missing(grid, describe, shelf, retry_failed=retry_failed)
    board = _Board(name_of(function), total=len(grid), done=len(grid) - sum(map(len, missing.values())), report=report)

    def keep(job: Job, record: Record) -> None:
        shelf.put(job.key, record)
        board.add(len(missing[job.key]))

    jobs = (describe(grid[places[0]]) for places in missing.values())
    if executor is None:
        for job in jobs:
            keep(job, compute(function, job.spec, job.about))
    else:
        _Spread(function, executor, keep, retries).run(jobs, in_flight)
    return Results(grid, describe, shelf, computed=len(missing))


def _describe(spec: Any, head: Mapping[str, Any]) -> Job:
    return Job.of(spec, head)


def _missing(
    grid: Sequence[Any], describe: Callable[[Any], Job], store: Store, *, retry_failed: bool
) -> dict[str, list[int]]:
    """Key -> places in the grid of the cells to compute."""
    missing: dict[str, list[int]] = {}
    present: set[str] = set()
    for place, spec in enumerate(grid):
        job = describe(spec)
        if job.key in present:
            continue
        if job.key not in missing:
            cell = find(store, job)
            if cell is not None and not (retry_failed and cell.failure):
                present.add(job.key)
                continue
        missing.setdefault(job.key, []).append(place)
    return missing


class _Board:
    """Counts the cells that are done and tells the number."""

    def __init__(self, label: str, *, total: int, done: int, report: Report) -> None:
        self._label, self._total, self._done, self._report = label, total, done, report
        self.add(0)

    def add(self, cells: int) -> None:
        """Note that some more cells are done."""
        self._done += cells
        item = min(self._done + 1, self._total)
        self._report(Progress(label=self._label, item=item, items=self._total, done=self._done, total=self._total))


class _Spread:
    """Hands cells to an executor, a bounded number at a time, and keeps what comes back."""

    def __init__(self, function: Callable[..., Any], executor: Executor, keep: Keep, retries: int) -> None:
        self._function, self._executor, self._keep, self._retries = function, executor, keep, retries
        self._waiting: dict[Future[Record], Job] = {}
        self._ended: SimpleQueue[Future[Record]] = SimpleQueue()
        self._suspects: deque[Job] = deque()
        self._deaths: Counter[str] = Counter()

    def run(self, jobs: Iterator[Job], in_flight: int) -> None:
        """Compute all jobs, then the suspects one at a time."""
        try:
            for job in jobs:
                self._submit(job)
                while len(self._waiting) >= in_flight:
                    self._collect()
            while self._waiting or self._suspects:
                if not self._waiting:
                    self._submit(self._suspects.popleft())
                self._collect()
        finally:
            for future in list(self._waiting):
                future.cancel()

    def _submit(self, job: Job) -> None:
        try:
            future = self._executor.submit(_compute_there, self._function, job.spec, job.about, VERSION)
        except BrokenExecutor as error:
            raise InputError(
                f"executor = {self._executor!r}: is broken because a worker died, and starts no other; "
                "use scalinglaws.sweep.open_executor(workers=...), which does"
            ) from error
        except Exception as error:
            raise refuse(self._function, error) from error
        self._waiting[future] = job
        future.add_done_callback(self._ended.put)

    def _collect(self) -> None:
        """Wait for one cell and keep its record, or suspect it."""
        future = self._ended.get()
        job = self._waiting.pop(future)
        if future.cancelled():
            raise InputError(f"executor = {self._executor!r}: was lost, or shut down before the sweep had ended")
        error = future.exception()
        if error is None:
            self._keep(job, future.result())
        elif not _is_death(error):
            raise error if isinstance(error, InputError) else refuse(self._function, error) from error
        else:
            self._suspect(job)

    def _suspect(self, job: Job) -> None:
        self._deaths[job.key] += 1
        if self._deaths[job.key] <= self._retries:
            self._suspects.append(job)
            return
        sentence = f"the worker process died {self._deaths[job.key]} times with this cell"
        self._keep(job, encode_failure(job.about, Failure("WorkerDied", sentence)))


def _is_death(error: BaseException) -> bool:
    # Dask's is told by its name: a sweep on another executor must not need Dask.
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _compute_there(function: Callable[..., Any], spec: Any, about: Mapping[str, Any], wanted: str) -> Record:
    if (found := VERSION) != wanted:
        raise InputError(f"executor: a worker has scalinglaws {found}, and this process has {wanted}")
    return compute(function, spec, about)
