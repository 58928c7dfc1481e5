"""A law and its records as a function of free coordinates: what the search, the fit and every refit evaluate.

Amplitudes move as they are, and stop at zero unless they are signed; shapes move in their logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from scalinglaws.comparison.separable.balanced import Balance
from scalinglaws.comparison.separable.law import Look, SeparableLaw
from scalinglaws.comparison.separable.minimise import End, minimise
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import Estimator, estimator

__all__ = ["Noise", "Problem", "Start"]

Array = NDArray[np.float64]
Seen = TypeVar("Seen", contravariant=True)

_LONGEST = 2.0
"""Longest step of the logarithm of a shape."""

_KEPT = 2
"""Evaluations of a law that are remembered."""


class Start(NamedTuple):
    """Where a search may begin: coordinates (p,), and what the law predicts there (n,), None where it is undefined."""

    theta: Array
    predicted: Array | None


class Noise(Protocol[Seen]):
    """What is known of the noise of the records."""

    def whiten(self, rows: Array, look: Seen) -> Array:
        """Make residuals (n,) independent and equally wide; their Jacobian (n, p) in the same way."""

    def said(self, look: Seen) -> str:
        """Describe the noise in words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem(Generic[Look]):
    """Minimise the sum of `estimator` over the log residuals of `loss`.

    Parameters
    ----------
    law
        What is fitted.
    look
        What the law reads of the records.
    loss
        Measured, shape (n,).
    estimator
        Of log predicted minus log measured.
    fixed
        Shapes that are held.
    noise
        Whitens the log residuals before they are counted; independent records by default.
    """

    law: SeparableLaw[Look]
    look: Look
    loss: Array
    estimator: Estimator
    fixed: Mapping[str, float]
    noise: Noise[Look] | None = None

    def __post_init__(self) -> None:
        shapes = {shape.name: shape for shape in self.law.shapes}
        for name, value in self.fixed.items():
            if name not in shapes:
                raise InputError(f"fixed = {name!r}: must be one of {', '.join(shapes) or 'none'} for {self.law.name}")
            shape = shapes[name]
            inside = shape.low <= value <= shape.high
            require(inside, f"fixed: {name}", value, f"must lie between {shape.low:g} and {shape.high:g}")

    @property
    def free_shapes(self) -> tuple[str, ...]:
        """Names of the shapes that move."""
        return tuple(shape.name for shape in self.law.shapes if shape.name not in self.fixed)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates: all amplitudes, then the free shapes."""
        return self.law.amplitudes + self.free_shapes

    def values(self, theta: Array) -> dict[str, float]:
        """Return the parameters of the law at a point."""
        count = len(self.law.amplitudes)
        free = dict(zip(self.free_shapes, np.exp(theta[count:]), strict=True))
        shapes = {s.name: float(free.get(s.name, self.fixed.get(s.name, np.nan))) for s in self.law.shapes}
        return dict(zip(self.law.amplitudes, theta[:count].tolist(), strict=True)) | shapes

    def evaluate(self, theta: Array) -> tuple[Array, Array] | None:
        """Return what is minimised, the whitened log residuals (n,), and their Jacobian (n, p).

        None where the law gives no positive loss.
        """
        return self._counted(*self._features(theta), theta)

    def residuals(self, theta: Array) -> Array | None:
        """Return log predicted minus log measured loss, shape (n,); None as `evaluate`."""
        found = self._residuals(*self._features(theta), theta)
        return None if found is None else found[0]

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest coordinates, shape (p,) each."""
        free = [s.name not in self.fixed for s in self.law.shapes]
        ends = np.log(self.law.ranges(self.look))[:, free]
        low = np.where(self._signed, -np.inf, 0.0)
        return np.concatenate([low, ends[0]]), np.concatenate([np.full(low.size, np.inf), ends[1]])

    def starts(self) -> list[Start]:
        """Return the law's starts, each once, with the best amplitudes by non-negative least squares."""
        ends = self.law.ranges(self.look)
        held = [self.fixed.get(s.name, np.nan) for s in self.law.shapes]
        rows = [np.where(np.isnan(held), np.clip(row, *ends), held) for row in self.law.starts(self.look)]
        distinct = {row.tobytes(): row for row in rows}.values()  # those that differ in held shapes only are the same
        free = np.isnan(held)
        found = []
        for row in distinct:
            features = self.law.features(row, self.look)[0]
            theta = np.concatenate([self._linear(features), np.log(row[free])])
            found.append(Start(theta, self._predicted(features, theta)))
        return found

    def worth(self, start: Start) -> float:
        """Return the objective at a start; infinite where the law is undefined."""
        if start.predicted is None:
            return np.inf
        residuals = np.log(start.predicted) - np.log(self.loss)
        return float(np.sum(self.estimator.rho(self._whitened(residuals))))

    def solve(self, theta: Array, *, iterations: int = 150, flat: float = 1e-11, damping: float = 1e-2) -> End | None:
        """Minimise from one start, in balanced coordinates (see `balanced`); see `minimise`."""
        longest = np.where(np.arange(theta.size) < len(self.law.amplitudes), np.inf, _LONGEST)
        start = np.clip(theta, *self.bounds)
        aim = self._balance(start).enter(start)
        end = minimise(
            self._balanced,
            aim,
            self.estimator,
            self.bounds,
            longest,
            iterations=iterations,
            flat=flat,
            damping=damping,
        )
        return None if end is None else self._balance(end.theta).end(end)

    def smooth(self, theta: Array) -> Array:
        """Return the least-squares solution of the log residuals from a start, a better start for the fit itself."""
        end = replace(self, estimator=estimator("log-l2")).solve(theta, iterations=40)
        return theta if end is None else end.theta

    def _features(self, theta: Array) -> tuple[Array, Array]:
        """Features at the shapes of a point and their derivatives by the logarithms of the free shapes."""
        shapes = self._shapes(theta)
        features, slopes = self._at(shapes)
        free = [i for i, s in enumerate(self.law.shapes) if s.name not in self.fixed]
        return features, slopes[:, :, free] * shapes[free]

    def _at(self, shapes: Array) -> tuple[Array, Array]:
        """Evaluate the law, unless it was done just now: a search balances its start and its end."""
        key = shapes.tobytes()
        if key not in self._lately:
            while len(self._lately) >= _KEPT:
                del self._lately[next(iter(self._lately))]
            self._lately[key] = self.law.features(shapes, self.look)
        return self._lately[key]

    @cached_property
    def _lately(self) -> dict[bytes, tuple[Array, Array]]:
        return {}

    def _residuals(self, features: Array, slopes: Array, theta: Array) -> tuple[Array, Array] | None:
        predicted = self._predicted(features, theta)
        if predicted is None:
            return None
        by_shape = np.einsum("nas,a->ns", slopes, theta[: len(self.law.amplitudes)])
        jacobian = np.concatenate([features, by_shape], axis=1)
        return np.log(predicted) - np.log(self.loss), jacobian / predicted[:, None]

    def _counted(self, features: Array, slopes: Array, theta: Array) -> tuple[Array, Array] | None:
        found = self._residuals(features, slopes, theta)
        return None if found is None else (self._whitened(found[0]), self._whitened(found[1]))

    def _whitened(self, rows: Array) -> Array:
        return rows if self.noise is None else self.noise.whiten(rows, self.look)

    def _shapes(self, theta: Array) -> Array:
        values = self.values(theta)
        return np.array([values[shape.name] for shape in self.law.shapes])

    def _predicted(self, features: Array, theta: Array) -> Array | None:
        """Losses at a point; None unless all are positive and finite."""
        predicted = features @ theta[: len(self.law.amplitudes)]
        return predicted if np.all(np.isfinite(predicted) & (predicted > 0)) else None

    def _balance(self, theta: Array) -> Balance:
        return Balance.of(*self._features(theta), self.loss)

    def _balanced(self, balanced: Array) -> tuple[Array, Array] | None:
        """Do what `evaluate` does, in balanced coordinates."""
        features, slopes = self._features(balanced)
        balance = Balance.of(features, slopes, self.loss)
        theta = balance.leave(balanced)
        found = self._counted(features, slopes, theta)
        return None if found is None else (found[0], balance.jacobian(found[1], theta))

    @property
    def _signed(self) -> NDArray[np.bool_]:
        return np.array([name in self.law.signed for name in self.law.amplitudes])

    def _linear(self, features: Array) -> Array:
        """Amplitudes that minimise the squared relative residuals."""
        scaled = features / self.loss[:, None]
        width = np.maximum(np.abs(scaled).max(axis=0), 1e-300)
        both = np.concatenate([scaled / width, -(scaled / width)[:, self._signed]], axis=1)
        found = nnls(both, np.ones(self.loss.size))[0]
        solution = found[: width.size].copy()
        solution[self._signed] -= found[width.size :]
        return np.asarray(solution / width)
