"""The exponents of the compute-optimal size and loss as Chinchilla's approaches measure them on the same runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import counted_by
from scalinglaws.errors import InputError
from scalinglaws.fitting import fit as fit_law
from scalinglaws.fitting.table import as_table
from scalinglaws.prediction.measured import compare_approaches

__all__ = ["measured_exponents", "no_exponents"]

Array = NDArray[np.float64]
Rows = dict[str, dict[str, tuple[float, float, float]]]

_REPLICATES = 400
_NAMES = ("size_exponent", "loss_exponent")


def measured_exponents(runs: Any, *, params: str, level: float, rng: int) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Measure xi (N* ~ C^xi) and eta (L* - E ~ C^-eta), C = 6 N D, by every approach that the runs allow.

    Returns
    -------
    Dataset over `approach` with `size_exponent` and `loss_exponent` (approach 3 alone gives it), each with `_low` and
    `_high`; and sentences on the approaches that the runs do not allow.
    """
    rows: Rows = {}
    why: list[str] = []
    counted = counted_by(runs, params)
    for attempt in (_surface, _others):
        try:
            rows |= attempt(runs, counted, level, rng)
        except InputError as error:
            why += [] if str(error) in why else [str(error)]
    return _dataset(rows, level), tuple(why)


def no_exponents() -> xr.Dataset:
    """Return the dataset of no approach at all."""
    return _dataset({}, np.nan)


def _dataset(rows: Rows, level: float) -> xr.Dataset:
    columns: dict[str, Any] = {}
    for name in _NAMES:
        for i, suffix in enumerate(("", "_low", "_high")):
            values = [row[name][i] if name in row else np.nan for row in rows.values()]
            columns[name + suffix] = ("approach", np.array(values, dtype=np.float64), {"units": "1"})
    return xr.Dataset(columns, {"approach": np.array(list(rows), dtype=object)}, {"level": level})


def _surface(runs: Any, params: str, level: float, rng: int) -> Rows:
    """Approach 3: xi = beta / (alpha + beta) and eta = alpha beta / (alpha + beta) of the additive law."""
    fitted = fit_law(as_table(runs, params=params)).bootstrap(replicates=_REPLICATES, rng=rng)
    assert fitted.draws is not None  # just made
    exponents: dict[str, Callable[[Any, Any], Any]] = {
        "size_exponent": lambda a, b: b / (a + b),
        "loss_exponent": lambda a, b: a * b / (a + b),
    }
    tails = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
    row = {}
    for name, exponent in exponents.items():
        drawn = exponent(fitted.draws.values["alpha"], fitted.draws.values["beta"])
        low, high = np.quantile(drawn, tails)
        row[name] = (float(exponent(fitted.params["alpha"], fitted.params["beta"])), float(low), float(high))
    return {"parametric": row}


def _others(runs: Any, params: str, level: float, rng: int) -> Rows:
    table = compare_approaches(runs, params=params, level=level, replicates=_REPLICATES, rng=rng).table
    ends = ("", "_low", "_high")
    return {
        str(name): {"size_exponent": tuple(float(table["size_exponent" + e].sel(approach=name)) for e in ends)}  # type: ignore[dict-item]
        for name in table["approach"].values
        if name != "parametric"
    }
