"""Profile likelihood: how much worse the fit gets when one quantity is held, and how far it can go.

`profile` holds a parameter, N*, D*, D/N or the loss at a budget, or the loss at (N, D), refits everything else along
a grid, and reads off the interval; `ridge.ridge` holds two at once. Prefer them to any standard error where parameters
trade off: a profile shows that an end is open, which no symmetric error can.

The threshold is the dispersion of the residuals times the quantile of F(1, rows - free parameters). For squared
residuals the dispersion is the objective over its degrees of freedom, and Gaussian noise makes the interval exact to
first order. For "huber" and "l1" no likelihood is at hand: the dispersion is the mean drop of the objective between
the fitted surface and the refit, per free parameter, over tables simulated with resampled residuals. Both assume
independent rows whose errors have one size; clustered rows need the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require_share
from scalinglaws.fitting.scene import Scene, dispersion, f_quantile
from scalinglaws.fitting.walk import Point, Walk, crossing

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["Profile", "profile"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """The least objective for each value of one quantity.

    Parameters
    ----------
    name, at
        What was held, and where.
    values
        The values held, increasing, shape (points,).
    excess
        By how much the objective exceeds its minimum at each, shape (points,).
    theta
        Everything else there, shape (points, parameters).
    best
        Value at the minimum.
    threshold
        The excess at the ends of the interval.
    level
        Its nominal coverage.
    calibration
        Where the threshold comes from, in words.
    low, high
        The interval; 0 or infinite where an end is open.
    notes
        Sentences: open ends, refits that failed, a lower minimum than the fit's.
    """

    name: str
    at: Mapping[str, float]
    values: Array
    excess: Array
    theta: Array
    best: float
    threshold: float
    level: float
    calibration: str
    low: float
    high: float
    notes: tuple[str, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the interval."""
        return self.low, self.high

    @property
    def is_open(self) -> tuple[bool, bool]:
        """Whether the data leave the lower and the upper end open."""
        return self.low <= 0.0, bool(np.isinf(self.high))

    def summary(self) -> str:
        """Return the interval, the threshold and the notes, one sentence each."""
        place = ", ".join(f"{key} = {value:.4g}" for key, value in self.at.items())
        head = f"{self.name}{f' at {place}' if place else ''}: {self.best:.5g}"
        ends = f"{100 * self.level:g} % profile interval {self.low:.5g} to {self.high:.5g}"
        return "\n".join([f"{head}; {ends}.", f"Threshold: {self.calibration}.", *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; an open end is None."""
        low_open, high_open = self.is_open
        return {
            "name": self.name,
            "at": dict(self.at),
            "best": self.best,
            "level": self.level,
            "low": None if low_open else self.low,
            "high": None if high_open else self.high,
            "threshold": self.threshold,
            "calibration": self.calibration,
            "values": self.values.tolist(),
            "excess": self.excess.tolist(),
            "notes": list(self.notes),
        }


def profile(fit: Fit, name: str, level: float = 0.9, **at: ArrayLike) -> Profile:
    """Profile one quantity of a fit.

    Parameters
    ----------
    fit
        A converged fit.
    name
        A free parameter; "n_opt", "d_opt", "tokens_per_param" or "loss_opt" at the budget `flops`; "surface", the
        law's loss at `n`, `d`.
    level
        Nominal coverage of the interval.
    **at
        `flops`, or `n` and `d`: one number each.

    Raises
    ------
    InputError
        For a held parameter, an unknown quantity, a place that is not one number, a fit that did not converge, or
        losses that the law fits exactly.

    Notes
    -----
    The grid is walked outwards from the estimate and back again, each refit started at its neighbour, and the better
    of the two is kept. An end is open when the excess stays below the threshold as far as the parameter's bound,
    or nine million times away. "l1" is profiled with its corner rounded off (5 % of the mean absolute residual).

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    >>> fitted = fit({"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise})
    >>> found = profile(fitted, "alpha")
    >>> found.low < fitted.params["alpha"] < found.high, found.is_open
    (True, (False, False))
    """
    require_share("level", level)
    scene = Scene.of(fit, (name,), at)
    unit, words = dispersion(scene)
    rows = fit.table.rows - scene.free
    threshold = unit * f_quantile(level, 1, rows)
    middle = Point(float(scene.best[0]), scene.minimum, scene.theta)
    down, up = (Walk.out(scene, middle, direction, threshold) for direction in (-1.0, 1.0))
    points = [*down.points[::-1], middle, *up.points]
    least = min(p.value for p in points)
    low, high = (crossing(scene, walk, middle, least + threshold) for walk in (down, up))
    values = np.exp([p.where for p in points])
    return Profile(
        name=name,
        at=scene.places,
        values=values,
        excess=np.array([p.value for p in points]) - least,
        theta=np.stack([p.theta for p in points]),
        best=float(np.exp(middle.where)),
        threshold=threshold,
        level=level,
        calibration=f"{words} times the {100 * level:g} % quantile of F(1, {rows})",
        low=low,
        high=high,
        notes=_notes(scene, name, down, up, least, threshold),
    )


def _notes(scene: Scene, name: str, down: Walk, up: Walk, least: float, threshold: float) -> tuple[str, ...]:
    notes = []
    for walk, side in ((down, "below"), (up, "above")):
        far = float(np.exp(walk.points[-1].where)) if walk.points else float(np.exp(scene.best[0]))
        if walk.ended == "open":
            notes.append(f"{name} is not bounded {side} by this data: {far:.4g} is still inside the interval.")
        elif walk.ended == "lost":
            notes.append(
                f"The profile of {name} could not be followed {side} {far:.4g}; its end there is reported as open."
            )
    if least < scene.minimum - 1e-3 * threshold:
        notes.append("The profile found a lower objective than the fit: fit again with more starts.")
    return tuple(notes)
