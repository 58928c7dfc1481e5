"""The one call from measured runs to compute-optimal sizes with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from scalinglaws.errors import InputError, require
from scalinglaws.fitting.estimators import estimator as objective
from scalinglaws.fitting.identifiability import check_design
from scalinglaws.fitting.information import COMPARED
from scalinglaws.fitting.laws import Law, find_law, published
from scalinglaws.fitting.quantities import positive
from scalinglaws.fitting.table import Table, as_table
from scalinglaws.prediction.advising.candidates import Candidate, Search, candidates
from scalinglaws.prediction.advising.choice import choose, contenders
from scalinglaws.prediction.advising.result import Advice
from scalinglaws.prediction.advising.words import cautions, trust
from scalinglaws.prediction.measured import Approaches, compare_approaches
from scalinglaws.prediction.rolling import Rolling, rolling_origin
from scalinglaws.prediction.sensitivity import counting_sensitivity

__all__ = ["advise"]

_EVIDENCE = 200  # replicates at most behind what is not the answer
_ROLLING = 100


def advise(
    data: Any,
    flops: ArrayLike,
    *,
    laws: str | Law | Sequence[str | Law] = "all",
    estimator: str = "huber",
    delta: float = 1e-3,
    params: str = "total",
    count: str = "6ND",
    level: float = 0.9,
    replicates: int = 2000,
    rng: int = 0,
) -> Advice:
    """Say what compute budgets should buy, by the law that stands up best, with all evidence for and against.

    Parameters
    ----------
    data
        A family of measured runs, or whatever else `fitting.as_table` accepts.
    flops
        One budget or several, in FLOP.
    laws
        One law, several, or "all": those of `fitting.compare_laws`, and "repetition" where the table tells epochs.
    estimator, delta
        Of every fit; see `fitting.fit`.
    params, count
        How a family's N and C are counted; see `curves.counting`.
    level
        Of the intervals.
    replicates, rng
        Of the bootstrap behind the answer, and its seed. The other laws and the approaches get 200 refits at most,
        the rolling test 100.

    Returns
    -------
        `sentence` is the answer; `why`, `trust` and `cautions` say how it came about and how far it holds.

    Raises
    ------
    InputError
        For malformed input, budgets or levels, unknown laws, or when no law can be fitted.

    Notes
    -----
    The law of the answer is "chinchilla" unless another has an AICc lower by more than 10 and predicts larger runs
    from smaller ones with a smaller mean error. Intervals take that law as true; `trust` says what the
    others make of it.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 5), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 5)
    >>> noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(15))
    >>> table = {"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise}
    >>> advice = advise(table, 1e21, laws=["chinchilla", "chinchilla-no-e"], replicates=100)
    >>> advice.chosen.name, round(float(advice.optimum.loss.item()), 2)
    ('chinchilla', 2.24)
    """
    require(isinstance(level, float) and 0 < level < 1, "level", level, "must lie strictly between 0 and 1")
    whole = isinstance(replicates, int) and not isinstance(replicates, bool) and replicates >= 2
    require(whole, "replicates", replicates, "must be an integer, 2 or more")
    objective(estimator, delta)  # refused here, not once for every law
    budgets = np.sort(np.atleast_1d(positive("flops", flops)))
    table = as_table(data, params=params, flops=count)
    few = min(replicates, _EVIDENCE)
    search = Search(flops=budgets, estimator=estimator, delta=delta, level=level, replicates=few, seed=rng)
    found, left_out = candidates(table, _forms(laws, table), search)
    picked, why = choose(found)
    chosen = _resampled(picked, search, replicates)
    found = tuple(chosen if one is picked else one for one in found)
    close = contenders(found, chosen)
    rolled = _rolled(table, chosen, search, min(few, _ROLLING))
    source = data if isinstance(data, xr.Dataset) else table
    approaches, about = _approaches(source, chosen, search, {"params": params, "count": count})
    design = check_design(table, chosen.fit.law, flops=float(budgets[-1]))
    flagged = chosen.fit.outliers()
    trusted, sound = trust(chosen, rolled, close, level)
    return Advice(
        chosen=chosen,
        why=why,
        trust=trusted,
        sound=sound,
        cautions=cautions(chosen, design, flagged),
        candidates=tuple(sorted(found, key=lambda one: one.fit.aicc)),
        contenders=tuple(one.name for one in close),
        left_out=left_out,
        rolling=rolled,
        approaches=approaches,
        about_approaches=about,
        published=published.at(budgets),
        counting=_counting(source, chosen, search),
        design=design,
        outliers=flagged,
        level=level,
        replicates={"answer": replicates, "laws": few, "approaches": few, "rolling": min(few, _ROLLING)},
    )


def _forms(laws: str | Law | Sequence[str | Law], table: Table) -> list[Law]:
    if isinstance(laws, str) and laws == "all":
        repeated = ("repetition",) if {"unique_tokens", "epochs"} & set(table.extra) else ()
        return [find_law(name) for name in COMPARED + repeated]
    forms = [find_law(law) for law in ([laws] if isinstance(laws, str | Law) else laws)]
    require(len(forms) > 0, "laws", laws, "must name one law or more")
    require(len({form.name for form in forms}) == len(forms), "laws", laws, "must name each law once")
    return forms


def _resampled(one: Candidate, search: Search, replicates: int) -> Candidate:
    """Give the chosen law all the replicates that were asked for."""
    if replicates == search.replicates:
        return one
    fitted = one.fit.bootstrap(replicates, rng=search.seed)
    return replace(one, fit=fitted, optimum=fitted.optimal(search.flops, search.level))


def _rolled(table: Table, chosen: Candidate, search: Search, replicates: int) -> Rolling | None:
    if chosen.rolling is None:
        return None
    return rolling_origin(
        table,
        law=chosen.fit.law,
        estimator=search.estimator,
        delta=search.delta,
        level=search.level,
        replicates=replicates,
        rng=search.seed,
    )


def _approaches(
    source: Any, chosen: Candidate, search: Search, counts: dict[str, Any]
) -> tuple[Approaches | None, tuple[str, ...]]:
    try:
        found = compare_approaches(
            source,
            search.flops,
            law=chosen.fit.law,
            estimator=search.estimator,
            delta=search.delta,
            level=search.level,
            replicates=search.replicates,
            rng=search.seed,
            **counts,
        )
    except InputError as error:
        return None, (str(error),)
    said = [note for note in found.notes if note not in chosen.fit.warnings]
    return found, (found.sentence, *said)


def _counting(source: Any, chosen: Candidate, search: Search) -> xr.Dataset | None:
    """Refit under every way to count, where the input is a family that records more than one."""
    if not isinstance(source, xr.Dataset) or "obs" not in source.dims:
        return None
    try:
        table = counting_sensitivity(
            source, search.flops, law=chosen.fit.law, estimator=search.estimator, delta=search.delta
        )
    except InputError:
        return None
    return table if table.sizes["convention"] > 1 else None
