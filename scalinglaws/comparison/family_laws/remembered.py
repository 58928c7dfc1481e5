"""What a law computes from a path alone, kept while fits need it: once per schedule, whatever the parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.path import Path

__all__ = ["once_per_group"]

T = TypeVar("T")
Index = NDArray[np.int64]

_KEPT = 160
"""Pairs of path and records that are kept for families cut from each other, the last used ones."""


def once_per_group(make: Callable[[Path, Index], T]) -> Callable[[FamilyCurves], list[T]]:
    """Give every group of a family (seeds of one size, batch and schedule) what `make` returns for its path and steps.

    Equal paths with equal steps share one result, over groups and over families cut from each other, such as those of
    a bootstrap.

    Examples
    --------
    >>> calls = []
    >>> longest = once_per_group(lambda path, steps: calls.append(path) or int(steps[-1]))
    >>> path = Path(rate=np.full(100, 0.1))
    >>> curves = FamilyCurves.of([path, path, path], [1e6, 1e6, 4e6], [[50], [100], [100]])
    >>> longest(curves), longest(curves), len(calls)
    ([100, 100], [100, 100], 2)
    """
    by_family: WeakKeyDictionary[FamilyCurves, list[T]] = WeakKeyDictionary()
    by_path: OrderedDict[bytes, T] = OrderedDict()

    def of(path: Path, steps: Index) -> T:
        key = blake2b(path.rate.tobytes() + b"|" + steps.tobytes()).digest()
        if key not in by_path:
            by_path[key] = make(path, steps)
            if len(by_path) > _KEPT:
                by_path.popitem(last=False)
        by_path.move_to_end(key)
        return by_path[key]

    def all_groups(curves: FamilyCurves) -> list[T]:
        if curves not in by_family:
            distinct = curves.distinct
            runs = distinct.runs.tolist()
            by_family[curves] = [of(curves.paths[r], steps) for r, steps in zip(runs, distinct.steps, strict=True)]
        return by_family[curves]

    return all_groups
