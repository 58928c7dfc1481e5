"""Does one size fall out of the family, or do all of them drift? Differences between the mean curves of sizes.

Each run is reduced to its relative distance from the family's mean curve in three bands of x, away from the end where
all curves are 1 by construction. Two questions are asked of the mean over the seeds of each size:

- `odd_sizes`: is one size further from what the *other* sizes say about it (a line in log N through them) than seeds
  and the spread of the others explain? An externally studentised residual per size and band, Bonferroni over all of
  them; then the same for every pair against the rest, since two bad sizes hide behind each other. What is found is
  set aside and the rest is asked again.
- `drift`: do the curves move steadily with size? That is no single size's fault: the horizon exponent, the
  irreducible loss or the transfer of the learning rate is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scalinglaws.comparison.collapsing.family import Family

__all__ = ["BANDS", "Drift", "Odd", "OddSizes", "band_levels", "drift_over_sizes", "odd_sizes"]

Array = NDArray[np.float64]

BANDS = {"early": (0.05, 0.25), "middle": (0.25, 0.6), "late": (0.6, 0.95)}
"""Where curves are compared, in x."""

ALPHA = 0.01
"""Chance of naming any size in a family without a fault."""

FLOOR = 1e-3
"""Differences of the reducible loss below 0.1 % are never held against a size."""

_LINE = 6  # sizes from which the others determine a line; below, their mean
_FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One size against the others that are not odd themselves.

    Parameters
    ----------
    size
        Index into the sizes of the family.
    difference
        Relative difference of its mean curve from what the others predict for it, by band.
    score
        The same in standard errors.
    threshold
        Score that counts, by band.
    """

    size: int
    difference: tuple[float, ...]
    score: tuple[float, ...]
    threshold: tuple[float, ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in which the size is off."""
        return tuple(
            name
            for name, d, s, t in zip(BANDS, self.difference, self.score, self.threshold, strict=True)
            if abs(s) > t and abs(d) >= FLOOR
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OddSizes:
    """Answer of `odd_sizes`.

    Parameters
    ----------
    found
        The sizes that are off.
    majority
        Whether two thirds of the sizes share a curve; no size is named otherwise.
    furthest
        Of the sizes that are not off the one closest to its thresholds, with its numbers.
    untold
        Why nothing could be asked, or "".
    """

    found: tuple[Odd, ...] = ()
    majority: bool = True
    furthest: Odd | None = None
    untold: str = ""


class Drift(NamedTuple):
    """Change of the normalised curves from the smallest to the largest size by band, relative, with a 99 % margin.

    `spread` is its standard deviation over the sizes, to be held against sigma.
    """

    change: tuple[float, ...]
    margin: tuple[float, ...]
    spread: tuple[float, ...]


class _Moments(NamedTuple):
    """Means over seeds (sizes, bands), variance of one run (bands,), and its degrees of freedom."""

    means: Array
    noise: Array
    dof: int


def band_levels(ell: Array, x: Array, group: NDArray[np.int64]) -> Array:
    """Return the mean over each band of ell / (mean curve of the sizes) - 1, shape (runs, bands).

    Parameters
    ----------
    ell
        Normalised curves, shape (runs, x); points where any curve is NaN are left out.
    x
        The grid.
    group
        Index of the size of each run.
    """
    count = np.bincount(group)
    mean = (np.equal.outer(np.arange(count.size), group) / count[:, None] @ ell).mean(axis=0)
    relative = ell / mean - 1.0
    known = np.isfinite(mean)
    columns = [known & (x >= low) & (x <= high) for low, high in BANDS.values()]
    return np.stack([relative[:, c].mean(axis=1) if c.any() else np.full(len(ell), np.nan) for c in columns], axis=1)


def odd_sizes(levels: Array, family: Family) -> OddSizes:
    """Find the sizes that fall out of the family.

    Parameters
    ----------
    levels
        From `band_levels`.
    family
        For the sizes and their seeds.
    """
    sizes = family.sizes.size
    if sizes < _FEWEST:
        return OddSizes(untold=f"with {sizes} sizes none can be told from the others")
    moments = _by_size(levels, family)
    inside = list(range(sizes))
    while worst := _worst(inside, moments, family):
        inside = [p for p in inside if p not in worst]
    out = [p for p in range(sizes) if p not in inside]
    if 3 * len(out) > sizes:
        return OddSizes(majority=False)
    found = [_compare(p, inside, moments, family, sizes) for p in out]
    rest = [_compare(p, [q for q in inside if q != p], moments, family, sizes) for p in inside]
    return OddSizes(found=tuple(o for o in found if o.bands), furthest=max(rest, key=_excess))


def _worst(inside: list[int], moments: _Moments, family: Family) -> tuple[int, ...]:
    """Return the size, or else the pair, that is furthest beyond its thresholds against the rest; () if none is."""
    for together in (1, 2):
        if len(inside) - together < _FEWEST - 1:
            break
        tests = comb(len(inside), together) * together
        trials = []
        for few in combinations(inside, together):
            rest = [q for q in inside if q not in few]
            trials.append((min(_excess(_compare(p, rest, moments, family, tests)) for p in few), few))
        ratio, worst = max(trials)
        if ratio > 1.0:
            return worst
    return ()


def _excess(odd: Odd) -> float:
    ratios = [
        abs(s) / t if abs(d) >= FLOOR else 0.0 for d, s, t in zip(odd.difference, odd.score, odd.threshold, strict=True)
    ]
    return max(ratios)


def _by_size(levels: Array, family: Family) -> _Moments:
    """Take means over seeds and the pooled variance within sizes."""
    seeds = family.seeds
    means = np.stack([levels[family.group == p].mean(axis=0) for p in range(seeds.size)])
    dof = int(np.sum(seeds - 1))
    left = levels - means[family.group]
    return _Moments(means, np.sum(left**2, axis=0) / max(dof, 1), dof)


def _compare(p: int, others: list[int], moments: _Moments, family: Family, tests: int) -> Odd:
    """Hold one size against a line in log N (or the mean) through others, as one of so many tests."""
    means, noise, dof = moments
    log_n = np.log(family.sizes)
    terms = 2 if len(others) + 1 >= _LINE else 1
    design = np.stack([np.ones(len(others)), log_n[others] - log_n[others].mean()][:terms], axis=1)
    here = np.array([1.0, log_n[p] - log_n[others].mean()][:terms])
    weights = np.linalg.pinv(design)
    left = means[others] - design @ (weights @ means[others])
    free = len(others) - terms
    around = np.sum(left**2, axis=0) / free
    leverage = float(np.sum((here @ weights) ** 2))
    seed_error = noise / family.seeds[others].mean()
    expected = noise * (1.0 / family.seeds[p] + leverage * np.mean(1.0 / family.seeds[others]))
    variance = np.maximum(around * (1.0 + leverage), expected)
    more_than_seeds = around > seed_error * (special.fdtri(free, dof, 0.95) if dof else 0.0)
    tail = 1.0 - 0.25 * ALPHA / (tests * len(BANDS))  # two sides, and sizes as well as pairs
    threshold = np.where(more_than_seeds, special.stdtrit(free, tail), special.stdtrit(max(dof, 1), tail))
    difference = means[p] - here @ (weights @ means[others])
    score = difference / np.sqrt(np.maximum(variance, 1e-24))
    return Odd(size=p, difference=_row(difference), score=_row(score), threshold=_row(threshold))


def drift_over_sizes(levels: Array, family: Family, draws: Array) -> Drift | None:
    """Measure the steady change of the curves with log N; None with fewer than three sizes.

    Parameters
    ----------
    levels
        From `band_levels`.
    family
        For the sizes.
    draws
        Levels of every resample, shape (replicates, runs, bands): of seeds and the irreducible loss, or of the
        irreducible loss alone where a size has one seed; the scatter of the sizes about the line (Student's t) is
        added to the margin then.
    """
    sizes = family.sizes.size
    if sizes < 3:
        return None
    log_n = np.log(family.sizes)
    centred = log_n - log_n.mean()
    slope = centred / (centred @ centred)
    reach = float(np.ptp(log_n))
    member = np.equal.outer(np.arange(sizes), family.group) / family.seeds[:, None]
    means = member @ levels
    change = reach * (slope @ means)
    margin = special.ndtri(0.995) * reach * np.std(np.einsum("r,brk->bk", slope @ member, draws), axis=0)
    if family.seeds.min() < 2:
        left = means - means.mean(axis=0) - np.outer(centred, slope @ means)
        error = np.sqrt(np.sum(left**2, axis=0) / (sizes - 2) * (slope @ slope))
        margin = np.hypot(margin, special.stdtrit(sizes - 2, 0.995) * reach * error)
    return Drift(_row(change), _row(margin), _row(np.abs(change) * np.std(log_n) / reach))


def _row(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
