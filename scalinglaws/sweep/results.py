"""What a sweep returns: its cells in the order of the grid, read from the store when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from scalinglaws.errors import InputError
from scalinglaws.sweep.records import Failure, decode
from scalinglaws.sweep.specs import key_of, plain
from scalinglaws.sweep.store import Store

__all__ = ["Cell", "Job", "Results", "find"]


@dataclass(frozen=True, slots=True)
class Job:
    """A cell to compute: its key, its spec as the function gets it, and what its record says of itself."""

    key: str
    spec: Any
    about: dict[str, Any]

    @classmethod
    def of(cls, spec: Any, head: Mapping[str, Any]) -> Job:
        """Describe the cell of one spec."""
        flat = plain("spec", spec, specs=True)
        return cls(key_of(head, flat), spec, {**head, "spec": flat})


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a grid and what was computed there.

    Attributes
    ----------
    spec
        The spec, as it was given.
    value
        What the function returned: plain values (see `Results`) or an `xarray.Dataset`; None if it failed.
    failure
        Why there is no value, else None.
    """

    spec: Any
    value: Any = None
    failure: Failure | None = None


def find(store: Store, job: Job) -> Cell | None:
    """Read one cell; None if it is absent or damaged."""
    for record in store.get(job.key):
        try:
            found = decode(record, job.about)
        except Exception:  # damage shows as whatever the reader of the format meets first
            continue
        return Cell(job.spec, None, found) if isinstance(found, Failure) else Cell(job.spec, found)
    return None


class Results(Sequence[Cell]):
    """The cells of a sweep, in the order of its grid.

    Nothing is held but the specs: a cell is read from the store when it is asked for. Values are what JSON gives back
    (floats exactly, tuples and arrays as lists) or datasets, and are the same whether they were kept or not.

    Examples
    --------
    >>> from scalinglaws.sweep import grid, sweep
    >>> results = sweep(pow, grid(base=[2, 3], exp=2))
    >>> results[1].spec, results[1].value
    ({'base': 3, 'exp': 2}, 9)
    >>> results.values(), results.failed(), results.computed
    ([4, 9], [], 2)
    """

    def __init__(self, specs: Sequence[Any], job: Callable[[Any], Job], store: Store, *, computed: int) -> None:
        self._specs, self._job, self._store = specs, job, store
        self.computed = computed
        """Cells computed by this call; the others were in the store."""

    def __len__(self) -> int:
        return len(self._specs)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cell]: ...
    def __getitem__(self, index: int | slice) -> Cell | list[Cell]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        job = self._job(self._specs[index])
        cell = find(self._store, job)
        if cell is None:
            raise InputError(f"store: the file of cell {job.key} is gone or damaged; the next sweep computes it again")
        return cell

    def failed(self) -> list[Cell]:
        """Return the cells that have no value."""
        return [cell for cell in self if cell.failure is not None]

    def values(self) -> list[Any]:
        """Return the values of all cells.

        Raises
        ------
        InputError
            If a cell failed; the sentence says how many did, and quotes the first.
        """
        cells = list(self)
        failed = [cell for cell in cells if cell.failure is not None]
        if failed and (why := failed[0].failure) is not None:
            first = f"{failed[0].spec!r}: {why.error}: {why.sentence}"
            raise InputError(f"sweep: {len(failed)} of {len(self)} cells failed, the first at {first}")
        return [cell.value for cell in cells]
