r"""Noise dynamics: loss curves of SGD as mode energies driven by gradient noise, under any schedule.

First a model, then a schedule:

    modes = dynamics.plrf(model, rng=0)                # noise proportional to the current risk, which feeds back
    modes = dynamics.quadratic(hessian, error, cov)    # any spectrum, noise of constant covariance
    modes = dynamics.noisy_quadratic(size, ...)        # that with power laws: losses of language models
    modes = dynamics.functional(s, beta)               # functional scaling law: power-law forcing and memory
    ds = dynamics.integrate(modes, schedule, steps, batch=4)
    values = dynamics.sweep(modes, schedules, steps)   # milliseconds each

Steps are discrete, as in `simulate`; `modes.as_flow()` is the stochastic differential equation in their place.
`limits` holds what remains when a schedule varies slowly.

When to use what: `solve(model, opt, steps)` for the large-d limit, for a closed form at constant rates, and for
the four terms of the risk; this room for many schedules, given features, other spectra and noise, tau and
Tr Sigma along the curve. Both do the same discrete collocation: `theory.blocks` with real or complex modes and
in NumPy, here real modes, compiled.
"""

from __future__ import annotations

from scalinglaws.theory.dynamics.functional import functional
from scalinglaws.theory.dynamics.integrate import integrate, sweep
from scalinglaws.theory.dynamics.limits import full_transfer, late_noise, slow_noise, transfer
from scalinglaws.theory.dynamics.named import noisy_quadratic, plrf, quadratic
from scalinglaws.theory.dynamics.spectrum import Drive, NoiseModel

__all__ = [
    "Drive",
    "NoiseModel",
    "full_transfer",
    "functional",
    "integrate",
    "late_noise",
    "noisy_quadratic",
    "plrf",
    "quadratic",
    "slow_noise",
    "sweep",
    "transfer",
]
