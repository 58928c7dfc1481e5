r"""How long gradient noise remembers a schedule.

A problem with a power-law spectrum has no relaxation time of its own: at gradient-flow time tau the modes that are
just relaxing are those with 1/h near tau, so that what depends on the state of the network follows the rate at a pace
c / tau, as in a glass that ages. In linear response the fall of the rate f = eta - eta' acts through

    dx / d ln tau = c (f - x),      x(tau) = int_0^tau f(s) d (s / tau)^c,

the mean of the fall over the run so far with weight s^(c-1): its mean age is tau / (c + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.comparison.path import Path

__all__ = ["Memory"]

Array = NDArray[np.float64]

_CELLS = 512
"""Cells between the first fall and the last record, at least; the fall is averaged in each of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """The fall of a rate up to some records, in cells of gradient-flow time.

    Parameters
    ----------
    tau
        Edges of the cells, not decreasing, shape (cells + 1,).
    fall
        Mean fall in each cell, shape (cells,); zero before the first edge.
    at
        Index of the edge of each record, shape (n,).
    """

    tau: Array
    fall: Array
    at: NDArray[np.int64]

    @classmethod
    def of(cls, path: Path, fall: ArrayLike, steps: ArrayLike, first: int) -> Memory:
        """Average the fall of every update into cells.

        Parameters
        ----------
        path
            The rates.
        fall
            Fall during each update, shape (path.steps,).
        steps
            Records, updates done.
        first
            Update before which the fall is zero.

        Examples
        --------
        >>> path = Path(rate=[1.0, 1.0, 0.5, 0.5])
        >>> Memory.of(path, 1.0 - path.rate, [4], 2).response(1.0).round(4).tolist()
        [0.1667]
        """
        at = np.asarray(steps, dtype=np.int64)
        last = int(at.max())
        first = min(first, last)
        edges = np.unique(np.concatenate([np.linspace(first, last, _CELLS + 1).astype(np.int64), at]))
        whole = np.append(0.0, np.cumsum(np.asarray(fall, dtype=np.float64) * path.rate))
        whole = whole - whole[min(first, path.steps)]
        whole[:first] = 0.0  # records before the first fall
        spent = np.diff(path.tau[edges])
        mean = np.divide(np.diff(whole[edges]), spent, out=np.zeros(spent.shape), where=spent > 0)
        return cls(tau=path.tau[edges], fall=mean, at=np.searchsorted(edges, at))

    def response(self, pace: float) -> Array:
        """Return x at the records, shape (n,), for the pace c > 0."""
        with np.errstate(divide="ignore", under="ignore"):
            weight = np.exp(pace * np.log(self.tau / self.tau[-1]))
        summed = np.append(0.0, np.cumsum(self.fall * np.diff(weight)))
        return np.asarray(np.divide(summed, weight, out=np.zeros(weight.shape), where=weight > 0)[self.at])
