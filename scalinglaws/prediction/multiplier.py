"""How much compute a better recipe saves: the factor by which the other needs more for the same loss.

The comparison is between compute-optimal losses: each recipe at its own best N and D. A multiplier that changes with
the budget is not one number, and says that the two recipes scale differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws._numbers import plain
from scalinglaws.errors import require, require_share
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.quantities import positive
from scalinglaws.fitting.result import Fit
from scalinglaws.prediction.measured.differences import interval

__all__ = ["Multiplier", "compute_multiplier"]

Array = NDArray[np.float64]

_REACH = 20.0  # log factor beyond which the other recipe counts as never getting there
_HALVINGS = 50
_BUDGETS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Multiplier:
    """Effective compute multiplier of a recipe over a baseline; arrays have shape (budgets,).

    Parameters
    ----------
    flops
        Budgets of the recipe.
    multiplier, low, high
        The recipe at C reaches the baseline's loss at `multiplier * C`; infinite where the baseline never does.
    overall
        Geometric mean over the budgets, with its interval: the one number, if one number will do.
    trend
        Factor by which the multiplier grows per decade of compute, with its interval.
    p_value
        Lack of fit of the one number: two-sided, that the trend is 1; never below 1/draws.
    sentence
        All that in words.
    notes
        Warnings of the fits, and budgets outside of either table.
    baseline, recipe
        The fits.
    level
        Of the intervals.
    """

    flops: Array
    multiplier: Array
    low: Array
    high: Array
    overall: tuple[float, float, float]
    trend: tuple[float, float, float]
    p_value: float
    sentence: str
    notes: tuple[str, ...]
    baseline: Fit
    recipe: Fit
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; infinite numbers as None."""
        arrays = {name: plain(getattr(self, name)) for name in ("flops", "multiplier", "low", "high")}
        pairs = {name: plain(getattr(self, name)) for name in ("overall", "trend")}
        rest = {name: getattr(self, name) for name in ("p_value", "sentence", "level")}
        return arrays | pairs | rest | {"notes": list(self.notes)}


