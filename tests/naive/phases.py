"""Slow oracles for the phases: published exponents, a grid search over sizes, a contour integral."""

import cmath
import math
from itertools import pairwise

import numpy as np


def published(alpha, beta):
    """(name, xi, eta) as in the table of arXiv 2405.15074, from the inequalities there."""
    a, b = alpha, beta
    if 2 * a > 1:
        if 2 * b < 1:
            return "Ia", 1 / (2 * a + 1), (2 * a + 2 * b - 1) / (2 * a + 1)
        if b < a:
            return "II", b / (a + b), (2 * a + 2 * b - 1) / (2 * (a + b))
        return "III", 1 / 2, 1 - 1 / (4 * a)
    if 2 * b < 1:
        return "Ib", 1 / 2, a + b - 1 / 2
    if a < 1 / 4:
        bottom = 3 * a - 2 * a * b + 2 * b - 1
        return "Ic", (2 * a + 2 * b - 1) / (2 * bottom), a * (2 * a + 2 * b - 1) / bottom
    if a < 1 - 1 / math.sqrt(2):
        bottom = 2 * b - a - 2 * a * b
        return "IVb", (b - a) / bottom, (1 - 2 * a) * (2 * a + 2 * b - 1) / (2 * bottom)
    return "IVa", 1 / 2, a


def risk_terms(alpha, beta):
    """(p, q) of every term d^-p t^-q of the risk, by hand; gamma = d^(2 alpha - 1) if 2 alpha < 1."""
    a, b = alpha, beta
    slow = max(0.0, 1 - 2 * a)
    s = (2 * a + 2 * b - 1) / (2 * a)
    terms = [(2 * a - max(0.0, 1 - 2 * b), 0.0), (-slow * s, s)]
    if 2 * b > 1 and 2 * a > 1:
        terms.append((1.0, 1 - 1 / (2 * a)))
    if 2 * b > 1 and 4 * a > 1:
        k = 2 - 1 / (2 * a)
        terms.append((slow - slow * k, k))  # gamma (gamma t)^-k
    return terms


def best_on_grid(terms, points=20001):
    """Minimise the largest exponent over x = log d/log f in [0, 1] by trying every point of a grid."""
    best = (math.inf, math.nan)
    for k in range(points):
        x = k / (points - 1)
        value = max(-p * x - q * (1 - x) for p, q in terms)
        if value < best[0]:
            best = (value, x)
    return best[1], -best[0]


def contour_forcing_and_kernel(alpha, beta, d, v, rate, times):
    """Forcing without its limit and kernel (batch 1, continuous time) of the deterministic equivalent.

    Newton for m(z) along a wedge around the spectrum, then the contour integrals of arXiv 2405.15074.
    """
    j = np.arange(1.0, v + 1)
    s, w = j ** (-2 * alpha), j ** (-2 * alpha - 2 * beta)
    angle, inner, outer = 0.6, 0.02 * d ** (-2 * alpha), 2.0
    nodes, weights = np.polynomial.legendre.leggauss(12)
    logs, steps = [], []
    edges = np.linspace(math.log(inner), math.log(outer), 41)
    for low, high in pairwise(edges):
        logs += list((low + high) / 2 + (high - low) / 2 * nodes)
        steps += list((high - low) / 2 * weights)
    arc_angles = angle / 2 * (1 + nodes)
    path = [(outer * cmath.exp(1j * x), 1j * wt * angle / 2) for x, wt in zip(arc_angles, weights, strict=True)]
    ray = [(math.exp(x) * cmath.exp(1j * angle), -wt) for x, wt in zip(logs, steps, strict=True)]
    path += ray[::-1]
    path += [
        (inner * cmath.exp(1j * x), -1j * wt * angle / 2) for x, wt in zip(arc_angles[::-1], weights[::-1], strict=True)
    ]
    m, forcing, kernel = 1.0 + 0j, np.zeros(len(times)), np.zeros(len(times))
    for z in [outer * 10.0 ** (k / 4) for k in range(20, 0, -1)]:
        m = _newton(s, d, complex(z), m)
    for z, dlog in path:
        m = _newton(s, d, z, m)
        for k, t in enumerate(times):
            decay = cmath.exp(-2 * rate * z * t) * dlog * z * 1j / math.pi
            forcing[k] += (decay * np.sum(w / (s * m - z))).real
            kernel[k] += (decay * rate**2 * z * d * (1 - m)).real
    return forcing, kernel


def _newton(s, d, z, m):
    for _ in range(60):
        denominator = s * m - z
        change = (m + np.sum(s * m / denominator) / d - 1) / (1 - np.sum(s * z / denominator**2) / d)
        m -= change
        if abs(change) < 1e-12 * abs(m):
            break
    return m
