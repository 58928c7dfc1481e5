"""Compute-optimal model size, tokens and loss for a budget, with intervals and the reach of the extrapolation."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from scalinglaws.fitting.result import Fit

__all__ = ["optimal"]

_FAR = 100.0  # two decades: about as far as published ladders have been seen to hold


def optimal(
    fit: Fit,
    flops: ArrayLike,
    *,
    level: float = 0.9,
    replicates: int = 2000,
    rng: np.random.Generator | np.random.SeedSequence | int | None = 0,
) -> xr.Dataset:
    """Predict the compute-optimal point at C = 6 N D for each budget.

    Parameters
    ----------
    fit
        A fitted law; its attached bootstrap is used, else one of the default kind is made.
    flops
        One budget or several, in FLOP.
    level
        Nominal coverage of the intervals.
    replicates, rng
        Of the bootstrap that is made.

    Returns
    -------
        Over `flops`: params, tokens, tokens_per_param and loss, each with `*_low` and `*_high`; `extrapolation`,
        the budget over the largest compute fitted. `attrs["notes"]` is a JSON list of sentences: the fit's
        warnings, and the budgets that lie far outside the table. The intervals take the law as true.

    Raises
    ------
    InputError
        For budgets that are not positive and finite, or a level outside (0, 1).

    Examples
    --------
    >>> from scalinglaws.fitting import fit
    >>> n = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> d = n * np.tile([5.0, 20.0, 80.0], 4)
    >>> fitted = fit({"params": n, "tokens": d, "loss": 1.8 + 480 / n**0.35 + 2100 / d**0.37})
    >>> ds = optimal(fitted, 1e21, replicates=50)
    >>> float(ds.extrapolation.round(2)[0]), bool((ds.params_low <= ds.params).all())
    (2.08, True)
    """
    resampled = fit if fit.draws is not None else fit.bootstrap(replicates, rng=rng)
    ds = resampled.optimal(flops, level)
    far = ds["flops"].values[ds["extrapolation"].values > _FAR]
    notes = list(fit.warnings)
    if far.size:
        factor = float(ds["extrapolation"].max())
        notes.append(
            f"The budget {far.max():.3g} FLOP is {factor:.3g} times the largest compute fitted: "
            "the interval holds only if the law does."
        )
    ds.attrs["notes"] = json.dumps(notes)
    return ds
