"""From a problem to its minimum: search, smooth, polish, certify. One path serves single fits and resamples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.estimators import Estimator, estimator
from scalinglaws.fitting.polish import Polished, polish
from scalinglaws.fitting.problem import Problem
from scalinglaws.fitting.varpro import starts
from scalinglaws.fitting.vertex import to_vertex

__all__ = ["Solution", "refit", "solve"]

Array = NDArray[np.float64]

_SMOOTHING = (3e-1, 3e-2, 3e-3, 3e-4, 3e-5)  # thresholds on the way to absolute values, over the residual scale
_ON_THE_WAY: Any = {"max_iterations": 8, "flat": 1e-3}  # of objectives that only lead to the one asked for
_ROWS = 300  # the way to the minimum is found on so many rows or a few less
_TO_A_VERTEX = 60  # iterations for each of them: what is left is a matter of linear programmes
_PATIENCE = 200  # iterations after which only the best start goes on
_MET = 0.03  # starts that differ by less in every component of theta go on as one


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
    two different paths must agree. Starts that meet on the way go on as one, and count as two that agree.
    """
    rows = _thinned(weight.size)
    coarse = problem.take(rows)
    theta, leader = _approach(coarse, weight[rows], count)
    theta = coarse.moved_to(problem, theta)
    weights = np.broadcast_to(weight, (len(theta), weight.size))
    ends = refit(problem, theta, weights, np.broadcast_to(problem.y, weights.shape), max_iterations=_PATIENCE)
    best = int(np.argmin(np.where(np.isnan(ends.objective), np.inf, ends.objective)))
    if not ends.converged[best]:
        one = slice(best, best + 1)
        last = refit(problem, ends.theta[one], weights[one], problem.y[None], max_iterations=2 * _PATIENCE)
        _replace(ends, np.array([best]), last)
    floor = weight.sum() * float(problem.estimator.rho(np.array(1e-12)))
    return Solution(
        theta=ends.theta[best],
        gradient=ends.gradient[best] / max(float(ends.objective[best]), floor),
        converged=bool(ends.converged[best]),
        objectives=ends.objective[leader] * problem.objective_unit,
    )


def _thinned(rows: int) -> NDArray[np.int64]:
    """Choose rows that tell the basins of a large table apart, in an order that the design does not share."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:: -(-rows // _ROWS)])


def _approach(problem: Problem, weight: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
    """Take the starts near their minima, through ever narrower Huber losses; also say which row each start became."""
    theta = starts(problem, weight, count)
    weights = np.broadcast_to(weight, (len(theta), weight.size))
    squares = replace(problem, estimator=estimator("log-l2"))
    theta[::2] = polish(squares, theta[::2], weights[::2], **_ON_THE_WAY).theta
    theta, leader = _merged(theta)
    target = problem.estimator
    if np.isfinite(target.delta):
        wide = 2.0 * _residual_scale(problem, theta[0], weight)
        narrowest = 3.0 * target.delta or _SMOOTHING[0] * wide
        while wide > narrowest:
            theta = polish(_huber(problem, wide), theta, weights[: len(theta)], **_ON_THE_WAY).theta
            theta, further = _merged(theta)
            leader = further[leader]
            wide *= 0.2
    return theta, leader


def _merged(theta: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the rows that differ, and which of them stands for each row."""
    near = np.abs(theta[:, None] - theta).max(axis=2) <= _MET
    first, leader = np.unique(near.argmax(axis=1), return_inverse=True)
    return theta[first], leader


def refit(problem: Problem, theta: Array, weight: Array, measured: Array, *, max_iterations: int = 200) -> Polished:
    """Minimise for each row of a batch of starts, weights and measurements, from starts near the minimum.

    Parameters
    ----------
    theta
        Shape (batch, parameters), or (parameters,) for one start of all.
    weight, measured
        Shape (batch, rows); `measured` in the units of `problem.y`.
    max_iterations
        As `polish`.
    """
    theta = np.broadcast_to(theta, (len(weight), problem.lower.size))
    if problem.estimator.delta == 0.0:
        return _absolute(problem, theta, weight, measured)
    ends = polish(problem, theta, weight, measured, max_iterations=max_iterations)
    for _ in range(2):  # an amplitude set to zero on the way may be wanted after all
        which = np.flatnonzero(ends.wanting.any(axis=1))
        if which.size == 0:
            break
        again = ends.theta[which]
        logs = again[:, : problem.terms]
        logs[ends.wanting[which]] = np.log(1e-3)
        again[:, : problem.terms] = logs
        _replace(ends, which, polish(problem, again, weight[which], measured[which], max_iterations=max_iterations))
    return replace(ends, converged=ends.converged & ~ends.wanting.any(axis=1))


def _replace(ends: Polished, which: NDArray[np.int64], new: Polished) -> None:
    better = (new.objective < ends.objective[which]) | new.converged & (new.objective <= ends.objective[which])
    for name in Polished.__slots__:
        getattr(ends, name)[which[better]] = getattr(new, name)[better]


def _absolute(problem: Problem, theta: Array, weight: Array, measured: Array) -> Polished:
    """Smooth ever less, then step to the exact vertex."""
    scale = _residual_scale(problem, theta[0], weight[0])
    for share in _SMOOTHING:
        ends = refit(_huber(problem, share * scale), theta, weight, measured, max_iterations=_TO_A_VERTEX)
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
    predicted, _ = problem.linearise(theta)
    r = problem.estimator.residuals(predicted, problem.y)
    return max(float(np.mean(np.abs(r[weight > 0]))), 1e-9)
