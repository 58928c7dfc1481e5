"""Numbers that carry their first two derivatives, so that a law is a formula written once.

A `Jet` is an array with its non-zero derivatives by numbered variables (forward mode, second order; Griewank &
Walther 2008, ch. 13). `exp`, `log`, `log1p` and `logaddexp` take jets and plain arrays alike: the same
lines of a law predict with arrays and give the fit its exact gradient and Hessian with jets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Jet", "Number", "exp", "jet_of", "log", "log1p", "logaddexp", "smaller", "variable"]

Array = NDArray[np.float64]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Jet:
    """A value with derivatives: `first[i]` by variable i, `second[i, j]` by i and j, i <= j; absent ones are zero.

    All arrays broadcast against each other.

    Examples
    --------
    >>> x, y = variable(2.0, 0), variable(3.0, 1)
    >>> z = x * y + exp(x)
    >>> float(z.first[1]), float(z.second[0, 1]), round(float(z.second[0, 0]), 3)
    (2.0, 1.0, 7.389)
    """

    __array_ufunc__ = None  # so that array * jet is the jet's business

    value: Array
    first: Mapping[int, Array] = field(default_factory=dict)
    second: Mapping[tuple[int, int], Array] = field(default_factory=dict)

    def __neg__(self) -> Jet:
        return self * -1.0

    def __add__(self, other: Number) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.first, self.second)
        return Jet(self.value + other.value, _sum(self.first, other.first), _sum(self.second, other.second))

    def __sub__(self, other: Number) -> Jet:
        return self + (-other)

    def __rsub__(self, other: Array | float) -> Jet:
        return -self + other

    def __mul__(self, other: Number) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, _scale(self.first, other), _scale(self.second, other))
        first = _sum(_scale(self.first, other.value), _scale(other.first, self.value))
        second = _sum(_scale(self.second, other.value), _scale(other.second, self.value))
        cross: dict[tuple[int, int], Array] = {}
        for i, a in self.first.items():
            for j, b in other.first.items():
                key = (min(i, j), max(i, j))
                part = a * b * (2.0 if i == j else 1.0)
                cross[key] = cross[key] + part if key in cross else part
        return Jet(self.value * other.value, first, _sum(second, cross))

    def __truediv__(self, other: Number) -> Jet:
        return self * (1.0 / other)

    def __rtruediv__(self, other: Array | float) -> Jet:
        inverse = 1.0 / self.value
        return _compose(self, inverse, -(inverse**2), 2.0 * inverse**3) * other

    def __pow__(self, power: int) -> Jet:
        low = self.value ** (power - 2)
        return _compose(self, low * self.value**2, power * low * self.value, power * (power - 1) * low)

    __radd__ = __add__
    __rmul__ = __mul__


Number = Jet | Array | float


def variable(value: ArrayLike, index: int) -> Jet:
    """Return a variable: its derivative by itself is one."""
    return Jet(np.asarray(value, np.float64), {index: np.ones(())})


def jet_of(value: Number) -> Jet:
    """Return a jet; a plain array becomes a constant."""
    return value if isinstance(value, Jet) else Jet(np.asarray(value, np.float64))


def exp(x: Number) -> Number:
    """Exponential; overflow is cut at e^300."""
    if not isinstance(x, Jet):
        return np.exp(np.minimum(x, 300.0))
    value = np.exp(np.minimum(x.value, 300.0))
    return _compose(x, value, value, value)


def log(x: Number) -> Number:
    """Natural logarithm."""
    if not isinstance(x, Jet):
        return np.log(x)
    inverse = 1.0 / x.value
    return _compose(x, np.log(x.value), inverse, -(inverse**2))


def log1p(x: Number) -> Number:
    """Natural logarithm of 1 + x."""
    if not isinstance(x, Jet):
        return np.log1p(x)
    inverse = 1.0 / (1.0 + x.value)
    return _compose(x, np.log1p(x.value), inverse, -(inverse**2))


def logaddexp(x: Number, y: Number) -> Number:
    """Logarithm of e^x + e^y, x + log(1 + e^(y - x)) without overflow."""
    if not isinstance(x, Jet) and not isinstance(y, Jet):
        return np.logaddexp(x, y)
    gap = jet_of(y - x)
    small = np.exp(-np.abs(gap.value))
    rise = np.where(gap.value > 0, 1.0, small) / (1.0 + small)
    return x + _compose(gap, np.maximum(gap.value, 0.0) + np.log1p(small), rise, rise * (1.0 - rise))


def smaller(x: Number, y: Number) -> Number:
    """Return the smaller of two, with its derivatives."""
    if not isinstance(x, Jet) and not isinstance(y, Jet):
        return np.minimum(x, y)
    a, b = jet_of(x), jet_of(y)
    left = (a.value <= b.value).astype(np.float64)
    return a * left + b * (1.0 - left)


def _compose(x: Jet, value: Array, slope: Array, bend: Array) -> Jet:
    """Chain rule for f(x), given f, f' and f'' at x."""
    second = dict(_scale(x.second, slope))
    for i, a in x.first.items():
        for j, b in x.first.items():
            if i <= j:
                part = bend * a * b
                second[i, j] = second[i, j] + part if (i, j) in second else part
    return Jet(value, _scale(x.first, slope), second)


def _scale(parts: Mapping[Key, Array], factor: Array | float) -> dict[Key, Array]:
    return {key: part * factor for key, part in parts.items()}


def _sum(a: Mapping[Key, Array], b: Mapping[Key, Array]) -> dict[Key, Array]:
    return {**a, **b, **{key: a[key] + b[key] for key in a.keys() & b.keys()}}
