"""Follow a profile outwards from the minimum until it is well above its threshold, and find where it crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.derivatives import free_parameters, slope
from scalinglaws.fitting.scene import Scene
from scalinglaws.fitting.varpro import starts

__all__ = ["Point", "Walk", "crossing"]

Array = NDArray[np.float64]

_MOST = 40  # points of a walk
_TRIES = 3  # shorter steps before a walk is given up
_STARTS = 3  # of the probes for another valley
_FAR = 16.0  # e-foldings from the estimate (nine million times) after which an end counts as open


@dataclass(frozen=True, slots=True)
class Point:
    """One constrained refit: the log of the quantity, the objective, and all parameters."""

    where: float
    value: float
    theta: Array


@dataclass(frozen=True, slots=True)
class Walk:
    """The points on one side, outwards, and how the walk ended."""

    points: list[Point]
    ended: str  # "crossed", "open" or "lost"
    sign: float

    @classmethod
    def out(cls, scene: Scene, middle: Point, sign: float, threshold: float, *, thorough: bool = True) -> Walk:
        """Walk outwards until well above the threshold; if `thorough`, refit on the way back and look for valleys."""
        step, points, ended, tries = step_size(scene, threshold), [middle], "open", 0
        while abs(points[-1].where - middle.where) < _FAR:
            if len(points) > _MOST:
                ended = "lost"
                break
            new = _next(scene, points, sign * step)
            if new is None:
                if _at_bound(scene, points[-1], sign):
                    break
                step, tries = 0.25 * step, tries + 1
                if tries > _TRIES:
                    ended = "lost"
                    break
                continue
            points.append(new)
            if new.value > middle.value + 1.5 * threshold:
                ended = "crossed"
                break
            step *= _growth(points, middle.value, threshold)
        if thorough:
            points = _probe(scene, _back(scene, points), middle.value + threshold)
        return cls(points[1:], ended, sign)


def _next(scene: Scene, points: list[Point], move: float) -> Point | None:
    """Refit one step further out, started on the line through the last two points."""
    problem = scene.objective.problem
    last, target = points[-1], points[-1].where + move
    start = last.theta
    if len(points) > 1:
        before = points[-2]
        start = start + (last.theta - before.theta) * np.clip(move / (last.where - before.where), 0.0, 2.0)
    for theta in (start, last.theta):
        held = scene.hold(target, np.clip(theta, problem.lower, problem.upper))
        if held.converged:
            return Point(target, held.value, held.theta)
    return None


def _growth(points: list[Point], least: float, threshold: float) -> float:
    """Lengthen steps that changed little, shorten those that changed much: a sixth to a third of the way each."""
    a, b = (np.sqrt(max(p.value - least, 0.0) / threshold) for p in points[-2:])
    return 1.8 if b - a < 0.17 else 0.6 if b - a > 0.45 else 1.0


def _back(scene: Scene, points: list[Point]) -> list[Point]:
    kept = list(points)
    for i in range(len(points) - 2, 0, -1):
        held = scene.hold(kept[i].where, kept[i + 1].theta)
        if held.converged and held.value < kept[i].value:
            kept[i] = Point(kept[i].where, held.value, held.theta)
    return kept


def _probe(scene: Scene, points: list[Point], border: float) -> list[Point]:
    """Look for a lower valley where the profile crosses the border, and follow it both ways.

    Halfway out and at the end too, where the starts of the fit itself did not agree.
    """
    if len(points) < 3:
        return points
    problem = scene.objective.problem
    grid = starts(problem, scene.fit.table.weight, _STARTS)
    crossing_at = next((i for i, p in enumerate(points) if p.value > border), len(points) - 1)
    several = scene.fit.starts.agreeing < scene.fit.starts.tried
    for place in sorted({(crossing_at + 1) // 2, crossing_at, len(points) - 1} - {0}) if several else [crossing_at]:
        best = points[place]
        for theta in grid:
            held = scene.hold(best.where, theta)
            if held.converged and held.value < best.value * (1.0 - 1e-7):
                best = Point(best.where, held.value, held.theta)
        if best is not points[place]:
            points = _spread(scene, [*points[:place], best, *points[place + 1 :]], place)
    return points


def _spread(scene: Scene, points: list[Point], place: int) -> list[Point]:
    """Carry a lower minimum to its neighbours on both sides, as far as it stays the lower one."""
    kept = list(points)
    for path in (range(place - 1, 0, -1), range(place + 1, len(kept))):
        theta = kept[place].theta
        for i in path:
            held = scene.hold(kept[i].where, theta)
            if not (held.converged and held.value < kept[i].value * (1.0 - 1e-9)):
                break
            kept[i], theta = Point(kept[i].where, held.value, held.theta), held.theta
    return kept


def _at_bound(scene: Scene, point: Point, sign: float) -> bool:
    """Whether the quantity is an exponent that has arrived at the bound of the search."""
    problem, name = scene.objective.problem, scene.names[0]
    if name not in problem.law.exponents:
        return False
    place = problem.names.index(name)
    end = problem.upper[place] if sign > 0 else problem.lower[place]
    return bool(abs(point.theta[place] - end) < 0.05 * abs(end))


def step_size(scene: Scene, threshold: float) -> float:
    """Return a third of the half-width that a quadratic objective would have, on the log scale."""
    objective, theta = scene.objective, scene.theta
    which = free_parameters(objective.problem, theta)
    r = objective.residuals(theta[None])[0]
    jacobian = slope(objective.residuals, theta, which)
    normals = slope(scene.quantities, theta, which)
    _, _, omega = objective.weights(r)
    matrix = jacobian.T @ (omega[:, None] * jacobian)
    matrix = matrix + 1e-12 * np.trace(matrix) * np.eye(which.size)
    covariance = normals @ np.linalg.solve(matrix, normals.T)
    # What is held beside takes its share of the freedom: the conditional variance, one over the precision.
    spread = 1.0 / max(float(np.linalg.pinv(covariance, rcond=1e-10)[0, 0]), 1e-300)
    width = np.sqrt(2.0 * threshold * spread)
    return float(np.clip(width / 3.0, 1e-6, 0.5))


def crossing(scene: Scene, walk: Walk, middle: Point, border: float, *, refits: int = 8) -> float:
    """Return where the profile crosses the border: the bracket is narrowed by `refits`, then interpolated."""
    inner, outer = middle, None
    for point in walk.points:
        if point.value > border:
            outer = point
            break
        inner = point
    if outer is None:
        return 0.0 if walk.sign < 0 else np.inf
    for _ in range(refits):
        where = _between(inner, outer, middle.value, border)
        if abs(outer.where - inner.where) < 1e-6 * max(abs(where), 1.0):
            break
        held = scene.hold(where, inner.theta + (where - inner.where) * _direction(inner, outer))
        if not held.converged:
            break
        point = Point(where, held.value, held.theta)
        if abs(held.value - border) <= 1e-4 * (border - middle.value):
            return float(np.exp(where))
        inner, outer = (inner, point) if held.value > border else (point, outer)
    return float(np.exp(_between(inner, outer, middle.value, border)))


def _direction(inner: Point, outer: Point) -> Array:
    return (outer.theta - inner.theta) / (outer.where - inner.where)


def _between(inner: Point, outer: Point, least: float, border: float) -> float:
    """Interpolate the root of the excess, which is nearly linear, with a guard against the ends."""
    a, b, c = (np.sqrt(max(v - least, 0.0)) for v in (inner.value, outer.value, border))
    share = float(np.clip((c - a) / max(b - a, 1e-300), 0.02, 0.98))
    return inner.where + share * (outer.where - inner.where)
