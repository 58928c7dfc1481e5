r"""Learning-rate schedules: one definition for theory, simulation, training and prediction.

A schedule maps a step to a rate. Step `t` (from 0) is the update that takes the parameters from `t` to
`t + 1`, so a run of `steps` updates uses `schedule(0), ..., schedule(steps - 1)`.
Warm-up rises linearly over the first `warmup` updates and reaches the peak at its last one;
after it the shape runs over the fraction x = (t - warmup)/(steps - warmup) in [0, 1):

    rate(t) = peak * (floor + (1 - floor) * shape(x))

A new schedule is one shape function below, registered by its decorator.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require

__all__ = ["Schedule", "constant", "cosine", "from_table", "linear", "names", "wsd"]

Shape = Callable[..., NDArray[np.float64]]
_SHAPES: dict[str, Shape] = {}


def _shape(name: str) -> Callable[[Shape], Shape]:
    def register(function: Shape) -> Shape:
        _SHAPES[name] = function
        return function

    return register


@_shape("constant")
def _constant(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones_like(x)


@_shape("linear")
def _linear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 - x


@_shape("cosine")
def _cosine(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1.0 + np.cos(np.pi * x))


@_shape("wsd")
def _wsd(x: NDArray[np.float64], decay: float = 0.2, cooldown: str = "linear") -> NDArray[np.float64]:
    left = np.clip((1.0 - x) / decay, 0.0, 1.0)  # what is left of the cooldown: 1 before it, 0 at the end
    return left if cooldown == "linear" else 1.0 - np.sqrt(1.0 - left)


@_shape("table")
def _table(x: NDArray[np.float64], at: list[float], rate: list[float]) -> NDArray[np.float64]:
    return np.interp(x, at, rate)


def names() -> list[str]:
    """Names of the registered shapes.

    Examples
    --------
    >>> names()
    ['constant', 'cosine', 'linear', 'table', 'wsd']
    """
    return sorted(_SHAPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning rate as a function of the step.

    Parameters
    ----------
    shape
        One of `names()`.
    peak
        The largest rate, reached at the end of warm-up.
    steps
        Length of the run in updates, warm-up included; None for a constant rate without an end.
    warmup
        Updates of linear warm-up.
    floor
        Final rate as a fraction of the peak for shapes that end at zero.
    options
        What the shape itself takes, as a JSON object in text form so that a schedule stays hashable.

    Examples
    --------
    >>> rate = linear(peak=0.1, steps=10, warmup=2)
    >>> rate([0, 1, 2, 6, 9, 10])
    array([0.05  , 0.1   , 0.1   , 0.05  , 0.0125, 0.    ])
    >>> Schedule.from_dict(rate.to_dict()) == rate
    True
    """

    shape: str
    peak: float
    steps: int | None = None
    warmup: int = 0
    floor: float = 0.0
    options: str = field(default="{}")

    def __post_init__(self) -> None:
        require(self.shape in _SHAPES, "schedule", self.shape, f"must be one of {', '.join(names())}")
        number = isinstance(self.peak, int | float) and np.isfinite(self.peak) and self.peak >= 0
        require(bool(number), "peak", self.peak, "must be a finite rate >= 0")
        require(_is_count(self.warmup), "warmup", self.warmup, "must be an integer >= 0")
        require(isinstance(self.floor, int | float) and 0 <= self.floor <= 1, "floor", self.floor, "must lie in [0, 1]")
        if self.steps is None:
            require(self.shape == "constant", "steps", None, f"a {self.shape} schedule needs its length")
        else:
            require(_is_count(self.steps), "steps", self.steps, "must be an integer")
            require(self.steps > self.warmup, "steps", self.steps, f"must exceed warmup = {self.warmup}")
        try:
            _SHAPES[self.shape](np.zeros(1), **json.loads(self.options))
        except (TypeError, ValueError) as error:
            raise InputError(f"options = {self.options}: not what a {self.shape} schedule takes") from error

    def __call__(self, step: ArrayLike) -> NDArray[np.float64]:
        """Rate of the update from `step` to `step + 1`, shaped like `step`; past the end it stays."""
        t = np.asarray(step, dtype=np.float64)
        span = np.inf if self.steps is None else self.steps - self.warmup
        x = np.clip((t - self.warmup) / span, 0.0, 1.0)
        decayed = self.floor + (1.0 - self.floor) * _SHAPES[self.shape](x, **json.loads(self.options))
        ramp = np.minimum((t + 1.0) / self.warmup, 1.0) if self.warmup else 1.0
        return np.asarray(self.peak * np.where(t < self.warmup, ramp, decayed))

    def tau(self, step: ArrayLike) -> NDArray[np.float64]:
        """Gradient-flow time: the sum of the rates of the first `step` updates (`step` an integer array)."""
        t = np.asarray(step, dtype=np.int64)
        total = np.concatenate([[0.0], np.cumsum(self(np.arange(max(int(t.max(initial=0)), 1))))])
        return np.asarray(total[t])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "shape": self.shape,
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "floor": self.floor,
            **json.loads(self.options),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Schedule:
        """Rebuild a schedule from `to_dict`."""
        own = {k: values[k] for k in ("shape", "peak", "steps", "warmup", "floor") if k in values}
        if "shape" not in own or "peak" not in own:
            raise InputError(f"schedule = {values!r}: needs at least the keys shape and peak")
        options = {k: v for k, v in values.items() if k not in own}
        return cls(**own, options=json.dumps(options, sort_keys=True))


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)


