"""A table and a law turned into plain arrays, in coordinates where the numbers are of order one.

Columns of the law and the loss are centred on their geometric means, so an amplitude is its column's share there:
the shapes and the logarithms of the amplitudes are then far less correlated than in the published form. A parameter
that is held, or about which something is known beforehand, stays as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.basis import Basis, FormulaBasis, LinearBasis
from scalinglaws.fitting.estimators import Estimator
from scalinglaws.fitting.laws import Law, MonomialLaw
from scalinglaws.fitting.table import Table

__all__ = ["LOG_ZERO", "Prior", "Problem"]

Array = NDArray[np.float64]

LOG_ZERO = -80.0
"""Logarithm of a centred amplitude that counts as zero: e^-80 is far below the rounding of any loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known before the fit: `scale * sum_p ((theta_p - mean_p) / sd_p)^2 / 2` joins the objective.

    Parameters
    ----------
    values
        Parameter to its mean and standard deviation; of amplitudes and other positive parameters the standard
        deviation of the logarithm, so (1.7, 0.05) is 1.7 give or take 5 %.
    scale
        What the objective is divided by to be minus a log likelihood.
    """

    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Minimise sum_i weight_i rho(residual_i) over theta = (log centred amplitudes, shapes).

    Parameters
    ----------
    law, estimator
        What is fitted, and by which objective.
    basis
        The law's columns on the table.
    y
        Measured loss over its geometric mean, shape (rows,).
    unit
        That geometric mean.
    lower, upper
        Bounds of theta, shape (terms + shapes,); equal where a parameter is held.
    pull, toward
        Penalty `pull * (theta - toward)^2 / 2` on each parameter, in the units of the objective of y.
    """

    law: Law
    estimator: Estimator
    basis: Basis
    y: Array
    unit: float
    lower: Array
    upper: Array
    pull: Array
    toward: Array

    @classmethod
    def build(
        cls,
        law: Law,
        estimator: Estimator,
        table: Table,
        fixed: Mapping[str, float] | None = None,
        prior: Prior | None = None,
    ) -> Problem:
        """Centre a table; `fixed` holds parameters of the law at given values.

        Raises
        ------
        InputError
            When the table cannot determine the free parameters, or a parameter cannot be held.
        """
        fixed, prior = fixed or {}, prior or Prior()
        _check_names(law, fixed, prior)
        target = table.column(law.target)
        unit = float(np.exp(np.mean(np.log(target))))
        lower, upper = _bounds(law, unit, fixed)
        known = np.array([name in fixed or name in prior.values for name in law.amplitudes + law.exponents])
        x = {name: np.log(table.column(name)) for name in law.covariates}
        basis: Basis
        if isinstance(law, MonomialLaw):
            basis = LinearBasis.build(law.powers(x["params"], x["tokens"]), ~known[: len(law.amplitudes)])
        else:
            basis = FormulaBasis.build(law, x, ~known, np.equal(lower, upper), float(np.log(unit)))
        pull, toward = np.zeros(known.size), np.zeros(known.size)
        scale = prior.scale if estimator.log else prior.scale / unit**2
        for name, (mean, sd) in prior.values.items():
            k = (law.amplitudes + law.exponents).index(name)
            pull[k], toward[k] = scale / sd**2, _coordinate(law, name, mean, unit)
        made = cls(
            law=law,
            estimator=estimator,
            basis=basis,
            y=target / unit,
            unit=unit,
            lower=lower,
            upper=upper,
            pull=pull,
            toward=toward,
        )
        made._check_design(np.stack(list(x.values()), axis=1))
        return made

    @property
    def terms(self) -> int:
        """How many columns."""
        return len(self.law.amplitudes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components of theta."""
        return self.law.amplitudes + self.law.exponents

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which parameters are not free."""
        return np.equal(self.lower, self.upper)

    @property
    def objective_unit(self) -> float:
        """What an objective in centred coordinates is multiplied by to be the one of the table."""
        return 1.0 if self.estimator.log else self.unit**2

    def take(self, rows: NDArray[np.int64]) -> Problem:
        """Return the problem on some rows; `moved_to` brings its theta back."""
        return replace(self, basis=self.basis.take(rows), y=self.y[rows])

    def moved_to(self, other: Problem, theta: Array) -> Array:
        """Return the theta, shape (..., parameters), that means the same in another problem of this law."""
        shift = other.basis.levels(theta) - self.basis.levels(theta)
        return np.concatenate([theta[..., : self.terms] + shift, theta[..., self.terms :]], axis=-1)

    def linearise(self, theta: Array) -> tuple[Array, Array]:
        """Return the prediction over `unit` and the derivatives of its logarithm, (rows,) and (rows, parameters)."""
        columns = self.basis.evaluate(theta[None])
        predicted = columns.sum()
        return predicted[0], columns.slope(columns.values / predicted[:, :, None])[0]

    def to_values(self, theta: Array) -> dict[str, Array]:
        """Return the law's parameters from theta, shape (..., parameters); amplitudes at the bound are 0."""
        logs = theta[..., : self.terms]
        with np.errstate(over="ignore"):
            amplitudes = self.unit * np.exp(logs - self.basis.levels(theta))
            shapes = self.basis.published(theta[..., self.terms :])
            shapes = np.where([shape.log for shape in self.law.shapes], np.exp(shapes), shapes)
        columns = np.concatenate([np.where(logs <= LOG_ZERO, 0.0, amplitudes), shapes], axis=-1)
        return {name: columns[..., k] for k, name in enumerate(self.names) if name not in self.law.units}

    def _check_design(self, covariates: Array) -> None:
        """Refuse tables that cannot determine the free parameters, whatever their losses."""
        need = int(np.sum(~self.held)) + 1
        distinct = len(np.unique(covariates, axis=0))
        what = {"params": "N", "tokens": "D"}
        require(
            distinct >= need,
            f"table: distinct ({', '.join(what.get(name, name) for name in self.law.covariates)})",
            distinct,
            f"{self.law.formula} with {need - 1} free parameters needs {need} or more",
        )
        middle = np.array([shape.axis[len(shape.axis) // 2] for shape in self.law.shapes])
        theta = np.clip(np.concatenate([np.zeros(self.terms), middle]), self.lower, self.upper)
        spread = np.ptp(self.basis.evaluate(theta[None]).features[0], axis=0).max(axis=0)
        for j, name in enumerate(self.law.exponents, start=self.terms):
            require(
                bool(self.held[j]) or spread[j] > 1e-9,
                f"table: spread of log N or log D under {name}",
                float(spread[j]),
                f"all rows are alike in what {name} describes, so it cannot be fitted",
            )


def _coordinate(law: Law, name: str, value: float, unit: float) -> float:
    """Theta of a parameter that is not centred."""
    if name in law.amplitudes:
        return max(float(np.log(value / unit)), LOG_ZERO) if value > 0 else LOG_ZERO
    return float(np.log(value)) if law.shapes[law.exponents.index(name)].log else value


def _check_names(law: Law, fixed: Mapping[str, float], prior: Prior) -> None:
    for what, given in (("fixed", fixed), ("prior", prior.values)):
        for name in given:
            if name not in law.parameters:
                raise InputError(f"{what} = {name!r}: must be one of {', '.join(law.parameters)}")
    positive = {*law.amplitudes, *(shape.name for shape in law.shapes if shape.log)}
    for name, value in fixed.items():
        number = isinstance(value, int | float) and bool(np.isfinite(value)) and value >= 0
        require(number, f"fixed[{name!r}]", value, "must be a finite number, not negative")
        require(value > 0 or name in law.amplitudes or name not in positive, f"fixed[{name!r}]", value, "must be > 0")
    for name, pair in prior.values.items():
        require(name not in fixed, f"prior[{name!r}]", pair, "is held by fixed too; give one of the two")
        numbers = isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(v, int | float) for v in pair)
        good = numbers and bool(np.all(np.isfinite(pair))) and pair[1] > 0 and (pair[0] > 0 or name not in positive)
        require(
            good, f"prior[{name!r}]", pair, "must be (mean, standard deviation), finite, > 0 where the parameter is"
        )


def _bounds(law: Law, unit: float, fixed: Mapping[str, float]) -> tuple[Array, Array]:
    """Bounds of theta; a held parameter has both at its value."""
    known = dict.fromkeys(law.units, 1.0) | dict(fixed)
    lower = np.array([LOG_ZERO] * len(law.amplitudes) + [shape.bounds[0] for shape in law.shapes])
    upper = np.array([-LOG_ZERO] * len(law.amplitudes) + [shape.bounds[1] for shape in law.shapes])
    for k, name in enumerate(law.amplitudes + law.exponents):
        if name in known:
            lower[k] = upper[k] = _coordinate(law, name, known[name], unit)
    return lower, upper
