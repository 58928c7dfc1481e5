r"""One long block of steps at once: collocation that is exact in its treatment of discrete time.

Over the n steps of a block the noise amplitudes v_k obey v(s+1) - v(s) = -a_k(s) v(s) + b_k(s) P(s). They are
sought as polynomials of degree q in s that satisfy this at the q nodes of a Gauss-Radau rule for sums over
s = 0, ..., n-1 (last node n-1), the discrete counterpart of the Radau IIA method: stiff modes are damped,
and the error at the end of the block is of order n^(2q-1). The forward difference of the polynomial is
exact, so no step is approximated by a derivative. What is not noise decays by products of g_t, whose
logarithms are smooth and are summed by the rule of `models.sums`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.models.sums import gram_rule
from scalinglaws.optimizers import ResolvedSGD
from scalinglaws.theory.curves import log1p
from scalinglaws.theory.modes import Modes

__all__ = ["LOG_ORDER", "SHORTEST", "State", "advance_block", "collocation", "decay_factor", "forward_difference"]

Float = NDArray[np.float64]

LOG_ORDER = 8
"""Nodes for the sum of log g over a block."""
SHORTEST = 2 * LOG_ORDER
"""Shortest block; a stretch with fewer steps is done one by one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """Amplitudes after `step` updates: what is left of the initial ones, and what noise has added."""

    step: int
    forcing: NDArray[Any]
    noise: NDArray[Any]

    def risk(self, floor: float) -> float:
        """Risk at this step."""
        return floor + float(self.forcing.sum().real) + float(self.noise.sum().real)


def advance_block(modes: Modes, opt: ResolvedSGD, state: State, n: int, order: int) -> tuple[State, float]:
    """Advance by n >= SHORTEST updates; return the new state and how much rounding was magnified.

    Rate and batch must be smooth between them.
    """
    nodes, difference, last = collocation(n, order)
    batch = float(opt.batch_at(state.step))
    rate = opt.rate(state.step + nodes)
    decay = _decay(modes.z, rate, batch)
    source = n * batch * np.multiply.outer(modes.source, rate**2)
    inverse = np.linalg.inv(difference[:, 1:] + n * decay[:, :, None] * np.eye(order))
    start = -(inverse @ difference[:, 0]) * state.noise[:, None]
    respond = np.einsum("kij,kj->ij", inverse, source).real
    forcing = state.forcing[:, None] * np.exp(_log_decay(modes.z, opt, state.step, n, np.append(nodes, n)))
    outside = modes.floor + forcing[:, :-1].sum(axis=0).real + start.sum(axis=0).real
    feedback = np.eye(order) - respond  # small at the threshold of stability, where noise sustains itself
    risk = np.linalg.solve(feedback, outside)
    noise = start + np.einsum("kij,kj->ki", inverse, source * risk)
    noise_at_end = last[0] * state.noise + noise @ last[1:]
    end = State(step=state.step + n, forcing=forcing[:, -1], noise=noise_at_end)
    return end, 1.0 / float(np.linalg.norm(feedback))


def decay_factor(z: NDArray[Any], opt: ResolvedSGD, first: int, n: int) -> NDArray[Any]:
    """Product of g over n steps from `first`, smooth between them if n >= SHORTEST."""
    if n >= SHORTEST:
        return np.asarray(np.exp(_log_decay(z, opt, first, n, np.array([float(n)]))[:, 0]))
    at = first + np.arange(n)
    factors = 1.0 - _decay(z, opt.rate(at), opt.batch_at(at).astype(np.float64))
    return np.asarray(factors.prod(axis=1))


def _log_decay(z: NDArray[Any], opt: ResolvedSGD, first: int, n: int, counts: Float) -> NDArray[Any]:
    """Sum log g over the first `counts` of n steps, shape (modes, counts); counts may be fractional."""
    nodes, _ = gram_rule(0.0, n - 1.0, LOG_ORDER)
    decay = _decay(z, opt.rate(first + nodes), float(opt.batch_at(first)))
    powers = np.arange(LOG_ORDER + 1)
    # Polynomials in u = 2 s / n - 1: from the sums' coefficients to values of their forward differences.
    difference = forward_difference(2.0 * nodes / n - 1.0, 2.0 / n, LOG_ORDER)
    sums = (2.0 * counts / n - 1.0)[:, None] ** powers - (-1.0) ** powers
    return np.asarray(log1p(-decay) @ (sums[:, 1:] @ np.linalg.inv(difference[:, 1:])).T * (0.5 * n))


def _decay(z: NDArray[Any], rate: Float, batch: float | Float) -> NDArray[Any]:
    scaled = np.multiply.outer(z, rate)
    return np.asarray(batch * scaled * (2.0 - (batch + 1.0) * scaled))


def collocation(n: int, order: int) -> tuple[Float, Float, Float]:
    """Nodes; n times the forward difference at the nodes, and the value at n, from those at (0, nodes)."""
    nodes = _radau(n, order)
    x = np.concatenate([[0.0], nodes]) / n
    to_coefficients = np.linalg.inv(x[:, None] ** np.arange(order + 1))
    difference = forward_difference(x[1:], 1.0 / n, order) @ to_coefficients
    return nodes, difference, to_coefficients.sum(axis=0)


def forward_difference(x: Float, h: float, degree: int) -> Float:
    """((x + h)^p - x^p) / h for p = 0, ..., degree, shape (x, p), without cancellation at small h."""
    out = np.zeros((x.size, degree + 1))
    for p in range(1, degree + 1):
        binomial = float(p)
        for m in range(1, p + 1):
            out[:, p] += binomial * h ** (m - 1) * x ** (p - m)
            binomial *= (p - m) / (m + 1)
    return out


def _radau(n: int, order: int) -> Float:
    """Gauss-Radau nodes for sums over 0, ..., n - 1, the last of them n - 1."""
    k = np.arange(1.0, order)
    square = k**2 * (1.0 - (k / n) ** 2) / (4.0 * (4.0 * k**2 - 1.0))  # recurrence, in units of n
    end = 0.5 - 0.5 / n  # the last step, measured from the middle
    jacobi = np.diag(np.sqrt(square), 1) + np.diag(np.sqrt(square), -1)
    target = np.zeros(order - 1)
    target[-1] = square[-1]
    jacobi[-1, -1] = end + np.linalg.solve(jacobi[:-1, :-1] - end * np.eye(order - 1), target)[-1]
    nodes = np.linalg.eigvalsh(jacobi) * n + 0.5 * (n - 1)
    nodes[-1] = n - 1.0
    return np.asarray(nodes)
