"""Which combinations of a family law's parameters the runs cannot tell apart, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["condition_of", "loose_directions", "loose_words"]

Array = NDArray[np.float64]

_LOOSE = 0.5
"""A direction in the log parameters whose standard error exceeds this is not identified."""
_PART = 0.15
"""Share of the largest component from which a parameter is named."""


def condition_of(jacobian: Array) -> float:
    """Return the condition number with columns of unit length; infinite where a column vanishes."""
    length = np.linalg.norm(jacobian, axis=0)
    if np.any(length == 0):
        return np.inf
    values = np.linalg.svd(jacobian / length, compute_uv=False)
    return float(values[0] / max(values[-1], 1e-15 * values[0]))


def loose_directions(jacobian: Array, covariance: Array) -> list[tuple[Array, float]]:
    """Return the unit vectors of log parameters along which the curves hardly change, with their standard errors.

    Parameters
    ----------
    jacobian
        Of the log loss by the log parameters, shape (n, p).
    covariance
        Of the log parameters, shape (p, p).
    """
    vectors = np.linalg.svd(jacobian, full_matrices=False)[2]
    errors = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", vectors, covariance, vectors), 0.0))
    return [(v, float(e)) for v, e in zip(vectors[::-1], errors[::-1], strict=True) if e > _LOOSE]


def loose_words(names: tuple[str, ...], directions: list[tuple[Array, float]]) -> tuple[str, ...]:
    """Say each direction as a sentence.

    Examples
    --------
    >>> loose_words(("A", "n0", "s"), [(np.array([0.6, -0.8, 0.0]), np.log(10.0))])
    ('the curves hardly change when A^0.75 n0^-1 moves: it is known to a factor of 10 only',)
    >>> loose_words(("A", "n0"), [(np.array([0.0, 1.0]), 30.0)])
    ('the curves hardly change when n0^1 moves: it is not known at all',)
    """
    said = []
    for vector, error in directions:
        share = vector / np.abs(vector).max()
        parts = [f"{n}^{x:.2g}" for n, x in zip(names, share, strict=True) if abs(x) >= _PART]
        known = f"it is known to a factor of {np.exp(error):.2g} only" if error < 10.0 else "it is not known at all"
        said.append(f"the curves hardly change when {' '.join(parts)} moves: {known}")
    return tuple(said)
