"""Several runs laid out end to end, as both backends take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bundle", "Problem", "pack"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Gaussian least squares with its replicates' keys.

    Attributes
    ----------
    eigenvalues, rho
        Shape (d,): the feature covariance and the initial prediction error along its eigenvectors.
    irreducible
        The part of the risk that no update changes.
    keys
        Shape (replicates, 3): the random key of each replicate.
    """

    eigenvalues: Floats
    rho: Floats
    irreducible: float
    keys: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Runs that advance together; `error`, `risk` and `status` change as they do.

    Run i solves problem `problem[i]`. Its modes are `error[error_at[i] : error_at[i + 1]]`, its eigenvalues
    `eigenvalues[problem_at[p] : problem_at[p + 1]]`: the d modes, then the irreducible error as a mode of
    eigenvalue 0, then zeros up to a multiple of four. Arrays are NumPy's, or CuPy's after `gpu.load`.
    """

    eigenvalues: Any
    problem_at: Any
    problem: Any
    keys: Any
    error: Any
    error_at: Any
    risk: Any
    status: Any
    ceiling: Any


def _padded(values: Floats, last: float) -> Floats:
    size = 4 * (values.size // 4 + 1)
    out = np.zeros(size)
    out[: values.size] = values
    out[values.size] = last
    return out


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def pack(problems: Sequence[Problem], ceiling: float) -> Bundle:
    """Lay out all replicates of all problems; a run diverges above `ceiling` times its first risk.

    Examples
    --------
    >>> one = Problem(eigenvalues=np.array([1.0, 0.5]), rho=np.array([3.0, 2.0]), irreducible=1.0,
    ...               keys=np.zeros((2, 3), np.uint32))
    >>> bundle = pack([one], ceiling=1e50)
    >>> bundle.error
    array([3., 2., 1., 0., 3., 2., 1., 0.])
    >>> bundle.risk
    array([14., 14.])
    """
    eigenvalues = [_padded(p.eigenvalues, 0.0) for p in problems]
    error = [_padded(p.rho, float(np.sqrt(p.irreducible))) for p in problems]
    replicates = [p.keys.shape[0] for p in problems]
    risk = np.repeat([float(e @ e) for e in error], replicates)
    return Bundle(
        eigenvalues=np.concatenate(eigenvalues),
        problem_at=_starts([e.size for e in eigenvalues]),
        problem=np.repeat(np.arange(len(problems)), replicates),
        keys=np.concatenate([p.keys for p in problems]),
        error=np.concatenate([np.tile(e, n) for e, n in zip(error, replicates, strict=True)]),
        error_at=_starts([e.size for e, n in zip(error, replicates, strict=True) for _ in range(n)]),
        risk=risk,
        status=np.zeros(risk.size, dtype=np.int8),
        ceiling=ceiling * risk,
    )
