"""Every law of N and D from its formula, one point at a time, and the best of many scipy runs on it."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize


def chinchilla(p, n, d):
    return p["E"] + p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"]


def tied(p, n, d):
    return p["E"] + p["A"] / n ** p["alpha"] + p["B"] / d ** p["alpha"]


def no_floor(p, n, d):
    return p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"]


def kaplan(p, n, d):
    inside = (p["N_c"] / n) ** (p["alpha_N"] / p["alpha_D"]) + p["D_c"] / d
    return p.get("E", 0.0) + inside ** p["alpha_D"]


def skaling(p, n, d):
    return p["E"] + p["A"] * (n ** -p["alpha"] + p["R"] * d ** -p["beta"]) ** p["k"]


def broken(p, n, d):
    bend = (1.0 + (p["D_b"] / d) ** 2) ** (p["delta"] / 2.0)
    return p["E"] + p["A"] / n ** p["alpha"] + p["B"] * d ** -p["beta"] * bend


def repetition(p, n, d, unique):
    """Muennighoff et al. (2023), eqs. 5 to 7."""
    alpha, beta = p["alpha"], p["beta"]
    unique = min(unique, d)
    g = (alpha * p["A"] / (beta * p["B"])) ** (1.0 / (alpha + beta))
    fitting = min(n, g * (unique * g) ** (beta / alpha))
    tokens = unique + unique * p["R_D"] * (1.0 - math.exp(-(d / unique - 1.0) / p["R_D"]))
    size = fitting + fitting * p["R_N"] * (1.0 - math.exp(-(n / fitting - 1.0) / p["R_N"]))
    return p["E"] + p["A"] / size**alpha + p["B"] / tokens**beta


def plrf(p, d, r):
    """The solvable model with 2 alpha > 1 and 2 beta > 1."""
    alpha, beta = p["alpha"], p["beta"]
    return (
        p["F_0"] * d ** (-2 * alpha)
        + p["F_pp"] * r ** (-(2 * alpha + 2 * beta - 1) / (2 * alpha))
        + p["F_ac"] / d * r ** (-(2 * alpha - 1) / (2 * alpha))
        + p["K_pp"] * r ** (-(4 * alpha - 1) / (2 * alpha))
    )


def error(p, loss):
    return p["eps"] - p["k"] * math.exp(-p["gamma"] * loss)


def error_logit(p, loss):
    return p["top"] / (1.0 + math.exp(-p["s"] * (loss - p["mid"])))


def huber_sum(formula, p, rows, measured, delta=1e-3):
    total = 0.0
    for row, y in zip(rows, measured, strict=True):
        r = abs(math.log(formula(p, *row)) - math.log(y))
        total += 0.5 * r * r if r < delta else delta * (r - 0.5 * delta)
    return total


def searched(formula, truth, rows, measured, *, starts=12, seed=0, delta=1e-3):
    """Least Huber objective that scipy finds from perturbed truths, over logarithms of positive parameters."""
    names = list(truth)
    positive = np.array([truth[name] > 0 for name in names])
    center = np.array([math.log(truth[name]) if truth[name] > 0 else truth[name] for name in names])
    rng = np.random.default_rng(seed)

    def objective(x):
        values = np.where(positive, np.exp(np.clip(x, -300, 300)), x)
        moved = dict(zip(names, values, strict=True))
        try:
            return huber_sum(formula, moved, rows, measured, delta) / (delta * len(rows))
        except (ValueError, OverflowError, ZeroDivisionError):
            return 1e9

    best = math.inf
    for _ in range(starts):
        x = center + 0.1 * rng.standard_normal(center.size)
        for method in ("Nelder-Mead", "BFGS", "Nelder-Mead"):
            options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-10, "fatol": 1e-14}
            x = optimize.minimize(objective, x, method=method, options=options if method != "BFGS" else {}).x
        best = min(best, objective(x) * delta * len(rows))
    return best


def least_size(formula, p, flops):
    """Compute-optimal size by golden section along C = 6 N D."""
    half = math.log(flops / 6.0)
    grid = np.linspace(0.1 * half, 0.9 * half, 400)
    values = [formula(p, math.exp(x), math.exp(half - x)) for x in grid]
    i = int(np.argmin(values))
    found = optimize.minimize_scalar(
        lambda x: formula(p, math.exp(x), math.exp(half - x)),
        bracket=(grid[i - 1], grid[i], grid[i + 1]),
        method="golden",
        options={"xtol": 1e-12},
    )
    return math.exp(found.x)
