"""How sure a family fit is, with runs as the independent units.

Residuals along one run are strongly correlated (a seed has its own initialisation and its own data), so points are
never counted. A sandwich takes their place: the curvature of the objective outside, inside the spread of each
run's score, its share of the gradient. Where every group has two seeds or more the spread is that round the group's
mean: what a law misses in all seeds alike is no noise. Otherwise it is that of whole scores, which takes the misses
of runs for independent draws, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.fitting import Estimator

__all__ = ["Sandwich", "replicated", "sandwich", "scatter"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sandwich:
    """Covariance of a fit's coordinates, as a sum over independent parts: the seeds of each group, or all runs.

    Parameters
    ----------
    parts
        What each part contributes, shape (k, p, p); zero for coordinates that are held by a bound.
    freedom
        Degrees of freedom of each part, shape (k,).
    bread
        Inverse curvature of the objective, shape (p, p); zero likewise.
    by_seed
        Whether the spread is the one between seeds, else the one between whole runs.
    """

    parts: Array
    freedom: Array
    bread: Array
    by_seed: bool

    @property
    def covariance(self) -> Array:
        """Shape (p, p)."""
        return np.asarray(self.parts.sum(axis=0))

    def dof(self, directions: Array) -> float:
        """Return the effective degrees of freedom of the covariance of some combinations of coordinates, shape (q, p).

        One size may decide nearly alone, and then only its seeds count (for q = 1 Satterthwaite, Biometrics Bull. 2
        (1946) 110; else Krishnamoorthy and Yu, Stat. Prob. Lett. 66 (2004) 161, eq. 9).
        """
        values, vectors = np.linalg.eigh(directions @ self.covariance @ directions.T)
        known = values > 1e-12 * max(float(values[-1]), 0.0)
        if not known.any():
            return float(self.freedom.sum())
        white = (vectors[:, known] / np.sqrt(values[known])).T @ directions
        shares = white @ self.parts @ white.T
        count = int(known.sum())
        squares = np.trace(shares, axis1=1, axis2=2) ** 2 + np.einsum("kij,kji->k", shares, shares)
        return float((count**2 + count) / np.sum(squares / self.freedom))


def replicated(group: NDArray[np.int64]) -> bool:
    """Whether every group has two runs or more."""
    return bool(np.bincount(group).min() >= 2)


def sandwich(
    jacobian: Array, residuals: Array, estimator: Estimator, curves: FamilyCurves, free: NDArray[np.bool_]
) -> Sandwich:
    """Return the covariance clustered by run.

    Parameters
    ----------
    jacobian, residuals
        Of the records at the fit, shapes (n, p) and (n,).
    estimator
        Whose objective was minimised.
    curves
        The records.
    free
        Coordinates that no bound holds, shape (p,).
    """
    _, psi, bend, _ = estimator.derivatives(residuals)
    inner = jacobian[:, free]
    curvature = (inner * bend[:, None]).T @ inner
    scores = np.stack([psi[part] @ inner[part] for part in curves.slices])
    middles, freedom, by_seed = scatter(scores, curves.group)
    bread: Array = np.asarray(np.linalg.pinv(curvature, hermitian=True), dtype=np.float64)
    parts = np.stack([_with_held(bread @ middle @ bread, free) for middle in middles])
    return Sandwich(parts=parts, freedom=freedom, bread=_with_held(bread, free), by_seed=by_seed)


def _with_held(matrix: Array, free: NDArray[np.bool_]) -> Array:
    """Add zeros for the coordinates that are not free."""
    whole = np.zeros((free.size, free.size))
    whole[np.ix_(free, free)] = matrix
    return whole


def scatter(scores: Array, group: NDArray[np.int64]) -> tuple[Array, Array, bool]:
    """Estimate the covariance of the sum of scores, shape (r, p), from its independent runs.

    Returns
    -------
    Its independent parts (k, p, p), the degrees of freedom of each (k,), and whether they come from seeds alone.
    """
    if not replicated(group):
        dof = max(scores.shape[0] - scores.shape[1], 1)
        return (scores.T @ scores * (scores.shape[0] / dof))[None], np.array([float(dof)]), False
    count = np.bincount(group)
    mean = np.stack([scores[group == g].mean(axis=0) for g in range(count.size)])
    apart = scores - mean[group]
    parts = [apart[group == g].T @ apart[group == g] * n / (n - 1.0) for g, n in enumerate(count)]
    return np.stack(parts), np.asarray(count - 1.0), True
