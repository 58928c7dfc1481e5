"""Shapes of decay: the rate over its peak as a function of the fraction x in [0, 1] of the run after warm-up.

A shape is one function of x and of its own options, which it checks; `breaks` tells where it is not smooth, so
that solvers can stop there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require

__all__ = ["SHAPES", "Shape", "names"]

Array = NDArray[np.float64]


def _smooth(**_: Any) -> list[float]:
    return []


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape with the fractions of the run at which it has a jump or a kink.

    Parameters
    ----------
    value
        From x, shape (...), and options to the rate over its peak, same shape.
    breaks
        From the same options to fractions, in increasing order.
    main
        The option that a bare number after the name sets in the text form, `wsd:0.2`.
    """

    value: Callable[..., Array]
    breaks: Callable[..., list[float]] = _smooth
    main: str | None = None


SHAPES: dict[str, Shape] = {}


def names() -> list[str]:
    """Names of the registered shapes.

    Examples
    --------
    >>> names()[:4]
    ['constant', 'cosine', 'exponential', 'linear']
    """
    return sorted(SHAPES)


def _shape(
    name: str, *, breaks: Callable[..., list[float]] = _smooth, main: str | None = None
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def register(function: Callable[..., Array]) -> Callable[..., Array]:
        SHAPES[name] = Shape(function, breaks, main)
        return function

    return register


@_shape("constant")
def _constant(x: Array) -> Array:
    return np.ones_like(x)


@_shape("linear")
def _linear(x: Array) -> Array:
    return 1.0 - x


@_shape("sqrt")
def _sqrt(x: Array) -> Array:
    return 1.0 - np.sqrt(x)


@_shape("quadratic")
def _quadratic(x: Array) -> Array:
    return 1.0 - x**2


@_shape("cosine")
def _cosine(x: Array) -> Array:
    return 0.5 * (1.0 + np.cos(np.pi * x))


@_shape("multicosine", main="halves")
def _multicosine(x: Array, halves: int = 3) -> Array:
    odd = isinstance(halves, int) and not isinstance(halves, bool) and halves >= 1 and halves % 2 == 1
    require(odd, "halves", halves, "must be an odd number of half waves, so that the rate ends at zero")
    return 0.5 * (1.0 + np.cos(halves * np.pi * x))


@_shape("power", main="exponent")
def _power(x: Array, exponent: float = 2.0) -> Array:
    require(_number(exponent) and 0 < exponent < np.inf, "exponent", exponent, "must be positive and finite")
    return np.asarray((1.0 - x) ** exponent)


@_shape("exponential", main="final")
def _exponential(x: Array, final: float = 0.1) -> Array:
    require(_number(final) and 0 < final <= 1, "final", final, "must lie in (0, 1]: an exponential never reaches zero")
    return np.asarray(final**x)


def _cooldown_start(decay: float = 0.2, **_: Any) -> list[float]:
    return [1.0 - decay]


@_shape("wsd", breaks=_cooldown_start, main="decay")
def _wsd(x: Array, decay: float = 0.2, cooldown: str = "linear", **options: Any) -> Array:
    require(_number(decay) and 0 < decay <= 1, "decay", decay, "must lie in (0, 1]")
    possible = [name for name in names() if name not in ("constant", "wsd", "stages", "table")]
    require(cooldown in possible, "cooldown", cooldown, f"must be one of {', '.join(possible)}")
    left = np.clip((1.0 - x) / decay, 0.0, 1.0)  # of the cooldown: 1 before it, exactly 0 at the end
    return SHAPES[cooldown].value(1.0 - left, **options)


def _stage_starts(at: list[float], **_: Any) -> list[float]:
    return list(at)


@_shape("stages", breaks=_stage_starts)
def _stages(x: Array, at: list[float], rates: list[float]) -> Array:
    edges, levels = np.asarray(at, np.float64), np.asarray(rates, np.float64)
    inside = (
        edges.ndim == 1 and edges.size > 0 and bool(np.all((edges > 0) & (edges < 1) & (np.diff(edges, prepend=0) > 0)))
    )
    require(inside, "at", at, "must be increasing fractions of the run between 0 and 1")
    require(levels.shape == edges.shape, "rates", rates, "needs one level for each change")
    require(bool(np.all((levels >= 0) & (levels <= 1))), "rates", rates, "must be fractions of the peak, in [0, 1]")
    return np.asarray(np.append(1.0, levels)[np.searchsorted(edges, x, side="right")])


def _table_points(at: list[float], **_: Any) -> list[float]:
    return list(at[1:-1])


@_shape("table", breaks=_table_points)
def _table(x: Array, at: list[float], rate: list[float]) -> Array:
    return np.interp(x, at, rate)


def _number(value: object) -> bool:
    return isinstance(value, int | float | np.floating) and not isinstance(value, bool)
