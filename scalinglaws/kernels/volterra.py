r"""Gradient flow with the noise of stochastic gradients under changing rates: modes that a common risk drives.

    dy_k/dT = -2 z_k y_k + source_k gamma(T) P(T),       P(T) = floor + Re sum_k y_k(T),

over panels of updates in which the rate is smooth, by the three-stage Radau IIA method (order 5 at the panels' ends):
slow modes are followed, fast ones are damped. What is left of the initial amplitudes decays exactly. Time within a
panel is counted in updates, so that a rate that falls to zero is no singularity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel

__all__ = ["NODES", "SLOPES", "follow_panels"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_ROOT = 6.0**0.5
SLOPES = "alpha", "beta", "log d", "log time", "log noise"
"""What the risk is differentiated by, in this order."""
NODES = np.array([0.4 - 0.1 * _ROOT, 0.4 + 0.1 * _ROOT, 1.0])
"""Stages of a panel, as shares of it."""

_A = np.array(
    [
        [(88 - 7 * _ROOT) / 360, (296 - 169 * _ROOT) / 1800, (-2 + 3 * _ROOT) / 225],
        [(296 + 169 * _ROOT) / 1800, (88 + 7 * _ROOT) / 360, (-2 - 3 * _ROOT) / 225],
        [(16 - _ROOT) / 36, (16 + _ROOT) / 36, 1 / 9],
    ]
)
_INVERSE = np.linalg.inv(_A)
_GONE = 80.0
"""Decay times after which nothing is left of a mode: exp(-80) = 2e-35."""
_START = _INVERSE.sum(axis=1)


@kernel
def follow_panels(
    z: Complex, initial: Complex, source: Complex, floor: Float, pace: Float, noise: Float, time: Float
) -> Float:
    """Risk at the stages of every panel and its derivatives by `SLOPES`, which share the risk's matrices.

    Every derivative obeys the equation of the risk with one more drive: of alpha and log d, what the change of the
    sources does; of the log of noise, the noise itself; of the log of time (`pace` and `time` stretched together), the
    slope dy/dT. They are those of the discretised equations, exactly.

    Parameters
    ----------
    z
        Decay rates, shape (modes,).
    initial, floor
        As in `theory.flow.FlowModes`, shapes (4, modes) and (4,).
    source
        As there, shape (3, modes).
    pace
        Model time that a whole panel would take at the rate of each stage, shape (panels, 3).
    noise
        gamma at each stage, shape (panels, 3).
    time
        Model time of each stage, shape (panels, 3).

    Returns
    -------
    What noise has added to each at each stage, shape (6, panels, 3); infinite where it overflows.
    """
    panels = pace.shape[0]
    out = np.full((6, panels, 3), np.inf)
    state = np.zeros((6, z.size), dtype=np.complex128)
    inverse = np.empty((z.size, 3, 3), dtype=np.complex128)
    last = np.empty(z.size, dtype=np.complex128)
    forced, kept, respond = np.empty((6, 3)), np.empty((6, 3)), np.empty((3, 3, 3))
    solve, drive = np.empty((3, 3)), np.empty((6, 3))
    for p in range(panels):
        _gather(z, initial, source, state, floor, pace[p], time[p], inverse, forced, kept, respond)
        weight = pace[p] * noise[p]
        for i in range(3):
            for j in range(3):
                solve[i, j] = -respond[0, i, j] * weight[j]
            solve[i, i] += 1.0
        _invert_3x3(solve, solve)
        _drive(solve, forced[:1], kept[:1], weight, drive[:1])
        _add(respond[1], drive[0], kept[1])
        _add(respond[2], drive[0], kept[3])
        _own_motion(z, source[0], state[0], pace[p], drive[0], inverse, last, kept[4])
        _add(respond[0], drive[0], kept[5])
        _drive(solve, forced[1:], kept[1:], weight, drive[1:])
        for q in range(6):
            _add(respond[0], drive[q], kept[q])
            for i in range(3):
                out[q, p, i] = kept[q, i]
        _advance(inverse, source, drive, last, state)
        if not np.isfinite(out[0, p, 2]):
            break
    return out


@kernel
def _gather(
    z: Complex,
    initial: Complex,
    source: Complex,
    state: Complex,
    floor: Float,
    pace: Float,
    time: Float,
    inverse: Complex,
    forced: Float,
    kept: Float,
    respond: Float,
) -> None:
    """Fill in each mode's inverse, the forcing, what earlier noise leaves, and what a drive at each stage adds."""
    forced.fill(0.0)
    kept.fill(0.0)
    respond.fill(0.0)
    for t in range(4):
        forced[t] = floor[t]
    for k in range(z.size):
        _invert(2.0 * z[k], pace, inverse[k])
        for i in range(3):
            if 2.0 * z[k].real * time[i] < _GONE:
                left = np.exp(-2.0 * z[k] * time[i])
                for t in range(4):
                    forced[t, i] += (initial[t, k] * left).real
                forced[4, i] -= (2.0 * z[k] * time[i] * initial[0, k] * left).real
            carry = inverse[k, i, 0] * _START[0] + inverse[k, i, 1] * _START[1] + inverse[k, i, 2] * _START[2]
            for q in range(6):
                kept[q, i] += (carry * state[q, k]).real
            for t in range(3):
                for j in range(3):
                    respond[t, i, j] += (inverse[k, i, j] * source[t, k]).real


