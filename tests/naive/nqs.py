"""The noisy quadratic system and the bounded error, from their formulas, one direction and one row at a time."""

from __future__ import annotations

import math

LR = 1.999


def directions(power, q, Q, size, steps):
    """What is left of n^-power, and n^-power lambda lr^2 sum over steps of a^(2 step), summed over n."""
    bias = noise = 0.0
    for n in range(1, size + 1):
        eigenvalue = Q * n**-q
        a = 1.0 - LR * eigenvalue
        bias += n**-power * a ** (2 * steps)
        noise += n**-power * eigenvalue * LR**2 * sum(a ** (2 * step) for step in range(steps))
    return bias, noise


def tail(p, size, terms=20000):
    """The initial loss of the directions beyond `size`: a sum, and the integral of what is left of it."""
    total = sum(n**-p for n in range(size + 1, size + terms + 1))
    return total + (size + terms + 0.5) ** (1.0 - p) / (p - 1.0)


def noisy_quadratic(v, size, batch, steps):
    bias, _ = directions(v["p"], v["q"], v["Q"], size, steps)
    _, noise = directions(v["r"], v["q"], v["Q"], size, steps)
    return v["e_irr"] + 0.5 * v["P"] * (tail(v["p"], size) + bias) + 0.5 * v["R"] * noise / batch


def bounded_error(v, n, d, unique=None):
    unique = d if unique is None else min(unique, d)
    seen = unique + unique * v.get("R_D", 1.0) * (1.0 - math.exp(-(d / unique - 1.0) / v.get("R_D", 1.0)))
    odds = v["A"] / n ** v["alpha"] + v["B"] / seen ** v["beta"]
    return v["eps"] * odds / (1.0 + odds)
