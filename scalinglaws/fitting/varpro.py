"""Starting points by variable projection: for given exponents the amplitudes are a small least-squares problem.

For every point on a grid of shapes the non-negative amplitudes that minimise the squared relative error are found
in closed form, by trying every set of columns that may be zero (Golub & Pereyra 1973; 2^columns - 1 sets). What is
left is a search over the shapes alone, whose local minima are the starts of the polish.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.problem import Problem

__all__ = ["amplitudes", "starts"]

Array = NDArray[np.float64]

_PASSES = 3  # solves for amplitudes on which the columns themselves depend
_FAINT = 1e-3  # share of the loss at which a term that least squares put at zero is started: log(0) cannot move


def amplitudes(problem: Problem, shapes: Array, weight: Array) -> tuple[Array, Array]:
    """Return the best non-negative centred amplitudes for each row of shapes, and the squared relative error.

    Parameters
    ----------
    problem
        Held amplitudes keep their value.
    shapes
        Shape (grid, shapes).
    weight
        Weights of the rows of the table, shape (rows,).

    Returns
    -------
    amplitudes, error
        Shapes (grid, terms) and (grid,).
    """
    held = problem.held[: problem.terms]
    known = np.where(held, np.exp(problem.lower[: problem.terms]), 0.0)
    best = np.broadcast_to(np.where(held, known, 1.0 / problem.terms), (len(shapes), problem.terms))
    for _ in range(_PASSES if problem.law.coupled else 1):
        logs = problem.basis.logs(shapes, np.log(np.maximum(best, _FAINT)))
        best, error = _least_squares(problem, logs, known, weight)
    return best, error


def _least_squares(problem: Problem, logs: Array, known: Array, weight: Array) -> tuple[Array, Array]:
    """Try every set of free columns."""
    columns = np.exp(np.clip(logs, -100.0, 100.0)) * problem.law.signs / problem.y[:, None]
    target = 1.0 - columns @ known
    weighted = (columns * weight[:, None]).transpose(0, 2, 1)
    gram = weighted @ columns
    right = (weighted @ target[:, :, None])[:, :, 0]
    total = target**2 @ weight
    best, error = np.broadcast_to(known, right.shape).copy(), total.copy()
    free = np.flatnonzero(~problem.held[: problem.terms])
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
    axes = [
        np.array(shape.axis if low < high or problem.law.located else [low])
        for shape, low, high in zip(
            problem.law.shapes, problem.lower[problem.terms :], problem.upper[problem.terms :], strict=True
        )
    ]
    grid = np.meshgrid(*axes, indexing="ij")
    point = dict(zip(problem.law.exponents, (axis.ravel() for axis in grid), strict=True))
    located = problem.law.locate(point, problem.unit)
    shapes = np.stack([located[name] for name in problem.law.exponents], axis=1)
    shapes = np.clip(shapes, problem.lower[problem.terms :], problem.upper[problem.terms :])
    best, error = amplitudes(problem, shapes, weight)
    error = np.where(np.isfinite(error), error, np.inf)
    order = np.argsort(error, kind="stable")
    minima = _local_minima(error.reshape(grid[0].shape)).ravel()
    chosen = np.concatenate([order[minima[order]], order[~minima[order]]])[:count]
    logs = np.log(np.maximum(best[chosen], _FAINT * np.exp(np.mean(np.log(problem.y)))))
    inside: Array = np.clip(np.concatenate([logs, shapes[chosen]], axis=1), problem.lower, problem.upper)
    return inside


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
