r"""The solvable model itself on whole curves: the large-d risk of SGD under each run's own rates and batch.

    L = E + A R(tau; d = N / n0),       R the risk of power-law random features (arXiv 2405.15074),

R solves, in model time T = s tau / sum_j j^(-2 alpha) (tau the sum of the rates, for mean gradients),

    R(T) = F_0 + F(T) + int_0^T K(T - u) gamma(u) R(u) du,       gamma = g rate / batch / sum_j j^(-2 alpha),

with F_0, F and K = Tr K^2 exp(-2 K T) those of the deterministic equivalent of d features (v = 4 d), in continuous
time: discrete updates differ from it while rate times eigenvalue is not small, that is in the first few updates at the
top of the spectrum. The model itself has s = g = n0 = 1; a constant rate is stable for g rate / batch < 2. d beyond
8 and 1e12 is taken for these; a fit keeps every fitted size between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.family_laws.panels import Panels
from scalinglaws.comparison.family_laws.remembered import once_per_group
from scalinglaws.comparison.separable.law import Shape
from scalinglaws.kernels.volterra import follow_panels
from scalinglaws.theory.flow import SMALLEST, FlowModes, flow_modes

__all__ = ["PLRF"]

Array = NDArray[np.float64]

_SHAPES = (
    Shape(name="alpha", low=0.05, high=3.0),
    Shape(name="beta", low=0.02, high=3.0),
    Shape(name="s", low=1e-8, high=1e12),
    Shape(name="n0", low=1e-9, high=1e12),
    Shape(name="g", low=1e-8, high=1e12),
)
_LARGEST = 1e12
"""Most features of a fitted size."""
_MANY = 1e11
"""Features whose number hardly matters."""
_TIMES = 1e-1, 1e14
"""Longest training in units of the trace; the largest eigenvalue is about 1."""
_NOISE = 1e-3, 1e4
"""Largest rate over batch, times g: nothing is seen of less; what a short run may survive where 2 alpha < 1 is far more
than 2, for the trace then belongs to modes that it does not reach."""

_panels: Callable[[FamilyCurves], list[Panels]] = once_per_group(Panels.of)


def _features(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    risk = _over_groups(shapes, curves)
    features = np.stack([np.ones(len(risk)), risk[:, 0]], axis=1)
    slopes = np.zeros((len(risk), 2, 5))
    slopes[:, 1] = risk[:, 1:]
    return features, slopes


def _over_groups(shapes: Array, curves: FamilyCurves) -> Array:
    """Solve once for each group, and give every record the risk and its derivatives by the shapes, shape (n, 6)."""
    alpha, beta, s, n0, g = shapes.tolist()
    distinct = curves.distinct
    modes: dict[float, FlowModes] = {}
    rows = []
    for run, panels in zip(distinct.runs, _panels(curves), strict=True):
        wanted = float(curves.size[run] / n0)
        d = float(np.clip(wanted, SMALLEST, _LARGEST))
        if d not in modes:
            modes[d] = flow_modes(alpha, beta, d)
        moves = -1.0 if math.isclose(d, wanted) else 0.0  # d falls as n0 rises
        chain = np.array([1.0, 1.0, 1.0, 1.0 / s, moves / n0, 1.0 / g])
        rows.append(_with_slopes(modes[d], s, g / float(curves.batch[run]), panels) * chain)
    return np.concatenate(rows)[distinct.place]


def _with_slopes(modes: FlowModes, s: float, g: float, panels: Panels) -> Array:
    """Risk at the records and its derivatives by alpha, beta, log s, log d and log g, shape (records, 6)."""
    pace = s / modes.trace[0]
    scaled = pace * panels.pace, g / modes.trace[0] * panels.rate, pace * panels.time
    risk = panels.between(follow_panels(modes.z, modes.initial, modes.source, modes.floor, *scaled))
    time = 2.0 * pace * panels.at
    left = np.exp(np.multiply.outer(-time, modes.z))
    risk[:4] += modes.floor[:, None] + (modes.initial @ left.T).real
    risk[4] -= time * (left @ (modes.z * modes.initial[0])).real
    value, by_alpha, by_beta, by_size, by_time, by_noise = risk
    slower = (by_time + by_noise) / modes.trace[0]  # time and noise are counted in units of the trace
    columns = value, by_alpha - modes.trace[1] * slower, by_beta, by_time, by_size - modes.trace[2] * slower, by_noise
    return np.stack(columns, axis=1)


def _limits(curves: FamilyCurves) -> dict[str, tuple[float, float]]:
    """Keep every size where the limit is defined, training within reason, and noise below what a run survives."""
    noise = max(path.peak / batch for path, batch in zip(curves.paths, curves.batch, strict=True))
    time = max(float(path.tau[-1]) for path in curves.paths)
    return {
        "s": (_TIMES[0] / time, _TIMES[1] / time),
        "n0": (float(curves.size.max()) / _LARGEST, float(curves.size.min()) / SMALLEST),
        "g": (_NOISE[0] / noise, _NOISE[1] / noise),
    }


def _starts(curves: FamilyCurves) -> Array:
    """Cross shapes with sizes and lengths of training that are small to large on the scale of the model."""
    peak = float(np.median([path.peak for path in curves.paths] / curves.batch))
    time = float(np.median([path.tau[-1] for path in curves.paths]))
    rows = [
        [alpha, beta, length / time, float(curves.size.min()) / d, noise / peak]
        for alpha in (0.2, 0.4, 0.8, 1.3)
        for beta in (0.15, 0.4, 0.9)
        for length in (1e2, 3e3, 1e5)
        for d, noise in ((50.0, 0.3), (1000.0, 0.3), (_MANY, 0.3), (_MANY, 30.0))
    ]
    return np.array(rows)


PLRF = FamilyLaw(
    name="plrf",
    formula="L = E + A R(tau; alpha, beta, s, d = N / n0, g), R the risk of power-law random features",
    source="Paquette et al., arXiv 2405.15074",
    amplitudes=("E", "A"),
    shapes=_SHAPES,
    features=_features,
    starts=_starts,
    limits=_limits,
)
