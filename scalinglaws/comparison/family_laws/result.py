"""A fitted family law: parameters, certificate, predictions, and how sure it is with runs as the independent units."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.covariance import Sandwich
from scalinglaws.comparison.family_laws.curves import FamilyCurves, FamilyRecords
from scalinglaws.comparison.family_laws.resample import FamilyDraws, resample_runs
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.errors import InputError, require
from scalinglaws.fitting import Estimator, Starts
from scalinglaws.fitting.result import certificate

__all__ = ["FamilyFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyFit:
    """A law fitted to the curves of several sizes.

    Parameters
    ----------
    law, estimator
        What was fitted, and by which objective of the log residuals.
    params
        The law's parameters by name, full precision.
    objective
        Plain sum of the named loss over the records.
    gradient_norm
        Largest derivative of the log objective by a free coordinate (log parameters).
    converged
        Whether no further step promised a decrease worth taking.
    starts
        Agreement of the starts, to 1e-4 of the best objective.
    condition
        Condition number of the Jacobian with columns of unit length, without parameters on a bound.
    at_bounds
        Parameters that ended on a bound.
    loose
        Sentences: which combinations of parameters the runs do not tell apart.
    warnings
        Sentences; none for a healthy fit.
    records
        What was fitted.
    problem, theta
        The function that was minimised, and the solution in its coordinates (amplitudes, logarithms of shapes).
    spread
        Covariance of those coordinates, clustered by run.
    """

    law: FamilyLaw
    estimator: Estimator
    params: Mapping[str, float]
    objective: float
    gradient_norm: float
    converged: bool
    starts: Starts
    condition: float
    at_bounds: tuple[str, ...]
    loose: tuple[str, ...]
    warnings: tuple[str, ...]
    records: FamilyRecords
    problem: Problem[FamilyCurves]
    theta: Array
    spread: Sandwich

    def predict(self, runs: xr.Dataset | FamilyCurves, *, params: str = "non_embedding") -> Array:
        """Return the loss at every record, shape (n,).

        Parameters
        ----------
        runs
            Runs described by `FamilyCurves`, or a family of measured runs, whose losses are not looked at: then the
            records are those of `FamilyRecords.of(runs, params=params)`.
        params
            What counts as N, as in the fit.
        """
        curves = runs if isinstance(runs, FamilyCurves) else FamilyRecords.of(runs, params=params).curves
        return self.law.predict(self.params, curves)

    def residuals(self) -> Array:
        """Return log predicted minus log measured loss of each fitted record."""
        found = self.problem.evaluate(self.theta)
        assert found is not None  # the end of a fit is a place where the law is defined
        return found[0]

    def errors(self) -> xr.Dataset:
        """Return the root mean square and the mean of the log residuals of every fitted run."""
        r, curves = self.residuals(), self.records.curves
        rows = {
            "rms": [float(np.sqrt(np.mean(r[part] ** 2))) for part in curves.slices],
            "mean": [float(np.mean(r[part])) for part in curves.slices],
            "N": curves.size,
        }
        return xr.Dataset({name: ("run", values) for name, values in rows.items()}, coords={"run": list(curves.names)})

    def interval(self, name: str, *, level: float = 0.9) -> tuple[float, float]:
        """Return the interval of a parameter, from the covariance clustered by run and Student's t.

        Parameters
        ----------
        name
            An amplitude, or a shape, whose interval is symmetric in its logarithm.
        level
            Nominal coverage.

        Raises
        ------
        InputError
            For a parameter that was not fitted.
        """
        place = self._place(name)
        require(0.0 < level < 1.0, "level", level, "must lie between 0 and 1")
        error = float(np.sqrt(self.spread.covariance[place, place]))
        wide = error * float(student.ppf(0.5 + 0.5 * level, self.spread.dof))
        ends = self.theta[place] + np.array([-wide, wide])
        low, high = ends if place < len(self.law.amplitudes) else np.exp(ends)
        return float(low), float(high)

    def bootstrap(
        self, replicates: int = 200, *, rng: np.random.SeedSequence | int | None = 0, executor: Executor | None = None
    ) -> FamilyDraws:
        """Return refits with the runs resampled; see `resample`.

        Parameters
        ----------
        replicates, rng
            How many, and their seed.
        executor
            Where to run them, for example `sweep`'s or a process pool; this process by default.
        """
        return resample_runs(self.problem, self.records, self.theta, replicates, rng, executor)

    def bootstrap_interval(self, name: str, draws: FamilyDraws, *, level: float = 0.9) -> tuple[float, float]:
        """Return the percentile interval of a parameter over the refits of `bootstrap`."""
        tails = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
        low, high = np.quantile(draws.theta[:, self._place(name)], tails)
        if self._place(name) >= len(self.law.amplitudes):
            low, high = np.exp(low), np.exp(high)
        return float(low), float(high)

    def profile(self, name: str, values: ArrayLike) -> xr.Dataset:
        """Return the objective with one shape held at each of `values` and everything else fitted anew.

        Returns
        -------
        Dataset over `value` with the objective and all parameters.

        Raises
        ------
        InputError
            For a parameter that is not a free shape.
        """
        free = self.problem.free_shapes
        require(name in free, "name", name, f"must be one of {', '.join(free)}")
        grid = np.asarray(values, dtype=np.float64)
        rows, objectives = [], []
        for value in grid:
            held = replace(self.problem, fixed={**self.problem.fixed, name: float(value)})
            keep = [i for i, n in enumerate(self.problem.names) if n != name]
            end = held.solve(self.theta[keep])
            objectives.append(np.inf if end is None else end.objective)
            rows.append([np.nan] * len(self.params) if end is None else list(held.values(end.theta).values()))
        found = {n: ("value", [row[i] for row in rows]) for i, n in enumerate(self.params) if n != name}
        return xr.Dataset({"objective": ("value", objectives), **found}, coords={"value": grid}, attrs={"shape": name})

    def summary(self) -> str:
        """Return the fit in a few lines for people."""
        curves = self.records.curves
        digits = ", ".join(f"{name} {value:.5g}" for name, value in self.params.items())
        sizes = np.unique(curves.size)
        lines = [
            f"{self.law.formula}, {self.estimator.name}, {self.records.loss.size} records of {len(curves.names)} runs "
            f"of {sizes.size} sizes ({sizes[0]:.3g} to {sizes[-1]:.3g})",
            digits,
            certificate(self),
            *self.loose,
            *(f"warning: {sentence}" for sentence in self.warnings),
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<FamilyFit {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        names = self.problem.names
        return {
            "law": self.law.name,
            "formula": self.law.formula,
            "source": self.law.source,
            "estimator": self.estimator.name,
            "delta": self.estimator.delta if np.isfinite(self.estimator.delta) else None,
            "params": dict(self.params),
            "intervals": {name: list(self.interval(name)) for name in names if name not in self.at_bounds},
            "fixed": dict(self.problem.fixed),
            "objective": self.objective,
            "gradient_norm": self.gradient_norm,
            "converged": self.converged,
            "starts": {name: getattr(self.starts, name) for name in Starts.__slots__},
            "condition": self.condition if np.isfinite(self.condition) else None,
            "at_bounds": list(self.at_bounds),
            "loose": list(self.loose),
            "warnings": list(self.warnings),
            "runs": list(self.records.curves.names),
            "records": int(self.records.loss.size),
        }

    def _place(self, name: str) -> int:
        names = self.problem.names
        if name not in names:
            raise InputError(f"name = {name!r}: must be one of {', '.join(names)}, what was fitted")
        return names.index(name)
