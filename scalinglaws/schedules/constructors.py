"""One constructor for each kind of schedule, with its options as keywords."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scalinglaws.errors import require
from scalinglaws.schedules.spec import Schedule

__all__ = [
    "constant",
    "cosine",
    "eight_one_one",
    "exponential",
    "from_table",
    "linear",
    "multicosine",
    "power",
    "quadratic",
    "stages",
    "two_stage",
    "wsd",
]


def _make(shape: str, peak: float, steps: int | None, warmup: int, floor: float = 0.0, **options: Any) -> Schedule:
    text = json.dumps(options, sort_keys=True)
    return Schedule(shape=shape, peak=peak, steps=steps, warmup=warmup, floor=floor, options=text)


def constant(peak: float, steps: int | None = None, *, warmup: int = 0) -> Schedule:
    """Constant rate, after warm-up.

    Examples
    --------
    >>> constant(0.3)([0, 10, 1000])
    array([0.3, 0.3, 0.3])
    """
    return _make("constant", peak, steps, warmup)


def linear(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Linear decay from the peak to `floor * peak`.

    Examples
    --------
    >>> linear(1.0, 4)(range(5))
    array([1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    return _make("linear", peak, steps, warmup, floor)


def cosine(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Half a cosine from the peak to `floor * peak`.

    Examples
    --------
    >>> cosine(peak=1.0, steps=4, floor=0.1)([0, 2, 4])
    array([1.  , 0.55, 0.1 ])
    """
    return _make("cosine", peak, steps, warmup, floor)


def multicosine(peak: float, steps: int, *, halves: int = 3, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Several half waves of a cosine, an odd number of them: down, up again, and down to `floor * peak`.

    Examples
    --------
    >>> multicosine(1.0, 6)(range(7)).round(3)
    array([1. , 0.5, 0. , 0.5, 1. , 0.5, 0. ])
    """
    return _make("multicosine", peak, steps, warmup, floor, halves=halves)


def quadratic(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """1 - x^2: slow at first, fast at the end.

    Examples
    --------
    >>> quadratic(1.0, 4)(range(5))
    array([1.    , 0.9375, 0.75  , 0.4375, 0.    ])
    """
    return _make("quadratic", peak, steps, warmup, floor)


def power(peak: float, steps: int, *, exponent: float = 2.0, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """(1 - x)^exponent: the form that is optimal for functional scaling laws of easy tasks (arXiv 2602.06797).

    Examples
    --------
    >>> power(1.0, 4, exponent=2)(range(5))
    array([1.    , 0.5625, 0.25  , 0.0625, 0.    ])
    """
    return _make("power", peak, steps, warmup, floor, exponent=exponent)


def exponential(peak: float, steps: int, *, final: float = 0.1, warmup: int = 0) -> Schedule:
    """Geometric decay from the peak to `final * peak`.

    Examples
    --------
    >>> exponential(1.0, 2, final=0.01)(range(3))
    array([1.  , 0.1 , 0.01])
    """
    return _make("exponential", peak, steps, warmup, final=final)


def wsd(
    peak: float,
    steps: int,
    *,
    decay: float = 0.2,
    cooldown: str = "linear",
    warmup: int = 0,
    floor: float = 0.0,
    **options: float,
) -> Schedule:
    """Warm-up, stable, decay: constant, then a cooldown over the last fraction `decay` of the steps.

    Parameters
    ----------
    cooldown
        A shape that falls: "linear", "sqrt" for 1 - sqrt(fraction of the cooldown done) (arXiv 2405.18392),
        "exponential", "cosine", "multicosine", "quadratic", "power".
    options
        What that shape takes, for example `final=0.1` for "exponential".

    Examples
    --------
    >>> wsd(1.0, 10, decay=0.2)([0, 7, 8, 9, 10])
    array([1. , 1. , 1. , 0.5, 0. ])
    >>> wsd(1.0, 10, decay=0.2, cooldown="exponential", final=0.01)([8, 9, 10])
    array([1.  , 0.1 , 0.01])
    """
    return _make("wsd", peak, steps, warmup, floor, cooldown=cooldown, decay=decay, **options)


def stages(peak: float, steps: int, *, at: ArrayLike, rates: ArrayLike, warmup: int = 0) -> Schedule:
    """Constant stages: from the step `at[i]` on, the rate is `rates[i] * peak`.

    Parameters
    ----------
    at
        Steps, increasing, between `warmup` and `steps`.
    rates
        Fractions of the peak, one for each step of `at`.

    Examples
    --------
    >>> stages(1.0, 10, at=[4, 8], rates=[0.5, 0.1])([0, 3, 4, 7, 8, 10])
    array([1. , 1. , 0.5, 0.5, 0.1, 0.1])
    """
    edges = np.asarray(at, np.float64)
    inside = edges.ndim == 1 and bool(np.all((edges > warmup) & (edges < steps)))
    require(inside, "at", at, f"must be steps between warmup = {warmup} and steps = {steps}")
    fractions = ((edges - warmup) / (steps - warmup)).tolist()
    return _make("stages", peak, steps, warmup, at=fractions, rates=np.asarray(rates, np.float64).tolist())


def two_stage(peak: float, steps: int, *, at: int, rate: float, warmup: int = 0) -> Schedule:
    """Keep the peak until step `at`, then `rate * peak`.

    Examples
    --------
    >>> two_stage(3e-4, 16_000, at=8000, rate=0.3)([7999, 8000])
    array([3.e-04, 9.e-05])
    """
    return stages(peak, steps, at=[at], rates=[rate], warmup=warmup)


def eight_one_one(
    peak: float, steps: int, *, rates: tuple[float, float] = (10**-0.5, 0.1), warmup: int = 0
) -> Schedule:
    """Keep the peak for 8/10 of the steps after warm-up, then two stages of 1/10 each (arXiv 2401.02954).

    Examples
    --------
    >>> eight_one_one(1.0, 10)([7, 8, 9]).round(4)
    array([1.    , 0.3162, 0.1   ])
    """
    return _make("stages", peak, steps, warmup, at=[0.8, 0.9], rates=list(rates))


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
