"""Starting points by variable projection: for given exponents the amplitudes are a small least-squares problem.

For every pair of exponents on a grid the non-negative amplitudes that minimise the squared relative error are found
in closed form, by trying every set of terms that may be zero (Golub & Pereyra 1973; 2^terms - 1 sets). What is left
is a search over the exponents alone, whose local minima are the starts of the polish.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.problem import Problem

__all__ = ["amplitudes", "starts"]

Array = NDArray[np.float64]

_GRID = 400  # exponent pairs searched
_FAINT = 1e-3  # share of the loss at which a term that least squares put at zero is started: log(0) cannot move


def amplitudes(problem: Problem, exponents: Array, weight: Array) -> tuple[Array, Array]:
    """Return the best non-negative centred amplitudes for each row of exponents, and the squared relative error.

    Parameters
    ----------
    problem
        Held amplitudes keep their value.
    exponents
        Shape (grid, exponents).
    weight
        Weights of the rows of the table, shape (rows,).

    Returns
    -------
    amplitudes, error
        Shapes (grid, terms) and (grid,).
    """
    columns = np.exp(np.clip(-np.einsum("ikq,gq->gik", problem.x, exponents), -100.0, 100.0)) / problem.y[:, None]
    held = problem.held[: problem.terms]
    known = np.where(held, np.exp(problem.lower[: problem.terms]), 0.0)
    target = 1.0 - columns @ known
    weighted = (columns * weight[:, None]).transpose(0, 2, 1)
    gram = weighted @ columns
    right = (weighted @ target[:, :, None])[:, :, 0]
    total = target**2 @ weight
    best, error = np.broadcast_to(known, right.shape).copy(), total.copy()
    free = np.flatnonzero(~held)
    for subset in (s for r in range(1, free.size + 1) for s in combinations(free.tolist(), r)):
        _try(gram, right, total, list(subset), best, error, known)
    return best, error


def _try(gram: Array, right: Array, total: Array, subset: list[int], best: Array, error: Array, known: Array) -> None:
    """Solve with the terms of `subset` alone and keep what is non-negative and better."""
    matrix, vector = gram[:, subset][:, :, subset], right[:, subset]
    scale = np.sqrt(np.einsum("gkk->gk", matrix))
    normal = matrix / (scale[:, :, None] * scale[:, None, :])
    normal = normal + 1e-13 * np.eye(len(subset))  # columns may coincide: log N and log D of a ladder D = k N
    solution = np.linalg.solve(normal, (vector / scale)[:, :, None])[:, :, 0] / scale
    left = total - 2.0 * (solution * vector).sum(axis=1)
    left = left + np.einsum("gk,gkl,gl->g", solution, matrix, solution)
    better = (solution >= 0.0).all(axis=1) & (left < error)
    best[better] = known
    best[np.ix_(better, subset)] = solution[better]
    error[better] = left[better]


def starts(problem: Problem, weight: Array, count: int) -> Array:
    """Return up to `count` starts, best first: the grid's local minima, then its best other points.

    Returns
    -------
    theta
        Shape (starts, parameters).
    """
    axes = _axes(problem)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    exponents = grid.reshape(-1, len(axes))
    best, error = amplitudes(problem, exponents, weight)
    order = np.argsort(error, kind="stable")
    minima = _local_minima(error.reshape(grid.shape[:-1])).ravel()
    chosen = np.concatenate([order[minima[order]], order[~minima[order]]])[:count]
    logs = np.log(np.maximum(best[chosen], _FAINT * np.exp(np.mean(np.log(problem.y)))))
    theta = np.concatenate([logs, exponents[chosen]], axis=1)
    inside: Array = np.clip(theta, problem.lower, problem.upper)
    return inside


def _axes(problem: Problem) -> list[Array]:
    """Geometric grids over the exponents, which are scales; one point where an exponent is held."""
    low, high = problem.lower[problem.terms :], problem.upper[problem.terms :]
    free = max(int(np.sum(low < high)), 1)
    points = max(round(_GRID ** (1.0 / free)), 5)
    return [
        np.geomspace(max(a, 0.02), min(b, 2.5), points) if a < b else np.array([a])
        for a, b in zip(low, high, strict=True)
    ]


def _local_minima(error: Array) -> NDArray[np.bool_]:
    """Points no worse than their neighbours along every axis."""
    least: NDArray[np.bool_] = np.ones(error.shape, bool)
    for axis in range(error.ndim):
        padded = np.pad(error, [(1, 1) if a == axis else (0, 0) for a in range(error.ndim)], constant_values=np.inf)
        size = error.shape[axis]
        before = np.take(padded, range(size), axis=axis)
        after = np.take(padded, range(2, size + 2), axis=axis)
        least &= (error <= before) & (error <= after)
    return least
