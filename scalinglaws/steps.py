"""When to record: increasing integer numbers of updates.

`log_steps` makes them; `check_steps` is what every solver and simulator calls on what it is given.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require

__all__ = ["check_steps", "log_steps"]

MAX_STEP = 2**62
"""Largest number of updates: the next power of two would overflow a signed 64-bit integer."""


def log_steps(t_max: float, per_decade: int = 20, *, zero: bool = False) -> NDArray[np.int64]:
    """Space integers evenly in the logarithm from 1 to `t_max`, duplicates removed.

    Parameters
    ----------
    t_max
        Last step, at least 1.
    per_decade
        Points per factor of ten before rounding.
    zero
        Start with step 0, the risk before any update.

    Raises
    ------
    InputError
        If `t_max` is not between 1 and `MAX_STEP` or `per_decade` is not a positive integer.

    Examples
    --------
    >>> log_steps(100, per_decade=4)
    array([  1,   2,   3,   6,  10,  18,  32,  56, 100])
    >>> log_steps(10, per_decade=2, zero=True)
    array([ 0,  1,  3, 10])
    """
    require(1 <= t_max <= MAX_STEP, "t_max", t_max, f"must lie between 1 and {MAX_STEP}")
    require(per_decade >= 1 and int(per_decade) == per_decade, "per_decade", per_decade, "must be an integer >= 1")
    last = int(t_max)
    count = math.ceil(math.log10(t_max) * per_decade) + 1
    points = np.unique(np.rint(np.geomspace(1.0, float(last), max(count, 1))).astype(np.int64))
    points = np.append(points[points < last], last)
    return np.insert(points, 0, 0) if zero else points


def check_steps(steps: ArrayLike, name: str = "steps") -> NDArray[np.int64]:
    """Return `steps` as integers, after checking that they are increasing whole numbers >= 0.

    Raises
    ------
    InputError
        With the first rule that is broken.

    Examples
    --------
    >>> check_steps([0, 1, 10.0])
    array([ 0,  1, 10])
    """
    try:
        given = np.atleast_1d(np.asarray(steps))
        numbers = given.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {steps!r}: must be numbers") from None
    require(given.ndim == 1 and given.size > 0, name, given.shape, "must be a list of at least one step")
    whole = bool(np.all(np.isfinite(numbers))) and bool(np.all(numbers == np.floor(numbers)))
    require(whole, name, given.tolist(), "must be whole numbers of updates")
    in_range = bool(numbers.min() >= 0 and numbers.max() <= MAX_STEP)
    require(in_range, name, given.tolist(), f"must lie between 0 and {MAX_STEP}")
    result = given.astype(np.int64)
    require(bool(np.all(np.diff(result) > 0)), name, given.tolist(), "must be strictly increasing")
    return result
