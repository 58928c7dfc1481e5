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
_CONCAVE = 1e-6  # second derivative, relative to the objective, below which a direction counts as curving down
_FLAT = 1e-17  # Newton decrement, relative to the objective, at which a row has converged
_ROUNDING = 1e-11  # the same after a refused step: the promised decrease drowns in the rounding of the sum
_SLACK = 1e-12  # by how much, relatively, a step may then seem to raise it
_SINGULAR = 1e-14  # least pivot of a Hessian, over its diagonal, that is no rounding
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
    state = _evaluate(problem, np.clip(theta, problem.lower, problem.upper), weight, measured)
    exact = weight.sum(axis=1) * problem.estimator.rho(np.array(_EXACT))
    part, active = state, np.arange(len(theta))  # the rows that still move
    mu, growth = np.full(active.size, 1e-3), np.full(active.size, 2.0)
    converged, refused = np.zeros(active.size, bool), np.zeros(active.size, bool)
    for _ in range(max_iterations):
        step, promised, sound, decrement = _descent(problem, part, mu)
        level = np.where(refused, max(_ROUNDING, flat), flat) * part.value + exact[active]
        done = (decrement <= level) & sound & (mu <= 1e-2) & ~_concave(problem, part)
        left = ~done & (mu <= 1e12)
        if not left.all():
            converged[active[done]] = True
            state = _put(state, active, part)
            active, part = active[left], _take(part, left)
            mu, growth, step, promised, sound = (rows[left] for rows in (mu, growth, step, promised, sound))
            if active.size == 0:
                break
        trial = _evaluate(problem, _move(problem, part, step), weight[active], measured[active])
        gain = (part.value - trial.value) / np.maximum(promised, 1e-300)
        lost = np.where(promised < _ROUNDING * part.value, _SLACK * part.value, 0.0)
        better = sound & (trial.value <= part.value + lost) & np.isfinite(trial.value)
        refused = ~better
        part = trial if better.all() else _put(part, np.flatnonzero(better), _take(trial, better))
        mu, growth = _damping(mu, growth, better, gain)
    return _ended(problem, _put(state, active, part), converged)


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


def _put(state: _State, which: NDArray[np.int64], values: _State) -> _State:
    """Return the state with some rows replaced."""
    if which.size == len(state.value):
        return values
    for name in _State.__slots__:
        getattr(state, name)[which] = getattr(values, name)
    return state


def _free(problem: Problem, state: _State) -> NDArray[np.bool_]:
    """Parameters that may move: not held, and not pushed against a bound."""
    low = (state.theta <= problem.lower) & (state.gradient >= 0.0)
    low[:, : problem.terms] = state.theta[:, : problem.terms] <= LOG_ZERO  # released by the caller alone
    high = (state.theta >= problem.upper) & (state.gradient <= 0.0)
    return ~(low | high | problem.held)


def _descent(problem: Problem, state: _State, mu: Array) -> tuple[Array, Array, NDArray[np.bool_], Array]:
    """Raise the damping `mu` until every step is a descent: an indefinite matrix costs no evaluation."""
    found = _newton_step(problem, state, mu)
    for _ in range(6):
        poor = np.flatnonzero(~found[2])
        if poor.size == 0:
            break
        mu[poor] = np.maximum(4.0 * mu[poor], 1e-6)
        for whole, part in zip(found, _newton_step(problem, _take(state, poor), mu[poor]), strict=True):
            whole[poor] = part
    return found


def _newton_step(problem: Problem, state: _State, mu: Array) -> tuple[Array, Array, NDArray[np.bool_], Array]:
    """Return the step, the decrease it promises, whether it is a descent, and the Newton decrement."""
    free = _free(problem, state)
    gradient = np.where(free, state.gradient, 0.0)
    ridge = np.einsum("bpp->bp", state.majoriser) * 1e-3 + 1e-12 * state.value[:, None] + 1e-300
    damping = state.majoriser.copy()
    np.einsum("bpp->bp", damping)[:] += ridge
    matrix = state.hessian + mu[:, None, None] * damping
    curvature = np.einsum("bpp->bp", state.hessian)
    # Where the majoriser is near zero, damping alone turns a concave direction only after it has frozen all others.
    np.einsum("bpp->bp", matrix)[:] += 2.0 * np.maximum(-curvature, 0.0)
    matrix *= free[:, :, None] & free[:, None, :]
    np.einsum("bpp->bp", matrix)[:] += ~free
    step, sound = _solve(matrix, -gradient)
    slope = np.einsum("bp,bp->b", gradient, step)
    promised = -slope - 0.5 * np.einsum("bp,bpq,bq->b", step, state.hessian, step)
    return step, promised, sound, -0.5 * slope


def _concave(problem: Problem, state: _State) -> NDArray[np.bool_]:
    """Tell which rows curve down along a free parameter: a saddle, however small its gradient."""
    curvature = np.where(_free(problem, state), np.einsum("bpp->bp", state.hessian), 0.0)
    return np.asarray((curvature < -_CONCAVE * state.value[:, None]).any(axis=1))


def _solve(matrix: Array, right: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Solve small symmetric systems; a matrix that is not positive definite is reported, not solved."""
    try:
        lower, sound = np.linalg.cholesky(matrix), np.ones(len(matrix), bool)
    except np.linalg.LinAlgError:  # one or more of them are not
        sound = _definite(matrix)
        matrix = np.where(sound[:, None, None], matrix, np.eye(right.shape[1]))
        lower = np.linalg.cholesky(matrix)
    sound &= (np.einsum("bpp->bp", lower) ** 2 > _SINGULAR * np.einsum("bpp->bp", matrix)).all(axis=1)
    matrix = np.where(sound[:, None, None], matrix, np.eye(right.shape[1]))
    return np.where(sound[:, None], np.linalg.solve(matrix, right[:, :, None])[:, :, 0], 0.0), sound


def _definite(matrix: Array) -> NDArray[np.bool_]:
    """Tell which matrices are finite and positive definite, whatever the units of their rows."""
    diagonal = np.einsum("bpp->bp", matrix)
    sound: NDArray[np.bool_] = np.isfinite(matrix).all(axis=(1, 2)) & (diagonal > 0.0).all(axis=1)
    scale = 1.0 / np.sqrt(np.where(sound[:, None], diagonal, 1.0))
    scaled = np.where(sound[:, None, None], matrix, 0.0) * scale[:, :, None] * scale[:, None, :]
    sound &= np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR
    return sound


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
    shrink = np.maximum(1.0 / 3.0, 1.0 - (2.0 * np.clip(gain, 0.0, 1.0) - 1.0) ** 3)
    new = np.where(better, np.maximum(mu * shrink, 1e-12), np.maximum(mu, 1e-6) * growth)
    return new, np.where(better, 2.0, growth * 2.0)
