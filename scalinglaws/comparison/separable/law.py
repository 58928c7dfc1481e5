"""A law that is linear in its amplitudes once its shapes are known, whatever it looks at.

    loss(record) = sum_a amplitude_a * feature_a(record; shapes)

`Look` is what a law reads of the records: the `History` of a schedule law, the `FamilyCurves` of a family law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError

__all__ = ["Features", "Look", "SeparableLaw", "Shape", "find_law", "numeric"]

Array = NDArray[np.float64]
Look = TypeVar("Look")
Law = TypeVar("Law", bound="SeparableLaw[Any]")

Features = Callable[[Array, Look], tuple[Array, Array]]
"""Shapes (s,) and n records to features (n, a) and their derivatives by the shapes (n, a, s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A parameter in which a law is not linear.

    Parameters
    ----------
    name
        As in the law's formula.
    low, high
        Range the fit may return, both positive; a fit that ends on one of them says so.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SeparableLaw(Generic[Look]):
    """A named law, linear in its amplitudes.

    Parameters
    ----------
    name
        What users call it.
    formula
        For people.
    source
        The paper.
    amplitudes
        Names of the linear parameters, in the order of the features.
    shapes
        The other parameters, all positive.
    features
        The law itself; see `Features`.
    starts
        From what is known of the fitted runs to shapes worth starting from, shape (starts, shapes), best guess first.
    signed
        Amplitudes that may be negative; all others are >= 0.
    limits
        From what is known of the fitted runs to narrower ranges of some shapes, by name: beyond them the law is not
        defined for these runs, or the same everywhere.
    """

    name: str
    formula: str
    source: str
    amplitudes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    features: Features[Look]
    starts: Callable[[Look], Array]
    signed: tuple[str, ...] = ()
    limits: Callable[[Look], Mapping[str, tuple[float, float]]] | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters: amplitudes, then shapes."""
        return self.amplitudes + tuple(shape.name for shape in self.shapes)

    def ranges(self, look: Look) -> Array:
        """Lowest and highest value of each shape for these runs, shape (2, shapes)."""
        known = {} if self.limits is None else self.limits(look)
        ends = [(s.low, s.high) if s.name not in known else _within(known[s.name], s) for s in self.shapes]
        return np.array(ends, dtype=np.float64).reshape(-1, 2).T


def _within(wanted: tuple[float, float], shape: Shape) -> tuple[float, float]:
    low, high = np.clip(wanted, shape.low, shape.high)
    return float(low), float(high)


def find_law(law: str | Law, known: Mapping[str, Law]) -> Law:
    """Return the law of that name; a law given as such passes through, and an unknown name is an `InputError`."""
    if isinstance(law, SeparableLaw):
        return law
    if not isinstance(law, str) or law not in known:
        raise InputError(f"law = {law!r}: must be one of {', '.join(known)}")
    return known[law]


def numeric(features: Callable[[Array, Look], Array]) -> Features[Look]:
    """Give a law without derivatives central differences in the logarithm of each shape.

    Examples
    --------
    >>> law = numeric(lambda shapes, x: (x ** -shapes[0])[:, None])
    >>> values, slopes = law(np.array([0.5]), np.array([1.0]))
    >>> values.tolist(), slopes.shape
    ([[1.0]], (1, 1, 1))
    """
    step = 1e-5

    def both(shapes: Array, look: Look) -> tuple[Array, Array]:
        slopes = []
        for i, value in enumerate(shapes):
            ends = [features(_moved(shapes, i, value * np.exp(sign * step)), look) for sign in (1.0, -1.0)]
            slopes.append((ends[0] - ends[1]) / (2.0 * step * value))
        values = features(shapes, look)
        return values, np.stack(slopes, axis=-1) if slopes else np.zeros((*values.shape, 0))

    return both


def _moved(shapes: Array, i: int, value: float) -> Array:
    moved = shapes.copy()
    moved[i] = value
    return moved
