r"""Sums over j = 1, ..., v of smooth functions of log j, at a cost that does not grow with v.

The first terms are summed one by one; the others in panels of an octave by Gauss quadrature for sums:
the n-point rule belonging to the weight "one at each integer of the panel" (nodes: zeros of a discrete
Chebyshev, or Gram, polynomial) is exact for polynomials of degree 2n - 1 in j, so there is no Euler-Maclaurin
remainder whatever the panel's length. For a panel of N points its recurrence coefficients are
b_k^2 = k^2 (N^2 - k^2) / (4 (4 k^2 - 1)), Gautschi, Orthogonal Polynomials (2004), table 1.2; as N grows they
become Legendre's, and v = 1e15 needs 700 nodes at alpha = 0.7 and 950 at alpha = 1.5.

For the sums of random-feature theory, sum_j j^(-2a) / (j^(-2a) + kappa), the relative error is below 1e-12
for |arg kappa| <= 3 pi/4 and alpha <= 1.5, below 1e-10 for alpha <= 3 (tests/models/test_sums.py).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["gram_rule", "power_sum_nodes", "real_sum_nodes"]

HEAD = 64
"""Terms summed one by one."""
REAL_HEAD = 16
"""The same for sums to real numbers."""
REAL_ORDER = 12
"""Nodes of each panel of such a sum."""


def gram_rule(first: float, last: float, order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights that sum polynomials of low degree over the integers first, ..., last.

    Parameters
    ----------
    first, last
        First and last integer of the panel (as floats: they may exceed 2^53, where every float is one).
    order
        Number of nodes; the rule is exact up to degree 2 * order - 1. A panel with fewer integers than that
        is summed term by term.

    Returns
    -------
    Nodes and weights, increasing.

    Examples
    --------
    >>> nodes, weights = gram_rule(10, 1009, 3)
    >>> float(weights @ nodes**5) / sum(j**5 for j in range(10, 1010)) - 1 < 1e-14
    True
    """
    count = last - first + 1.0
    if count <= order:
        terms = np.asarray(first + np.arange(int(count)), dtype=np.float64)
        return terms, np.ones(terms.size)
    k = np.arange(1, order)
    off_diagonal = 0.5 * k * np.sqrt((1.0 - (k / count) ** 2) / (4.0 * k**2 - 1.0))  # in units of the count
    x, vectors = np.linalg.eigh(np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1))
    nodes = np.asarray(0.5 * (first + last) + count * x, dtype=np.float64)
    return nodes, np.asarray(count * vectors[0] ** 2, dtype=np.float64)


def power_sum_nodes(v: float, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes j and weights for sums over the integers 1, ..., v of functions smooth in log j.

    Parameters
    ----------
    v
        Last integer, finite.
    alpha
        The functions vary on the scale of j^(-2 alpha): sets the order of the panels.

    Returns
    -------
    Nodes (not integers beyond the head) and weights, increasing.

    Examples
    --------
    >>> j, weights = power_sum_nodes(10**15, alpha=0.7)
    >>> bool(abs(weights.sum() / 1e15 - 1) < 1e-14), j.size < 750
    (True, True)
    >>> round(float(weights @ j**-2.0), 13) == round(math.pi**2 / 6 - 1e-15, 13)
    True
    """
    head = min(v, float(HEAD))
    nodes, weights = [np.arange(1.0, head + 1.0)], [np.ones(int(head))]
    if v > HEAD:
        order = math.ceil(8.0 + 8.0 * alpha)
        panels = math.ceil(math.log2(v / HEAD))
        edges = np.rint(HEAD * (v / HEAD) ** (np.arange(panels + 1) / panels))
        edges[-1] = v
        for below, above in pairwise(edges):
            x, w = gram_rule(below + 1.0, above, order)
            nodes.append(x)
            weights.append(w)
    return np.concatenate(nodes), np.concatenate(weights)


def real_sum_nodes(
    v: float, alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Nodes j and weights for sums over j = 1, ..., v continued smoothly to real v, and the same for d/d log v.

    Beyond the head the sum is the integral from a = head + 1/2 to v + 1/2 (Gauss-Legendre panels in log j) with the
    end corrections of the midpoint rule in central differences, +-(delta/24 - 17 delta^3/5760 + 367 delta^5/967680):
    smooth in v, at no cost of setting up a rule for each panel. Relative error of the sums of random-feature theory
    below 4e-7 for alpha <= 1.5 and 3e-5 for alpha <= 3 (`power_sum_nodes`, for whole v, reaches 1e-12).

    Parameters
    ----------
    v
        Last term, a real number >= 2 * REAL_HEAD.
    alpha
        As in `power_sum_nodes`.

    Returns
    -------
    Nodes and weights of the sum, then of its derivative by log v.

    Examples
    --------
    >>> j, weights, ends, slopes = real_sum_nodes(100.0, alpha=0.7)
    >>> bool(abs(weights @ j**-1.4 - sum(j**-1.4 for j in range(1, 101))) < 1e-9)
    True
    >>> f"{slopes @ ends**-1.4:.4f}", f"{100 * 100.5**-1.4:.4f}"  # about v times the next half term
    ('0.1574', '0.1574')
    """
    first, last = REAL_HEAD + 0.5, v + 0.5
    panels = math.ceil(math.log2(last / first) * max(1.0, alpha / 1.2))
    x, w = _legendre()
    half = 0.5 * math.log(last / first) / panels
    log_j = math.log(first) + half * (2.0 * np.arange(panels)[:, None] + 1.0 + x)
    inner = np.exp(log_j).ravel()
    offsets = np.arange(-2.5, 3.0)
    j = np.concatenate([np.arange(1.0, REAL_HEAD + 1.0), inner, first + offsets, last + offsets[1:-1]])
    weights = np.concatenate(
        [np.ones(REAL_HEAD), inner * np.tile(half * w, panels), _FIRST_CORRECTION, -_LAST_CORRECTION]
    )
    return j, weights, last + np.array([-1.0, 0.0, 1.0]), v * np.array([-1.0, 26.0, -1.0]) / 24.0


@lru_cache(maxsize=1)
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, w = np.polynomial.legendre.leggauss(REAL_ORDER)
    return x, w


_DELTA = np.array([-1.0, 1.0]), np.array([-1.0, 3.0, -3.0, 1.0]), np.array([-1.0, 5.0, -10.0, 10.0, -5.0, 1.0])
_LAST_CORRECTION = np.pad(_DELTA[0], 1) / 24.0 - _DELTA[1] * 17.0 / 5760.0
_FIRST_CORRECTION = np.pad(_LAST_CORRECTION, 1) + _DELTA[2] * 367.0 / 967680.0
