"""Every law on the same footing: its fit, its optimum with intervals, and how well it predicts larger runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.errors import InputError
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.result import Fit
from scalinglaws.fitting.table import Table
from scalinglaws.prediction.rolling import Rolling, rolling_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Candidate", "Search", "candidates", "common_origins"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One law on the table.

    Parameters
    ----------
    fit
        With its bootstrap.
    optimum
        As `Fit.optimal`, with intervals, over the budgets asked for.
    difference
        AICc above that of the best law; NaN where the table has too few rows for it.
    rolling
        How it predicts larger runs from smaller ones; None where that cannot be tried.
    error
        Its mean absolute error there in percent, over the origins that all laws could be tried at; NaN if there are
        none.
    """

    fit: Fit
    optimum: xr.Dataset
    difference: float
    rolling: Rolling | None
    error: float

    @property
    def name(self) -> str:
        """Name of the law."""
        return self.fit.law.name

    @property
    def usable(self) -> bool:
        """Whether the fit converged and has a compute-optimal size inside at every budget."""
        sizes = np.concatenate([self.optimum["params"].values, self.optimum["tokens"].values])
        return bool(self.fit.converged and np.all(np.isfinite(sizes) & (sizes > 0)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; None for what is not a number."""
        return {
            "law": self.name,
            "parameters": len(self.fit.law.parameters),
            "converged": self.fit.converged,
            "usable": self.usable,
            "aicc": plain(self.fit.aicc),
            "aicc_difference": plain(self.difference),
            "rolling_error": plain(self.error),
            "optimum": plain(self.optimum),
            "warnings": list(self.fit.warnings),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """How every law is fitted and tried: see `advise`."""

    flops: Array
    estimator: str
    delta: float
    level: float
    replicates: int
    seed: int


def candidates(table: Table, laws: Sequence[Law], search: Search) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Fit and try every law; those that cannot be fitted are returned as sentences.

    Raises
    ------
    InputError
        When no law can be fitted.
    """
    found, left_out = [], []
    for law in laws:
        try:
            found.append(_candidate(table, law, search))
        except InputError as error:
            if len(laws) == 1:
                raise
            left_out.append(f"The {law.name} law was left out: {error}.")
    if not found:
        raise InputError(f"laws: none can be fitted. {left_out[0]}")
    return _scored(found), tuple(left_out)


def common_origins(rolled: Iterable[Rolling | None]) -> set[float]:
    """Return the budgets at which every law that was tried could be."""
    tried = [{origin.flops for origin in one.origins} for one in rolled if one is not None]
    return set.intersection(*tried) if tried else set()


def _candidate(table: Table, law: Law, search: Search) -> Candidate:
    fitted = fit(table, law=law, estimator=search.estimator, delta=search.delta)
    fitted.optimal(search.flops)  # a law without an optimum is refused before the bootstrap
    fitted = fitted.bootstrap(search.replicates, rng=search.seed)
    try:
        rolled = rolling_origin(table, law=law, estimator=search.estimator, delta=search.delta, replicates=0)
    except InputError:  # too few runs on either side of every origin
        rolled = None
    optimum = fitted.optimal(search.flops, search.level)
    return Candidate(fit=fitted, optimum=optimum, difference=np.nan, rolling=rolled, error=np.nan)


def _scored(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Set the AICc differences and the errors at common origins."""
    scores = [one.fit.aicc for one in found]
    least, shared = min(scores), common_origins(one.rolling for one in found)
    return tuple(
        replace(
            one,
            difference=score - least if np.isfinite([score, least]).all() else (0.0 if score == least else np.nan),
            error=np.nan if one.rolling is None else _error(one.rolling, shared),
        )
        for one, score in zip(found, scores, strict=True)
    )


def _error(rolled: Rolling, shared: set[float]) -> float:
    errors = [origin.mape for origin in rolled.origins if origin.flops in shared]
    return float(np.mean(errors)) if errors else float("nan")
