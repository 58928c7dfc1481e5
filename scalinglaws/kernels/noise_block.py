r"""One block of noise dynamics: the collocation of `scalinglaws.theory.blocks` for many real modes at once.

`scalinglaws.kernels.noise` states the equations. Over a block every mode has a small matrix, forward
difference plus decay at the nodes; its inverse tells how noise at one node moves the energy at the others.
Summed over modes these responses close the equation for the drive. Modes are the innermost index throughout,
so that every loop over them vectorises.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel, summing

__all__ = [
    "CEILING",
    "Panels",
    "Physics",
    "Rule",
    "Spectrum",
    "State",
    "Sums",
    "Work",
    "advance",
    "chebyshev",
    "decayed",
    "log_weights",
    "rate_at",
    "scratch",
    "total_of",
    "weighted_sum",
]

Float = NDArray[np.float64]

CEILING = 1e280
"""A run whose energy exceeds this has diverged."""
ROUNDING = 3e-14
"""What rounding may add to the error of a block, times its magnification."""
LEAST = -0.86
"""Smallest factor per step inside a block, less 1: nothing is left of such a mode, whose log may be singular."""


class Spectrum(NamedTuple):
    """Modes: rates z, initial energies, and how strongly noise drives each."""

    z: Float
    initial: Float
    source: Float


class Physics(NamedTuple):
    """What drives the noise, the share of a mode's own energy in it, and whether steps are infinitesimal."""

    constant: float
    on_forcing: float
    on_noise: float
    own: float
    flow: bool


class Panels(NamedTuple):
    """Rate and batch between `edge[j]` and `edge[j + 1]`: a Chebyshev series of `terms[j]` terms, and a number."""

    edge: Float
    kink: NDArray[np.bool_]
    batch: Float
    terms: NDArray[np.int64]
    series: Float


class Rule(NamedTuple):
    """Collocation for every allowed length of a block (one row each; a single row for a flow)."""

    length: Float
    x: Float
    difference: Float
    last: Float
    series: Float
    log_x: Float
    log_sum: Float


class State(NamedTuple):
    """Energies of every mode before the next step, and the time of gradient flow so far (one number)."""

    forcing: Float
    noise: Float
    tau: Float


class Sums(NamedTuple):
    """What a block knows at its start and its nodes: sums over modes of noise and of z * noise, as series."""

    noise: Float
    weighted: Float


class Work(NamedTuple):
    """Scratch for one block.

    Rates and logs of each mode's factor at the nodes for logs, weights of those; noise of each mode at the
    nodes for noise, matrices, what enters from the start, strength and drive of the noise, its response.
    """

    rates: Float
    weights: Float
    logs: Float
    noise: Float
    matrix: Float
    pivot: Float
    start: Float
    strength: Float
    drive: Float
    respond: Float
    values: Sums


@kernel
def chebyshev(series: Float, count: int, u: float) -> float:
    """Sum the first `count` terms of a Chebyshev series at u, by Clenshaw's recursion."""
    below, here = 0.0, 0.0
    for i in range(count - 1, 0, -1):
        below, here = here, 2.0 * u * here - below + series[i]
    return float(u * here - below + series[0])


@kernel
def rate_at(panels: Panels, j: int, t: float) -> float:
    """Rate on panel j."""
    span = panels.edge[j + 1] - panels.edge[j] - 1.0
    u = 2.0 * (t - panels.edge[j]) / span - 1.0 if span > 0.0 else 0.0
    return float(max(chebyshev(panels.series[j], panels.terms[j], u), 0.0))


@kernel
def log_weights(log_sum: Float, n: float, u: float, weights: Float) -> None:
    """Weights of the logs at their nodes in their sum over the first part of a block; u in [-1, 1] is its end."""
    for i in range(weights.size):
        weights[i] = 0.0
    power, sign = 1.0, 1.0
    for p in range(weights.size):
        power, sign = power * u, -sign
        for i in range(weights.size):
            weights[i] += n * (power - sign) * log_sum[p, i]


@summing
def decayed(start: Float, logs: Float, weights: Float, out: Float) -> float:
    """Energies start * exp(weights @ logs), and their sum."""
    total = 0.0
    for k in range(start.size):
        exponent = 0.0
        for i in range(weights.size):
            exponent += weights[i] * logs[i, k]
        out[k] = start[k] * math.exp(exponent)
        total += out[k]
    return total


