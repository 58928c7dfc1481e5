"""From a problem to its minimum: search, smooth, polish, certify. One path serves single fits and resamples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.estimators import Estimator, estimator
from scalinglaws.fitting.polish import Polished, polish
from scalinglaws.fitting.problem import LOG_ZERO, Problem
from scalinglaws.fitting.varpro import starts
from scalinglaws.fitting.vertex import to_vertex

__all__ = ["Solution", "refit", "solve"]

Array = NDArray[np.float64]

_SMOOTHING = (3e-1, 3e-2, 3e-3, 3e-4, 3e-5)  # thresholds on the way to absolute values, over the residual scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The end of every start, in the centred coordinates of the problem.

    Parameters
    ----------
    theta
        Best of all, shape (parameters,).
    gradient
        Derivative of log objective by theta there, zero where a bound holds; for absolute values, how far the
        multipliers of the vertex are out of range, in the first component.
    converged
        Of the best.
    objectives
        Of every start, shape (starts,), in the units of the table.
    """

    theta: Array
    gradient: Array
    converged: bool
    objectives: Array


def solve(problem: Problem, weight: Array, count: int) -> Solution:
    """Minimise from `count` starts.

    Every second start goes through least squares first; the others meet the robust objective directly, so that
    two different paths must agree.
    """
    theta = starts(problem, weight, count)
    weights = np.broadcast_to(weight, (len(theta), weight.size))
    squares = replace(problem, estimator=estimator("log-l2"))
    theta[::2] = polish(squares, theta[::2], weights[::2]).theta
    target = problem.estimator
    if np.isfinite(target.delta):
        wide = 2.0 * _residual_scale(problem, theta[0], weight)
        while wide > 3.0 * target.delta:
            theta = polish(_huber(problem, wide), theta, weights).theta
            wide *= 0.2
    ends = refit(problem, theta, weights, np.broadcast_to(problem.y, weights.shape))
    best = int(np.argmin(ends.objective))
    floor = weight.sum() * float(target.rho(np.array(1e-12)))
    return Solution(
        theta=ends.theta[best],
        gradient=ends.gradient[best] / max(float(ends.objective[best]), floor),
        converged=bool(ends.converged[best]),
        objectives=ends.objective * problem.objective_unit,
    )


def refit(problem: Problem, theta: Array, weight: Array, measured: Array) -> Polished:
    """Minimise for each row of a batch of starts, weights and measurements, from starts near the minimum.

    Parameters
    ----------
    theta
        Shape (batch, parameters).
    weight, measured
        Shape (batch, rows); `measured` in the units of `problem.y`.
    """
    if problem.estimator.delta == 0.0:
        return _absolute(problem, theta, weight, measured)
    ends = polish(problem, theta, weight, measured)
    for _ in range(2):  # an amplitude set to zero on the way may be wanted after all
        which = np.flatnonzero(ends.wanting.any(axis=1))
        if which.size == 0:
            break
        again = ends.theta[which]
        logs = again[:, : problem.terms]
        logs[ends.wanting[which]] = np.log(1e-3)
        again[:, : problem.terms] = logs
        _replace(ends, which, polish(problem, again, weight[which], measured[which]))
    return replace(ends, converged=ends.converged & ~ends.wanting.any(axis=1))


def _replace(ends: Polished, which: NDArray[np.int64], new: Polished) -> None:
    better = new.objective < ends.objective[which]
    for name in Polished.__slots__:
        getattr(ends, name)[which[better]] = getattr(new, name)[better]


def _absolute(problem: Problem, theta: Array, weight: Array, measured: Array) -> Polished:
    """Smooth ever less, then step to the exact vertex."""
    scale = _residual_scale(problem, theta[0], weight[0])
    for share in _SMOOTHING:
        ends = refit(_huber(problem, share * scale), theta, weight, measured)
        theta = ends.theta
    vertices = [to_vertex(problem, *row) for row in zip(theta, weight, measured, strict=True)]
    gradient = np.zeros_like(theta)
    gradient[:, 0] = [v.excess * v.objective for v in vertices]
    objective = np.array([v.objective for v in vertices])
    exact = objective <= 1e-12 * weight.sum(axis=1)
    return Polished(
        theta=np.stack([v.theta for v in vertices]),
        objective=objective,
        gradient=gradient,
        converged=(np.array([v.excess for v in vertices]) <= 1e-9) | exact,
        wanting=ends.wanting,
    )


def _huber(problem: Problem, delta: float) -> Problem:
    return replace(problem, estimator=Estimator(name="huber", log=problem.estimator.log, delta=delta))


def _residual_scale(problem: Problem, theta: Array, weight: Array) -> float:
    """Typical size of a residual near the minimum; never zero."""
    monomials = np.exp(np.minimum(problem.features() @ theta, 300.0))
    r = problem.estimator.residuals(monomials.sum(axis=1) + np.exp(LOG_ZERO), problem.y)
    return max(float(np.mean(np.abs(r[weight > 0]))), 1e-9)
