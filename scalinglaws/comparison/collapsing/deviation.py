"""Normalised curves, their deviation from one common curve, and the seed noise to compare it with; plain arrays.

`normalise` divides the reducible loss by that of the run's own end, which takes most of the seed noise out: a run
that ends high was high before (a control variate). `deviation` is the spread that is left between runs, `noise_floor`
the spread of the *un-normalised* loss between seeds, `onset` how much of training lies below that floor, and
`decompose` says how much of the spread is between sizes, the part that is systematic.

Every standard deviation takes `ddof`: 0 as published, 1 for the unbiased variance. With five seeds the two differ by
12 %, so results that quote a deviation quote its `ddof` and its grid of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require

__all__ = ["Decomposition", "NoiseFloor", "decompose", "deviation", "noise_floor", "normalise", "onset"]

Array = NDArray[np.float64]


class NoiseFloor(NamedTuple):
    """Seed noise sigma(x, p) with shape (sizes, x), NaN for sizes of one seed, and its mean over sizes (x,)."""

    by_size: Array
    mean: Array


class Decomposition(NamedTuple):
    """Variance of the normalised curves between sizes and within them (between seeds), each of shape (x,)."""

    between: Array
    within: Array


def normalise(loss: ArrayLike, final: ArrayLike, irreducible: float) -> Array:
    """Divide the reducible loss by its value at the end: ell = (L - Lhat) / (L_final - Lhat).

    Parameters
    ----------
    loss
        Losses in nats per token, shape (..., x).
    final
        Loss of each run at its own end, shape (...): what makes collapse better than the seed noise.
    irreducible
        Lhat, subtracted from both; nats per token.

    Raises
    ------
    InputError
        When a final loss is not above `irreducible`.

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eq. 1.

    Examples
    --------
    >>> normalise([[3.0, 2.0], [5.0, 3.0]], [2.0, 3.0], 1.0).tolist()
    [[2.0, 1.0], [2.0, 1.0]]
    """
    ends = np.asarray(final, dtype=np.float64)
    lowest = float(np.min(ends))
    if not lowest > irreducible:
        raise InputError(f"irreducible = {irreducible:.6g}: must be below every final loss, the least is {lowest:.6g}")
    return np.asarray((np.asarray(loss, dtype=np.float64) - irreducible) / (ends[..., None] - irreducible))


def deviation(ell: ArrayLike, *, ddof: int = 0) -> Array:
    """Return the collapse deviation Delta(x) = std(ell) / mean(ell) over all runs, sizes and seeds pooled.

    Parameters
    ----------
    ell
        Normalised curves, shape (runs, ...); the last axis is x.
    ddof
        The variance is divided by runs - ddof.

    Returns
    -------
        Shape (...); NaN where a curve is NaN.

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eq. 2.

    Examples
    --------
    >>> deviation([[1.5, 1.0], [2.5, 1.0]]).tolist()
    [0.25, 0.0]
    """
    curves = np.asarray(ell, dtype=np.float64)
    _check_ddof(ddof, curves.shape[0])
    return np.asarray(np.std(curves, axis=0, ddof=ddof) / np.mean(curves, axis=0))


def noise_floor(reducible: Sequence[ArrayLike], *, ddof: int = 0) -> NoiseFloor:
    """Return the seed noise sigma(x, p) = std_w(L - Lhat) / mean_w(L - Lhat) per size, and its mean over sizes.

    Parameters
    ----------
    reducible
        For each size the reducible losses of its seeds, NOT normalised, shape (seeds, x).
    ddof
        The variance is divided by seeds - ddof.

    Returns
    -------
        A size with one seed has no spread: NaN, and the mean is over the other sizes (NaN if there is none).

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eq. 3.

    Examples
    --------
    >>> floor = noise_floor([[[3.0], [1.0]], [[2.0]]])
    >>> floor.by_size.tolist(), floor.mean.tolist()
    ([[0.5], [nan]], [0.5])
    """
    rows = []
    for losses in reducible:
        seeds = np.asarray(losses, dtype=np.float64)
        if seeds.shape[0] < 2:
            rows.append(np.full(seeds.shape[1], np.nan))
        else:
            rows.append(deviation(seeds, ddof=ddof))
    by_size = np.stack(rows)
    known = [row for row, losses in zip(rows, reducible, strict=True) if len(np.asarray(losses)) > 1]
    return NoiseFloor(by_size, np.mean(known, axis=0) if known else np.full(by_size.shape[1], np.nan))


def onset(x: ArrayLike, delta: ArrayLike, sigma: ArrayLike) -> float:
    """Return 1 minus the last x at which Delta >= sigma: the share of training, up to its end, spent below the noise.

    Parameters
    ----------
    x
        Normalised compute, increasing to 1, shape (x,).
    delta, sigma
        Deviation and noise floor there. Points where either is NaN are not looked at.

    Returns
    -------
        0.855 when the last crossing is at x = 0.145; 1 minus the first known x when Delta is below sigma wherever
        both are known; 0 when it is not below even at the end (noiseless curves: 0 >= 0); NaN when the noise is
        unknown.

    Examples
    --------
    >>> onset([0.0, 0.25, 0.5, 1.0], [0.3, 0.2, 0.05, 0.0], [0.1, 0.1, 0.1, 0.1])
    0.75
    >>> onset([0.0, 0.5, 1.0], [0.05, 0.05, 0.0], [0.1, 0.1, 0.1])
    1.0
    """
    places, spread, noise = (np.asarray(v, dtype=np.float64) for v in (x, delta, sigma))
    known = np.flatnonzero(np.isfinite(spread) & np.isfinite(noise))
    if known.size == 0:
        return float("nan")
    above = known[spread[known] >= noise[known]]
    return float(1.0 - places[above[-1] if above.size else known[0]])


def decompose(ell: ArrayLike, size: ArrayLike) -> Decomposition:
    """Split the population variance of ell: V = V_p E_w[ell] + E_p V_w[ell], sizes weighted by their seeds.

    The parts add up to the square of std(ell) with ddof = 0 exactly, for any number of seeds per size.

    Parameters
    ----------
    ell
        Normalised curves, shape (runs, x).
    size
        Label of the size of each run, shape (runs,).

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eq. 4.

    Examples
    --------
    >>> parts = decompose([[1.0], [3.0], [4.0], [4.0]], [10, 10, 20, 20])
    >>> parts.between.tolist(), parts.within.tolist(), np.var([1, 3, 4, 4]).item()
    ([1.0], [0.5], 1.5)
    """
    curves = np.asarray(ell, dtype=np.float64)
    _, group = np.unique(np.asarray(size), return_inverse=True)
    count = np.bincount(group)
    member = np.equal.outer(np.arange(count.size), group) / count[:, None]
    means = member @ curves
    share = (count / group.size)[:, None]
    between = np.sum(share * (means - curves.mean(axis=0)) ** 2, axis=0)
    return Decomposition(between, np.mean((curves - means[group]) ** 2, axis=0))


def _check_ddof(ddof: int, count: int) -> None:
    require(ddof in (0, 1), "ddof", ddof, "must be 0 or 1")
    require(count > ddof, "runs", count, f"a spread with ddof = {ddof} needs {ddof + 1} or more")
