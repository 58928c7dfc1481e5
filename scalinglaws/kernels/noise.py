r"""Mode energies driven by gradient noise, from step 0 to the last, for a tabulated learning rate.

Each mode has an energy f + v, what is left of the initial error and what noise has added. With lr the rate of
the mean gradient and B the batch, a step is

    f <- (1 - a) f,    v <- (1 - a) v + lr^2 / B * source * drive,    a = lr z (2 - lr z (1 + own / B)),
    drive = constant + on_forcing * sum f + on_noise * sum v;

a flow is the differential equation with the same right-hand side, less the 1 in a (which is the square of the
mean step). Both advance in blocks (`scalinglaws.kernels.noise_block`) whose length an error estimate chooses;
a difference equation is done step by step where no block is worth it, and first of all after a kink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel, summing
from scalinglaws.kernels.noise_block import (
    CEILING,
    Panels,
    Physics,
    Rule,
    Spectrum,
    State,
    Sums,
    Work,
    advance,
    chebyshev,
    decayed,
    log_weights,
    rate_at,
    scratch,
    total_of,
    weighted_sum,
)

__all__ = ["follow"]

Float = NDArray[np.float64]

TINY = 1e-290
"""Energies below this are set to zero: denormal numbers are slow."""
GENTLE = 0.1
"""A flow begins, and begins again at a kink, with a block of this many decay times of its fastest mode."""
FASTER, SLOWER, SAFETY = 2.0, 0.2, 0.9
"""Largest and smallest change of the length from one block to the next, and caution."""


@summing
def _one_step(spectrum: Spectrum, physics: Physics, lr: float, batch: float, state: State, out: Float) -> None:
    """Do one update; `out` receives the sums before it."""
    forcing, noise, weighted = 0.0, 0.0, 0.0
    for k in range(spectrum.z.size):
        forcing += state.forcing[k]
        noise += state.noise[k]
        weighted += spectrum.z[k] * (state.forcing[k] + state.noise[k])
    out[0], out[1], out[2], out[3] = forcing, noise, weighted, state.tau[0]
    state.tau[0] += lr
    drive = physics.constant + physics.on_forcing * forcing + physics.on_noise * noise
    strength, square = lr * lr / batch * drive, 1.0 + physics.own / batch
    for k in range(spectrum.z.size):
        left = 1.0 - lr * spectrum.z[k] * (2.0 - lr * spectrum.z[k] * square)
        state.forcing[k] *= left
        state.noise[k] = left * state.noise[k] + strength * spectrum.source[k]


@kernel
def _record_block(
    spectrum: Spectrum, log_sum: Float, n: float, u: float, state: State, work: Work, sums: Sums, out: Float
) -> None:
    """Take the sums somewhere inside a block: forcing from its logs, noise from its series."""
    weights = work.weights
    log_weights(log_sum, n, u, weights)
    out[0] = decayed(state.forcing, work.logs, weights, work.pivot)
    out[1] = chebyshev(sums.noise, sums.noise.size, u)
    out[2] = chebyshev(sums.weighted, sums.weighted.size, u) + weighted_sum(spectrum.z, work.pivot)
    out[3] = state.tau[0] + weighted_sum(weights, work.rates)


@kernel
def _flush(end: State, state: State) -> None:
    """Copy energies; what has vanished becomes zero."""
    state.tau[0] = end.tau[0]
    for k in range(end.noise.size):
        state.forcing[k] = end.forcing[k] if end.forcing[k] > TINY else 0.0
        state.noise[k] = end.noise[k] if abs(end.noise[k]) > TINY else 0.0


@kernel
def _gentle(spectrum: Spectrum, panels: Panels, j: int) -> float:
    """Length of the first block of a flow on a panel."""
    largest = 0.0
    for k in range(spectrum.z.size):
        largest = max(largest, spectrum.z[k])
    fastest = 2.0 * rate_at(panels, j, panels.edge[j]) * largest
    span = panels.edge[j + 1] - panels.edge[j]
    return float(min(GENTLE / fastest, span) if fastest > 0.0 else span)


@kernel
def _one_by_one(
    spectrum: Spectrum,
    physics: Physics,
    panels: Panels,
    place: tuple[int, int],
    t: float,
    state: State,
    steps: Float,
    record: int,
    out: Float,
) -> int:
    """Do place[1] updates on panel place[0]; return how many records are done, -1 - that if the run diverged."""
    sums = np.empty(4)
    for i in range(place[1]):
        _one_step(spectrum, physics, rate_at(panels, place[0], t + i), panels.batch[place[0]], state, sums)
        if not sums[0] + sums[1] < CEILING:
            return -1 - record
        if record < steps.size and steps[record] == t + i:
            for p in range(sums.size):  # a slice would take seconds to compile
                out[record, p] = sums[p]
            record += 1
    _flush(state, state)
    return record


@kernel
def _factor(error: float, order: int) -> float:
    """Change of the length that the error of a block suggests; NaN means that it overflowed."""
    if not error >= 0.0:
        return SLOWER
    return float(min(max(SAFETY * max(error, 1e-12) ** (-1.0 / (order + 1)), SLOWER), FASTER))


@kernel
def _row_of(lengths: Float, n: float) -> int:
    """Find the longest rule that is not longer than n; -1 if there is none."""
    row = lengths.size - 1
    while row >= 0 and lengths[row] > n:
        row -= 1
    return row


@kernel
def follow(
    spectrum: Spectrum, physics: Physics, panels: Panels, rule: Rule, steps: Float, rtol: float, out: Float
) -> int:
    """Fill out[r] with the sums of forcing, of noise and of z * energy, and of rates, after steps[r] updates.

    The last edge must exceed the last of `steps`. Returns how many records were reached: fewer than
    steps.size if the run diverged.
    """
    size, order = spectrum.z.size, rule.x.shape[1]
    state = State(spectrum.initial.copy(), np.zeros(size), np.zeros(1))
    end = State(np.empty(size), np.empty(size), np.empty(1))
    work, sums = scratch(rule, size), Sums(np.empty(order + 1), np.empty(order + 1))
    shortest, length, t, record = rule.length[0], 0.0, 0.0, 0
    for j in range(panels.batch.size):
        stop = panels.edge[j + 1]
        if panels.kink[j]:
            length = _gentle(spectrum, panels, j) if physics.flow else 0.0  # the first steps one by one
        while t < stop and record < steps.size:
            n = min(length, stop - t)
            row = 0 if physics.flow else _row_of(rule.length, n)
            if row < 0:
                n = min(shortest, stop - t)
                record = _one_by_one(spectrum, physics, panels, (j, int(n)), t, state, steps, record, out)
                if record < 0:
                    return -1 - record
                t, length = t + n, max(length, shortest)
                continue
            n = n if physics.flow else rule.length[row]
            error = advance(spectrum, physics, panels, rule, (j, row), t, n, state, work, end, sums) / rtol
            factor = _factor(error, order)
            length = factor * n if factor < 1.0 else max(length, factor * n)
            if error <= 1.0:
                while record < steps.size and steps[record] < t + n:
                    u = 2.0 * (steps[record] - t) / n - 1.0
                    _record_block(spectrum, rule.log_sum[row], n, u, state, work, sums, out[record])
                    record += 1
                _flush(end, state)
                t += n
            if t + length == t or not total_of(state.forcing) + total_of(state.noise) < CEILING:
                return record
    return record
