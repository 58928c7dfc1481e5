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
    """Covariance of a fit's coordinates.

    Parameters
    ----------
    covariance
        Shape (p, p); zero for coordinates that are held by a bound.
    bread
        Inverse curvature of the objective, shape (p, p); zero likewise.
    dof
        Degrees of freedom of the spread it was estimated from.
    by_seed
        Whether that spread is the one between seeds, else the one between whole runs.
    """

    covariance: Array
    bread: Array
    dof: int
    by_seed: bool


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
    middle, dof, by_seed = scatter(scores, curves.group)
    bread: Array = np.asarray(np.linalg.pinv(curvature, hermitian=True), dtype=np.float64)
    return Sandwich(
        covariance=_with_held(bread @ middle @ bread, free), bread=_with_held(bread, free), dof=dof, by_seed=by_seed
    )


def _with_held(matrix: Array, free: NDArray[np.bool_]) -> Array:
    """Add zeros for the coordinates that are not free."""
    whole = np.zeros((free.size, free.size))
    whole[np.ix_(free, free)] = matrix
    return whole


def scatter(scores: Array, group: NDArray[np.int64]) -> tuple[Array, int, bool]:
    """Estimate the covariance of the sum of scores, shape (r, p), from its independent runs.

    Returns
    -------
    Covariance (p, p), its degrees of freedom, and whether it comes from seeds alone.
    """
    count = np.bincount(group)
    if not replicated(group):
        dof = max(scores.shape[0] - scores.shape[1], 1)
        return scores.T @ scores * (scores.shape[0] / dof), dof, False
    mean = np.stack([scores[group == g].mean(axis=0) for g in range(count.size)])
    apart = (scores - mean[group]) * np.sqrt(count / (count - 1.0))[group][:, None]
    return apart.T @ apart, int(scores.shape[0] - count.size), True
