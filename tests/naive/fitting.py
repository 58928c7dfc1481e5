"""The fit of L = E + A/N^alpha + B/D^beta from its definition: plain loops, general optimisers, many starts."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import optimize


def loss(params, n, d):
    return params["E"] + params["A"] / n ** params["alpha"] + params["B"] / d ** params["beta"]


def objective(params, n, d, measured, estimator, delta=1e-3):
    """Sum over the points of the named loss of the residual."""
    total = 0.0
    for i in range(len(n)):
        predicted = loss(params, n[i], d[i])
        r = predicted - measured[i] if estimator == "l2" else math.log(predicted) - math.log(measured[i])
        if estimator == "huber":
            total += 0.5 * r * r if abs(r) < delta else delta * (abs(r) - 0.5 * delta)
        elif estimator == "l1":
            total += abs(r)
        elif estimator == "student-t":
            total += 2.5 * delta * delta * math.log(1.0 + r * r / (4.0 * delta * delta))
        else:
            total += r * r
    return total


def value_and_gradient(x, log_n, log_d, log_loss, weight, delta):
    """Huber objective over delta * points and its gradient by (log E, log A, log B, alpha, beta)."""
    logs = np.stack([x[0] + 0 * log_n, x[1] - x[3] * log_n, x[2] - x[4] * log_d])
    top = logs.max(axis=0)
    predicted = top + np.log(np.exp(logs - top).sum(axis=0))
    share = np.exp(logs - predicted)
    r = predicted - log_loss
    inside = np.clip(r, -delta, delta)
    value = weight @ (inside * r - 0.5 * inside * inside)
    slope = weight * inside
    gradient = [slope @ share[0], slope @ share[1], slope @ share[2]]
    gradient += [-slope @ (share[1] * log_n), -slope @ (share[2] * log_d)]
    scale = delta * weight.sum()
    return value / scale, np.array(gradient) / scale


def bfgs(n, d, measured, start, weight=None, delta=1e-3, method="BFGS", tolerance=1e-12):
    """Minimise the Huber objective from one start (values by name); the objective is a plain sum."""
    weight = np.ones(len(n)) if weight is None else weight
    x = np.array([math.log(start["E"]), math.log(start["A"]), math.log(start["B"]), start["alpha"], start["beta"]])
    args = (np.log(n), np.log(d), np.log(measured), weight, delta)
    options = {"gtol": tolerance, "maxiter": 5000}
    options |= {"ftol": 1e-15, "maxfun": 20000} if method == "L-BFGS-B" else {}
    found = optimize.minimize(value_and_gradient, x, args=args, jac=True, method=method, options=options)
    values = np.concatenate([np.exp(found.x[:3]), found.x[3:]])
    return dict(zip(("E", "A", "B", "alpha", "beta"), values, strict=True)), found.fun * delta * weight.sum()


def starts(count=32):
    """A grid of starts such as the field uses."""
    grid = itertools.product((0.5, 1.5), (5.0, 10.0), (5.0, 10.0), (0.2, 0.6), (0.2, 0.6))
    return [
        {"E": e, "A": math.exp(a), "B": math.exp(b), "alpha": alpha, "beta": beta} for e, a, b, alpha, beta in grid
    ][:count]


def multi_start(n, d, measured, delta=1e-3, method="BFGS", count=32):
    """Best of many starts."""
    ends = [bfgs(n, d, measured, start, delta=delta, method=method) for start in starts(count)]
    return min(ends, key=lambda end: end[1])


def optimum(params, flops):
    """Compute-optimal size by golden section along C = 6 N D."""

    def along(log_n):
        return loss(params, math.exp(log_n), flops / 6 / math.exp(log_n))

    log_n = optimize.golden(along, brack=(math.log(1e3), 0.5 * math.log(flops / 6)), tol=1e-12)
    return math.exp(log_n)
