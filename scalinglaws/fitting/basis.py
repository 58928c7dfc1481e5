"""The columns of a law on a table: their logarithms, and what Newton's method needs of their derivatives.

theta holds the logarithm of each amplitude (over the unit of the loss, and times the geometric mean of its column
over the table: far less correlated with the shapes than the published amplitude), then the shapes. `LinearBasis`
serves monomials, whose derivatives do not change; `FormulaBasis` any law, through jets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.jets import Jet, Number, jet_of, variable
from scalinglaws.fitting.laws.law import Law

__all__ = ["Basis", "Columns", "FormulaBasis", "LinearBasis"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_LARGEST = 300.0  # exponent of the largest column: beyond it nothing is finite


@dataclass(frozen=True, slots=True)
class Columns:
    """Signed columns at one theta per row of a batch, with their derivatives.

    Parameters
    ----------
    values
        Shape (batch, rows, columns).
    features
        Gradient of the logarithm of each column by theta, shape (batch or 1, rows, columns, parameters).
    outer
        Outer products of constant features, shape (rows * columns, parameters^2), if they are.
    used
        Columns whose logarithm depends on each parameter.
    bends
        Second derivatives of the logarithm of each column that are not zero, each (batch or 1, rows).
    """

    values: Array
    features: Array
    used: tuple[tuple[int, ...], ...]
    outer: Array | None = None
    bends: tuple[Mapping[tuple[int, int], Array], ...] = ()

    def sum(self) -> Array:
        """Return the prediction, shape (batch, rows); where columns of both signs leave none, a tiny one."""
        total = self.values[:, :, 0].copy()
        for k in range(1, self.values.shape[2]):  # far faster than a reduction over so short an axis
            total += self.values[:, :, k]
        if (total <= 0.0).any():
            total = np.where(total > 0.0, total, 1e-9 * np.abs(self.values).sum(axis=2) + 1e-300)
        return total

    def slope(self, share: Array) -> Array:
        """Return the sum over columns of share times features, shape (batch, rows, parameters)."""
        slope = np.empty((*share.shape[:2], len(self.used)))
        for p, columns in enumerate(self.used):
            slope[:, :, p] = sum(share[:, :, k] * self.features[:, :, k, p] for k in columns)
        return slope

    def curvature(self, weight: Array) -> Array:
        """Return the weighted sum over rows and columns of (features features^T + bends), (batch, p, p)."""
        batch, size = len(weight), self.features.shape[3]
        if self.outer is not None:
            return (weight.reshape(batch, -1) @ self.outer).reshape(batch, size, size)
        flat = np.broadcast_to(self.features, (*weight.shape, size)).reshape(batch, -1, size)
        total: Array = (flat * weight.reshape(batch, -1, 1)).transpose(0, 2, 1) @ flat
        for k, bends in enumerate(self.bends):
            for (i, j), bend in bends.items():
                part = (weight[:, :, k] * bend).sum(axis=1)
                total[:, i, j] += part
                if i != j:
                    total[:, j, i] += part
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearBasis:
    """Columns exp(theta_k - x_k . shapes), with x centred over the table.

    Parameters
    ----------
    x
        Shape (rows, columns, shapes).
    center
        What was taken off, shape (columns, shapes).
    """

    x: Array
    center: Array
    features: Array = field(init=False)
    outer: Array = field(init=False)
    used: tuple[tuple[int, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        rows, columns, _ = self.x.shape
        features = np.concatenate([np.broadcast_to(np.eye(columns), (rows, columns, columns)), -self.x], axis=2)
        flat = features.reshape(rows * columns, -1)
        used = tuple(tuple(np.flatnonzero(column).tolist()) for column in np.any(features != 0.0, axis=0).T)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "used", used)
        object.__setattr__(self, "outer", (flat[:, :, None] * flat[:, None, :]).reshape(rows * columns, -1))

    @classmethod
    def build(cls, x: Array, centred: NDArray[np.bool_]) -> LinearBasis:
        """Centre the columns that are to be."""
        center = np.where(centred[:, None], x.mean(axis=0), 0.0)
        return cls(x=x - center, center=center)

    def take(self, rows: Rows) -> LinearBasis:
        """Return the basis on some rows, its centre unchanged."""
        return replace(self, x=self.x[rows])

    def logs(self, shapes: Array, amplitudes: Array) -> Array:  # noqa: ARG002
        """Return the logarithm of each column, without its amplitude, shape (batch, rows, columns)."""
        return np.asarray(-np.einsum("ikq,gq->gik", self.x, shapes))

    def evaluate(self, theta: Array) -> Columns:
        """Return the columns and their derivatives at each theta of a batch."""
        rows, columns, _ = self.x.shape
        logs = theta @ self.features.reshape(rows * columns, -1).T
        with np.errstate(over="ignore"):
            values = np.exp(np.minimum(logs, _LARGEST)).reshape(len(theta), rows, columns)
        return Columns(values, self.features[None], self.used, self.outer)

    def levels(self, theta: Array) -> Array:
        """Return the mean logarithm of each column that was centred away, shape (..., columns)."""
        return -theta[..., self.center.shape[0] :] @ self.center.T

    def published(self, shapes: Array) -> Array:
        """Return the shapes, logarithms where they are `log`, as the law knows them."""
        return shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaBasis:
    """Columns of any law.

    Parameters
    ----------
    law
        Whose formulas are used.
    x
        Logarithms of the covariates, each of shape (rows,).
    centred
        Which columns are divided by their geometric mean.
    matrix, offset
        The law's shapes are `matrix @ shapes + offset`; shapes (shapes, shapes) and (shapes,).
    unit
        Logarithm of the unit of the loss.
    held
        Which components of theta never move, shape (columns + shapes,): derivatives by them are left at zero.
    """

    law: Law
    x: Mapping[str, Array]
    centred: NDArray[np.bool_]
    matrix: Array
    offset: Array
    unit: float
    held: NDArray[np.bool_]

    @classmethod
    def build(
        cls, law: Law, x: Mapping[str, Array], free: NDArray[np.bool_], held: NDArray[np.bool_], unit: float
    ) -> FormulaBasis:
        """Centre the columns and anchor the shapes whose `free` is true (amplitudes first)."""
        count = len(law.amplitudes)
        matrix, offset = np.eye(len(law.shapes)), np.zeros(len(law.shapes))
        for i, shape in enumerate(law.shapes):
            for other, covariate, multiple in shape.anchor if free[count + i] else ():
                mean = multiple * float(x[covariate].mean())
                if other:
                    matrix[i, law.exponents.index(other)] += mean
                else:
                    offset[i] += mean
        centred = free[:count] & (not law.coupled) & ~np.isin(law.amplitudes, law.units)
        return cls(law=law, x=x, centred=centred, matrix=matrix, offset=offset, unit=unit, held=held)

    @property
    def rows(self) -> int:
        """How many rows of the table."""
        return next(iter(self.x.values())).size

    def take(self, rows: Rows) -> FormulaBasis:
        """Return the basis on some rows, on which columns are then centred."""
        return replace(self, x={name: column[rows] for name, column in self.x.items()})

    def _columns(self, z: Sequence[Number]) -> list[Number]:
        """Evaluate the formulas at the components of theta, each of shape (batch, 1); arrays or jets."""
        count = len(self.law.amplitudes)
        p: dict[str, Number] = {}
        for name, row, shift in zip(self.law.exponents, self.matrix, self.offset, strict=True):
            total: Number = shift
            for weight, number in zip(row, z[count:], strict=True):
                total = total + number * weight if weight != 0.0 else total
            p[name] = total
        if self.law.coupled:
            p |= {name: log + self.unit for name, log in zip(self.law.amplitudes, z, strict=False)}
        return list(self.law.logs(p, self.x))

    def logs(self, shapes: Array, amplitudes: Array) -> Array:
        """Return the logarithm of each column, without its amplitude, shape (batch, rows, columns)."""
        with np.errstate(all="ignore"):
            columns = self._columns([*amplitudes.T[:, :, None], *shapes.T[:, :, None]])
            stacked = np.stack([np.broadcast_to(np.asarray(c), (len(shapes), self.rows)) for c in columns], axis=2)
            return np.asarray(stacked - np.where(self.centred, stacked.mean(axis=1, keepdims=True), 0.0))

    def evaluate(self, theta: Array) -> Columns:
        """Return the columns and their derivatives at each theta of a batch."""
        count, size, rows = len(self.law.amplitudes), theta.shape[1], self.rows
        parts = zip(theta.T[:, :, None], self.held.tolist(), strict=True)
        z: list[Number] = [part if held else variable(part, i) for i, (part, held) in enumerate(parts)]
        values = np.empty((len(theta), rows, count))
        features = np.zeros((len(theta), rows, count, size))
        bends, used = [], [set[int]() for _ in range(size)]
        with np.errstate(all="ignore"):
            for k, number in enumerate(self._columns(z)):
                column = self._centre(jet_of(number)) if self.centred[k] else jet_of(number)
                values[:, :, k] = self.law.signs[k] * np.exp(np.minimum(theta[:, k, None] + column.value, _LARGEST))
                for i, first in column.first.items():
                    features[:, :, k, i] = first
                    used[i].add(k)
                features[:, :, k, k] += 1.0
                used[k].add(k)
                bends.append(column.second)
        return Columns(values, features, tuple(map(tuple, used)), None, tuple(bends))

    @staticmethod
    def _centre(column: Jet) -> Jet:
        def off(part: Array) -> Array:
            return part - part.mean(axis=-1, keepdims=True) if part.ndim else part * 0.0

        first = {key: off(part) for key, part in column.first.items()}
        return Jet(off(column.value), first, {key: off(part) for key, part in column.second.items()})

    def levels(self, theta: Array) -> Array:
        """Return the mean logarithm of each column that was centred away, shape (..., columns)."""
        count = len(self.law.amplitudes)
        if not self.centred.any():
            return np.zeros((*theta.shape[:-1], count))
        flat = theta.reshape(-1, theta.shape[-1])
        with np.errstate(all="ignore"):
            columns = self._columns([*flat.T[:, :, None]])
        means = [np.mean(np.atleast_1d(np.asarray(c)), axis=-1) for c in columns]
        stacked = np.stack([np.broadcast_to(mean, len(flat)) for mean in means], axis=-1)
        return np.where(self.centred, stacked, 0.0).reshape(*theta.shape[:-1], count)

    def published(self, shapes: Array) -> Array:
        """Return the shapes, logarithms where they are `log`, as the law knows them."""
        return shapes @ self.matrix.T + self.offset


Basis = LinearBasis | FormulaBasis
