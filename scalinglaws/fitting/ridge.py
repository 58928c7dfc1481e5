"""The joint region of two quantities: how they trade off.

One quantity is walked along its profile; at each stop the other is walked across, so that a region a thousand times
longer than wide is found as surely as a round one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require, require_share, require_whole
from scalinglaws.fitting.scene import Scene, dispersion, f_quantile
from scalinglaws.fitting.walk import Point, Walk, crossing

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["Ridge", "ridge"]

Array = NDArray[np.float64]

_FAR = 5.0  # e-foldings from the estimate to which an open region is drawn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ridge:
    """The joint regions of two quantities.

    Parameters
    ----------
    names
        The two.
    at
        Where, for quantities of a budget.
    along
        Values of the first, increasing, shape (stops,).
    spine
        The best value of the second at each, shape (stops,).
    excess
        Least objective at each, above the minimum, shape (stops,).
    low, high
        Ends of the second at each, by level, shape (stops,): NaN outside the region, 0 or infinite where open.
    best
        The values at the minimum.
    thresholds
        Excess at the border of the joint region, by level.
    calibration
        Where they come from, in words.
    """

    names: tuple[str, str]
    at: Mapping[str, float]
    along: Array
    spine: Array
    excess: Array
    low: Mapping[float, Array]
    high: Mapping[float, Array]
    best: tuple[float, float]
    thresholds: Mapping[float, float]
    calibration: str


def ridge(
    fit: Fit, one: str, two: str, *, points: int = 21, levels: tuple[float, ...] = (0.5, 0.9), **at: ArrayLike
) -> Ridge:
    """Profile two quantities of a fit together.

    Parameters
    ----------
    fit
        A converged fit.
    one, two
        As `name` of `profile`; `one` is walked along, `two` across.
    points
        Stops along the way, 5 or more.
    levels
        Nominal coverages of the joint regions.
    **at
        `flops`, or `n` and `d`, of the quantities that need them.

    Raises
    ------
    InputError
        As in `profile`, or when both quantities are one.

    Notes
    -----
    The thresholds are twice the dispersion times the quantile of F(2, rows - free parameters). Cuts across are
    taken from the spine outwards to where they first cross, so islands are not seen.
    """
    require_whole("points", points, 5)
    require(one != two, "two", two, "must differ from the first quantity")
    require(isinstance(levels, tuple) and len(levels) > 0, "levels", levels, "must be a tuple of coverages")
    for level in levels:
        require_share("level", level)
    scene = Scene.of(fit, (one, two), at)
    unit, words = dispersion(scene)
    rows = fit.table.rows - scene.free
    thresholds = {level: 2.0 * unit * f_quantile(level, 2, rows) for level in levels}
    stops = _stops(scene, points, max(thresholds.values()))
    least = min(stop.value for stop in stops)
    borders = {level: least + threshold for level, threshold in thresholds.items()}
    ends = [_across(scene, stop, borders) for stop in stops]
    return Ridge(
        names=(one, two),
        at=scene.places,
        along=np.exp([stop.where for stop in stops]),
        spine=np.exp([scene.quantities(stop.theta[None])[0, 1] for stop in stops]),
        excess=np.array([stop.value for stop in stops]) - least,
        low={level: np.array([end[level][0] for end in ends]) for level in levels},
        high={level: np.array([end[level][1] for end in ends]) for level in levels},
        best=(float(np.exp(scene.best[0])), float(np.exp(scene.best[1]))),
        thresholds=thresholds,
        calibration=f"{words} times twice the quantile of F(2, {rows})",
    )


def _stops(scene: Scene, points: int, threshold: float) -> list[Point]:
    """Walk the first quantity both ways, then refit at even stops over the region, denser towards its ends."""
    alone = scene.alone(0)
    middle = Point(float(scene.best[0]), scene.minimum, scene.theta)
    walks = [Walk.out(alone, middle, sign, threshold) for sign in (-1.0, 1.0)]
    known = [*walks[0].points[::-1], middle, *walks[1].points]
    least = min(point.value for point in known)
    ends = []
    for walk in walks:
        end = np.log(np.maximum(crossing(alone, walk, middle, least + threshold, refits=3), 1e-300))
        far = walk.points[-1].where if walk.points else middle.where
        end = far if not np.isfinite(end) or end < -600.0 else float(end)
        ends.append(float(np.clip(end, middle.where - _FAR, middle.where + _FAR)))
    turn = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, points))
    stops = []
    for where in ends[0] + (ends[1] - ends[0]) * turn:
        near = min(known, key=lambda point: abs(point.where - where))
        held = alone.hold(float(where), near.theta)
        if held.converged:
            stops.append(Point(float(where), held.value, held.theta))
    return stops or [middle]


def _across(scene: Scene, stop: Point, borders: Mapping[float, float]) -> dict[float, tuple[float, float]]:
    """Return where the second quantity leaves each region, with the first held at a stop."""
    outer = max(borders.values())
    if stop.value >= outer:
        return dict.fromkeys(borders, (np.nan, np.nan))
    cut = scene.across(0, stop.where)
    middle = Point(float(cut.quantities(stop.theta[None])[0, 0]), stop.value, stop.theta)
    walks = [Walk.out(cut, middle, sign, outer - stop.value, thorough=False) for sign in (-1.0, 1.0)]
    found = {}
    for level, border in borders.items():
        ends = [crossing(cut, walk, middle, border, refits=0) for walk in walks]
        found[level] = (ends[0], ends[1]) if stop.value < border else (np.nan, np.nan)
    return found
