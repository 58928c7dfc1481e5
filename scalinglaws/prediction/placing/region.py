r"""How far a point (alpha, beta) is from a fit when all other parameters are fitted anew, its units runs.

Refits on a lattice tell the rise of the objective. The lattice grows from the fit, and from every other minimum the
search ended in, along the points that are not excluded: a region that bends, that leaves a bound behind or that has
several parts is shown as it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from scalinglaws.comparison.family_laws import FamilyCurves, FamilyFit
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.prediction.placing.metric import SURE, Metric

__all__ = ["Plane", "plane_of"]

Array = NDArray[np.float64]
Node = tuple[int, int]

_REFIT = 30  # iterations of a refit, which begins beside its solution
_CLOSE = 1e-4  # of the objective: far less than its rise within one standard error
_FURTHEST = 15.0
"""Most standard errors it grows: few runs make the tails of T^2 long."""
_RINGS = 3.0
"""Steps of the lattice from the fit to its edge, where the objective is a parabola."""
_LEAP = 2.0
"""Steps that a refit may lie above its neighbour, in the root of the statistic; one step is what a parabola has."""
_LEAST = 1e-3
"""Of the statistic of Wald, even where a refit finds less than the search did."""
_SCALED = 0.04, 25.0
"""How much a step may be changed at once, as the square of its inverse."""
_MOST = 300
"""Most refits."""
_NAMES = "alpha", "beta"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """How far points of the plane are from the fit.

    Parameters
    ----------
    centre
        (alpha, beta) of the fit.
    metric
        The unit of distances.
    axes
        Steps of the lattice in (log alpha, log beta), as columns.
    corner
        Lattice coordinates of the first entry of `height`.
    share
        Logarithm of the statistic over that of Wald, the parabola at the fit, on the lattice: nearly constant, so that
        little is left to interpolate. Beyond the explored region it makes the statistic twice that of its edge.
    span
        Smallest and largest (alpha, beta) of the explored region, shape (2, 2).
    lowest
        Statistic of the lowest refit: negative where the search missed a lower minimum.
    whole
        Whether all of the region was explored, in as many refits as are allowed.
    """

    centre: Array
    metric: Metric
    axes: Array
    corner: Array
    share: Array
    span: Array
    lowest: float
    whole: bool

    def distance(self, alpha: Array, beta: Array) -> Array:
        """Return the statistic that is compared with quantiles of T^2, at points of any shape."""
        away = np.stack(np.broadcast_arrays(np.log(alpha / self.centre[0]), np.log(beta / self.centre[1])))
        at = np.linalg.solve(self.axes, away.reshape(2, -1)) - self.corner[:, None]
        share = map_coordinates(self.share, at, order=1, mode="nearest").reshape(away.shape[1:])
        return np.asarray(self.metric.wald(np.moveaxis(away, 0, -1)) * np.exp(share))


def plane_of(fit: FamilyFit) -> Plane:
    """Explore the neighbourhood of a fit in which alpha and beta are free."""
    profile = _Profile(fit=fit, metric=Metric.of(fit))
    limit = min(profile.metric.quantile(SURE), _FURTHEST**2)
    axes = _steps(profile, limit)
    found, whole = _grown(profile, axes, limit)
    nodes = np.array(list(found))
    corner = nodes.min(axis=0) - 1
    statistic = np.full(nodes.max(axis=0) + 2 - corner, 2.0 * limit)
    statistic[tuple((nodes - corner).T)] = np.minimum(list(found.values()), 2.0 * limit)
    wald = profile.metric.wald((np.moveaxis(np.indices(statistic.shape), 0, -1) + corner) @ axes.T)
    wald[tuple(-corner)] = 1.0  # the fit itself, where both vanish
    share = np.log(np.maximum(statistic / wald, _LEAST))
    share[tuple(-corner)] = 0.0
    steps = nodes @ axes.T
    return Plane(
        centre=profile.centre,
        metric=profile.metric,
        axes=axes,
        corner=corner,
        share=share,
        span=profile.inside(np.stack([steps.min(axis=0), steps.max(axis=0)])),
        lowest=min(found.values()),
        whole=whole,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """The objective of a fit with (alpha, beta) held a step (of their logarithms) away from it."""

    fit: FamilyFit
    metric: Metric

    @property
    def centre(self) -> Array:
        return np.array([self.fit.params[name] for name in _NAMES])

    def inside(self, step: Array) -> Array:
        """(alpha, beta), taken back into the law's range; steps of shape (..., 2)."""
        shapes = {shape.name: shape for shape in self.fit.law.shapes}
        low, high = ([getattr(shapes[name], end) for name in _NAMES] for end in ("low", "high"))
        return np.asarray(np.clip(self.centre * np.exp(step), low, high))

    def at(self, step: Array, theta: Array) -> tuple[float, Array]:
        """Refit from a point; return the statistic, infinite where nothing fits, and the point of the refit."""
        problem: Problem[FamilyCurves] = self.fit.problem
        values = dict(zip(_NAMES, self.inside(step).tolist(), strict=True))
        held = replace(problem, fixed={**problem.fixed, **values})
        others = [i for i, name in enumerate(problem.names) if name not in values]
        end = held.solve(theta[others], iterations=_REFIT, flat=_CLOSE, damping=1.0)
        if end is None:
            return np.inf, theta
        moved = theta.copy()
        moved[others] = end.theta
        return self.metric.statistic(end.objective - self.fit.objective, step), moved


