"""Derivatives of a fitted surface and of what is asked of it, by the centred coordinates of a problem.

They are taken by central differences of the law itself, all displaced points in one call: any law that predicts has
them, whatever its form. Leverage, the design checks, planning and constrained refits share them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.problem import Problem
from scalinglaws.fitting.quantities import covariates_of
from scalinglaws.fitting.table import Table

__all__ = ["curvature", "free_parameters", "hat_basis", "log_surface", "slope"]

Array = NDArray[np.float64]

_STEP = 6e-6  # cube root of the rounding: the best step of a central first difference
_WIDE = 2e-4  # fourth root: of a second difference


def log_surface(problem: Problem, theta: Array, table: Table) -> Array:
    """Return the log of what the law says of each row, for theta of shape (batch, parameters): (batch, rows)."""
    values = {name: draws[:, None] for name, draws in problem.to_values(theta).items()}
    predicted = problem.law.predict(values, **covariates_of(problem.law, table))
    return np.asarray(np.log(np.maximum(predicted, 1e-300)))


def free_parameters(problem: Problem, theta: Array) -> NDArray[np.int64]:
    """Return the indices of the parameters that are neither held nor at a bound."""
    return np.flatnonzero(~problem.held & (theta > problem.lower) & (theta < problem.upper))


def slope(function: Callable[[Array], Array], theta: Array, which: NDArray[np.int64]) -> Array:
    """Return the derivatives of `function` (batch of theta in, batch first out), shape (..., len(which))."""
    moves = np.zeros((which.size, theta.size))
    moves[np.arange(which.size), which] = _STEP
    values = function(np.concatenate([theta + moves, theta - moves]))
    return np.moveaxis((values[: which.size] - values[which.size :]) / (2.0 * _STEP), 0, -1)


def curvature(function: Callable[[Array], Array], theta: Array, which: NDArray[np.int64]) -> Array:
    """Return the Hessian of a scalar `function` (batch of theta in, one number each out) over `which`."""
    size = which.size
    rows, columns = np.triu_indices(size)
    one, two = np.zeros((rows.size, theta.size)), np.zeros((rows.size, theta.size))
    one[np.arange(rows.size), which[rows]] = _WIDE
    two[np.arange(rows.size), which[columns]] = _WIDE
    points = np.concatenate([theta + one + two, theta + one - two, theta - one + two, theta - one - two])
    a, b, c, d = np.split(function(points), 4)
    upper = (a - b - c + d) / (4.0 * _WIDE**2)
    hessian = np.zeros((size, size))
    hessian[rows, columns] = upper
    hessian[columns, rows] = upper
    return hessian


def hat_basis(problem: Problem, theta: Array, table: Table) -> Array:
    """Return Q, shape (rows, rank), whose Q Q^T is the hat matrix of weighted least squares at theta.

    Its diagonal is the leverage: by how much each row pulls its own fitted value, between 0 and 1.

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> fitted = fit({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
    >>> basis = hat_basis(fitted.problem(), fitted.theta, fitted.table)
    >>> round(float(np.sum(basis**2)), 6)
    5.0
    """
    which = free_parameters(problem, theta)
    jacobian = slope(lambda t: log_surface(problem, t, table), theta, which) * np.sqrt(table.weight)[:, None]
    if not problem.estimator.log:
        jacobian = jacobian * np.exp(log_surface(problem, theta[None], table)[0])[:, None]
    basis, singular, _ = np.linalg.svd(jacobian, full_matrices=False)
    return np.asarray(basis[:, singular > 1e-10 * max(float(singular.max(initial=0.0)), 1e-300)])
