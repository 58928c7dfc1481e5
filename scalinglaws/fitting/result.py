"""A fitted law: parameters, certificate, and what follows from them.

Look at `warnings` first, at `interval` before quoting any number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws._numbers import plain
from scalinglaws.fitting.bootstrap import Bootstrap, resample
from scalinglaws.fitting.estimators import Estimator
from scalinglaws.fitting.information import information
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.problem import Prior, Problem
from scalinglaws.fitting.quantities import covariates_of, optimal_dataset, positive
from scalinglaws.fitting.table import Table

if TYPE_CHECKING:
    from scalinglaws.fitting.outliers import Outliers
    from scalinglaws.fitting.profile import Profile

__all__ = ["Fit", "Starts", "certificate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Where the starts of the search ended.

    Parameters
    ----------
    tried
        How many there were.
    agreeing
        How many ended within 1e-6 of the best objective, relatively.
    best, worst
        Smallest and largest objective.
    """

    tried: int
    agreeing: int
    best: float
    worst: float


class Certified(Protocol):
    """What a fit knows of its own minimum."""

    @property
    def objective(self) -> float: ...
    @property
    def converged(self) -> bool: ...
    @property
    def gradient_norm(self) -> float: ...
    @property
    def starts(self) -> Starts: ...
    @property
    def condition(self) -> float: ...


