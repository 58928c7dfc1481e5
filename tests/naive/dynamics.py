"""Noise dynamics by slow, plain arithmetic: nothing here is shared with the package.

- `energies`     every step and every mode in Python loops, for any drive of the noise;
- `flow`         equation (11) of arXiv 2507.02119 by quadrature, for a covariance given as a function of tau;
- `flow_with_feedback`  its differential equation for any drive, by a general-purpose solver;
- `functional`   the functional scaling law by quadrature of its memory integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import quad, solve_ivp


def energies(
    rates: Sequence[float],
    initial: Sequence[float],
    source: Sequence[float],
    drive: tuple[float, float, float],
    own: float,
    lr: Callable[[int], float],
    batch: Callable[[int], float],
    steps: Sequence[int],
) -> list[tuple[float, float, float, float]]:
    """Sums of forcing, of noise and of z times the energy, and of rates, after each of `steps` updates."""
    forcing, noise, tau, out = list(map(float, initial)), [0.0] * len(rates), 0.0, []
    for t in range(max(steps) + 1):
        if t in steps:
            weighted = sum(z * (f + v) for z, f, v in zip(rates, forcing, noise, strict=True))
            out.append((sum(forcing), sum(noise), weighted, tau))
        rate, size = lr(t), batch(t)
        strength = rate**2 / size * (drive[0] + drive[1] * sum(forcing) + drive[2] * sum(noise))
        for k, z in enumerate(rates):
            left = (1 - rate * z) ** 2 + own * rate**2 * z**2 / size
            forcing[k], noise[k] = left * forcing[k], left * noise[k] + strength * source[k]
        tau += rate
    return out


def flow(
    hessian: Sequence[float],
    error: Sequence[float],
    covariance: Callable[[int, float], float],
    lr_at_tau: Callable[[float], float],
    tau: float,
) -> float:
    """1/2 sum h w^2 e^(-2 h tau) + 1/2 int lr(s) sum h e^(-2 h (tau - s)) Sigma_k(s) ds."""
    total = 0.0
    for k, (h, w) in enumerate(zip(hessian, error, strict=True)):
        total += 0.5 * h * w**2 * math.exp(-2 * h * tau)

        def integrand(s: float, h: float = h, k: int = k) -> float:
            return lr_at_tau(s) * math.exp(-2 * h * (tau - s)) * covariance(k, s)

        total += 0.5 * h * quad(integrand, 0.0, tau, epsabs=1e-14, epsrel=1e-12, limit=500)[0]
    return total


def flow_with_feedback(
    rates: Sequence[float],
    initial: Sequence[float],
    source: Sequence[float],
    drive: tuple[float, float, float],
    own: float,
    lr: Callable[[float], float],
    batch: float,
    steps: Sequence[int],
) -> np.ndarray:
    """Sums of forcing and of noise at `steps`; the rate of an update stands in the middle of its step."""
    size = len(rates)

    def slope(t: float, y: np.ndarray) -> list[float]:
        rate, forcing, noise = lr(t - 0.5), y[:size], y[size:]
        force = drive[0] + drive[1] * sum(forcing) + drive[2] * sum(noise)
        decay = [2 * rate * z - own * rate**2 * z**2 / batch for z in rates]
        grown = [rate**2 / batch * s * force for s in source]
        return [-a * f for a, f in zip(decay, forcing, strict=True)] + [
            g - a * v for a, v, g in zip(decay, noise, grown, strict=True)
        ]

    start = [*map(float, initial), *([0.0] * size)]
    solution = solve_ivp(slope, (0.0, steps[-1]), start, "DOP853", t_eval=steps, rtol=1e-11, atol=1e-16)
    return np.stack([solution.y[:size].sum(axis=0), solution.y[size:].sum(axis=0)], axis=1)


def functional(
    s: float,
    beta: float,
    label_noise: float,
    pieces: Sequence[tuple[float, float, float]],
) -> float:
    """e(t) + int K(t - u) (e(u) + sigma^2) lr(u) / B du; `pieces` are (length in intrinsic time, lr, B)."""
    end, total, start = sum(piece[0] for piece in pieces), 0.0, 0.0
    for length, lr, batch in pieces:

        def integrand(age: float, scale: float = lr / batch) -> float:
            signal = (1 + end - age) ** -s + label_noise
            return (1 + age) ** -(2 - 1 / beta) * signal * scale

        # from the logarithm of the age, in which the memory is smooth
        low, high = math.log1p(end - start - length), math.log1p(end - start)
        total += quad(lambda x, f=integrand: f(math.expm1(x)) * math.exp(x), low, high, epsrel=1e-12, limit=500)[0]
        start += length
    return (1 + end) ** -s + total
