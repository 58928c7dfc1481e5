"""A schedule of rates and batches as piecewise Chebyshev series: what compiled code can evaluate anywhere.

Between two kinks (where a rate or a batch jumps or bends) a piece is halved until a short series represents
it to ten digits or more; what stays rough down to a few steps is kept step by step. A smooth schedule takes a
few panels for any number of steps; kinks that a schedule does not declare are found by the halving.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from scalinglaws.kernels.noise_block import Panels
from scalinglaws.optimizers import ResolvedSGD

__all__ = ["panels_of"]

Float = NDArray[np.float64]

TERMS = 13
"""Terms of a series."""
TAIL = 3
"""Last terms, which must be negligible."""
ABSOLUTE, RELATIVE = 1e-14, 1e-12
"""What is negligible: relative to the largest rate of all steps, or of the panel."""
ROUGH = 16
"""A panel of so few steps is kept step by step."""

_POINTS = np.cos(np.pi * (np.arange(TERMS) + 0.5) / TERMS)
_TO_SERIES = np.linalg.inv(chebyshev.chebvander(_POINTS, TERMS - 1)).T


def panels_of(opt: ResolvedSGD, last: int) -> Panels:
    """Tabulate the rate of the mean gradient and the batch for steps 0, ..., last.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.optimizers import SGD
    >>> opt = SGD(schedules.wsd(0.1, 10**6), batch=4).resolve(PLRF(alpha=1.0, beta=0.7, d=10))
    >>> panels = panels_of(opt, 10**6)
    >>> panels.edge[[0, -1]], panels.batch[0] * 0.1, panels.series[0].round(12)[:2]
    (array([      0., 1000001.]), np.float64(0.4), array([0.4, 0. ]))
    """
    kinks = _kinks(opt, last)
    begin, end = np.array(kinks[:-1], dtype=np.int64), np.array(kinks[1:], dtype=np.int64)
    starts: list[NDArray[np.int64]] = []
    rows: list[Float] = []
    largest = 0.0
    while begin.size:
        rough = end - begin <= ROUGH
        single = _each_step(begin[rough], end[rough])
        starts.append(single)
        rows.append(np.pad(_rate(opt, single)[:, None], ((0, 0), (0, TERMS - 1))))
        begin, end = begin[~rough], end[~rough]
        half = 0.5 * (end - 1 - begin)
        values = _rate(opt, (begin + half)[:, None] + half[:, None] * _POINTS)
        largest = max(largest, float(values.max(initial=0.0)))
        series = values @ _TO_SERIES
        allowed = ABSOLUTE * largest + RELATIVE * values.max(axis=1, initial=0.0)
        good = abs(series[:, -TAIL:]).max(axis=1, initial=0.0) <= allowed
        starts.append(begin[good])
        rows.append(np.where(abs(series[good]) > 1e-3 * allowed[good, None], series[good], 0.0))
        begin, end = begin[~good], end[~good]
        middle = begin + (end - begin) // 2
        begin, end = np.concatenate([begin, middle]), np.concatenate([middle, end])
    return _assemble(opt, np.concatenate(starts), np.concatenate(rows), kinks)


def _assemble(opt: ResolvedSGD, start: NDArray[np.int64], series: Float, kinks: list[int]) -> Panels:
    order = np.argsort(start)
    start, series = start[order], np.ascontiguousarray(series[order])
    terms = TERMS - np.argmax(series[:, ::-1] != 0.0, axis=1)
    return Panels(
        edge=np.append(start, kinks[-1]).astype(np.float64),
        kink=np.isin(start, kinks),
        batch=opt.batch_at(start).astype(np.float64),
        terms=np.where(series.any(axis=1), terms, 1).astype(np.int64),
        series=series,
    )


def _rate(opt: ResolvedSGD, step: NDArray[np.int64] | Float) -> Float:
    return np.asarray(opt.rate(step) * opt.batch_at(step), dtype=np.float64)


def _kinks(opt: ResolvedSGD, last: int) -> list[int]:
    declared = {*opt.schedule.kinks, *opt.batch.steps}
    return [0, *sorted(kink for kink in declared if 0 < kink <= last), last + 1]


def _each_step(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    if not begin.size:
        return begin
    return np.concatenate([np.arange(a, b) for a, b in zip(begin.tolist(), end.tolist(), strict=True)])
