"""A run's learning rates as stretches between records, and each stretch as blocks of updates of one rate.

Blocks are short where a record is near: a block that ends d updates before its record spans at most d / 16 of them.
Jumps are never inside a block, so what a block's mean rate leaves out is the slow change of the rate over it: to second
order in 1 / 16. Stretches are cut between records too, so that what is
smooth in the logarithm of time is a short polynomial on each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from scalinglaws.comparison.path import Path

__all__ = ["NODES", "Stretches"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NODES = 4
"""Interpolation points of a stretch."""

_GROWTH = 1.25
"""A stretch ends at most this many times as many updates after the start of training as it begins."""
_NEAR = 16
"""A block is this many times shorter than its distance from the end of its stretch."""
_JUMP = 1e-3
"""A rate that changes by this share of the peak from one update to the next begins a block."""

_POINTS = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_POINTS, NODES - 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """Blocks of one run.

    Parameters
    ----------
    rate, count
        Mean rate and number of updates of each block, shape (blocks,).
    stop
        Index of the first block after each stretch, shape (stretches,).
    basis
        The interpolating polynomials of a stretch's nodes at the middle of each block, shape (blocks, NODES).
    nodes
        Gradient-flow time of the nodes, shape (stretches, NODES).
    record
        The stretch that ends at each record, shape (records,).
    """

    rate: Array
    count: Array
    stop: Index
    basis: Array
    nodes: Array
    record: Index

    @classmethod
    def of(cls, path: Path, steps: Index) -> Stretches:
        """Cut a path at records after `steps` updates, increasing.

        Examples
        --------
        >>> cut = Stretches.of(Path(rate=np.repeat([0.3, 0.1], [50, 50])), np.array([40, 100]))
        >>> cut.record.size, cut.count.sum().item(), (cut.rate @ cut.count).round(9).item()
        (2, 100.0, 20.0)
        """
        ends = np.unique(np.append(_growing(int(steps[-1])), steps))
        edges = _block_edges(path, ends)
        tau = path.tau[edges]
        count = np.diff(edges).astype(np.float64)
        stop = np.searchsorted(edges, ends)
        begin = np.append(0, stop[:-1])
        half = 0.5 * (tau[stop] - tau[begin])
        middle = 0.5 * (tau[stop] + tau[begin])
        owner = np.repeat(np.arange(ends.size), stop - begin)
        width = np.where(half > 0.0, half, 1.0)
        place = (0.5 * (tau[1:] + tau[:-1]) - middle[owner]) / width[owner]
        return cls(
            rate=np.diff(tau) / count,
            count=count,
            stop=stop,
            basis=np.ascontiguousarray(chebyshev.chebvander(place, NODES - 1) @ _TO_SERIES),
            nodes=middle[:, None] + half[:, None] * _POINTS,
            record=np.searchsorted(ends, steps),
        )


def _growing(last: int) -> Index:
    """Place ends of stretches that grow in proportion to the updates done."""
    count = int(np.log(last) / np.log(_GROWTH)) + 1
    return np.unique(np.append(np.rint(_GROWTH ** np.arange(count)), [1.0, last])).astype(np.int64)


def _block_edges(path: Path, ends: Index) -> Index:
    change = np.diff(path.rate[: ends[-1]])
    jumps = np.flatnonzero(np.abs(change) > _JUMP * path.peak) + 1
    lengths = np.diff(ends, prepend=0)
    graded = [end - _distances(length) for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]
    return np.unique(np.concatenate([[0], ends, jumps, *graded]))


def _distances(length: int) -> Index:
    """Distances from the end of a stretch at which a block begins or ends."""
    near = np.arange(1, min(_NEAR, length))
    if length <= _NEAR:
        return near
    count = int(np.log(length / _NEAR) / np.log1p(1.0 / _NEAR)) + 1
    far = np.floor(_NEAR * (1.0 + 1.0 / _NEAR) ** np.arange(count)).astype(np.int64)
    return np.append(near, far[far < length])