def constant(peak: float, steps: int | None = None, *, warmup: int = 0) -> Schedule:
    """Constant rate, after warm-up.

    Examples
    --------
    >>> constant(0.3)([0, 10, 1000])
    array([0.3, 0.3, 0.3])
    """
    return Schedule(shape="constant", peak=peak, steps=steps, warmup=warmup)


def linear(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Linear decay from the peak to `floor * peak`.

    Examples
    --------
    >>> linear(1.0, 4)(range(5))
    array([1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    return Schedule(shape="linear", peak=peak, steps=steps, warmup=warmup, floor=floor)


def cosine(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Half a cosine from the peak to `floor * peak`.

    Examples
    --------
    >>> cosine(peak=1.0, steps=4, floor=0.1)([0, 2, 4])
    array([1.  , 0.55, 0.1 ])
    """
    return Schedule(shape="cosine", peak=peak, steps=steps, warmup=warmup, floor=floor)


def wsd(
    peak: float,
    steps: int,
    *,
    decay: float = 0.2,
    cooldown: str = "linear",
    warmup: int = 0,
    floor: float = 0.0,
) -> Schedule:
    """Warm-up, stable, decay: constant, then a cooldown over the last fraction `decay` of the steps.

    Parameters
    ----------
    cooldown
        "linear", or "sqrt" for 1 - sqrt(fraction of the cooldown done) (arXiv 2405.18392).

    Examples
    --------
    >>> wsd(1.0, 10, decay=0.2)([0, 7, 8, 9, 10])
    array([1. , 1. , 1. , 0.5, 0. ])
    """
    require(0 < decay <= 1, "decay", decay, "must lie in (0, 1]")
    require(cooldown in ("linear", "sqrt"), "cooldown", cooldown, "must be linear or sqrt")
    options = json.dumps({"cooldown": cooldown, "decay": decay}, sort_keys=True)
    return Schedule(shape="wsd", peak=peak, steps=steps, warmup=warmup, floor=floor, options=options)


def from_table(step: ArrayLike, lr: ArrayLike) -> Schedule:
    """Rates given at increasing steps, linear in between; the last step is the end of the run.

    Examples
    --------
    >>> from_table([0, 10, 20], [0.1, 0.1, 0.0])([0, 10, 15])
    array([0.1 , 0.1 , 0.05])
    """
    t, rate = np.asarray(step, dtype=np.float64), np.asarray(lr, dtype=np.float64)
    require(
        t.ndim == 1 and t.shape == rate.shape and t.size >= 2,
        "step",
        t.shape,
        "must match lr, two points or more",
    )
    require(t[0] == 0 and bool(np.all(np.diff(t) > 0)), "step", t.tolist(), "must start at 0 and increase")
    require(bool(np.all(np.isfinite(rate) & (rate >= 0))), "lr", rate.tolist(), "must be finite and >= 0")
    peak = float(rate.max())
    scaled = (rate / peak if peak > 0 else rate).tolist()
    options = json.dumps({"at": (t / t[-1]).tolist(), "rate": scaled}, sort_keys=True)
    return Schedule(shape="table", peak=peak, steps=int(t[-1]), options=options)