def _steps(profile: _Profile, limit: float) -> Array:
    """Scale the principal axes so that `_RINGS` steps reach the limit, judged by the rise after one, either way."""
    axes = profile.metric.axes() * (np.sqrt(limit) / _RINGS)
    for _ in range(2):
        for k in (0, 1):
            mean = 0.5 * sum(profile.at(sign * axes[:, k], profile.fit.theta)[0] for sign in (1.0, -1.0))
            axes[:, k] /= np.sqrt(np.clip(mean * _RINGS**2 / limit, *_SCALED))
    return np.asarray(axes)


def _grown(profile: _Profile, axes: Array, limit: float) -> tuple[dict[Node, float], bool]:
    """Refit at nodes until none inside the limit has an unknown neighbour; the least excluded come first.

    A refit that lies far above a neighbour may have stuck: it is made again from there.
    """
    leap = _LEAP * np.sqrt(limit) / _RINGS
    found: dict[Node, float] = {(0, 0): 0.0}
    heap: list[tuple[float, Node, Array]] = [(0.0, (0, 0), profile.fit.theta)]

    def visit(node: Node, theta: Array) -> None:
        step = axes @ np.array(node)
        statistic, theta = profile.at(step, theta)
        if statistic < found.get(node, np.inf):
            found[node] = statistic
            within = np.allclose(np.log(profile.inside(step) / profile.centre), step)
            if statistic <= limit and within:
                heapq.heappush(heap, (statistic, node, theta))

    for node, theta in _other_minima(profile, axes, limit):
        visit(node, theta)
    while heap and len(found) < _MOST:
        here, (i, j), theta = heapq.heappop(heap)
        for node in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if _root(found.get(node, np.inf)) - _root(here) > leap:
                visit(node, theta)
    return found, not heap


def _root(statistic: float) -> float:
    return float(np.sqrt(max(statistic, 0.0)))


def _other_minima(profile: _Profile, axes: Array, limit: float) -> Iterator[tuple[Node, Array]]:
    """Nodes beside the other ends of the search inside the limit, where the lattice reaches them."""
    where = [profile.fit.problem.names.index(name) for name in _NAMES]
    for end in profile.fit.ends:
        step = end.theta[where] - np.log(profile.centre)
        at = np.linalg.solve(axes, step)
        allowed = profile.metric.statistic(end.objective - profile.fit.objective, step) <= limit
        if allowed and 1.0 < np.abs(at).max() < _MOST:
            i, j = np.rint(at).astype(int).tolist()
            yield (i, j), end.theta
