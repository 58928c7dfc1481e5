"""The bootstrap over seeds: whole runs redrawn within their size, sizes taken as they are.

Two corrections make Delta, sigma and what follows from them come out right on average. A resample of n seeds has
(n - 1)/n of their variance, a fifth less with five: curves are spread about the mean of their size by sqrt(n/(n - 1))
before they are redrawn. And the means of the sizes differ by noise already, to which a resample adds the same again:
`calmed` moves them together by as much. A run keeps its curve and its end: their correlation is what makes collapse
work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.deviation import normalise
from scalinglaws.comparison.collapsing.family import Family

__all__ = ["SeedBootstrap", "calmed", "redraw", "spread"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedBootstrap:
    """Resamples of a family in which every size has two seeds or more.

    Parameters
    ----------
    loss
        Curves spread about the means of their sizes, shape (runs, x); the last column is the end.
    index
        Which run stands in the place of each, shape (replicates, runs).
    """

    loss: Array
    index: NDArray[np.int64]

    @classmethod
    def of(cls, family: Family, replicates: int, rng: int) -> SeedBootstrap | None:
        """Draw the resamples, or return None where a size has a single seed."""
        if family.seeds.min() < 2:
            return None
        generator = np.random.default_rng(rng)
        index = redraw(family.group, replicates, generator)
        return cls(loss=spread(family.loss, family.group), index=index)

    def around(self, family: Family, floors: Array, irreducible: float) -> SeedBootstrap:
        """Return the same resamples of curves whose sizes differ by no more than noise leaves; see `calmed`."""
        factor = calmed(family, floors, irreducible)[family.group]
        return SeedBootstrap(
            loss=spread(irreducible + (family.loss - irreducible) * factor, family.group), index=self.index
        )

    def finals(self) -> Array:
        """Return the final losses of every resample, shape (replicates, runs)."""
        return np.asarray(self.loss[self.index, -1])

    def __iter__(self) -> Iterator[Array]:
        """Yield the curves of one resample after another, each of shape (runs, x)."""
        for row in self.index:
            yield self.loss[row]


def calmed(family: Family, floors: Array, irreducible: float) -> Array:
    """Return the factor on the reducible loss of each size that takes noise out of the spread of the sizes.

    The means of ell over the seeds of a size vary by V = tau^2 + s^2/n + (what an error of Lhat does). Each is moved
    towards their common mean so that V loses the last two, and never beyond it.

    Parameters
    ----------
    family
        The curves.
    floors
        Draws of Lhat, shape (replicates,).
    irreducible
        Lhat.

    Returns
    -------
        Shape (sizes, x); 1 at the end, where every ell is 1.
    """
    ell = normalise(family.loss, family.final, irreducible)
    member = np.equal.outer(np.arange(family.sizes.size), family.group) / family.seeds[:, None]
    means = member @ ell
    common = means.mean(axis=0)
    left = ell - means[family.group]
    freedom = family.group.size - family.sizes.size
    seeds = np.sum(left**2, axis=0) / freedom * np.mean(1.0 / family.seeds)
    shift = member @ normalise(family.loss, family.final, irreducible - 1e-3) - means
    error = np.mean((floors - irreducible) ** 2) / 1e-6 * np.var(shift, axis=0)
    observed = np.var(means, axis=0, ddof=1) if family.sizes.size > 1 else np.zeros_like(common)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(observed > 0, np.sqrt(np.maximum(1.0 - (seeds + error) / observed, 0.0)), 0.0)
        factor = (common + kept * (means - common)) / means
    return np.asarray(np.where(np.isfinite(factor), factor, 1.0))


def spread(curves: Array, group: NDArray[np.int64]) -> Array:
    """Move curves away from the mean of their group by sqrt(n/(n - 1)); a group of one stays.

    Examples
    --------
    >>> spread(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).round(3).tolist()
    [[0.586], [3.414], [5.0]]
    """
    out = np.array(curves, dtype=np.float64)
    for k in range(int(group.max()) + 1):
        member = group == k
        n = int(member.sum())
        if n > 1:
            mean = curves[member].mean(axis=0)
            out[member] = mean + np.sqrt(n / (n - 1)) * (curves[member] - mean)
    return out


def redraw(group: NDArray[np.int64], replicates: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw, for every run, a run of the same group with replacement; shape (replicates, runs).

    Examples
    --------
    >>> index = redraw(np.array([0, 0, 1]), 100, np.random.default_rng(0))
    >>> sorted(set(index[:, 0].tolist())), sorted(set(index[:, 2].tolist()))
    ([0, 1], [2])
    """
    index = np.empty((replicates, group.size), dtype=np.int64)
    for k in range(int(group.max()) + 1):
        member = np.flatnonzero(group == k)
        index[:, member] = generator.choice(member, size=(replicates, member.size))
    return index
