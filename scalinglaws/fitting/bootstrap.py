"""How far a fit can be trusted: refits of resampled tables.

`pairs` resamples rows, or whole clusters of rows: nothing is assumed about the noise, and about 50 rows are needed
before its intervals mean much. `residual` keeps the design and puts resampled residuals, enlarged for the degrees
of freedom that the fit used up and for the uncertainty of their own scale, around the fitted surface: right for a
handful of runs whose relative errors are alike. Neither knows that the law itself may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.problem import Problem
from scalinglaws.fitting.quantities import OPTIMA, optimal_values, positive
from scalinglaws.fitting.solve import refit

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["KINDS", "MANY_ROWS", "Bootstrap", "resample"]

Array = NDArray[np.float64]

KINDS = ("pairs", "residual")
"""Ways to resample."""

MANY_ROWS = 50
"""From this many rows on, `pairs` is the default; below, `residual`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bootstrap:
    """Refits of resampled tables.

    Parameters
    ----------
    fit
        What was resampled.
    kind
        "pairs" or "residual".
    by
        "run" or "cluster": what was resampled as a whole.
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
        draws, (lower, upper) = self.draws(name, **at), _tails(level)
        # Refits that leave a quantity undefined count against it on both sides.
        low = np.quantile(np.where(np.isnan(draws), -np.inf, draws), lower, axis=0, method="lower")
        high = np.quantile(np.where(np.isnan(draws), np.inf, draws), upper, axis=0, method="higher")
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)

    def draws(self, name: str, **at: ArrayLike) -> Array:
        """Return the draws of a quantity of `interval`, shape (replicates, ...)."""
        needs = ("n", "d") if name in ("loss", "surface") else ("flops",) if name in OPTIMA else ()
        if not needs and name not in self.values:
            known = ", ".join([*self.values, *OPTIMA, "surface", "loss"])
            raise InputError(f"interval: name = {name!r}: must be one of {known}")
        if set(at) != set(needs):
            raise InputError(f"interval of {name}: given {sorted(at)}: needs {list(needs) or 'no further argument'}")
        if not needs:
            return self.values[name]
        places = [positive(key, at[key]) for key in needs]
        wide = (slice(None), *[None] * np.broadcast(*places).ndim)
        values = {key: draws[wide] for key, draws in self.values.items()}
        if needs == ("flops",):
            return optimal_values(self.fit.law, values, places[0])[OPTIMA[name]]
        surface = self.fit.law.predict(values, *places)
        if name == "surface":
            return surface
        noise = self.noise[wide]
        return surface * np.exp(noise) if self.fit.estimator.log else surface + noise

    def add_intervals(self, optimum: xr.Dataset, level: float = 0.9) -> xr.Dataset:
        """Return a Dataset of `Fit.optimal` with `*_low` and `*_high` for each variable."""
        ds = optimum.copy()
        for quantity, name in OPTIMA.items():
            low, high = self.interval(quantity, level, flops=ds["flops"].values)
            for suffix, values in (("low", low), ("high", high)):
                ds[f"{name}_{suffix}"] = ("flops", values, {"units": ds[name].attrs["units"]})
        ds.attrs |= {"level": level, "interval": f"percentiles of {len(self.noise)} {self.kind} bootstrap refits"}
        return ds


def resample(
    fit: Fit,
    replicates: int = 2000,
    *,
    kind: str | None = None,
    by: str = "run",
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> Bootstrap:
    """Refit resampled tables; see `Fit.bootstrap`."""
    require(isinstance(replicates, int) and replicates >= 2, "replicates", replicates, "must be an integer, 2 or more")
    if by not in ("run", "cluster"):
        raise InputError(f"by = {by!r}: must be run or cluster")
    labels = fit.table.run if by == "run" else fit.table.cluster
    if kind is None:
        kind = "pairs" if by == "cluster" or len(labels) >= MANY_ROWS else "residual"
    if kind == "residual" and by == "cluster":
        raise InputError("kind = 'residual': resamples single rows; use kind='pairs' with by='cluster'")
    if kind not in KINDS:
        raise InputError(f"kind = {kind!r}: must be one of {', '.join(KINDS)}")
    generator = np.random.default_rng(rng)
    problem, rows = fit.problem(), fit.table.rows
    noise = _noise(fit, problem, replicates, rows + 1, generator)
    redrawn = 0
    weight = np.broadcast_to(fit.table.weight, (replicates, rows))
    measured = np.broadcast_to(problem.y, weight.shape)
    if kind == "pairs":
        counts, redrawn = _counts(fit, problem, labels, replicates, generator)
        weight = weight * counts
    else:
        fitted = fit.predict(fit.table.params, fit.table.tokens)
        draws = fitted * np.exp(noise[:, :rows]) if fit.estimator.log else fitted + noise[:, :rows]
        measured = draws / problem.unit
    theta = np.broadcast_to(fit.theta, (replicates, fit.theta.size)).copy()
    ends = refit(problem, theta, weight, measured)
    return Bootstrap(
        fit=fit,
        kind=kind,
        by=by,
        values=problem.to_values(ends.theta),
        noise=noise[:, rows],
        converged=float(ends.converged.mean()),
        redrawn=redrawn,
    )


def _noise(fit: Fit, problem: Problem, replicates: int, columns: int, generator: np.random.Generator) -> Array:
    """Residuals drawn with replacement, of the predictive scale, shape (replicates, columns).

    Their root mean square is that of the residuals times sqrt(rows/(rows - free parameters)); each replicate has
    its own, divided by sqrt(chi^2/dof) of its degrees of freedom, as in Student's t: with ten degrees of freedom
    the scale itself is uncertain by a fifth, and intervals without that factor cover too little.
    """
    residuals = -fit.estimator.residuals(fit.predict(fit.table.params, fit.table.tokens), fit.table.loss)
    rows = residuals.size
    dof = rows - int(np.sum(~problem.held))
    centred = residuals - residuals.mean()
    size = float(np.sqrt(np.mean(centred**2)))
    target = float(np.sqrt(np.sum(residuals**2) / dof))
    pool = centred * (target / size) if size > 0 else centred
    scale = np.sqrt(dof / generator.chisquare(dof, size=(replicates, 1)))
    return generator.choice(pool, size=(replicates, columns)) * scale


def _counts(
    fit: Fit, problem: Problem, labels: NDArray[Any], replicates: int, generator: np.random.Generator
) -> tuple[Array, int]:
    """How often each row is drawn, shape (replicates, rows), and how many resamples had to be redrawn."""
    _, cluster = np.unique(labels, return_inverse=True)
    groups = int(cluster.max()) + 1
    pairs = np.stack([fit.table.params, fit.table.tokens], axis=1)
    _, design = np.unique(pairs, axis=0, return_inverse=True)
    need = int(np.sum(~problem.held))
    membership = np.zeros((cluster.size, int(design.max()) + 1))
    membership[np.arange(cluster.size), design.ravel()] = 1.0
    counts = np.zeros((replicates, cluster.size))
    poor, redrawn = np.arange(replicates), 0
    for _ in range(1000):
        draws = generator.multinomial(groups, np.full(groups, 1.0 / groups), size=poor.size)
        counts[poor] = draws[:, cluster]
        poor = poor[((counts[poor] @ membership) > 0).sum(axis=1) < need]
        if poor.size == 0:
            return counts, redrawn
        redrawn += poor.size
    raise InputError(
        f"bootstrap: {groups} {'clusters' if groups < cluster.size else 'rows'} hold too few distinct (N, D) to be "
        "resampled in pairs; use kind='residual'"
    )


def _tails(level: float) -> list[float]:
    number = isinstance(level, int | float) and 0.0 < level < 1.0
    require(number, "level", level, "must lie between 0 and 1")
    return [0.5 - 0.5 * level, 0.5 + 0.5 * level]
