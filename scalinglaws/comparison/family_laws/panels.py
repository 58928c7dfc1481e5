"""A run's learning rates as panels of updates, for integrating a flow along it: short where anything changes.

Panels grow in proportion to the updates since the start of training and since each kink of the schedule (a jump of
the rate or of its slope), from which the fast modes relax anew. They depend on the path alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.path import Path
from scalinglaws.kernels.volterra import NODES

__all__ = ["Panels"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_GROWTH = 1.3
"""A panel ends at most this many times as many updates after the last kink as it begins."""
_FIRST = 2
"""Updates of the first panel after a kink; the fastest mode of a stable run takes several to relax."""
_JUMP = 0.02
"""A rate that changes by this share of the peak in one update jumps."""
_BEND = 0.25
"""A slope that changes by this share of (peak rate / updates) in one update bends."""
_HALVED = 5
"""How often the last panel is halved towards its end."""
_MOST = 12
"""Kinks that are resolved, the largest first; a rate that jitters has many small ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panels:
    """Panels of one run and where its records lie in them; times are gradient-flow time, the sum of the rates.

    Parameters
    ----------
    pace
        Time that a whole panel would take at the rate of each stage, shape (panels, 3).
    rate, time
        Rate and time at each stage, shape (panels, 3).
    at
        Time of each record, shape (records,).
    mix
        Interpolates in a panel from its start and its three stages to each record, shape (records, 4).
    panel
        The panel of each record, shape (records,).
    """

    pace: Array
    rate: Array
    time: Array
    at: Array
    mix: Array
    panel: Index

    @classmethod
    def of(cls, path: Path, steps: Index) -> Panels:
        """Cut a path up to the last of its records, after `steps` updates.

        Examples
        --------
        >>> cut = Panels.of(Path(rate=np.full(1000, 0.1)), np.array([10, 1000]))
        >>> cut.time[-1, -1].round(9).item(), cut.panel[-1].item() == len(cut.rate) - 1
        (100.0, True)
        """
        last = int(steps[-1])
        edges = _edges(path, last)
        begin, length = edges[:-1], np.diff(edges).astype(np.float64)
        stage = begin[:, None] + length[:, None] * NODES
        rate = _rate_within(path, stage, begin, edges[1:])
        panel = np.searchsorted(edges, steps, side="left") - 1
        place = (steps - begin[panel]) / length[panel]
        return cls(
            pace=rate * length[:, None],
            rate=rate,
            time=path.tau_at(stage),
            at=path.tau_at(steps),
            mix=_interpolation(place),
            panel=panel,
        )

    def between(self, stages: Array) -> Array:
        """Interpolate functions that are zero at the start from stages (q, panels, 3) to records (q, records)."""
        start = np.concatenate([np.zeros((len(stages), 1)), stages[:, :-1, 2]], axis=1)
        around = np.concatenate([start[:, :, None], stages], axis=2)[:, self.panel]
        return np.asarray(np.einsum("trm,rm->tr", around, self.mix))


def _edges(path: Path, last: int) -> Index:
    kinks = _kinks(path.rate[:last])
    starts = np.append(0, kinks)
    ends = np.append(kinks, last)
    edges = np.concatenate([_graded(a, b) for a, b in zip(starts, ends, strict=True)])
    shrinking = last - (last - int(edges[-1])) // 2 ** np.arange(1, _HALVED + 1)  # a rate may fall to zero at the end
    return np.unique(np.concatenate([edges, shrinking, [last]]))


def _graded(first: int, last: int) -> Index:
    """Edges from `first` on, before `last`, in panels that grow."""
    edges = [first]
    while edges[-1] < last:
        edges.append(edges[-1] + max(_FIRST, int((_GROWTH - 1.0) * (edges[-1] - first))))
    return np.array([edge for edge in edges if edge < last], dtype=np.int64)


def _kinks(rate: Array) -> Index:
    """Find updates at which the rate or its slope jumps, sorted."""
    size = np.zeros(rate.size)
    change = np.diff(rate) / rate.max()
    size[1:] = np.abs(change) / _JUMP
    bend = np.abs(np.diff(change)) * rate.size / _BEND
    jumps = size[1:-1] >= 1.0
    size[1:-1] = np.maximum(size[1:-1], np.where(jumps | (size[2:] >= 1.0), 0.0, bend))
    return np.sort(np.argsort(size)[::-1][: min(_MOST, int(np.sum(size >= 1.0)))])


def _rate_within(path: Path, stage: Array, begin: Index, end: Index) -> Array:
    """Rates at stages, from updates of the same panel only: linear between the middles of updates."""
    at = np.clip(stage - 0.5, begin[:, None], end[:, None] - 1.0)
    return np.interp(at, np.arange(path.steps), path.rate)


def _interpolation(place: Array) -> Array:
    """Values at `place` in [0, 1] of the cubics that are 1 at one of (0, stages) and 0 at the others."""
    points = np.append(0.0, NODES)
    columns = []
    for i, point in enumerate(points):
        others = np.delete(points, i)
        columns.append(np.prod((place[:, None] - others) / (point - others), axis=1))
    return np.stack(columns, axis=1)
