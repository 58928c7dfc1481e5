r"""The noisy quadratic system on whole curves, for any schedule and batch (arXiv 2605.09154).

    L = e_irr + P/2 (zeta(p, N + 1) + sum_n n^-p prod_t a_nt^2)
              + R/2 sum_n lambda_n n^-r sum_t eta_t^2 / batch prod_(u > t) a_nu^2,

n = 1, ..., N, lambda_n = Q n^-q, a_nt = 1 - eta_t lambda_n: updates are discrete, as in `theory.dynamics.
noisy_quadratic` and in the paper, whose rate is a constant 1.999. Rates are taken as recorded, so Q and R carry their
scale. Beyond Q = 2 over the largest rate the first direction diverges, and the law has no value.

What both products are for a given curvature depends on the path alone. They are tabulated once per schedule, over the
logit of curvature times peak rate over 2 (which resolves slow directions and the edge alike), as cubic splines; an
evaluation is one weighted sum over the table, and its derivatives by all shapes are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.family_laws.remembered import once_per_group
from scalinglaws.comparison.family_laws.stretches import Stretches
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.separable.law import Shape
from scalinglaws.fitting.laws.directions import unlearned
from scalinglaws.fitting.laws.jets import jet_of, variable
from scalinglaws.kernels.rate_memory import quadratic
from scalinglaws.models.sums import power_sum_nodes

__all__ = ["NQS"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_STEP = 0.1
"""Spacing of the table: cubic splines are then right to about 1e-6 of what they interpolate."""
_EDGE, _BEYOND = 8.0, 2.0
"""Last logit that is used, curvatures up to 2 / peak (1 - e^-8), and how far the table goes on, where splines end."""
_SLOW = 1e-7
"""Curvature times gradient-flow time below which nothing is learned."""
_SMOOTHNESS = 0.25  # as in `fitting.laws.directions`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Cubic B-splines over the logit of curvature * peak / 2, at the records of one path.

    Parameters
    ----------
    peak
        Largest rate.
    first
        First logit of the table.
    left, noise
        Coefficients of what is left of the initial energy and of the noise, shape (places, records).
    """

    peak: float
    first: float
    left: Array
    noise: Array


def _tabulate(path: Path, steps: Index) -> _Table:
    cut = Stretches.of(path, steps)
    peak = float(path.rate[: steps[-1]].max())
    first = np.log(0.5 * peak * _SLOW / path.tau[steps[-1]])
    logit = first + _STEP * np.arange(int((_EDGE + _BEYOND - first) / _STEP) + 1)
    left, noise = quadratic(cut.rate, cut.count, cut.stop, 2.0 / peak / (1.0 + np.exp(-logit)))
    filtered = [spline_filter1d(each[cut.record], axis=1, mode="mirror").T for each in (left, noise)]
    return _Table(peak=peak, first=float(first), left=filtered[0], noise=filtered[1])


_tables: Callable[[FamilyCurves], list[_Table]] = once_per_group(_tabulate)


@lru_cache(maxsize=512)
def _directions(size: float) -> tuple[Array, Array]:
    """Logarithms of the directions that stand for all, and how many each stands for."""
    nodes, weight = power_sum_nodes(max(np.rint(size), 1.0), _SMOOTHNESS)
    return np.log(nodes), weight


def _spline(logit: Array, first: float, places: int, weights: Array) -> tuple[Array, Array]:
    """Weights over the table's coefficients of weighted sums of the splines and of their slopes, (sums, places) each.

    Parameters
    ----------
    logit
        Where the splines are taken, shape (nodes,).
    weights
        Of each node in each sum, shape (sums, nodes).
    """
    u = np.maximum((logit - first) / _STEP, 1.0)
    cell = np.floor(u).astype(np.int64)
    t = u - cell
    values = ((1.0 - t) ** 3, 3.0 * t**3 - 6.0 * t**2 + 4.0, -3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0, t**3)
    slopes = (-((1.0 - t) ** 2), 3.0 * t**2 - 4.0 * t, -3.0 * t**2 + 2.0 * t + 1.0, t**2)
    of_value, of_slope = np.zeros((2, weights.shape[0], places))
    for shift in range(4):
        for i, weight in enumerate(weights):
            of_value[i] += np.bincount(cell + shift - 1, weight * values[shift] / 6.0, places)
            of_slope[i] += np.bincount(cell + shift - 1, weight * slopes[shift] / (2.0 * _STEP), places)
    return of_value, of_slope


