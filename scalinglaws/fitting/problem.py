"""A table and a law turned into plain arrays, in coordinates where the numbers are of order one.

log N, log D and log loss are centred, so an amplitude is its monomial's share at the geometric mean of the table:
the exponents and the logarithms of the amplitudes are then far less correlated than in the published form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.estimators import Estimator
from scalinglaws.fitting.laws import MonomialLaw
from scalinglaws.fitting.table import Table

__all__ = ["LOG_ZERO", "Problem"]

Array = NDArray[np.float64]

LOG_ZERO = -80.0
"""Logarithm of a centred amplitude that counts as zero: e^-80 is far below the rounding of any loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Minimise sum_i weight_i rho(residual_i) over theta = (log centred amplitudes, exponents).

    Parameters
    ----------
    law, estimator
        What is fitted, and by which objective.
    x
        Centred powers, shape (rows, terms, exponents).
    center
        What was taken off, shape (terms, exponents).
    y
        Measured loss over its geometric mean, shape (rows,).
    unit
        That geometric mean.
    lower, upper
        Bounds of theta, shape (terms + exponents,); equal where a parameter is held.
    """

    law: MonomialLaw
    estimator: Estimator
    x: Array
    center: Array
    y: Array
    unit: float
    lower: Array
    upper: Array

    @classmethod
    def build(
        cls, law: MonomialLaw, estimator: Estimator, table: Table, fixed: Mapping[str, float] | None = None
    ) -> Problem:
        """Centre a table; `fixed` holds parameters of the law at given values.

        Raises
        ------
        InputError
            When the table cannot determine the free parameters, or a parameter cannot be held.
        """
        x = law.powers(np.log(table.params), np.log(table.tokens))
        center = x.mean(axis=0)
        unit = float(np.exp(np.mean(np.log(table.loss))))
        lower, upper = _bounds(law, center, unit, fixed or {})
        _check_design(law, table, x, lower == upper)
        return cls(
            law=law,
            estimator=estimator,
            x=x - center,
            center=center,
            y=table.loss / unit,
            unit=unit,
            lower=lower,
            upper=upper,
        )

    @property
    def terms(self) -> int:
        """How many monomials."""
        return int(self.x.shape[1])

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which parameters are not free."""
        return np.equal(self.lower, self.upper)

    @property
    def objective_unit(self) -> float:
        """What an objective in centred coordinates is multiplied by to be the one of the table."""
        return 1.0 if self.estimator.log else self.unit**2

    def features(self) -> Array:
        """Return the gradient of each log monomial by theta, shape (rows, terms, parameters)."""
        rows, terms, _ = self.x.shape
        return np.concatenate([np.broadcast_to(np.eye(terms), (rows, terms, terms)), -self.x], axis=2)

    def to_values(self, theta: Array) -> dict[str, Array]:
        """Return the law's parameters from theta, shape (..., parameters); amplitudes at the bound are 0."""
        logs, exponents = theta[..., : self.terms], theta[..., self.terms :]
        with np.errstate(over="ignore"):
            amplitudes = self.unit * np.exp(logs + exponents @ self.center.T)
        amplitudes = np.where(logs <= LOG_ZERO, 0.0, amplitudes)
        columns = np.concatenate([amplitudes, exponents], axis=-1)
        return {name: columns[..., k] for k, name in enumerate(self.law.parameters)}


def _bounds(law: MonomialLaw, center: Array, unit: float, fixed: Mapping[str, float]) -> tuple[Array, Array]:
    """Bounds of theta; a held parameter has both at its value."""
    terms, names = len(law.terms), law.parameters
    lower = np.concatenate([np.full(terms, LOG_ZERO), np.full(len(law.exponents), law.bounds[0])])
    upper = np.concatenate([np.full(terms, -LOG_ZERO), np.full(len(law.exponents), law.bounds[1])])
    for name, value in fixed.items():
        if name not in names:
            raise InputError(f"fixed = {name!r}: must be one of {', '.join(names)}")
        number = isinstance(value, int | float) and bool(np.isfinite(value)) and value >= 0
        require(number, f"fixed[{name!r}]", value, "must be a finite number, not negative")
        if name in law.exponents:
            lower[names.index(name)] = upper[names.index(name)] = value
    for k, term in enumerate(law.terms):
        if term.amplitude not in fixed:
            continue
        value = fixed[term.amplitude]
        missing = sorted((set(term.n) | set(term.d)) - set(fixed))
        require(
            value == 0 or not missing,
            f"fixed[{term.amplitude!r}]",
            value,
            f"its size depends on {', '.join(missing)}, which must be held too",
        )
        log = np.log(value / unit) - center[k] @ lower[terms:] if value > 0 else LOG_ZERO
        lower[k] = upper[k] = max(log, LOG_ZERO)
    return lower, upper


def _check_design(law: MonomialLaw, table: Table, x: Array, held: NDArray[np.bool_]) -> None:
    """Refuse tables that cannot determine the free parameters, whatever their losses."""
    need = int(np.sum(~held)) + 1
    distinct = len(set(zip(table.params.tolist(), table.tokens.tolist(), strict=True)))
    require(
        distinct >= need,
        "table: distinct (N, D)",
        distinct,
        f"{law.formula} with {need - 1} free parameters needs {need} or more",
    )
    spread = np.ptp(x, axis=0).max(axis=0)
    for j, name in enumerate(law.exponents):
        require(
            bool(held[len(law.terms) + j]) or spread[j] > 1e-9,
            f"table: spread of log N or log D under {name}",
            float(spread[j]),
            f"all rows are alike in what {name} describes, so it cannot be fitted",
        )
