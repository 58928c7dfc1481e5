"""A fitted family law: parameters, certificate, predictions, and how sure it is with runs as the independent units."""

from __future__ import annotations

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
from scalinglaws.comparison.separable.fitted import SeparableFit
from scalinglaws.errors import InputError, require

__all__ = ["FamilyFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyFit(SeparableFit[FamilyCurves]):
    """A law fitted to the curves of several sizes.

    Parameters
    ----------
    law
        What was fitted; the other fields are those of `SeparableFit`. The condition number is that of the parameters
        which no bound holds.
    loose
        Sentences: which combinations of parameters the runs do not tell apart.
    records
        What it was fitted to.
    spread
        Covariance of the coordinates, clustered by run.
    """

    law: FamilyLaw
    loose: tuple[str, ...]
    records: FamilyRecords
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
        dof = self.spread.dof(np.eye(self.theta.size)[[place]])
        wide = error * float(student.ppf(0.5 + 0.5 * level, dof))
        ends = self.theta[place] + np.array([-wide, wide])
        with np.errstate(over="ignore"):  # no finite end: nothing is known of the parameter on that side
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        names = [name for name in self.problem.names if name not in self.at_bounds]
        return super().to_dict() | {
            "intervals": {name: list(self.interval(name)) for name in names},
            "noise": self._noise() or "records",
            "loose": list(self.loose),
            "runs": list(self.records.curves.names),
        }

    def _fitted_to(self) -> str:
        curves = self.records.curves
        sizes = np.unique(curves.size)
        return f"{len(curves.names)} runs of {sizes.size} sizes ({sizes[0]:.3g} to {sizes[-1]:.3g})"

    def _remarks(self) -> tuple[str, ...]:
        noise = self._noise()
        return (f"noise: {noise}", *self.loose) if noise else self.loose

    def _noise(self) -> str:
        """Say how the records were weighted; nothing where all count alike."""
        return "" if self.problem.noise is None else self.problem.noise.said(self.records.curves)

    def _place(self, name: str) -> int:
        names = self.problem.names
        if name not in names:
            raise InputError(f"name = {name!r}: must be one of {', '.join(names)}, what was fitted")
        return names.index(name)