def _sums(table: _Table, size: float, shapes: Array) -> tuple[Array, Array]:
    """Both sums over directions at the records of one group: values (records, 2), derivatives (records, 2, 4)."""
    p, q, r, scale = shapes
    log_n, count = _directions(size)
    log_curvature = np.log(scale) - q * log_n
    share = 0.5 * table.peak * np.exp(log_curvature)  # of the curvature at which a direction diverges
    rest = 1.0 - share
    places = table.left.shape[0]
    values, slopes = np.empty((table.left.shape[1], 2)), np.zeros((table.left.shape[1], 2, 4))
    energies = (count * np.exp(-p * log_n), count * np.exp(log_curvature - r * log_n))
    for i, (energy, coefficients, own) in enumerate(zip(energies, (table.left, table.noise), (0, 2), strict=True)):
        plain = np.stack([energy, -log_n * energy])
        of_value, _ = _spline(np.log(share / rest), table.first, places, plain)
        _, of_slope = _spline(np.log(share / rest), table.first, places, plain / rest)
        by_curvature = of_slope + (of_value if i == 1 else 0.0)  # the noise is driven by the curvature too
        values[:, i] = of_value[0] @ coefficients
        slopes[:, i, own] = of_value[1] @ coefficients
        slopes[:, i, 3] = by_curvature[0] @ coefficients / scale
        slopes[:, i, 1] = by_curvature[1] @ coefficients
    return values, slopes


def _features(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    tables, distinct = _tables(curves), curves.distinct
    features, slopes = np.ones((curves.step.size, 3)), np.zeros((curves.step.size, 3, 4))
    if 0.5 * shapes[3] * max(table.peak for table in tables) >= 1.0 / (1.0 + np.exp(-_EDGE)):
        return features * np.nan, slopes
    parts = [_sums(table, float(curves.size[r]), shapes) for table, r in zip(tables, distinct.runs, strict=True)]
    features[:, 1:] = 0.5 * np.concatenate([values for values, _ in parts])[distinct.place]
    slopes[:, 1:] = 0.5 * np.concatenate([each for _, each in parts])[distinct.place]
    beyond = jet_of(unlearned(variable(shapes[0], 0), np.log(curves.size)))
    features[:, 1] += 0.5 * beyond.value[curves.run]
    slopes[:, 1, 0] += 0.5 * beyond.first[0][curves.run]
    batch = curves.batch[curves.run]
    features[:, 2] /= batch
    slopes[:, 2] /= batch[:, None]
    return features, slopes


def _starts(curves: FamilyCurves) -> Array:
    """Exponents of language models; the largest curvature a part of the edge, over the largest rate of all."""
    edge = 2.0 / max(path.peak for path in curves.paths)
    return np.array(
        [
            (p, q, 1.2, share * edge)
            for share in (0.3, 0.03, 0.9)
            for p, q in ((1.15, 0.6), (1.3, 1.0), (1.3, 0.6), (1.1, 1.0))
        ]
    )


NQS = FamilyLaw(
    name="nqs",
    formula="L = e_irr + P/2 bias(N, rates; p, q, Q) + R/2 noise(N, batch, rates; q, Q, r), curvatures Q n^-q, n <= N",
    source="Predicting Large Model Test Losses with a Noisy Quadratic System, arXiv 2605.09154",
    amplitudes=("e_irr", "P", "R"),
    shapes=(
        Shape(name="p", low=1.001, high=4.0),
        Shape(name="q", low=0.02, high=3.0),
        Shape(name="r", low=1e-3, high=4.0),
        Shape(name="Q", low=1e-8, high=1e10),
    ),
    features=_features,
    starts=_starts,
)
