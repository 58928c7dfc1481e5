"""The exact minimum of a sum of absolute residuals: a vertex, where as many residuals vanish as there are parameters.

A smoothed fit comes within about 1e-7 of it. From there the vertex is found by Newton's method on the vanishing
residuals and certified by its multipliers (Koenker & Bassett 1978, Theorem 3.3); where the certificate fails, a
few linear programmes on the linearised residuals settle it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.problem import LOG_ZERO, Problem

__all__ = ["Vertex", "to_vertex"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """Where the search for a vertex ended.

    Parameters
    ----------
    theta
        Shape (parameters,).
    objective
        Weighted sum of absolute residuals.
    excess
        By how much the multipliers leave [-weight, weight], or what the linearised problem could still gain,
        over the objective: 0 at a minimum.
    """

    theta: Array
    objective: float
    excess: float


def to_vertex(problem: Problem, theta: Array, weight: Array, measured: Array) -> Vertex:
    """Move a nearly minimal theta to the minimum of the weighted sum of |log prediction - log measured|.

    Parameters
    ----------
    problem
        Its estimator is ignored; the residuals are those of the logarithms.
    theta
        Shape (parameters,).
    weight, measured
        Shape (rows,).
    """
    free = _free(problem, theta)
    best = _newton(problem, theta, weight, measured, free)
    for _ in range(6):
        if best.excess <= 1e-9:
            break
        moved, gain = _programme(problem, best.theta, weight, measured, free)
        trial = _newton(problem, moved, weight, measured, free)
        if trial.objective >= best.objective * (1.0 - 1e-13):
            return replace(best, excess=min(best.excess, gain / max(best.objective, 1e-300)))
        best = trial
    return best


def _free(problem: Problem, theta: Array) -> NDArray[np.int64]:
    inside = (theta > problem.lower) & (theta < problem.upper)
    inside[: problem.terms] = theta[: problem.terms] > LOG_ZERO
    return np.flatnonzero(inside & ~problem.held)


def _residuals(problem: Problem, theta: Array, measured: Array) -> tuple[Array, Array]:
    """Log residuals and their derivatives by theta."""
    predicted, slope = problem.linearise(theta)
    return np.log(predicted) - np.log(measured), slope


def _newton(problem: Problem, theta: Array, weight: Array, measured: Array, free: NDArray[np.int64]) -> Vertex:
    """Solve for the vertex at the smallest residuals; keep the start if that does not help."""
    r, slope = _residuals(problem, theta, measured)
    start = float(weight @ np.abs(r))
    rows = _basis(r, slope[:, free], weight)
    if rows.size < free.size:
        return Vertex(theta=theta, objective=start, excess=np.inf)
    moved = theta.copy()
    for _ in range(3):
        r, slope = _residuals(problem, moved, measured)
        matrix = slope[np.ix_(rows, free)]
        if np.linalg.matrix_rank(matrix) < free.size:
            return Vertex(theta=theta, objective=start, excess=np.inf)
        moved[free] -= np.linalg.solve(matrix, r[rows])
        moved = np.clip(moved, problem.lower, problem.upper)
    r, slope = _residuals(problem, moved, measured)
    r[rows] = 0.0
    value = float(weight @ np.abs(r))
    if not value <= start * (1.0 + 1e-12) + 1e-300:
        return Vertex(theta=theta, objective=start, excess=np.inf)
    pull = (weight * np.sign(r)) @ slope[:, free]
    multipliers = np.linalg.solve(slope[np.ix_(rows, free)].T, -pull)
    excess = float(np.max(np.abs(multipliers) - weight[rows], initial=0.0))
    return Vertex(theta=moved, objective=value, excess=excess / max(value, 1e-300))


def _basis(r: Array, slope: Array, weight: Array) -> NDArray[np.int64]:
    """Rows of the smallest residuals whose derivatives are independent, one per free parameter."""
    chosen: list[int] = []
    directions = np.zeros((0, slope.shape[1]))
    for i in np.argsort(np.where(weight > 0, np.abs(r), np.inf), kind="stable"):
        if len(chosen) == slope.shape[1] or weight[i] == 0:
            break
        rest = slope[i] - directions.T @ (directions @ slope[i])
        size = np.linalg.norm(rest)
        if size > 1e-7 * np.linalg.norm(slope[i]):
            chosen.append(int(i))
            directions = np.vstack([directions, rest / size])
    return np.array(chosen, dtype=np.int64)


def _programme(
    problem: Problem, theta: Array, weight: Array, measured: Array, free: NDArray[np.int64]
) -> tuple[Array, float]:
    """Minimise the weighted sum of |r + slope step| over a small box: where that leads, and what it gains."""
    from scipy.optimize import linprog

    r, slope = _residuals(problem, theta, measured)
    rows, size = r.size, free.size
    identity = np.eye(rows)
    solved = linprog(
        np.concatenate([np.zeros(size), weight, weight]),
        A_eq=np.hstack([slope[:, free], -identity, identity]),
        b_eq=-r,
        bounds=[(-0.02, 0.02)] * size + [(0.0, None)] * (2 * rows),
        method="highs",
    )
    moved = theta.copy()
    if solved.x is None or solved.fun is None:
        return moved, np.inf
    moved[free] += solved.x[:size]
    gain = max(float(weight @ np.abs(r)) - solved.fun, 0.0)
    return np.clip(moved, problem.lower, problem.upper), gain