@summing
def _logs(z: Float, lr: float, square: float, flow: bool, out: Float) -> None:
    for k in range(z.size):
        decay = lr * z[k] * (2.0 - lr * z[k] * square)
        out[k] = -decay if flow else math.log1p(max(-decay, LEAST))


@summing
def _invert(a: Float, pivot: Float) -> None:
    """Invert the matrices a[:, :, k] in place, without pivoting: decay only strengthens their diagonal."""
    order, size = a.shape[0], a.shape[2]
    for p in range(order):
        for k in range(size):
            pivot[k] = 1.0 / a[p, p, k]
            a[p, p, k] = 1.0
        for j in range(order):
            for k in range(size):
                a[p, j, k] *= pivot[k]
        for i in range(order):
            if i == p:
                continue
            for k in range(size):
                pivot[k] = a[i, p, k]
                a[i, p, k] = 0.0
            for j in range(order):
                for k in range(size):
                    a[i, j, k] -= pivot[k] * a[p, j, k]


@summing
def total_of(a: Float) -> float:
    """Sum."""
    total = 0.0
    for k in range(a.size):
        total += a[k]
    return total


@summing
def weighted_sum(a: Float, b: Float) -> float:
    """Scalar product."""
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@kernel
def _solve(matrix: Float, right: Float) -> None:
    """Solve a small system in place, by elimination with pivoting."""
    size = right.size
    for p in range(size):
        best = p
        for i in range(p + 1, size):
            if abs(matrix[i, p]) > abs(matrix[best, p]):
                best = i
        if best != p:
            for j in range(size):
                matrix[p, j], matrix[best, j] = matrix[best, j], matrix[p, j]
            right[p], right[best] = right[best], right[p]
        for i in range(p + 1, size):
            ratio = matrix[i, p] / matrix[p, p]
            for j in range(p, size):
                matrix[i, j] -= ratio * matrix[p, j]
            right[i] -= ratio * right[p]
    for p in range(size - 1, -1, -1):
        for j in range(p + 1, size):
            right[p] -= matrix[p, j] * right[j]
        right[p] /= matrix[p, p]


@kernel
def scratch(rule: Rule, size: int) -> Work:
    """Allocate what one block needs."""
    order, logs = rule.x.shape[1], rule.log_x.shape[1]
    per_node, matrix = np.empty((order, size)), np.empty((order, order, size))
    drive, respond = np.empty(order), np.empty((order, order))
    values = Sums(np.empty(order + 1), np.empty(order + 1))
    return Work(
        np.empty(logs),
        np.empty(logs),
        np.empty((logs, size)),
        per_node,
        matrix,
        np.empty(size),
        np.empty((order, size)),
        np.empty(order),
        drive,
        respond,
        values,
    )


@summing
def _node(
    spectrum: Spectrum, rule: Rule, row: int, n: float, lr: float, square: float, i: int, old: Float, work: Work
) -> None:
    """Row i of every mode's matrix, forward difference plus decay at node i, and what enters from old noise."""
    order, difference = work.matrix.shape[0], rule.difference[row, i]
    for j in range(order):
        for k in range(spectrum.z.size):
            work.matrix[i, j, k] = difference[j + 1]
    for k in range(spectrum.z.size):
        work.matrix[i, i, k] += n * lr * spectrum.z[k] * (2.0 - lr * spectrum.z[k] * square)
        work.start[i, k] = -difference[0] * old[k]


@summing
def _respond(source: Float, work: Work, i: int, j: int) -> tuple[float, float]:
    """Sum over modes: how noise at node j moves the energy at node i, and what old noise entering there does."""
    moved, kept = 0.0, 0.0
    for k in range(source.size):
        moved += work.matrix[i, j, k] * source[k]
        kept += work.matrix[i, j, k] * work.start[j, k]
    return moved, kept


@kernel
def _close(source: Float, on_noise: float, work: Work) -> float:
    """Solve for the drive at the nodes, which contains what it causes; leave drive times strength.

    Returns how much rounding is magnified: the matrix is small at the threshold, where noise sustains itself.
    """
    order, square = work.drive.size, 0.0
    for i in range(order):
        for j in range(order):
            moved, kept = _respond(source, work, i, j)
            work.respond[i, j] = (1.0 if i == j else 0.0) - on_noise * moved * work.strength[j]
            work.drive[i] += on_noise * kept
            square += work.respond[i, j] ** 2
    _solve(work.respond, work.drive)
    for i in range(order):
        work.drive[i] *= work.strength[i]
    return 1.0 / math.sqrt(square)


