"""Intervals from resampled targets: a run is what was measured independently, not a record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws._random import RNGLike, seed_sequence
from scalinglaws.errors import require

__all__ = ["check", "counts", "interval"]

Array = NDArray[np.float64]


def check(level: float, replicates: int) -> None:
    """Raise an `InputError` for a level outside (0, 1) or fewer than two replicates."""
    require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
    whole = isinstance(replicates, int) and replicates >= 2
    require(whole, "replicates", replicates, "must be an integer, 2 or more")


def counts(targets: int, replicates: int, rng: RNGLike) -> NDArray[np.int64]:
    """Draw how often each target occurs in each resample, shape (replicates, targets).

    Examples
    --------
    >>> counts(4, 3, 0).sum(axis=1).tolist()
    [4, 4, 4]
    """
    generator = np.random.default_rng(seed_sequence(rng))
    return generator.multinomial(targets, np.full(targets, 1.0 / targets), size=replicates)


def interval(draws: Array, level: float) -> tuple[float, float]:
    """Return the percentile interval of draws, NaN where they are."""
    low, high = np.quantile(draws, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(low), float(high)
