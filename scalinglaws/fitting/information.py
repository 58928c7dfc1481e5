"""Which law describes a table best, each parameter paid for: AICc and BIC.

Both are of the Gaussian likelihood of log loss at its maximum, the "log-l2" fit, whatever estimator the fit at hand
used: with n rows, k the free parameters plus one for the variance, and RSS the (weighted) sum of squared log residuals,

AICc = n log(RSS/n) + 2 k + 2 k (k + 1)/(n - k - 1),    BIC = n log(RSS/n) + k log n.

A difference of 10 is decisive if the rows are independent; checkpoints of one run are not. Neither says how a law
extrapolates: hold the largest runs out for that (`prediction.predict_held_out`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from scalinglaws.errors import InputError
from scalinglaws.fitting.laws import Law, find_law
from scalinglaws.fitting.table import as_table

if TYPE_CHECKING:
    from scalinglaws.fitting.result import Fit

__all__ = ["COMPARED", "compare_laws", "information"]

COMPARED = ("chinchilla", "tied", "chinchilla-no-e", "kaplan", "kaplan-e", "skaling", "broken")
"""Laws of N and D that `compare_laws` tries by default, where the table has rows enough for them."""


def information(fit: Fit) -> tuple[float, float]:
    """Return AICc and BIC of a fit's law on its table, smaller is better; AICc is infinite with n - k < 2."""
    best = fit
    if fit.estimator.name != "log-l2":
        from scalinglaws.fitting.estimate import fit as fit_law

        best = fit_law(fit.table, law=fit.law, estimator="log-l2", fixed=fit.fixed, prior=fit.prior.values)
    rows, count = fit.table.rows, len(fit.law.parameters) - len(fit.fixed) + 1
    with np.errstate(divide="ignore"):
        deviance = rows * float(np.log(best.objective / fit.table.weight.sum()))
    room = rows - count - 1
    aicc = deviance + 2.0 * count + 2.0 * count * (count + 1) / room if room > 0 else np.inf
    return float(aicc), deviance + count * float(np.log(rows))


def compare_laws(
    data: Any, *, laws: Sequence[str | Law] | None = None, estimator: str = "log-l2", delta: float = 1e-3
) -> xr.Dataset:
    """Fit several laws to one table and rank them.

    Parameters
    ----------
    data
        Whatever `as_table` accepts.
    laws
        Names or laws of the same target; `COMPARED` by default, and `repetition` too where the table tells epochs.
    estimator, delta
        As `fit`, for the objective and the parameters; AICc and BIC are always of "log-l2".

    Returns
    -------
        Over `law`, best AICc first: parameters (free), objective, aicc, bic, difference (of AICc from the best),
        weight (Akaike's, sums to 1), converged, warnings (how many), formula. `attrs["skipped"]` names laws the
        table has too few rows for.

    Raises
    ------
    InputError
        When no law can be fitted, a name is unknown, or the laws explain different columns.

    Examples
    --------
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> noise = np.exp(0.001 * np.random.default_rng(0).standard_normal(12))
    >>> ranked = compare_laws({"params": n, "tokens": d, "loss": (1.8 + 480 / n**0.35 + 2100 / d**0.37) * noise},
    ...     laws=["chinchilla", "chinchilla-no-e", "tied"])
    >>> ranked.law.values[-1].item(), bool(ranked.difference.values[-1] > 10)
    ('chinchilla-no-e', True)
    """
    from scalinglaws.fitting.estimate import fit

    table = as_table(data)
    repeated = ("repetition",) if {"unique_tokens", "epochs"} & set(table.extra) else ()
    forms = [find_law(law) for law in (COMPARED + repeated if laws is None else laws)]
    if len({form.target for form in forms}) != 1:
        raise InputError(f"laws = {[form.name for form in forms]!r}: must be one or more laws of the same column")
    fits, skipped = [], []
    for form in forms:
        try:
            fits.append(fit(table, law=form, estimator=estimator, delta=delta))
        except InputError as error:
            if laws is not None:
                raise
            skipped.append(f"{form.name}: {error}")
    if not fits:
        raise InputError(f"laws: none can be fitted; {skipped[0]}")
    scores = np.array([information(one) for one in fits])
    order = np.argsort(scores[:, 0], kind="stable")
    fits, scores = [fits[i] for i in order], scores[order]
    gap = scores[:, 0] - scores[0, 0] if np.isfinite(scores[0, 0]) else np.zeros(len(fits))
    weight = np.exp(-0.5 * gap)
    columns = {
        "parameters": [len(one.law.parameters) for one in fits],
        "objective": [one.objective for one in fits],
        "aicc": scores[:, 0],
        "bic": scores[:, 1],
        "difference": gap,
        "weight": weight / weight.sum(),
        "converged": [one.converged for one in fits],
        "warnings": [len(one.warnings) for one in fits],
        "formula": [one.law.formula for one in fits],
    }
    return xr.Dataset(
        {name: ("law", np.asarray(values)) for name, values in columns.items()},
        coords={"law": ("law", np.array([one.law.name for one in fits]))},
        attrs={"estimator": estimator, "skipped": "; ".join(skipped)},
    )
