r"""A learning rate as a function of the step, and the gradient-flow time it adds up to.

Step `t` (from 0) is the update that takes the parameters from `t` to `t + 1`, so a run of `steps` updates uses
`schedule(0), ..., schedule(steps - 1)`. Warm-up rises linearly over the first `warmup` updates and reaches the
peak at its last one; after it the shape runs over the fraction x = (t - warmup)/(steps - warmup) in [0, 1):

    rate(t) = peak * (floor + (1 - floor) * shape(x))
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.schedules.shapes import SHAPES, names

__all__ = ["Schedule"]

_CHUNK = 1 << 20
"""Updates whose rates are added up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning rate as a function of the step.

    Parameters
    ----------
    shape
        One of `schedules.names()`.
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
    >>> rate = Schedule(shape="linear", peak=0.1, steps=10, warmup=2)
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
        require(self.shape in SHAPES, "schedule", self.shape, f"must be one of {', '.join(names())}")
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
            SHAPES[self.shape].value(np.zeros(1), **_read(self.options))
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            raise InputError(f"options = {self.options}: not what a {self.shape} schedule takes") from error

    def __call__(self, step: ArrayLike) -> NDArray[np.float64]:
        """Rate of the update from `step` to `step + 1`, shaped like `step`; past the end it stays."""
        t = np.asarray(step, dtype=np.float64)
        span = np.inf if self.steps is None else self.steps - self.warmup
        x = np.clip((t - self.warmup) / span, 0.0, 1.0)
        decayed = self.floor + (1.0 - self.floor) * SHAPES[self.shape].value(x, **_read(self.options))
        ramp = np.minimum((t + 1.0) / self.warmup, 1.0) if self.warmup else 1.0
        return np.asarray(self.peak * np.where(t < self.warmup, ramp, decayed))

    def tau(self, step: ArrayLike) -> NDArray[np.float64]:
        """Gradient-flow time: the sum of the rates of the first `step` updates, shaped like `step`.

        Linear between whole steps, as the rate of an update is constant during it.
        """
        t = np.asarray(step, dtype=np.float64)
        require(bool(np.all(np.isfinite(t) & (t >= 0))), "step", step, "must be finite and >= 0")
        order = np.argsort(t, axis=None)
        wanted, out, total = t.ravel()[order], np.empty(t.size), 0.0
        done = 0
        end = int(np.ceil(wanted.max(initial=0.0))) + 1
        for first in range(0, end, _CHUNK):
            steps = np.arange(first, min(first + _CHUNK, end))
            sums = np.append(0.0, np.cumsum(self(steps))) + total
            last = int(np.searchsorted(wanted, steps[-1] + 1, side="left"))
            out[order[done:last]] = np.interp(wanted[done:last] - first, np.arange(sums.size), sums)
            done, total = last, float(sums[-1])
        return out.reshape(t.shape)

    def inverse_tau(self, tau: ArrayLike) -> NDArray[np.float64]:
        """Step, fractional, at which the gradient-flow time reaches `tau`; the earliest where the rate rests at 0.

        Raises
        ------
        InputError
            If `tau` is negative or more than the whole run reaches.

        Examples
        --------
        >>> rate = Schedule(shape="linear", peak=1.0, steps=4)
        >>> rate.inverse_tau(rate.tau([0, 1.5, 4]))
        array([0. , 1.5, 4. ])
        """
        wanted = np.asarray(tau, dtype=np.float64)
        if self.steps is None:
            reach, last = np.inf, self._steps_to(float(wanted.max(initial=0.0)))
        else:
            last = self.steps
            reach = float(self.tau(last)) * (1.0 + 1e-12)
        inside = bool(np.all((wanted >= 0) & (wanted <= reach)))
        require(inside, "tau", tau, f"must lie between 0 and {reach:g}, which the schedule reaches")
        times = self.tau(np.arange(last + 1))
        after = np.maximum(np.searchsorted(times[:-1], wanted, side="left"), 1)
        rate = times[after] - times[after - 1]
        part = np.divide(times[after] - wanted, rate, out=np.zeros(rate.shape), where=rate > 0)
        return np.asarray(after - np.clip(part, 0.0, 1.0))

    def _steps_to(self, tau: float) -> int:
        """Count updates that reach `tau` at a constant rate without an end."""
        require(self.peak > 0 or tau == 0, "tau", tau, "is never reached at rate 0")
        return self.warmup + int(np.ceil(tau / self.peak if tau else 0.0)) + 1

    @property
    def kinks(self) -> tuple[int, ...]:
        """Steps from which a new smooth piece of the rate begins, increasing.

        Examples
        --------
        >>> Schedule(shape="wsd", peak=1.0, steps=100, warmup=10).kinks
        (10, 82, 100)
        """
        span = 0 if self.steps is None else self.steps - self.warmup
        inner = SHAPES[self.shape].breaks(**_read(self.options))
        at = {self.warmup, *(self.warmup + int(np.ceil(x * span - 1e-9)) for x in inner)}
        return tuple(sorted(at | ({self.steps} if self.steps else set())))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "shape": self.shape,
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "floor": self.floor,
            **_read(self.options),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Schedule:
        """Rebuild a schedule from `to_dict`."""
        own = {k: values[k] for k in ("shape", "peak", "steps", "warmup", "floor") if k in values}
        if "shape" not in own or "peak" not in own:
            raise InputError(f"schedule = {values!r}: needs at least the keys shape and peak")
        options = {k: v for k, v in values.items() if k not in own}
        return cls(**own, options=json.dumps(options, sort_keys=True))

    def scaled(self, steps: int) -> Schedule:
        """Return the same shape over another number of updates; warm-up keeps its length."""
        return replace(self, steps=steps)


@lru_cache(maxsize=256)
def _read(options: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(options)
    return read


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)
