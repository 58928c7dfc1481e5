"""Where the loss of one budget is least along model size: a parabola, a cubic or an Akima interpolant of log N.

A parabola uses all points and smooths their noise, and is biased where the true curve is not one (see `bias`); a
cubic takes the asymmetry into account at the price of more noise; Akima's interpolant of the log loss passes through
every point, follows any shape, and moves its minimum with the noise of three or four points (Porian et al. 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["METHODS", "Minima", "fitted_curve", "minima"]

Array = NDArray[np.float64]

METHODS = {"parabola": 3, "cubic": 4, "akima": 3}
"""Ways to find the minimum, and how many different sizes each needs at least."""


class Minima(NamedTuple):
    """One minimum for each row of losses, shape (draws,); NaN where there is none.

    Parameters
    ----------
    x, loss
        Where it is and the fitted loss there.
    curvature
        Second derivative of the loss by x there; of the parabola, also where it bends down and `x` is a maximum.
    """

    x: Array
    loss: Array
    curvature: Array


def minima(x: Array, loss: Array, weight: Array, method: str) -> Minima:
    """Find the minimum of each row of losses.

    Parameters
    ----------
    x
        Log sizes, increasing up to duplicates, shape (points,).
    loss, weight
        Shape (draws, points); a weight of zero leaves a point out.
    method
        One of `METHODS`. Minima of polynomials may lie outside the range of `x`, those of Akima at its ends.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 2.0, 3.0]])
    >>> minima(x[0], 2 + (x - 1.2) ** 2, np.ones((1, 4)), "parabola").x.round(6)
    array([1.2])
    """
    if method == "akima":
        return _akima(x, loss, weight)
    return _polynomial(x, loss, weight, METHODS[method] - 1)


def fitted_curve(x: Array, loss: Array, weight: Array, method: str, grid: Array) -> Array:
    """Return the fitted curve of one row of losses at log sizes of shape (k,), for figures.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> fitted_curve(x, 2 + (x - 1.2) ** 2, np.ones(4), "parabola", np.array([1.2])).round(6)
    array([2.])
    """
    if method == "akima":
        from scipy.interpolate import Akima1DInterpolator

        sizes, total = _by_size(x, weight[None])
        mean = _by_size(x, (weight * loss)[None])[1] / total
        return np.asarray(np.exp(Akima1DInterpolator(sizes, np.log(mean[0]))(grid)))
    c, middle, half = _coefficients(x, loss[None], weight[None], METHODS[method] - 1)
    return np.asarray(np.polynomial.polynomial.polyval((grid - middle) / half, c[0]))


def _coefficients(x: Array, loss: Array, weight: Array, degree: int) -> tuple[Array, float, float]:
    """Fit polynomials of (x - middle)/half, lowest power first, NaN where there are too few sizes."""
    enough = (_by_size(x, weight)[1] > 0).sum(axis=1) > degree
    middle, half = float(0.5 * (x[0] + x[-1])), max(float(0.5 * (x[-1] - x[0])), 1e-300)
    powers = ((x - middle) / half)[:, None] ** np.arange(degree + 1)
    weighted = powers.T[None] * weight[:, None, :]
    gram = np.where(enough[:, None, None], weighted @ powers, np.eye(degree + 1))
    solved = np.linalg.solve(gram, (weighted @ loss[:, :, None]))[:, :, 0]
    coefficients: Array = np.where(enough[:, None], solved, np.nan)
    return coefficients, middle, half


def _polynomial(x: Array, loss: Array, weight: Array, degree: int) -> Minima:
    coefficients, middle, half = _coefficients(x, loss, weight, degree)
    flat = _vertex(coefficients)
    value = sum(coefficients[:, k] * flat**k for k in range(degree + 1))
    bend = sum(k * (k - 1) * coefficients[:, k] * flat ** (k - 2) for k in range(2, degree + 1))
    return Minima(middle + half * flat, np.asarray(value), np.asarray(bend) / half**2)


def _by_size(x: Array, values: Array) -> tuple[Array, Array]:
    """Return the different sizes, and the sums of values of shape (draws, points) over the points of each."""
    sizes, first = np.unique(x, return_index=True)
    return sizes, np.add.reduceat(values, first, axis=1)


def _vertex(c: Array) -> Array:
    """Stationary point of parabolas, minimum of cubics; NaN where a cubic has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if c.shape[1] == 3:
            return np.asarray(-0.5 * c[:, 1] / c[:, 2])
        root = np.sqrt(c[:, 2] ** 2 - 3.0 * c[:, 3] * c[:, 1])
        # Both are the root with positive curvature; each cancels for the other sign of c2.
        return np.where(c[:, 2] > 0, -c[:, 1] / (c[:, 2] + root), (root - c[:, 2]) / (3.0 * c[:, 3]))


def _akima(x: Array, loss: Array, weight: Array) -> Minima:
    """Interpolate each row through the weighted means of its points of equal size."""
    sizes, total = _by_size(x, weight)
    first = _by_size(x, weight * loss)[1]
    out = np.full((3, len(loss)), np.nan)
    present = total > 0
    for pattern in np.unique(present, axis=0):
        rows = np.flatnonzero((present == pattern).all(axis=1))
        if pattern.sum() >= METHODS["akima"]:
            mean = first[rows][:, pattern] / total[rows][:, pattern]
            x_min, log_least, bend = _akima_minima(sizes[pattern], np.log(mean))
            out[:, rows] = x_min, np.exp(log_least), np.exp(log_least) * bend
    return Minima(*out)


def _akima_minima(x: Array, y: Array) -> Array:
    """Find the minima of the piecewise cubics through y of shape (draws, points): x, y and curvature of each."""
    from scipy.interpolate import Akima1DInterpolator

    c = Akima1DInterpolator(x, y, axis=1).c  # highest power first, (4, pieces, draws)
    width = np.diff(x)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(c[1] ** 2 - 3.0 * c[0] * c[2])
        inside = np.where(c[1] > 0, -c[2] / (c[1] + root), (root - c[1]) / (3.0 * c[0]))
    inside = np.where(np.isfinite(inside), np.clip(inside, 0.0, width), 0.0)
    places = np.concatenate([inside, np.zeros_like(inside), np.broadcast_to(width, inside.shape)])
    c = np.concatenate([c, c, c], axis=1)
    values = c[3] + places * (c[2] + places * (c[1] + places * c[0]))
    best = values.argmin(axis=0), np.arange(len(y))
    start = np.tile(x[:-1], 3)[best[0]]
    return np.stack([start + places[best], values[best], 2.0 * c[1][best] + 6.0 * c[0][best] * places[best]])
