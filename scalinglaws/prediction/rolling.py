"""Rolling-origin evaluation: fit what was cheap, predict what was dear, again and again.

A time series is judged by forecasts from earlier origins; a scaling law by the runs above a budget, predicted from
those below. `rolling_origin` does that for several budgets, and its table is the evidence of how far a
law may be trusted: error, bias, and how often the interval held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require, require_whole
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.quantities import covariates_of, positive
from scalinglaws.fitting.table import Table, as_table

if TYPE_CHECKING:
    import pandas as pd

    from scalinglaws.fitting.laws import Law

__all__ = ["Origin", "Rolling", "rolling_origin"]

Array = NDArray[np.float64]

_ORIGINS = 4  # by default, evenly spaced in log compute


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """The runs above one budget, predicted from those below; arrays have shape (runs predicted,).

    Parameters
    ----------
    flops
        The budget; runs below it were fitted.
    rows
        How many they were.
    names, params, tokens, compute
        The runs predicted.
    measured, predicted
        Their losses.
    low, high
        Prediction interval of the measured loss; NaN if none was asked for.
    warnings
        What the fit says against itself.
    """

    flops: float
    rows: int
    names: tuple[str, ...]
    params: Array
    tokens: Array
    compute: Array
    measured: Array
    predicted: Array
    low: Array
    high: Array
    warnings: tuple[str, ...]

    @property
    def error(self) -> Array:
        """Predicted over measured, minus one: positive where the run was better than predicted."""
        return self.predicted / self.measured - 1.0

    @property
    def mape(self) -> float:
        """Mean absolute relative error, in percent."""
        return float(100.0 * np.mean(np.abs(self.error)))

    @property
    def bias(self) -> float:
        """Mean relative error, in percent."""
        return float(100.0 * np.mean(self.error))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whether each interval holds the measured loss; false where there is no interval."""
        return np.logical_and(self.low <= self.measured, self.measured <= self.high)

    @property
    def coverage(self) -> float:
        """Fraction covered; NaN without intervals."""
        return float(np.mean(self.covered)) if np.isfinite(self.low).all() else float("nan")

    @property
    def reach(self) -> float:
        """Largest compute predicted over the origin."""
        return float(self.compute.max() / self.flops)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rolling:
    """The origins, from the smallest budget to the largest.

    Parameters
    ----------
    law, estimator
        What was fitted at each.
    level
        Nominal coverage of the intervals.
    origins
        One for each budget that could be judged.
    skipped
        A sentence for each budget that could not.
    """

    law: str
    estimator: str
    level: float
    origins: tuple[Origin, ...]
    skipped: tuple[str, ...]

    def summary(self) -> str:
        """Return one line for each origin."""
        return "\n".join([*(self._line(origin) for origin in self.origins), *self.skipped])

    def _line(self, origin: Origin) -> str:
        covered = f"; {100 * self.level:g} % intervals held {int(origin.covered.sum())}"
        return (
            f"below {origin.flops:.3g} FLOP ({origin.rows} runs): {len(origin.names)} larger runs predicted, "
            f"up to {origin.reach:.3g} times the compute; mean error {origin.mape:.3f} %, bias {origin.bias:+.3f} %"
            f"{covered if np.isfinite(origin.low).all() else ''}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each prediction: origin, rows, run, N, D, C, measured, predicted, error, interval."""
        import pandas as pd

        return pd.concat([pd.DataFrame(self._columns(origin)) for origin in self.origins], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; absent intervals are None."""
        return {
            "law": self.law,
            "estimator": self.estimator,
            "level": self.level,
            "skipped": list(self.skipped),
            "origins": [self._plain(origin) for origin in self.origins],
        }

    @staticmethod
    def _columns(origin: Origin) -> dict[str, Any]:
        arrays = ("params", "tokens", "compute", "measured", "predicted", "error", "low", "high", "covered")
        head = {"origin": origin.flops, "rows": origin.rows, "run": list(origin.names)}
        return head | {name: getattr(origin, name) for name in arrays}

    def _plain(self, origin: Origin) -> dict[str, Any]:
        known = bool(np.isfinite(origin.low).all())
        columns = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in self._columns(origin).items()}
        if not known:
            columns |= {"low": None, "high": None, "covered": None}
        score = {"mape": origin.mape, "bias": origin.bias, "coverage": origin.coverage if known else None}
        return columns | score | {"reach": origin.reach, "warnings": list(origin.warnings)}


def rolling_origin(
    data: Any,
    origins: ArrayLike | None = None,
    *,
    law: str | Law = "chinchilla",
    estimator: str = "huber",
    delta: float = 1e-3,
    level: float = 0.9,
    replicates: int = 500,
    kind: str | None = None,
    fixed: Mapping[str, float] | None = None,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> Rolling:
    """Fit the runs below each budget and predict those at or above it.

    Parameters
    ----------
    data
        Whatever `fitting.as_table` accepts.
    origins
        Budgets in FLOP; by default four, evenly spaced in log compute between the smallest half of the runs and
        the largest.
    law, estimator, delta, fixed
        As `fitting.fit`.
    level, replicates, kind, rng
        Of the prediction intervals, as `Fit.bootstrap`; `replicates=0` leaves them out.

    Raises
    ------
    InputError
        For origins that are not positive, or when no origin leaves runs on both sides that the law can be fitted to.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 5), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 5)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(15))
    >>> table = {"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise}
    >>> rolled = rolling_origin(table, [3e18, 1e19], replicates=0)
    >>> [(o.rows, len(o.names), o.mape < 2) for o in rolled.origins]
    [(8, 7, True), (10, 5, True)]
    """
    table = as_table(data)
    require_whole("replicates", replicates, 0)
    budgets = _default_origins(table) if origins is None else np.atleast_1d(positive("origins", origins))
    require(budgets.ndim == 1, "origins", origins, "must be a number or one row of numbers")
    budgets = np.unique(budgets)
    options = {"law": law, "estimator": estimator, "delta": delta, "fixed": fixed}
    generator = np.random.default_rng(rng)
    found, skipped = [], []
    for budget in budgets:
        try:
            found.append(_judge(table, float(budget), options, level, replicates, kind, generator))
        except InputError as error:
            skipped.append(f"Origin {budget:.3g} FLOP was skipped: {error}.")
    if not found:
        raise InputError(f"origins = {[float(f'{b:.4g}') for b in budgets[:5]]}: none can be judged; {skipped[0]}")
    name, objective = found[0][1], found[0][2]
    return Rolling(
        law=name, estimator=objective, level=level, origins=tuple(o for o, *_ in found), skipped=tuple(skipped)
    )


def _default_origins(table: Table) -> Array:
    low, high = np.quantile(table.flops, [0.5, 1.0])
    return np.asarray(np.geomspace(low, high, _ORIGINS + 1)[:-1])


def _judge(
    table: Table,
    budget: float,
    options: Mapping[str, Any],
    level: float,
    replicates: int,
    kind: str | None,
    generator: np.random.Generator,
) -> tuple[Origin, str, str]:
    """Fit below, predict above; also return the names of the law and the estimator."""
    below = table.flops < budget
    require(bool(below.any()), "runs below", int(below.sum()), "leaves nothing to fit")
    require(not below.all(), "runs at or above", 0, "leaves nothing to predict")
    fitted = fit(table.take(below), **options)
    above = table.take(~below)
    low = high = np.full(above.rows, np.nan)
    if replicates:
        fitted = fitted.bootstrap(replicates, kind=kind, rng=generator)
        low, high = fitted.interval("loss", level, **covariates_of(fitted.law, above))
    origin = Origin(
        flops=budget,
        rows=fitted.table.rows,
        names=tuple(above.run.tolist()),
        params=above.params,
        tokens=above.tokens,
        compute=above.flops,
        measured=above.column(fitted.law.target),
        predicted=fitted.predict(**covariates_of(fitted.law, above)),
        low=low,
        high=high,
        warnings=fitted.warnings,
    )
    return origin, fitted.law.name, fitted.estimator.name