def certificate(fit: Certified) -> str:
    """Say in one line how good the minimum is."""
    state = "converged" if fit.converged else "not converged"
    return (
        f"objective {fit.objective:.9g} ({state}; gradient {fit.gradient_norm:.1e}; "
        f"{fit.starts.agreeing} of {fit.starts.tried} starts agree; condition {fit.condition:.3g})"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted law with its certificate.

    Parameters
    ----------
    law, estimator
        What was fitted, and by which objective.
    params
        The law's parameters by name, full precision.
    objective
        Plain weighted sum of the named loss over the rows.
    gradient_norm
        Largest derivative of the log objective by a free parameter (log amplitudes at the geometric mean of the
        table, exponents); the same whether the objective is a sum or a mean. For "l1" the relative excess of
        the vertex multipliers.
    converged
        Whether the best start reached a minimum; see `polish.Polished`.
    starts
        Agreement of the starts.
    condition
        Condition number of the scaled Jacobian; see `diagnostics`.
    at_bounds
        Free parameters that ended on a bound.
    warnings
        Sentences; none for a healthy fit.
    table
        What was fitted.
    fixed
        Parameters that were held.
    prior
        What was known beforehand, and the scale at which it joined the objective.
    theta
        The solution in the centred coordinates of `problem()`.
    draws
        The bootstrap that was attached by `bootstrap`, if any.
    """

    law: Law
    estimator: Estimator
    params: Mapping[str, float]
    objective: float
    gradient_norm: float
    converged: bool
    starts: Starts
    condition: float
    at_bounds: tuple[str, ...]
    warnings: tuple[str, ...]
    table: Table
    fixed: Mapping[str, float]
    theta: Array
    prior: Prior = field(default_factory=Prior)
    draws: Bootstrap | None = None

    def problem(self) -> Problem:
        """Return the arrays that were minimised."""
        return Problem.build(self.law, self.estimator, self.table, self.fixed, self.prior)

    def predict(self, n: ArrayLike | None = None, d: ArrayLike | None = None, **at: ArrayLike) -> Array:
        """Return what the law says at N and D, which broadcast and may be infinite; in the unit of the table.

        Parameters
        ----------
        n, d
            Parameters and tokens.
        **at
            What else the law reads: `unique_tokens` (all of them by default) or `loss`.

        Examples
        --------
        >>> from scalinglaws.fitting import fit
        >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
        >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
        >>> fitted = fit({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
        >>> round(fitted.predict(1e9, 2e10).item(), 3)
        2.464
        """
        given = {name: v for name, v in (("n", n), ("d", d), *at.items()) if v is not None}
        return self.law.predict(self.params, **{name: positive(name, v, limit=True) for name, v in given.items()})

    def fitted(self) -> Array:
        """Return what the law says of each row of the table."""
        return self.law.predict(self.params, **covariates_of(self.law, self.table))

    def residuals(self) -> Array:
        """Return log predicted minus log measured loss of each row."""
        return np.asarray(np.log(self.fitted()) - np.log(self.table.column(self.law.target)))

    @cached_property
    def _information(self) -> tuple[float, float]:
        return information(self)

    @property
    def aicc(self) -> float:
        """AICc of the law on the table, of the "log-l2" likelihood whatever the estimator; see `information`."""
        return self._information[0]

    @property
    def bic(self) -> float:
        """BIC of the law on the table, of the "log-l2" likelihood whatever the estimator; see `information`."""
        return self._information[1]

    def optimal(self, flops: ArrayLike, level: float = 0.9) -> xr.Dataset:
        """Return the compute-optimal N, D, D/N and loss over budgets C = 6 N D.

        Parameters
        ----------
        flops
            One budget or several, in FLOP.
        level
            Nominal coverage of `*_low` and `*_high`, which are there once a bootstrap is attached.

        Returns
        -------
            Over `flops`: params, tokens, tokens_per_param, loss; `extrapolation` is each budget over the largest
            compute that was fitted.

        Examples
        --------
        >>> from scalinglaws.fitting import fit
        >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
        >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
        >>> fitted = fit({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
        >>> fitted.optimal([1e21, 1e22]).tokens_per_param.values.round(1)
        array([19.3, 18.1])
        """
        ds = optimal_dataset(self.law, self.params, flops)
        factor = ds["flops"].values / float(self.table.flops.max())
        ds["extrapolation"] = ("flops", factor, {"units": "1", "long_name": "budget over the largest compute fitted"})
        ds.attrs["estimator"] = self.estimator.name
        return ds if self.draws is None else self.draws.add_intervals(ds, level)

    def bootstrap(
        self,
        replicates: int = 2000,
        *,
        kind: str | None = None,
        by: str | ArrayLike = "run",
        weights: str | None = None,
        rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
    ) -> Fit:
        """Return this fit with the refits of resampled tables attached as `draws`.

        Parameters
        ----------
        replicates
            How many refits.
        kind
            "residual" keeps the design and resamples enlarged residuals: for a handful of runs whose relative errors
            are alike, the default for fewer than 30 single runs. "wild" keeps the design and gives each row, or group
            of rows, its own left-out residual with a random sign: the default otherwise. "pairs" resamples rows or
            groups and assumes nothing about the noise.
        by
            What is drawn, or keeps its sign, as a whole: "run" (a row), "cluster" (a cluster of the table),
            "configuration" (rows of the same N and D), or one label for each row.
        weights
            Of "wild": "rademacher" (signs, the default), "webb" (six points, the default for fewer than twelve
            groups) or "mammen" (least squares only).
        rng
            Seed or generator (SPEC 7).

        Raises
        ------
        InputError
            For unknown or contradictory choices, a single group, or when resampled pairs could not be fitted.

        Notes
        -----
        The law is taken as true: no bootstrap knows how wrong it is outside the range of the table.
        """
        return replace(self, draws=resample(self, replicates, kind=kind, by=by, weights=weights, rng=rng))

    def profile(self, name: str, level: float = 0.9, **at: ArrayLike) -> Profile:
        """Return the profile of a parameter, of N*, D*, D*/N* or the loss at `flops`, or of the loss at `n`, `d`.

        See `fitting.profile.profile`.
        """
        from scalinglaws.fitting.profile import profile

        return profile(self, name, level, **at)

    def outliers(self, threshold: float = 3.5) -> Outliers:
        """Return which rows lie too many robust standard deviations from the law; see `fitting.outliers`."""
        from scalinglaws.fitting.outliers import outliers

        return outliers(self, threshold)

    @cached_property
    def _default_draws(self) -> Bootstrap:
        return resample(self)

    def interval(self, name: str, level: float = 0.9, **at: ArrayLike) -> tuple[Any, Any]:
        """Return the bootstrap percentile interval of a parameter or of a prediction.

        Parameters
        ----------
        name
            A parameter; "n_opt", "d_opt", "tokens_per_param" or "loss_opt" at the budget `flops`; "surface" (the
            law's loss) or "loss" at `n`, `d`. "loss" is a prediction interval: the loss that one further run
            will show, its own noise included.
        level
            Nominal coverage.
        **at
            `flops`, or `n` and `d`.

        Returns
        -------
        low, high
            Floats for numbers, else arrays of the shape given.

        Notes
        -----
        Uses the attached bootstrap, else 2000 replicates of the default kind under seed 0. Simulated coverage of the
        90 % intervals at ten times the largest compute, "huber", 300 tables for each number, noise of 0.5 %
        Gaussian / Student with 3 degrees of freedom: a ladder of 20 runs ("residual") N* 91 / 95 %, loss 91 / 93 %;
        35 isoFLOP runs ("wild") N* 89 / 93 %, loss 90 / 94 %; 60 scattered runs ("wild") N* 89 / 92 %, loss 89 / 91 %
        (more in `benchmarks/README.md`). The law itself was right there: no
        interval knows how wrong it is outside the table.
        """
        return (self.draws or self._default_draws).interval(name, level, **at)

    def standard_errors(self) -> dict[str, float]:
        """Return the standard deviation of each parameter over the bootstrap; see `interval` for which."""
        return (self.draws or self._default_draws).standard_errors()

    def summary(self) -> str:
        """Return the fit in a few lines for people."""
        digits = ", ".join(f"{name} {value:.6g}" for name, value in self.params.items())
        lines = [
            f"{self.law.formula}, {self.estimator.name}, {self.table.rows} rows",
            digits,
            certificate(self),
            *(f"warning: {sentence}" for sentence in self.warnings),
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Fit {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; without the draws."""
        delta = self.estimator.delta
        return {
            "law": self.law.name,
            "formula": self.law.formula,
            "estimator": self.estimator.name,
            "delta": delta if np.isfinite(delta) and delta > 0 else None,
            "params": dict(self.params),
            "fixed": dict(self.fixed),
            "prior": {name: list(pair) for name, pair in self.prior.values.items()},
            "objective": self.objective,
            "gradient_norm": self.gradient_norm,
            "converged": self.converged,
            "starts": {name: getattr(self.starts, name) for name in Starts.__slots__},
            "condition": plain(self.condition),
            "at_bounds": list(self.at_bounds),
            "warnings": list(self.warnings),
            "rows": self.table.rows,
            "table": self.table.to_dict(),
        }
