"""Profiles, leverage, outliers and designs from their definitions: general optimisers, row by row, every choice."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import optimize, stats

NAMES = ("E", "A", "B", "alpha", "beta")


def predict(x, n, d):
    """Log loss from (log E, log A, log B, alpha, beta)."""
    return math.log(math.exp(x[0]) + math.exp(x[1] - x[3] * math.log(n)) + math.exp(x[2] - x[4] * math.log(d)))


def residuals(x, n, d, measured):
    return np.array([predict(x, n[i], d[i]) - math.log(measured[i]) for i in range(len(n))])


def least_squares(n, d, measured, start, held=None):
    """Minimise the sum of squared log residuals from one start; `held` maps an index of x to its value."""
    held = held or {}
    free = [k for k in range(5) if k not in held]

    def whole(y):
        x = np.array(start, dtype=float)
        for k, value in held.items():
            x[k] = value
        x[free] = y
        return x

    found = optimize.least_squares(
        lambda y: residuals(whole(y), n, d, measured), np.array(start)[free], xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    return whole(found.x), 2.0 * found.cost


def coordinates(params):
    return np.array(
        [math.log(params["E"]), math.log(params["A"]), math.log(params["B"]), params["alpha"], params["beta"]]
    )


def f_interval(n, d, measured, start, index, level, step):
    """Ends of the F interval of one coordinate: where the refitted sum of squares has grown by F/(rows - 5)."""
    best, total = least_squares(n, d, measured, start)
    rows = len(n)
    border = total * (1.0 + stats.f.ppf(level, 1, rows - 5) / (rows - 5))
    ends = []
    for sign in (-1.0, 1.0):

        def excess(move, sign=sign):
            return least_squares(n, d, measured, best, {index: best[index] + sign * move})[1] - border

        far = step
        while excess(far) < 0:
            far *= 1.5
        ends.append(best[index] + sign * optimize.brentq(excess, 0.0, far, xtol=1e-9))
    return ends


def log_optimum(x, flops):
    """Log N* in closed form."""
    g = (math.log(x[3]) + x[1] - math.log(x[4]) - x[2]) / (x[3] + x[4])
    return g + x[4] / (x[3] + x[4]) * math.log(flops / 6)


def held_optimum(n, d, measured, start, flops, value):
    """Least sum of squares with log N* held: log B is what the others make it."""

    def whole(y):
        e, a, alpha, beta = y
        b = (
            math.log(alpha)
            + a
            - math.log(beta)
            - (value - beta / (alpha + beta) * math.log(flops / 6)) * (alpha + beta)
        )
        return np.array([e, a, b, alpha, beta])

    y = np.array([start[0], start[1], start[3], start[4]])
    found = optimize.least_squares(lambda y: residuals(whole(y), n, d, measured), y, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    return 2.0 * found.cost


def leverage(n, d, measured, start, row, nudge=1e-5):
    """By how much the fitted log loss of a row follows its own measured log loss."""
    ends = []
    for sign in (-1.0, 1.0):
        moved = np.array(measured)
        moved[row] *= math.exp(sign * nudge)
        x, _ = least_squares(n, d, moved, start)
        ends.append(predict(x, n[row], d[row]))
    return (ends[1] - ends[0]) / (2.0 * nudge)


def flagged(r, threshold=3.5):
    """Rows further than the threshold in robust standard deviations from the median."""
    middle = sorted(r)[len(r) // 2] if len(r) % 2 else sum(sorted(r)[len(r) // 2 - 1 : len(r) // 2 + 1]) / 2
    away = sorted(abs(v - middle) for v in r)
    mad = away[len(r) // 2] if len(r) % 2 else sum(away[len(r) // 2 - 1 : len(r) // 2 + 1]) / 2
    return [i for i, v in enumerate(r) if abs(v - middle) > threshold * 1.4826 * mad]


def gradient(function, x, step=1e-6):
    out = []
    for k in range(len(x)):
        up, down = np.array(x), np.array(x)
        up[k] += step
        down[k] -= step
        out.append((function(up) - function(down)) / (2 * step))
    return np.array(out)


def variance(x, n, d, target):
    """g' M^-1 g with M built row by row."""
    matrix = np.zeros((5, 5))
    for i in range(len(n)):
        row = gradient(lambda y, i=i: predict(y, n[i], d[i]), x)
        matrix += np.outer(row, row)
    g = gradient(target, x)
    return float(g @ np.linalg.inv(matrix) @ g)


def best_plan(x, n, d, target, candidates, budget, runs):
    """Least variance over every choice of runs, with repetition, that the budget allows."""
    best = math.inf
    for choice in itertools.combinations_with_replacement(range(len(candidates)), runs):
        picked = [candidates[k] for k in choice]
        if sum(6 * a * b for a, b in picked) <= budget:
            more_n, more_d = [a for a, _ in picked], [b for _, b in picked]
            best = min(best, variance(x, [*n, *more_n], [*d, *more_d], target))
    return best
