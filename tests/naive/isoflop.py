"""Approaches 1 and 2 from their definitions: plain loops, dense grids and golden sections."""

from __future__ import annotations

import math

import numpy as np


def polynomial(x, y, weight, degree):
    """Weighted least squares by QR; coefficients with the highest power first."""
    root = [math.sqrt(w) for w in weight]
    rows = [[r * xi ** (degree - k) for k in range(degree + 1)] for xi, r in zip(x, root, strict=True)]
    return np.linalg.lstsq(np.array(rows), np.array([r * yi for r, yi in zip(root, y, strict=True)]), rcond=None)[0]


def parabola_vertex(x, y, weight):
    a, b, c = polynomial(x, y, weight, 2)
    return -b / (2 * a), c - b * b / (4 * a)


def cubic_minimum(x, y, weight, low, high, points=400_001):
    """Lowest interior local minimum on a dense grid."""
    grid = np.linspace(low, high, points)
    value = np.polyval(polynomial(x, y, weight, 3), grid)
    inner = [k for k in range(1, points - 1) if value[k] < value[k - 1] and value[k] <= value[k + 1]]
    return (grid[inner[0]], value[inner[0]]) if inner else None


def akima_value(x, y, at):
    """Akima (1970): slopes are means of the chords, weighted by how much the chords on the other side change."""
    m = [(y[k + 1] - y[k]) / (x[k + 1] - x[k]) for k in range(len(x) - 1)]
    m = [3 * m[0] - 2 * m[1], 2 * m[0] - m[1], *m, 2 * m[-1] - m[-2], 3 * m[-1] - 2 * m[-2]]
    slope = []
    for k in range(len(x)):
        left, right = abs(m[k + 1] - m[k]), abs(m[k + 3] - m[k + 2])
        mean = 0.5 * (m[k + 1] + m[k + 2])
        slope.append((right * m[k + 1] + left * m[k + 2]) / (left + right) if left + right > 1e-12 else mean)
    k = min(max(int(np.searchsorted(x, at, side="right")) - 1, 0), len(x) - 2)
    h, t = x[k + 1] - x[k], (at - x[k]) / (x[k + 1] - x[k])
    return (
        (1 + 2 * t) * (1 - t) ** 2 * y[k]
        + t * (1 - t) ** 2 * h * slope[k]
        + t * t * (3 - 2 * t) * y[k + 1]
        + t * t * (t - 1) * h * slope[k + 1]
    )


def akima_minimum(x, y, points=20_001):
    grid = np.linspace(x[0], x[-1], points)
    values = [akima_value(x, y, at) for at in grid]
    best = int(np.argmin(values))
    return grid[best], values[best]


def line(flops, values, weight):
    """Slope and intercept of the logarithms."""
    sw = sx = sy = sxx = sxy = 0.0
    for c, v, w in zip(flops, values, weight, strict=True):
        x, y = math.log(c), math.log(v)
        sw, sx, sy, sxx, sxy = sw + w, sx + w * x, sy + w * y, sxx + w * x * x, sxy + w * x * y
    slope = (sw * sxy - sx * sy) / (sw * sxx - sx * sx)
    return slope, (sy - slope * sx) / sw


def golden(function, low, high, steps=90):
    """Minimum of a function with one valley."""
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(steps):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return 0.5 * (low + high)


def best_curves(curves, budgets):
    """For each budget the curve of least loss among those that reach it, None where its size has no rival beyond.

    `curves` are (size, compute, loss), linear in the logarithm of compute.
    """
    winners = []
    for c in budgets:
        there = []
        for k, (size, compute, loss) in enumerate(curves):
            for i in range(len(compute) - 1):
                if compute[i] <= c <= compute[i + 1]:
                    t = math.log(c / compute[i]) / math.log(compute[i + 1] / compute[i])
                    there.append((loss[i] + t * (loss[i + 1] - loss[i]), k, size))
                    break
        if not there:
            winners.append(None)
            continue
        _, k, size = min(there)
        rivals = [s for _, _, s in there]
        winners.append(k if min(rivals) < size < max(rivals) else None)
    return winners
