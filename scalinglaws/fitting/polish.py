"""Minimise a robust objective from many starts, or for many resamples, at once: a batched, damped Newton method.

Every start is a row of a batch and every step a few NumPy calls over all rows that have not converged, so 2000
bootstrap refits cost about as much as 2000 compiled single fits and nothing has to be compiled. The step solves
(H + mu M) step = -gradient, with H the exact (semismooth) Hessian and M the matrix of the iteratively reweighted
least-squares majoriser: mu = 0 is Newton, a large mu a safe descent (Nocedal & Wright 2006, ch. 4 and 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.problem import LOG_ZERO, Problem

__all__ = ["Polished", "polish"]

Array = NDArray[np.float64]

_BLOCK = 128  # rows of a batch evaluated together: their arrays stay in the cache of one core
_TINY_SHARE = 1e-5  # an amplitude that contributes less anywhere, and wants to shrink, is set to zero
_FLAT = 1e-17  # Newton decrement, relative to the objective, at which a row has converged
_ROUNDING = 1e-11  # the same after a refused step: the promised decrease drowns in the rounding of the sum
_SLACK = 1e-12  # by how much, relatively, a step may then seem to raise it
_EXACT = 1e-13  # residuals this small are rounding: the law passes through every point


@dataclass(frozen=True, slots=True, kw_only=True)
class Polished:
    """Where each row of a batch ended.

    Parameters
    ----------
    theta
        Shape (batch, parameters).
    objective
        Plain weighted sum, shape (batch,).
    gradient
        Derivative of the objective by theta, zero where a bound holds theta, shape (batch, parameters).
    converged
        The Newton decrement is below 1e-17 of the objective, or below 1e-11 and lost in its rounding.
    wanting
        Amplitudes at zero whose growth would lower the objective, shape (batch, terms).
    """

    theta: Array
    objective: Array
    gradient: Array
    converged: NDArray[np.bool_]
    wanting: NDArray[np.bool_]


@dataclass(slots=True)
class _State:
    """The objective and its derivatives at one theta per row."""

    theta: Array
    value: Array
    gradient: Array
    hessian: Array
    majoriser: Array
    share: Array
    wish: Array


def _evaluate(problem: Problem, theta: Array, weight: Array, measured: Array) -> _State:
    """Return the objective, its derivatives and what the amplitudes at zero wish, for each row of a batch."""
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(theta), _BLOCK)]
    parts = [_block(problem, theta[b], weight[b], measured[b]) for b in blocks]
    if len(parts) == 1:
        return parts[0]
    return _State(*(np.concatenate([getattr(p, name) for p in parts]) for name in _State.__slots__))


def _block(problem: Problem, theta: Array, weight: Array, measured: Array) -> _State:
    columns = problem.basis.evaluate(theta)
    predicted = columns.sum()
    share = columns.values / predicted[:, :, None]
    slope = columns.slope(share)  # of log prediction
    rho, psi, bend, omega = problem.estimator.derivatives(problem.estimator.residuals(predicted, measured))
    scale = 1.0 if problem.estimator.log else predicted  # d residual = scale * d log prediction
    first = weight * psi * scale
    gap = theta - problem.toward
    gradient = (first[:, None, :] @ slope)[:, 0] + problem.pull * gap
    # d2 log prediction is the covariance of the features under the shares; of the prediction, their second moment.
    second = columns.curvature(first[:, :, None] * share)
    curvature = weight * bend * scale * scale - (first if problem.estimator.log else 0.0)
    majorised = weight * omega * scale * scale
    scaled = np.concatenate([slope * curvature[:, :, None], slope * majorised[:, :, None]], axis=2)
    products = slope.transpose(0, 2, 1) @ scaled
    size = theta.shape[1]
    logs = theta[:, : problem.terms]
    return _State(
        theta,
        (weight * rho).sum(axis=1) + 0.5 * (problem.pull * gap**2).sum(axis=1),
        gradient,
        second + products[:, :, :size] + np.diag(problem.pull),
        products[:, :, size:] + np.diag(problem.pull),
        np.abs(share).max(axis=1),
        gradient[:, : problem.terms] * np.exp(-np.maximum(logs, LOG_ZERO)),
    )


@np.errstate(over="ignore", invalid="ignore")  # a step to where numbers end is refused like any that does not help
def polish(
    problem: Problem,
    theta: Array,
    weight: Array,
    measured: Array | None = None,
    *,
    max_iterations: int = 200,
    flat: float = _FLAT,
) -> Polished:
    """Minimise the objective from each row of `theta`, under that row's weights.

    Parameters
    ----------
    problem
        Its estimator must not be "l1": smooth it first (`dataclasses.replace`).
    theta
        Starts, shape (batch, parameters).
    weight
        Weights of the rows of the table, shape (batch, rows).
    measured
        Loss of each row of the table, shape (batch, rows), where it differs from `problem.y`.
    max_iterations
        After which rows count as not converged.
    flat
        Newton decrement over the objective at which a row has converged.
    """
    measured = np.broadcast_to(problem.y, weight.shape) if measured is None else measured
    theta = np.clip(theta, problem.lower, problem.upper)
    state = _evaluate(problem, theta, weight, measured)
    exact = weight.sum(axis=1) * problem.estimator.rho(np.array(_EXACT))
    active = np.arange(len(theta))
    mu, growth = np.full(active.size, 1e-3), np.full(active.size, 2.0)
    converged, refused = np.zeros(active.size, bool), np.zeros(active.size, bool)
    for _ in range(max_iterations):
        part = _take(state, active)
        step, promised, sound, decrement, mu[active] = _descent(problem, part, mu[active])
        level = np.where(refused[active], max(_ROUNDING, flat), flat) * part.value + exact[active]
        done = (decrement <= level) & sound & (mu[active] <= 1e-2)
        converged[active[done]] = True
        active, part = active[~done], _take(part, ~done)
        step, promised, sound = step[~done], promised[~done], sound[~done]
        if active.size == 0:
            break
        trial = _evaluate(problem, _move(problem, part, step), weight[active], measured[active])
        gain = (part.value - trial.value) / np.maximum(promised, 1e-300)
        lost = np.where(promised < _ROUNDING * part.value, _SLACK * part.value, 0.0)
        better = sound & (trial.value <= part.value + lost) & np.isfinite(trial.value)
        refused[active] = ~better
        _put(state, active[better], _take(trial, better))
        mu[active], growth[active] = _damping(mu[active], growth[active], better, gain)
        active = active[mu[active] <= 1e12]
    return _ended(problem, state, converged)


def _ended(problem: Problem, state: _State, converged: NDArray[np.bool_]) -> Polished:
    return Polished(
        theta=state.theta,
        objective=state.value,
        gradient=np.where(_free(problem, state), state.gradient, 0.0),
        converged=converged,
        wanting=(state.theta[:, : problem.terms] <= LOG_ZERO) & (state.wish < 0.0) & ~problem.held[: problem.terms],
    )


def _take(state: _State, which: NDArray[np.bool_] | NDArray[np.int64]) -> _State:
    return _State(*(getattr(state, name)[which] for name in _State.__slots__))


def _put(state: _State, which: NDArray[np.int64], values: _State) -> None:
    for name in _State.__slots__:
        getattr(state, name)[which] = getattr(values, name)


def _free(problem: Problem, state: _State) -> NDArray[np.bool_]:
    """Parameters that may move: not held, and not pushed against a bound."""
    low = (state.theta <= problem.lower) & (state.gradient >= 0.0)
    low[:, : problem.terms] = state.theta[:, : problem.terms] <= LOG_ZERO  # released by the caller alone
    high = (state.theta >= problem.upper) & (state.gradient <= 0.0)
    return ~(low | high | problem.held)


def _descent(problem: Problem, state: _State, mu: Array) -> tuple[Array, Array, NDArray[np.bool_], Array, Array]:
    """Damp until every step is a descent: a matrix that is not positive definite costs no evaluation."""
    found = _newton_step(problem, state, mu)
    for _ in range(6):
        poor = np.flatnonzero(~found[2])
        if poor.size == 0:
            break
        mu[poor] = np.maximum(4.0 * mu[poor], 1e-6)
        for whole, part in zip(found, _newton_step(problem, _take(state, poor), mu[poor]), strict=True):
            whole[poor] = part
    return *found, mu


def _newton_step(problem: Problem, state: _State, mu: Array) -> tuple[Array, Array, NDArray[np.bool_], Array]:
    """Return the step, the decrease it promises, whether it is a descent, and the Newton decrement."""
    free = _free(problem, state)
    gradient = np.where(free, state.gradient, 0.0)
    ridge = np.einsum("bpp->bp", state.majoriser) * 1e-3 + 1e-12 * state.value[:, None] + 1e-300
    damping = state.majoriser.copy()
    np.einsum("bpp->bp", damping)[:] += ridge
    matrix = state.hessian + mu[:, None, None] * damping
    matrix *= free[:, :, None] & free[:, None, :]
    np.einsum("bpp->bp", matrix)[:] += ~free
    step, sound = _solve(matrix, -gradient)
    slope = np.einsum("bp,bp->b", gradient, step)
    promised = -slope - 0.5 * np.einsum("bp,bpq,bq->b", step, state.hessian, step)
    return step, promised, sound, -0.5 * slope


def _solve(matrix: Array, right: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Solve small symmetric systems by LDL^T; a matrix that is not positive definite is reported, not solved."""
    size = right.shape[1]
    lower = matrix.copy()
    sound = np.ones(len(matrix), bool)
    diagonal = np.empty_like(right)
    for j in range(size):
        diagonal[:, j] = lower[:, j, j]
        sound &= diagonal[:, j] > 1e-14 * matrix[:, j, j]
        sound &= diagonal[:, j] > 0.0
        pivot = np.where(sound, diagonal[:, j], 1.0)
        diagonal[:, j] = pivot
        column = lower[:, j + 1 :, j] / pivot[:, None]
        lower[:, j + 1 :, j + 1 :] -= column[:, :, None] * lower[:, None, j + 1 :, j]
        lower[:, j + 1 :, j] = column
    x = right.copy()
    sound &= np.isfinite(matrix).all(axis=(1, 2))
    x[~sound], lower[~sound] = 0.0, 0.0
    for j in range(size):
        x[:, j + 1 :] -= lower[:, j + 1 :, j] * x[:, j : j + 1]
    x /= diagonal
    for j in range(size - 1, 0, -1):
        x[:, :j] -= lower[:, j, :j] * x[:, j : j + 1]
    return np.where(sound[:, None], x, 0.0), sound


def _move(problem: Problem, state: _State, step: Array) -> Array:
    """Take the step inside the bounds; amplitudes that have become negligible and still shrink go to zero."""
    limit = np.abs(step).max(axis=1, keepdims=True)
    theta = state.theta + step * np.minimum(1.0, 3.0 / np.maximum(limit, 1e-300))
    logs, push = theta[:, : problem.terms], state.gradient[:, : problem.terms]
    gone = (state.share < _TINY_SHARE) & (push > 0.0) & ~problem.held[: problem.terms]
    logs[gone] = LOG_ZERO
    inside: Array = np.clip(theta, problem.lower, problem.upper)
    return inside


def _damping(mu: Array, growth: Array, better: NDArray[np.bool_], gain: Array) -> tuple[Array, Array]:
    """Shrink the damping after a good step, grow it ever faster after bad ones (Nielsen 1999)."""
    shrink = np.maximum(0.1, 1.0 - (2.0 * np.clip(gain, 0.0, 1.0) - 1.0) ** 3)
    shrink = np.where(gain > 0.9, 0.1, shrink)
    new = np.where(better, np.maximum(mu * shrink, 1e-12), np.maximum(mu, 1e-6) * growth)
    return new, np.where(better, 2.0, growth * 2.0)
