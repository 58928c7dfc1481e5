"""How far a fit can be trusted: refits of resampled tables.

`residual`, for fewer than 30 independent runs, keeps the design and puts resampled residuals around the fitted
surface, enlarged for the degrees of freedom that the fit used up, smoothed, and spread for the uncertainty of their
own scale; it takes relative errors to be alike in all rows. `wild`, for more, keeps the design and gives every row, or
group of rows, its own left-out residual with a random sign: errors may differ in size between rows and be alike
within groups. `pairs` resamples rows or whole groups and assumes nothing about the noise, but changes the design:
its intervals for N* were the widest in simulations, and it is what most published errors are. None knows that the law
itself may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import require_share, require_whole
from scalinglaws.fitting.quantities import OPTIMA, evaluate, places
from scalinglaws.fitting.resampling import KINDS, MANY_ROWS, noise, resampled_tables
from scalinglaws.fitting.solve import refit

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["KINDS", "MANY_ROWS", "Bootstrap", "resample"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bootstrap:
    """Refits of resampled tables.

    Parameters
    ----------
    fit
        What was resampled.
    kind
        "residual", "wild" or "pairs".
    by
        "run", "cluster", "configuration" or "label": what was resampled as a whole.
    weights
        Of the wild bootstrap, else None.
    groups
        How many such wholes there are.
    values
        Draws of each parameter, shape (replicates,).
    noise
        Error of one further run in each replicate, shape (replicates,): of its log loss, or of its loss for the
        estimator "l2".
    converged
        Fraction of the refits that converged.
    redrawn
        Resamples with too few distinct (N, D) to be fitted, which were drawn again.
    """

    fit: Fit
    kind: str
    by: str
    weights: str | None
    groups: int
    values: Mapping[str, Array]
    noise: Array
    converged: float
    redrawn: int

    def standard_errors(self) -> dict[str, float]:
        """Return the standard deviation of each parameter over the refits."""
        return {name: float(np.std(draws, ddof=1)) for name, draws in self.values.items()}

    def interval(self, name: str, level: float = 0.9, **at: ArrayLike) -> tuple[Any, Any]:
        """Return the percentile interval of a quantity.

        Parameters
        ----------
        name
            A parameter; "n_opt", "d_opt", "tokens_per_param" or "loss_opt" at the budget `flops`; "surface" (the
            law's loss) or "loss" (the loss that one further run will show, its own noise included) at `n`, `d`.
        level
            Nominal coverage.
        **at
            `flops`, or `n` and `d`: a number or an array.

        Returns
        -------
        low, high
            Floats for numbers, else arrays of the shape given.
        """
        require_share("level", level)
        draws, lower, upper = self.draws(name, **at), 0.5 - 0.5 * level, 0.5 + 0.5 * level
        # Refits that leave a quantity undefined count against it on both sides.
        low = np.quantile(np.where(np.isnan(draws), -np.inf, draws), lower, axis=0, method="lower")
        high = np.quantile(np.where(np.isnan(draws), np.inf, draws), upper, axis=0, method="higher")
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)

    def draws(self, name: str, **at: ArrayLike) -> Array:
        """Return the draws of a quantity of `interval`, shape (replicates, ...)."""
        where = places("interval", name, self.fit.law, at)
        if name != "loss":
            return evaluate(self.fit.law, self.values, name, where)
        surface = evaluate(self.fit.law, self.values, "surface", where)
        noise = self.noise.reshape((-1, *[1] * (surface.ndim - 1)))
        return surface * np.exp(noise) if self.fit.estimator.log else surface + noise

    def add_intervals(self, optimum: xr.Dataset, level: float = 0.9) -> xr.Dataset:
        """Return a Dataset of `Fit.optimal` with `*_low` and `*_high` for each variable."""
        ds = optimum.copy()
        for quantity, name in OPTIMA.items():
            low, high = self.interval(quantity, level, flops=ds["flops"].values)
            for suffix, values in (("low", low), ("high", high)):
                ds[f"{name}_{suffix}"] = ("flops", values, {"units": ds[name].attrs["units"]})
        words = f"percentiles of {self.noise.size} {self.kind} bootstrap refits by {self.by}"
        ds.attrs |= {"level": level, "interval": words}
        return ds


def resample(
    fit: Fit,
    replicates: int = 2000,
    *,
    kind: str | None = None,
    by: str | ArrayLike = "run",
    weights: str | None = None,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> Bootstrap:
    """Refit resampled tables; see `Fit.bootstrap`."""
    require_whole("replicates", replicates, 2)
    generator, problem = np.random.default_rng(rng), fit.problem()
    further = noise(fit, problem, replicates, 1, generator)[:, 0]
    tables = resampled_tables(fit, problem, replicates, kind=kind, by=by, weights=weights, generator=generator)
    ends = refit(problem, fit.theta, tables.weight, tables.measured / problem.unit)
    return Bootstrap(
        fit=fit,
        kind=tables.kind,
        by=tables.by,
        weights=tables.weights,
        groups=tables.groups,
        values=problem.to_values(ends.theta),
        noise=further,
        converged=float(ends.converged.mean()),
        redrawn=tables.redrawn,
    )
