r"""Sums over the directions of the noisy quadratic system, with derivatives, for all rows and starts at once.

Each is sum_n n^-power f(log lambda_n), n = 1, ..., N, log lambda_n = log Q - q log n, so that all derivatives by
(power, q, log Q) up to the second are moments sum_n n^-power (log n)^j f^(i), i, j <= 2, of closed forms f^(i): with
y = lr lambda the bias has f = (1 - y)^(2K), the noise f = lr (1 - (1 - y)^(2K)) / (2 - y).
The nodes of `models.sums` take the place of the directions: some 280 at N = 1e8.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.fitting.laws.jets import Jet, Number, exp, jet_of
from scalinglaws.models.sums import power_sum_nodes

__all__ = ["LARGEST", "LR", "hurwitz_zeta", "risk_sums", "unlearned"]

Array = NDArray[np.float64]

LR = 1.999
"""The paper's rate: at 2 a direction of eigenvalue 1 no longer converges."""

LARGEST = 1e18
"""The largest size: floats still hold its integers well enough for the sums."""

_SMOOTHNESS = 0.25  # panels of order 10: errors below 1e-12 of the sum at K = 0 for q <= 3
_CHUNK = 1 << 20  # numbers per array
_ASYMPTOTIC = 64.0  # from here on the Euler-Maclaurin series of zeta is exact to rounding
_TINY = 1e-12  # |1 - y| below which a direction counts as learned in one step, so that its logarithm is finite


def risk_sums(p: Number, r: Number, q: Number, log_q: Number, log_n: Number, log_k: Number) -> tuple[Number, Number]:
    """Return sum_n n^-p a_n^(2K) and B sum_n lambda_n n^-r (lr^2/B) (1 - a_n^(2K)) / (1 - a_n^2).

    Parameters
    ----------
    p, r, q, log_q
        Exponents, and the logarithm of the largest eigenvalue Q; arrays or jets.
    log_n, log_k
        Logarithms of the number of directions and of the steps; arrays, which broadcast against the parameters.

    Raises
    ------
    InputError
        For a size that is not finite.

    Examples
    --------
    >>> bias, noise = risk_sums(1.1, 1.5, 0.6, np.log(0.9), np.log(1000.0), np.log(50.0))
    >>> n = np.arange(1.0, 1001.0)
    >>> bool(abs(bias - np.sum(n**-1.1 * (1 - LR * 0.9 * n**-0.6) ** 100)) < 1e-12)
    True
    """
    inputs = (p, r, q, log_q)
    derivatives = any(isinstance(number, Jet) for number in inputs)
    values = [np.asarray(jet_of(number).value) for number in inputs]
    of_bias, of_noise = _moments(values, _plain(log_n), _plain(log_k), derivatives)
    if not derivatives:
        return of_bias[0, 0], of_noise[0, 0]
    return _expanded(of_bias, p, q, log_q), _expanded(of_noise, r, q, log_q)


def hurwitz_zeta(s: Number, x: Array) -> Number:
    """Return sum_{k >= 0} (x + k)^-s for s > 1 and x >= 1, by Euler-Maclaurin; a jet if s is one.

    Examples
    --------
    >>> bool(abs(hurwitz_zeta(2.0, np.array(1.0)) - np.pi**2 / 6) < 1e-12)
    True
    """
    shift = 0 if x.min() >= _ASYMPTOTIC else int(_ASYMPTOTIC)
    total: Number = np.zeros(())
    for k in range(shift):
        total = total + exp(-(s * np.log(x + k)))
    x = x + float(shift)
    bernoulli = 0.5 + s * (1.0 / (12.0 * x)) - s * (s + 1.0) * (s + 2.0) * (1.0 / (720.0 * x**3))
    return total + exp(-(s * np.log(x))) * (bernoulli + x / (s - 1.0))


def unlearned(p: Number, log_n: Number) -> Number:
    """Return zeta(p, N + 1), the sum of n^-p over the directions beyond N."""
    return hurwitz_zeta(p, _size(_plain(log_n)) + 1.0)


def _plain(number: Number) -> Array:
    require(not isinstance(number, Jet), "nqs", "a derivative by N or K", "is not known: the sums run over integers")
    return np.asarray(number, np.float64)


def _size(log_n: Array) -> Array:
    return np.maximum(np.rint(np.exp(log_n)), 1.0)


def _expanded(m: Array, power: Number, q: Number, log_q: Number) -> Number:
    """Return the jet of sum n^-power f(log Q - q log n) from its moments m[i, j] = sum n^-power (log n)^j f^(i)."""
    dp, dq, ds = (jet_of(number) - jet_of(number).value for number in (power, q, log_q))
    first: Number = m[1, 0] * ds - m[1, 1] * dq - m[0, 1] * dp
    second: Number = (m[2, 0] * (ds * ds) + m[2, 2] * (dq * dq) + m[0, 2] * (dp * dp)) * 0.5
    mixed: Number = m[1, 2] * (dp * dq) - m[2, 1] * (ds * dq) - m[1, 1] * (dp * ds)
    total: Number = first + second + mixed + m[0, 0]
    return total