@summing
def _noise_at_nodes(source: Float, work: Work) -> None:
    order, size = work.noise.shape
    for i in range(order):
        for k in range(size):
            work.noise[i, k] = 0.0
        for j in range(order):
            for k in range(size):
                work.noise[i, k] += work.matrix[i, j, k] * (work.start[j, k] + work.drive[j] * source[k])


@summing
def _finish(z: Float, old: Float, last: Float, work: Work, end: Float) -> None:
    """Noise at the end of the block, and sums over modes at its start and nodes."""
    order = work.noise.shape[0]
    for k in range(z.size):
        end[k] = last[0] * old[k]
    for i in range(order):
        for k in range(z.size):
            end[k] += last[i + 1] * work.noise[i, k]
    work.values.noise[0] = total_of(old)
    work.values.weighted[0] = weighted_sum(z, old)
    for i in range(order):
        work.values.noise[i + 1] = total_of(work.noise[i])
        work.values.weighted[i + 1] = weighted_sum(z, work.noise[i])


@summing
def _uncertain(forcing: Float, logs: Float, last: Float, n: float) -> float:
    """Energy times the last Chebyshev term of its summed log, whose last power has the coefficients `last`."""
    total = 0.0
    for k in range(forcing.size):
        term = 0.0
        for i in range(last.size):
            term += last[i] * logs[i, k]
        total += forcing[k] * abs(term)
    return total * n / 2.0 ** (last.size - 1)


@kernel
def advance(
    spectrum: Spectrum,
    physics: Physics,
    panels: Panels,
    rule: Rule,
    place: tuple[int, int],
    t: float,
    n: float,
    state: State,
    work: Work,
    end: State,
    sums: Sums,
) -> float:
    """Advance from t by n on panel place[0] with rule place[1]; `state` stays, `end` and `sums` are filled.

    Returns an estimate of the relative error of the energy, not a number if the energy overflows.
    """
    j, row = place
    order, logs, batch = rule.x.shape[1], rule.log_x.shape[1], panels.batch[j]
    shift = 0.5 if physics.flow else 0.0  # the update from t to t + 1 stands in the middle
    square = physics.own / batch + (0.0 if physics.flow else 1.0)
    for i in range(logs):
        work.rates[i] = rate_at(panels, j, t + n * rule.log_x[row, i] - shift)
        _logs(spectrum.z, work.rates[i], square, physics.flow, work.logs[i])
    uncertain = 0.0
    for i in range(order):
        lr = rate_at(panels, j, t + n * rule.x[row, i] - shift)
        work.strength[i] = n * lr * lr / batch
        _node(spectrum, rule, row, n, lr, square, i, state.noise, work)
        log_weights(rule.log_sum[row], n, 2.0 * rule.x[row, i] - 1.0, work.weights)
        left = decayed(state.forcing, work.logs, work.weights, end.forcing)
        work.drive[i] = physics.constant + physics.on_forcing * left
        if i == 0 and left > 0.0:
            uncertain = _uncertain(end.forcing, work.logs, rule.log_sum[row, logs - 1], n) / left
    _invert(work.matrix, work.pivot)
    magnified = _close(spectrum.source, physics.on_noise, work)
    _noise_at_nodes(spectrum.source, work)
    _finish(spectrum.z, state.noise, rule.last[row], work, end.noise)
    for p in range(order + 1):
        sums.noise[p] = weighted_sum(rule.series[row, p], work.values.noise)
        sums.weighted[p] = weighted_sum(rule.series[row, p], work.values.weighted)
    log_weights(rule.log_sum[row], n, 1.0, work.weights)
    total = decayed(state.forcing, work.logs, work.weights, end.forcing) + total_of(end.noise)
    end.tau[0] = state.tau[0] + weighted_sum(work.weights, work.rates)
    if not 0.0 <= total < CEILING:
        return np.nan
    neglected = abs(sums.noise[order]) / total - ROUNDING * magnified if total > 0.0 else 0.0
    return float(max(uncertain, neglected))
