"""The irreducible loss of a family: L_final = L0 + a C^-b fitted to the ends, to convergence, with its interval.

The choice of Lhat decides whether curves collapse, and ends determine it poorly: an optimiser that stops early moves
L0 by less than its interval is wide, and both bend the normalised curves of large sizes. For *training* losses of
language models zero aligned best (Bergsma et al. 2025, arXiv 2509.25087); give it then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.family import Family
from scalinglaws.comparison.collapsing.seeds import SeedBootstrap
from scalinglaws.errors import InputError
from scalinglaws.fitting import Fit, Table, fit
from scalinglaws.fitting.laws import MonomialLaw, Optimum, Term
from scalinglaws.fitting.solve import refit

__all__ = ["COMPUTE_LAW", "PFLOP", "EndFit", "fit_ends", "refit_ends"]

Array = NDArray[np.float64]

PFLOP = 1e15
"""Unit of C in the fitted law."""

FEWEST = 4
"""Sizes needed to determine L0, a and b with one to spare."""


def _no_optimum(values: Mapping[str, Array], flops: Array) -> Optimum:
    """Leave the optimal size open: the law knows compute alone."""
    unknown = np.full(np.broadcast_shapes(values["b"].shape, flops.shape), np.nan)
    return Optimum(params=unknown, tokens=unknown, loss=values["L0"] + values["a"] * (flops / PFLOP) ** -values["b"])


COMPUTE_LAW = MonomialLaw(
    name="compute",
    formula="L = L0 + a C^-b",
    terms=(Term(amplitude="L0"), Term(amplitude="a", n={"b": 1.0})),
    exponent_names=("b",),
    optimum_in_closed_form=_no_optimum,
)
"""Loss at the end against compute C = 6 N t* in PFLOP (in the place of N)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFit:
    """The fit of L_final = L0 + a C^-b, C in PFLOP (in arbitrary units where tokens or parameters are unknown).

    Parameters
    ----------
    L0, a, b
        Of the converged minimum: Huber loss (threshold 1e-3) of log residuals.
    low, high
        Interval of L0 at `level`; NaN where it has none.
    level
        Its nominal coverage.
    resampled
        What the interval resamples: "seeds" within sizes, "residuals" where a size has a single run, or "nothing".
    draws
        L0 of every resample, shape (replicates,).
    converged, gradient_norm, starts_agreeing, starts_tried
        The certificate of `fitting.Fit`.
    at_bounds
        Parameters that ended on a bound.
    """

    L0: float
    a: float
    b: float
    low: float
    high: float
    level: float
    resampled: str
    draws: Array
    converged: bool
    gradient_norm: float
    starts_agreeing: int
    starts_tried: int
    at_bounds: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; without the draws."""
        kept = {name: getattr(self, name) for name in EndFit.__slots__ if name != "draws"}
        plain = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in kept.items()}
        return plain | {"at_bounds": list(self.at_bounds)}


def fit_ends(family: Family, bootstrap: SeedBootstrap | None, *, level: float, replicates: int, rng: int) -> EndFit:
    """Fit the law to the ends of a family.

    Parameters
    ----------
    family
        The runs on the grid.
    bootstrap
        Resamples of seeds; None where a size has a single run: residuals of the fit are resampled then.
    level
        Of the interval.
    replicates, rng
        Of the residual bootstrap.

    Raises
    ------
    InputError
        With fewer than four sizes.
    """
    if family.sizes.size < FEWEST:
        raise InputError(
            f"irreducible: the family has {family.sizes.size} sizes, and {FEWEST} or more are needed to fit it; "
            "give it, for example irreducible=0 for the training loss of a language model"
        )
    fitted = fit(_table(family), law=COMPUTE_LAW)
    if bootstrap is not None:
        draws, resampled = refit_ends(fitted, bootstrap.finals()), "seeds"
    else:
        draws, resampled = fitted.bootstrap(replicates, kind="residual", rng=rng).draws.values["L0"], "residuals"  # type: ignore[union-attr]
    low, high = np.quantile(draws, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return EndFit(
        **{name: fitted.params[name] for name in ("L0", "a", "b")},
        low=float(low),
        high=float(high),
        level=level,
        resampled=resampled,
        draws=draws,
        converged=fitted.converged,
        gradient_norm=fitted.gradient_norm,
        starts_agreeing=fitted.starts.agreeing,
        starts_tried=fitted.starts.tried,
        at_bounds=fitted.at_bounds,
    )


def refit_ends(fitted: Fit, finals: Array) -> Array:
    """Return L0 refitted to other final losses of the same runs, shape (replicates, runs), all in one batch."""
    problem = fitted.problem()
    theta = np.broadcast_to(fitted.theta, (len(finals), fitted.theta.size)).copy()
    weight = np.broadcast_to(fitted.table.weight, finals.shape)
    ends = refit(problem, theta, weight, finals / problem.unit)
    return problem.to_values(ends.theta)["L0"]


def _table(family: Family) -> Table:
    unit = PFLOP if family.in_flops else float(np.exp(np.mean(np.log(family.compute))))
    return Table(params=family.compute / unit, tokens=np.ones(family.final.size), loss=family.final, run=family.names)
