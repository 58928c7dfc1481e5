"""Risk under changing rates and batches: exact steps, or blocks of them chosen by an error estimate.

`recursion` does every step (real modes, compiled): exact, and what everything else is tested against.
`blocks_of_steps` does the first steps one by one and then blocks whose length may grow with the step number,
each computed at two orders whose difference stays below TOLERANCE; 1e12 steps take about as long as 1e6.
Both return risk and forcing at the recorded steps, infinite once the risk has passed CEILING.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels.moments import advance_moments
from scalinglaws.optimizers import ResolvedSGD
from scalinglaws.theory.blocks import SHORTEST, State, advance_block, decay_factor
from scalinglaws.theory.modes import Modes

__all__ = ["blocks_of_steps", "recursion"]

Float = NDArray[np.float64]
Steps = NDArray[np.int64]

CHUNK = 4096
"""Steps between two calls of the compiled loop."""
CEILING = 1e300
EARLY = 32
"""Steps done one by one before the first block."""
ORDERS = 6, 5
TOLERANCE = 1e-10
"""Largest relative difference between the risks of both orders at the end of a block."""
ROUNDING = 3e-14
"""What the two orders may differ by in addition, times the magnification of rounding in a block."""
FASTER, SLOWER = 2.0, 0.2
"""Largest and smallest change of the length from one block to the next."""


def recursion(
    modes: Modes, opt: ResolvedSGD, steps: Steps, learned: Modes | None = None
) -> tuple[Float, Float, Float | None]:
    """Do every step up to the last recorded one. Modes must be real.

    Returns
    -------
    Risk, forcing, and the decay of `learned` without noise (None if not asked for).
    """
    quiet = replace(modes, source=np.zeros_like(modes.source))
    pure = None if learned is None else _run(learned, opt, steps)
    return _run(modes, opt, steps), _run(quiet, opt, steps), pure


def _run(modes: Modes, opt: ResolvedSGD, steps: Steps) -> Float:
    moments, out = modes.initial.copy(), np.full(steps.size, np.inf)
    for first in range(0, int(steps[-1]) + 1, CHUNK):
        at = np.arange(first, min(first + CHUNK, int(steps[-1]) + 1))
        risk = np.empty(at.size)
        rates, batches = opt.rate(at), opt.batch_at(at)
        advance_moments(modes.z, modes.source, moments, modes.floor, rates, batches, risk)
        low, high = np.searchsorted(steps, [at[0], at[-1] + 1])
        out[low:high] = risk[steps[low:high] - first]
        if not risk[-1] < CEILING:
            break
        moments[abs(moments) < 1e-290] = 0.0  # denormal numbers are slow
    return np.where(out < CEILING, out, np.inf)


def blocks_of_steps(
    modes: Modes, opt: ResolvedSGD, steps: Steps, learned: Modes | None = None
) -> tuple[Float, Float, Float | None]:
    """Advance from one recorded step or kink of the schedule to the next in blocks.

    Returns
    -------
    As `recursion`.
    """
    risk, forcing, pure = (np.full(steps.size, np.inf) for _ in range(3))
    states = _visit(modes, opt, steps)
    left = np.empty(0) if learned is None else learned.initial
    last = 0
    for state in states:
        if learned is not None:
            left = left * decay_factor(learned.z, opt, last, state.step - last)
        last = state.step
        place = int(np.searchsorted(steps, state.step))
        if place < steps.size and steps[place] == state.step:
            risk[place] = state.risk(modes.floor)
            forcing[place] = modes.floor + float(state.forcing.sum().real)
            pure[place] = float(left.sum())
    return risk, forcing, None if learned is None else pure


def _stops(opt: ResolvedSGD, steps: Steps) -> list[int]:
    """List the recorded steps and those at which rate or batch are not smooth."""
    kinks = {*opt.schedule.kinks, *opt.batch.steps}
    return sorted({int(step) for step in steps} | {kink for kink in kinks if kink < steps[-1]})


def _visit(modes: Modes, opt: ResolvedSGD, steps: Steps) -> Iterator[State]:
    """States from step 0 on, at the end of every block and at every stop."""
    state = State(step=0, forcing=modes.initial, noise=np.zeros_like(modes.initial))
    yield state
    length = 2.0 * SHORTEST
    for stop in _stops(opt, steps):
        while state.step < stop:
            n = min(int(length), max(state.step, SHORTEST), stop - state.step)
            if n < SHORTEST or state.step < EARLY:
                state = _one_by_one(modes, opt, state, min(SHORTEST, stop - state.step))
                length = max(length, 2.0 * SHORTEST)
            else:
                trial, factor = _try_block(modes, opt, state, n)
                length = factor * n if trial is None or factor < 1.0 else max(length, factor * n)
                if trial is None:
                    continue
                state = trial
            if not 0.0 <= state.risk(modes.floor) < CEILING:
                return
            yield state


def _try_block(modes: Modes, opt: ResolvedSGD, state: State, n: int) -> tuple[State | None, float]:
    """Advance by n steps if the error estimate allows; the change of length it suggests."""
    with np.errstate(over="ignore", invalid="ignore"):
        (end, magnified), (check, _) = (advance_block(modes, opt, state, n, order) for order in ORDERS)
        risk = end.risk(modes.floor)
        error = abs(risk / check.risk(modes.floor) - 1.0) / (TOLERANCE + ROUNDING * magnified)
    if not np.isfinite(error):  # overflow inside the block: come closer in shorter ones
        return None, SLOWER
    factor = 0.9 * max(error, 1e-12) ** (-1.0 / (2 * ORDERS[1]))
    return (end if error <= 1.0 else None), min(max(factor, SLOWER), FASTER)


def _one_by_one(modes: Modes, opt: ResolvedSGD, state: State, n: int) -> State:
    forcing, noise = state.forcing, state.noise
    at = np.arange(state.step, state.step + n)
    with np.errstate(over="ignore", invalid="ignore"):
        for lr, batch in zip(opt.rate(at).tolist(), opt.batch_at(at).tolist(), strict=True):
            risk = modes.floor + float(forcing.sum().real + noise.sum().real)
            factor = 1.0 - lr * batch * modes.z * (2.0 - lr * (batch + 1) * modes.z)
            forcing, noise = factor * forcing, factor * noise + lr**2 * batch * risk * modes.source
    return State(step=state.step + n, forcing=forcing, noise=noise)
