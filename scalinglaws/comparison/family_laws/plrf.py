r"""The solvable model itself on whole curves: the large-d risk of SGD under each run's own rates and batch.

    L = E + A R(tau; d = N / n0),       R the risk of power-law random features (arXiv 2405.15074),

R solves, in model time T = s tau / sum_j j^(-2 alpha) (tau the sum of the rates, for mean gradients),

    R(T) = F_0 + F(T) + int_0^T K(T - u) gamma(u) R(u) du,       gamma = g rate / batch / sum_j j^(-2 alpha),

with F_0, F and K = Tr K^2 exp(-2 K T) those of the deterministic equivalent of d features (v = 4 d), in continuous
time: discrete updates differ from it while rate times eigenvalue is not small, that is in the first few updates at the
top of the spectrum. The model itself has s = g = n0 = 1; a constant rate is stable for g rate / batch < 2. d below
`theory.flow.SMALLEST` is taken for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.family_laws.panels import Panels
from scalinglaws.comparison.family_laws.remembered import once_per_group
from scalinglaws.comparison.separable.law import Shape
from scalinglaws.kernels.volterra import follow_panels
from scalinglaws.theory.flow import SMALLEST, FlowModes, contour_of, flow_modes

__all__ = ["PLRF"]

Array = NDArray[np.float64]

_SHAPES = (
    Shape(name="alpha", low=0.05, high=3.0),
    Shape(name="beta", low=0.02, high=3.0),
    Shape(name="s", low=1e-8, high=1e12),
    Shape(name="n0", low=1e-9, high=1e12),
    Shape(name="g", low=1e-8, high=1e12),
)
_STEP = 1e-4
"""Of the difference quotients, in the logarithm of a shape."""
_LARGEST = 1e12

_panels: Callable[[FamilyCurves], list[Panels]] = once_per_group(Panels.of)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Shapes for one size; d in place of n0."""

    alpha: float
    beta: float
    s: float
    d: float
    g: float


def _features(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    risk = _over_groups(shapes, curves, _with_slopes)
    features = np.stack([np.ones(len(risk)), risk[:, 0]], axis=1)
    slopes = np.zeros((len(risk), 2, 5))
    slopes[:, 1] = risk[:, 1:] / shapes
    return features, slopes


def _values(shapes: Array, curves: FamilyCurves) -> Array:
    risk = _over_groups(shapes, curves, _alone)
    return np.concatenate([np.ones((len(risk), 1)), risk], axis=1)


def _over_groups(shapes: Array, curves: FamilyCurves, solve: Callable[[_Point, Panels, float], Array]) -> Array:
    """Solve once for each group, and give every record what belongs to it."""
    alpha, beta, s, n0, g = shapes.tolist()
    distinct = curves.distinct
    rows = []
    for run, panels in zip(distinct.runs, _panels(curves), strict=True):
        d = float(np.clip(curves.size[run] / n0, SMALLEST, _LARGEST))
        rows.append(solve(_Point(alpha=alpha, beta=beta, s=s, d=d, g=g), panels, float(curves.batch[run])))
    return np.concatenate(rows)[distinct.place]


def _alone(at: _Point, panels: Panels, batch: float) -> Array:
    """Risk at the records, shape (records, 1)."""
    return _risk(flow_modes(at.alpha, at.beta, at.d), at.s, at.g / batch, panels)[:1].T


def _with_slopes(at: _Point, panels: Panels, batch: float) -> Array:
    """Risk at the records and its derivatives by the logarithms of the shapes, shape (records, 6)."""
    contour = contour_of(at.alpha, at.d)
    up, down = np.exp(_STEP), np.exp(-_STEP)
    noise = at.g / batch

    def moved(alpha: float, d: float) -> Array:
        return np.asarray(_risk(flow_modes(at.alpha * alpha, at.beta, at.d * d, contour), at.s, noise, panels)[0])

    here = flow_modes(at.alpha, at.beta, at.d, contour)
    value, by_beta = _risk(here, at.s, noise, panels)
    inside = SMALLEST * up < at.d < _LARGEST * down
    by_size = moved(1.0, down) - moved(1.0, up) if inside else np.zeros(value.size)  # d falls as n0 rises
    pairs = [
        moved(up, 1.0) - moved(down, 1.0),
        2.0 * _STEP * at.beta * by_beta,
        _risk(here, at.s * up, noise, panels)[0] - _risk(here, at.s * down, noise, panels)[0],
        by_size,
        _risk(here, at.s, noise * up, panels)[0] - _risk(here, at.s, noise * down, panels)[0],
    ]
    return np.stack([value, *(pair / (2.0 * _STEP) for pair in pairs)], axis=1)


def _risk(modes: FlowModes, s: float, g: float, panels: Panels) -> Array:
    """Risk at the records and its derivative by beta, shape (2, records)."""
    pace = s / modes.trace
    noise = follow_panels(
        modes.z,
        modes.initial,
        modes.source,
        modes.floor,
        pace * panels.pace,
        g / modes.trace * panels.rate,
        pace * panels.time,
    )
    start = np.concatenate([np.zeros((2, 1)), noise[:, :-1, 2]], axis=1)
    around: Array = np.concatenate([start[:, :, None], noise], axis=2)[:, panels.panel]
    left = np.exp(np.multiply.outer(-2.0 * pace * panels.at, modes.z))
    forced = (modes.initial @ left.T).real
    return np.asarray(modes.floor[:, None] + forced + np.einsum("trm,rm->tr", around, panels.mix))


def _starts(curves: FamilyCurves) -> Array:
    """Cross shapes with sizes and lengths of training that are small to large on the scale of the model."""
    peak = float(np.median([path.peak for path in curves.paths] / curves.batch))
    time = float(np.median([path.tau[-1] for path in curves.paths]))
    rows = [
        [alpha, beta, length / time, float(curves.size.min()) / d, 0.3 / peak]
        for alpha in (0.2, 0.4, 0.8, 1.3)
        for beta in (0.15, 0.4, 0.9)
        for length in (1e2, 3e3, 1e5)
        for d in (50.0, 1000.0)
    ]
    return np.array(rows)


PLRF = FamilyLaw(
    name="plrf",
    formula="L = E + A R(tau; alpha, beta, s, d = N / n0, g), R the risk of power-law random features",
    source="Paquette et al., arXiv 2405.15074",
    amplitudes=("E", "A"),
    shapes=_SHAPES,
    features=_features,
    values=_values,
    starts=_starts,
)