def _moments(values: list[Array], log_n: Array, log_k: Array, derivatives: bool) -> tuple[Array, Array]:
    """Return the moments of both sums, each of shape (3, 3, ...) or (1, 1, ...), over what broadcasts."""
    sets = np.broadcast_shapes(*(value.shape for value in values))
    rows = np.broadcast_shapes(log_n.shape, log_k.shape)
    shape, order = np.broadcast_shapes(sets, rows), 3 if derivatives else 1
    wide = [np.broadcast_to(value, sets) for value in values], [np.broadcast_to(x, rows) for x in (log_n, log_k)]
    if _apart(sets, rows, len(shape)):
        parameters, covariates = (np.stack([x.ravel() for x in group]) for group in wide)
        found = _table(parameters, covariates, order)
    else:  # parameters and rows vary along one axis: element by element
        flat = [np.stack([np.broadcast_to(x, shape).ravel() for x in group]) for group in wide]
        each = [_table(flat[0][:, [i]], flat[1][:, [i]], order) for i in range(flat[0].shape[1])]
        found = np.concatenate(each, axis=-1)
    whole = found.reshape(2, order, order, *shape)
    return whole[0], whole[1]


def _apart(sets: tuple[int, ...], rows: tuple[int, ...], axes: int) -> bool:
    """Tell whether all axes of the parameters come before all axes of the rows."""
    last = max((axes - len(sets) + i for i, size in enumerate(sets) if size != 1), default=-1)
    first = min((axes - len(rows) + i for i, size in enumerate(rows) if size != 1), default=axes)
    return last < first


def _table(parameters: Array, covariates: Array, order: int) -> Array:
    """Return the moments, shape (2, order, order, sets, rows), for (4, sets) parameters and (2, rows) logarithms."""
    size = _size(covariates[0])
    good = bool(np.all(size <= LARGEST))
    require(good, "params", float(size.max()), f"must be at most {LARGEST:g}: the law sums over them")
    steps, sets = np.exp(covariates[1]), parameters.shape[1]
    out = np.empty((2, order, order, sets, size.size))
    for n in np.unique(size):
        which = np.flatnonzero(size == n)
        log_j, weight = _nodes(float(n))
        some = max(1, _CHUNK // ((order + 1) * which.size * log_j.size))
        for start in range(0, sets, some):
            part = slice(start, start + some)
            moments = _one_size(parameters[:, part], log_j, weight, steps[which], order)
            out[:, :, :, part, which] = moments
    return out


@lru_cache(maxsize=512)
def _nodes(size: float) -> tuple[Array, Array]:
    """Return the logarithms of the nodes and their weights."""
    nodes, weight = power_sum_nodes(size, _SMOOTHNESS)
    return np.log(nodes), weight


def _one_size(parameters: Array, log_j: Array, weight: Array, steps: Array, order: int) -> Array:
    """Return the moments of one size, shape (2, order, order, sets, rows)."""
    p, r, q, log_q = parameters[:, :, None]
    y = LR * np.exp(log_q - q * log_j)  # (sets, nodes)
    gap = np.where(np.abs(1.0 - y) < _TINY, _TINY, 1.0 - y)
    rate = np.stack([2.0 * np.log(np.abs(gap)), -2.0 * y / gap, -2.0 * y / gap**2][:order])[:, :, None, :]
    left = _left(rate, steps[:, None], order)
    powers = log_j ** np.arange(order)[:, None, None]
    bias = weight * np.exp(-p * log_j) * powers  # (power, sets, nodes)
    noise = weight * np.exp(-r * log_j) * powers * _gain(y, order)[:, None]  # (derivative, power, sets, nodes)
    weights = np.concatenate([bias[None], noise]).reshape(-1, *y.shape).transpose(1, 2, 0)
    sets, kinds, rows, nodes = left.shape
    sums = (left.reshape(sets, kinds * rows, nodes) @ weights).reshape(sets, kinds, rows, order + 1, order)
    of_bias, *of_noise = sums.transpose(3, 1, 4, 0, 2)  # each (kind, power, sets, rows)
    out = np.empty((2, order, order, sets, rows))
    out[0] = of_bias[1:]
    for i in range(order):  # Leibniz on f = -gain (e - 1)
        out[1, i] = -of_noise[i][0]
        for k in range(1, i + 1):
            out[1, i] -= (2.0 if (i, k) == (2, 1) else 1.0) * of_noise[i - k][k + 1]
    return out


def _left(rate: Array, steps: Array, order: int) -> Array:
    """Return e - 1, e and its derivatives by log lambda, e = (1 - y)^(2 steps): (sets, order + 1, rows, nodes)."""
    _, sets, _, nodes = rate.shape
    left = np.empty((sets, order + 1, steps.size, nodes))
    exponent = steps * rate[0]
    np.expm1(exponent, out=left[:, 0])  # exact where little has been learned
    np.exp(exponent, out=left[:, 1])  # exact where little is left
    if order > 1:
        slope = steps * rate[1]
        np.multiply(slope, left[:, 1], out=left[:, 2])
        np.multiply(steps * rate[2] + slope**2, left[:, 1], out=left[:, 3])
    return left


def _gain(y: Array, order: int) -> Array:
    """Return lr / (2 - y) and its derivatives by log lambda, shape (order, sets, nodes)."""
    share = y / (2.0 - y)
    gain = LR / (2.0 - y)
    return np.stack([gain, gain * share, gain * share * (2.0 * share + 1.0)][:order])