@kernel
def _drive(solve: Float, forced: Float, kept: Float, weight: Float, drive: Float) -> None:
    """Solve for what drives the modes at the stages: each system's risk, by what a panel makes of it."""
    for q in range(forced.shape[0]):
        for i in range(3):
            risk = 0.0
            for j in range(3):
                risk += solve[i, j] * (forced[q, j] + kept[q, j])
            drive[q, i] = risk * weight[i]


@kernel
def _add(respond: Float, drive: Float, total: Float) -> None:
    """Add what a drive at each stage causes."""
    for i in range(3):
        for j in range(3):
            total[i] += respond[i, j] * drive[j]


@kernel
def _own_motion(
    z: Complex,
    source: Complex,
    state: Complex,
    pace: Float,
    drive: Float,
    inverse: Complex,
    last: Complex,
    added: Float,
) -> None:
    """Add at the stages what the slope of the noise itself drives; `last` takes each mode's at the end."""
    motion = np.empty(3, dtype=np.complex128)
    for k in range(z.size):
        for i in range(3):
            value = 0.0j
            for j in range(3):
                value += inverse[k, i, j] * (_START[j] * state[k] + source[k] * drive[j])
            motion[i] = source[k] * drive[i] - 2.0 * z[k] * pace[i] * value
        for i in range(3):
            moved = inverse[k, i, 0] * motion[0] + inverse[k, i, 1] * motion[1] + inverse[k, i, 2] * motion[2]
            added[i] += moved.real
            if i == 2:
                last[k] = moved


@kernel
def _advance(inverse: Complex, source: Complex, drive: Float, last: Complex, state: Complex) -> None:
    """Take all systems to the end of a panel."""
    for k in range(source.shape[1]):
        a, b, c = inverse[k, 2, 0], inverse[k, 2, 1], inverse[k, 2, 2]
        carry = a * _START[0] + b * _START[1] + c * _START[2]
        own = a * drive[0, 0] + b * drive[0, 1] + c * drive[0, 2]
        for q in range(6):
            driven = a * drive[q, 0] + b * drive[q, 1] + c * drive[q, 2]
            state[q, k] = carry * state[q, k] + source[0, k] * driven
        state[1, k] += source[1, k] * own
        state[3, k] += source[2, k] * own
        state[4, k] += last[k]
        state[5, k] += source[0, k] * own


@kernel
def _invert(decay: complex, pace: Float, out: Complex) -> None:
    """Invert the matrix of one mode's collocation equations: the method's own, with the decays on its diagonal.

    By cofactors; only the diagonal is complex, which halves the work.
    """
    b, c, d = _INVERSE[0, 1], _INVERSE[0, 2], _INVERSE[1, 0]
    f, g, h = _INVERSE[1, 2], _INVERSE[2, 0], _INVERSE[2, 1]
    a, e, i = _INVERSE[0, 0] + decay * pace[0], _INVERSE[1, 1] + decay * pace[1], _INVERSE[2, 2] + decay * pace[2]
    first, second, third = e * i - f * h, f * g - d * i, d * h - e * g
    whole = a * first + b * second + c * third
    over = whole.conjugate() * (1.0 / (whole.real**2 + whole.imag**2))
    out[0, 0], out[0, 1], out[0, 2] = first * over, (c * h - b * i) * over, (b * f - c * e) * over
    out[1, 0], out[1, 1], out[1, 2] = second * over, (a * i - c * g) * over, (c * d - a * f) * over
    out[2, 0], out[2, 1], out[2, 2] = third * over, (b * g - a * h) * over, (a * e - b * d) * over


@kernel
def _invert_3x3(matrix: Any, out: Any) -> None:
    """Invert a 3 x 3 matrix, real or complex, by cofactors."""
    a, b, c = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    d, e, f = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    g, h, i = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    over = 1.0 / (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    out[0, 0], out[0, 1], out[0, 2] = (e * i - f * h) * over, (c * h - b * i) * over, (b * f - c * e) * over
    out[1, 0], out[1, 1], out[1, 2] = (f * g - d * i) * over, (a * i - c * g) * over, (c * d - a * f) * over
    out[2, 0], out[2, 1], out[2, 2] = (d * h - e * g) * over, (b * g - a * h) * over, (a * e - b * d) * over
