"""Minimise a robust objective of a few parameters: damped Newton steps between semismooth and reweighted squares.

The Huber loss has two natural matrices: J'WJ with W = 1 inside the threshold and 0 outside, its own second derivative
up to the curvature of the law (fast near the end), and the one with W = min(1, delta/|r|), which bounds it from above
(safe far away). A step solves (first + mu second) step = -gradient; mu follows the gain (Nielsen 1999).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting import Estimator

__all__ = ["End", "minimise"]

Array = NDArray[np.float64]
Evaluate = Callable[[Array], tuple[Array, Array] | None]
"""From parameters (p,) to residuals (n,) and their Jacobian (n, p); None where the law is undefined."""

_SHORTEST = 1e12  # of mu: even steps this short gain nothing, so what is promised is not there
_VISIBLE = 1e-8  # least decrease, relative to the objective, that a law's own accuracy lets a short step show
_NOTHING = 1e-9  # residuals of this size are rounding: where all are smaller, nothing is left to gain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class End:
    """Where a minimisation ended.

    Parameters
    ----------
    theta
        Parameters, shape (p,).
    objective
        Sum of the losses.
    gradient
        Its derivative by the parameters, zero where a bound holds, shape (p,).
    jacobian
        Of the residuals, each row times the square root of its reweighting, shape (n, p).
    converged
        Whether no step promises a decrease worth taking.
    """

    theta: Array
    objective: float
    gradient: Array
    jacobian: Array
    converged: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    theta: Array
    objective: float
    gradient: Array
    newton: Array
    majoriser: Array
    jacobian: Array


def minimise(
    evaluate: Evaluate,
    theta: Array,
    estimator: Estimator,
    bounds: tuple[Array, Array],
    longest: Array,
    *,
    iterations: int = 150,
    flat: float = 1e-11,
    damping: float = 1e-2,
) -> End | None:
    """Minimise `sum(rho(residual))` from one start; None where the start itself is undefined.

    Parameters
    ----------
    evaluate
        See `Evaluate`.
    theta
        Start, inside the bounds, shape (p,).
    estimator
        Gives rho; its threshold must not be zero.
    bounds
        Lower and upper, shape (p,) each.
    longest
        Longest step of each parameter, shape (p,).
    iterations
        Most steps.
    flat
        Decrease that a reweighted step still promises at convergence, relative to the objective; where no step, however
        short, gains anything, `_VISIBLE` will do.
    damping
        Share of the second matrix in the first step: 1 where most residuals of the start lie beyond the threshold, so
        that the first matrix says nothing.
    """
    here = _place(evaluate, theta, estimator)
    if here is None:
        return None
    floor = here.jacobian.shape[0] * float(estimator.rho(np.array(_NOTHING)))
    mu, growth, converged = damping, 2.0, False
    for _ in range(iterations):
        free = _free(here, bounds)
        stuck = mu > _SHORTEST
        converged = _promised(here, free) <= (max(flat, _VISIBLE) if stuck else flat) * here.objective + floor
        if converged or stuck:
            break
        step = _step(here, mu, free)
        step = step / max(1.0, float(np.max(np.abs(step) / longest)))
        aim = np.clip(here.theta + step, *bounds)
        there = _place(evaluate, aim, estimator)
        if there is not None and there.objective < here.objective:
            moved = aim - here.theta
            expected = -(here.gradient @ moved + 0.5 * moved @ here.newton @ moved)
            gain = float((here.objective - there.objective) / expected) if expected > 0 else 1.0
            mu = max(mu * max(0.1, 1.0 - (2.0 * min(gain, 1.0) - 1.0) ** 3), 1e-9)
            here, growth = there, 2.0
        else:
            mu, growth = max(mu, 1e-6) * growth, growth * 2.0
    gradient = np.where(_free(here, bounds), here.gradient, 0.0)
    return End(
        theta=here.theta, objective=here.objective, gradient=gradient, jacobian=here.jacobian, converged=bool(converged)
    )


def _place(evaluate: Evaluate, theta: Array, estimator: Estimator) -> _Place | None:
    found = evaluate(theta)
    if found is None:
        return None
    r, jacobian = found
    size, delta, factor = np.abs(r), estimator.delta, estimator.factor
    slope = factor * np.clip(r, -delta, delta)
    soft = factor * np.minimum(1.0, delta / np.maximum(size, 1e-300))
    rooted = jacobian * np.sqrt(soft)[:, None]
    inside = jacobian[size <= delta]
    return _Place(
        theta=theta,
        objective=float(np.sum(estimator.rho(r))),
        gradient=jacobian.T @ slope,
        newton=factor * inside.T @ inside,
        majoriser=rooted.T @ rooted,
        jacobian=rooted,
    )


def _free(here: _Place, bounds: tuple[Array, Array]) -> NDArray[np.bool_]:
    """Parameters that are not pushed against a bound, and that the residuals depend on."""
    low = (here.theta <= bounds[0]) & (here.gradient >= 0.0)
    high = (here.theta >= bounds[1]) & (here.gradient <= 0.0)
    return ~(low | high) & (np.diag(here.majoriser) > 0.0)


def _promised(here: _Place, free: NDArray[np.bool_]) -> float:
    """Half of what one full reweighted step would gain: g' M^-1 g / 2."""
    g = here.gradient[free]
    return 0.5 * float(g @ _solve(here.majoriser[np.ix_(free, free)], g)) if free.any() else 0.0


def _step(here: _Place, mu: float, free: NDArray[np.bool_]) -> Array:
    step = np.zeros_like(here.theta)
    matrix = here.newton + mu * here.majoriser
    scale = np.diag(here.majoriser)
    matrix = matrix + np.diag(mu * 1e-3 * scale)
    step[free] = -_solve(matrix[np.ix_(free, free)], here.gradient[free])
    return step


def _solve(matrix: Array, right: Array) -> Array:
    """Solve a symmetric semidefinite system; directions that rounding alone determines are left alone."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    keep = values > 1e-13 * values[-1]
    along = vectors.T @ (right / scale)
    inverse = np.divide(along, values, out=np.zeros_like(along), where=keep)
    return np.asarray((vectors @ inverse) / scale)