def compute_multiplier(
    baseline: Any,
    recipe: Any,
    flops: ArrayLike | None = None,
    *,
    law: str | Law = "chinchilla",
    estimator: str = "huber",
    delta: float = 1e-3,
    level: float = 0.9,
    replicates: int = 1000,
    kind: str | None = None,
    by: str = "run",
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> Multiplier:
    """Find by which factor a baseline needs more compute than a recipe to reach the same loss.

    Parameters
    ----------
    baseline, recipe
        Whatever `fitting.as_table` accepts. Their losses must compare: the same text, and the same unit; with
        different tokenizers bits per byte (`curves.tokenizers.per_byte`).
    flops
        Budgets of the recipe; by default five over the compute that both tables cover.
    law, estimator, delta
        Of both fits; see `fitting.fit`.
    level
        Of the intervals.
    replicates, kind, by, rng
        Of the bootstrap of each table; see `Fit.bootstrap`.

    Raises
    ------
    InputError
        For tables that cannot be fitted, or without `flops` when their compute does not overlap.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> def table(data, seed):
    ...     noise = np.exp(0.001 * np.random.default_rng(seed).standard_normal(12))
    ...     return {"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / (data * d) ** 0.37) * noise}
    >>> saved = compute_multiplier(table(1.0, 0), table(2.0, 1), replicates=100)
    >>> bool(saved.low[2] < 2.0 < saved.high[2])
    True
    """
    require_share("level", level)
    fits = [fit(data, law=law, estimator=estimator, delta=delta) for data in (baseline, recipe)]
    budgets = _budgets(fits) if flops is None else np.sort(np.atleast_1d(positive("flops", flops)))
    seeds = np.random.default_rng(rng).spawn(2)
    draws = []
    for fitted, seed in zip(fits, seeds, strict=True):
        made = fitted.bootstrap(replicates, kind=kind, by=by, rng=seed).draws
        assert made is not None
        draws.append(made.values)
    point = [{name: np.array([value]) for name, value in fitted.params.items()} for fitted in fits]
    best = _log_multiplier(fits[0].law, point[0], point[1], budgets)
    log_m = _log_multiplier(fits[0].law, draws[0], draws[1], budgets)
    low, high = interval(log_m, level)
    overall, _ = _summary(_mean(best), _mean(log_m), level)
    trend, p_value = _summary(_slope(best, budgets), _slope(log_m, budgets), level)
    return Multiplier(
        flops=budgets,
        multiplier=np.exp(best[0]),
        low=np.exp(low),
        high=np.exp(high),
        overall=overall,
        trend=trend,
        p_value=p_value,
        sentence=_sentence(overall, trend, p_value, level, budgets),
        notes=_notes(fits, budgets),
        baseline=fits[0],
        recipe=fits[1],
        level=level,
    )


def _budgets(fits: list[Fit]) -> Array:
    low = max(float(fitted.table.flops.min()) for fitted in fits)
    high = min(float(fitted.table.flops.max()) for fitted in fits)
    require(low < high, "flops", None, "the compute of both tables does not overlap, so give the budgets to compare at")
    return np.geomspace(low, high, _BUDGETS)


def _log_multiplier(law: Law, base: Mapping[str, Array], new: Mapping[str, Array], budgets: Array) -> Array:
    """Solve L_base*(m C) = L_new*(C) for log m by bisection, shape (draws, budgets); infinite if out of reach."""
    base, new = ({name: np.asarray(v)[:, None] for name, v in values.items()} for values in (base, new))
    target = law.optimum(new, budgets[None]).loss
    low, high = np.full(target.shape, -_REACH), np.full(target.shape, _REACH)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = law.optimum(base, budgets * np.exp(middle)).loss > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = 0.5 * (low + high)
    found = np.where(np.isnan(target), np.nan, found)
    return np.where(found > _REACH - 1e-6, np.inf, np.where(found < 1e-6 - _REACH, -np.inf, found))


def _mean(log_m: Array) -> Array:
    with np.errstate(invalid="ignore"):  # infinite one way at one budget and the other way at another
        return np.asarray(log_m.mean(axis=1))


def _slope(log_m: Array, budgets: Array) -> Array:
    """Slope of log multiplier by decades of compute; NaN for a single budget or where one is infinite."""
    if budgets.size < 2:
        return np.full(len(log_m), np.nan)
    x = np.log10(budgets) - np.log10(budgets).mean()
    with np.errstate(invalid="ignore"):
        return np.asarray(log_m @ x / (x @ x))


def _summary(point: Array, draws: Array, level: float) -> tuple[tuple[float, float, float], float]:
    """Exponentials of a point and its interval, and the two-sided p-value that it is zero."""
    low, high = interval(draws, level)
    above, below = (float(np.mean(np.isnan(draws) | side)) for side in (draws >= 0, draws <= 0))
    p_value = min(1.0, max(2.0 * min(above, below), 1.0 / draws.size))
    return (float(np.exp(point[0])), float(np.exp(low)), float(np.exp(high))), p_value


def _sentence(
    overall: tuple[float, float, float], trend: tuple[float, float, float], p_value: float, level: float, budgets: Array
) -> str:
    span = f"{budgets[0]:.3g} FLOP" if budgets.size == 1 else f"{budgets[0]:.3g} to {budgets[-1]:.3g} FLOP"
    words = f"{100 * level:g} % interval"
    if np.isnan(overall[0]):
        return f"Nothing can be said at {span}: one of the fitted laws has no compute-optimal size there."
    if np.isinf(overall[0]):
        return f"The baseline never reaches the recipe's loss somewhere from {span}: its own limit is higher."
    worth, low, high = overall
    first = f"At {span} the recipe is worth {worth:.3g} times its compute ({words} {low:.3g} to {high:.3g})"
    if budgets.size == 1 or not np.isfinite(trend[0]):
        return f"{first}."
    change = f"it changes by a factor of {trend[0]:.3g} per decade ({words} {trend[1]:.3g} to {trend[2]:.3g})"
    if p_value < 1.0 - level:
        return f"{first}, but one number does not fit: {change}."
    return f"{first}; one number will do: {change}."


def _notes(fits: list[Fit], budgets: Array) -> tuple[str, ...]:
    notes = [f"{name}: {words}" for name, f in zip(("baseline", "recipe"), fits, strict=True) for words in f.warnings]
    for name, fitted in zip(("baseline", "recipe"), fits, strict=True):
        low, high = float(fitted.table.flops.min()), float(fitted.table.flops.max())
        if budgets[0] < 0.999 * low or budgets[-1] > 1.001 * high:
            notes.append(f"{name}: budgets outside of its runs, {low:.3g} to {high:.3g} FLOP, are extrapolated")
    return tuple(notes)
