"""How much the answer depends on what counts as a parameter and as a FLOP: one row per convention.

Whether the embedding, the last layer and the attention matrix are counted moves the exponent of N* by more than most
fits claim to know it (Porian et al. 2024: .84 to .71 from the last layer alone). A family of runs stores both counts
by group, so every convention is one refit.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.curves import end_points, flops_by
from scalinglaws.curves.schema import PARAMS_CONVENTIONS
from scalinglaws.errors import InputError, require
from scalinglaws.fitting.estimate import fit
from scalinglaws.fitting.laws import Law
from scalinglaws.fitting.quantities import positive
from scalinglaws.fitting.result import Fit
from scalinglaws.fitting.table import Table, as_table
from scalinglaws.prediction.measured.bias import least_along
from scalinglaws.prediction.measured.slices import Slice

__all__ = ["LEFT_OUT", "counting_sensitivity"]

Array = NDArray[np.float64]

LEFT_OUT = {
    "6ND": None,
    "recorded": (),
    "without-scores": ("scores",),
    "without-head": ("head",),
}
"""Ways to count C: six times N times D, or what was recorded with some groups of operations left out."""

_BENT = 0.05


def counting_sensitivity(
    runs: xr.Dataset, flops: ArrayLike, *, law: str | Law = "chinchilla", estimator: str = "huber", delta: float = 1e-3
) -> xr.Dataset:
    """Refit a family under every way to count its parameters and FLOPs.

    Parameters
    ----------
    runs
        A family of measured runs.
    flops
        Budgets, in FLOP as each convention counts them.
    law, estimator, delta
        Of the fits; see `fitting.fit`.

    Returns
    -------
        Over `convention` and `flops`: `params` and `tokens` (the optimum, N as that convention counts it) and `loss`;
        over `convention`: the exponents `size_exponent` and `tokens_exponent` over the compute of the runs, and the
        names `params_convention` and `flops_convention`. `attrs["notes"]` is a JSON list of sentences: which
        conventions the family does not record.

    Raises
    ------
    InputError
        When not even one convention can be fitted.

    Notes
    -----
    Recorded FLOPs per token are taken as a power of N, through the runs; a note says so where they are none.

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> def run(n, d):
    ...     loss = 1.8 + 480 / n**0.35 + 2100 / d**0.37
    ...     parts = {"embedding": 0.3 * n, "mlp": 0.7 * n}
    ...     return Run(name=f"{n:.0f}-{d:.0f}", step=np.array([1]), tokens=np.array([d]), loss=np.array([loss]),
    ...                params=parts)
    >>> ds = from_runs([run(n, k * n) for n in (1e7, 3e7, 1e8, 3e8) for k in (5, 20, 80)])
    >>> table = counting_sensitivity(ds, 1e20)
    >>> table.convention.values.tolist(), table.size_exponent.values.round(3)
    (['total, 6ND', 'non_embedding, 6ND', 'body, 6ND'], array([0.514, 0.514, 0.514]))
    """
    budgets = np.atleast_1d(positive("flops", flops))
    notes: list[str] = []
    rows: dict[str, dict[str, Array]] = {}
    for params in PARAMS_CONVENTIONS:
        try:
            table = as_table(end_points(runs, params=params))
            fitted = fit(table, law=law, estimator=estimator, delta=delta)
        except InputError as error:
            notes.append(f"N as {params}: {error}")
            continue
        for count in LEFT_OUT:
            per_token = _per_token(runs, table, count, params)
            if per_token is None:
                continue
            rows[f"{params}, {count}"] = _row(fitted, per_token, budgets)
            notes += _bend(table, per_token, f"{params}, {count}")
    if not rows:
        raise InputError(f"runs: no way to count can be fitted. {' '.join(notes)}")
    recorded = sorted({name.split(", ")[1] for name in rows})
    absent = [count for count in LEFT_OUT if count not in recorded]
    notes += [f"C as {count}: the runs do not record it" for count in absent]
    return _dataset(rows, budgets, notes)


def _per_token(runs: xr.Dataset, table: Table, count: str, params: str) -> Array | None:
    """FLOPs per token of each row of the table, or None where the runs do not record them."""
    groups = LEFT_OUT[count]
    if groups is None:
        return np.asarray(6.0 * table.params)
    kept = np.isin(runs["run"].values.astype(str), table.run)
    if groups == ():
        try:
            spent = flops_by(runs, "recorded", params=params).values
        except InputError:
            return None
        ends = np.cumsum(runs["row_size"].values) - 1
        return np.asarray(spent[ends][kept] / table.tokens)
    if "flops_per_token" not in runs:
        return None
    parts = runs["flops_per_token"].isel(run=np.flatnonzero(kept))
    present = parts.sel(group=list(groups)).sum("group").values
    whole = parts.sum("group", skipna=False).values
    if not (np.all(present > 0) and np.all(np.isfinite(whole))):
        return None
    return np.asarray(whole - present)


def _power(table: Table, per_token: Array) -> tuple[float, float]:
    """Intercept and slope of log FLOPs per token by log N."""
    slope, height = np.polyfit(np.log(table.params), np.log(per_token), 1)
    return float(height), float(slope)


def _bend(table: Table, per_token: Array, name: str) -> list[str]:
    height, slope = _power(table, per_token)
    off = float(np.abs(np.log(per_token) - height - slope * np.log(table.params)).max())
    if off < _BENT:
        return []
    return [f"{name}: FLOPs per token are off a power of N by up to {100 * off:.0f} %, so its optimum is rough"]


def _row(fitted: Fit, per_token: Array, budgets: Array) -> dict[str, Array]:
    """Optimum of a fitted law where C = k(N) D, and its exponents over the compute of the runs."""
    table = fitted.table
    height, slope = _power(table, per_token)
    spent = per_token * table.tokens
    values = {name: np.array([value]) for name, value in fitted.params.items()}
    log_n, log_d = [], []
    for c in (*budgets, spent.min(), spent.max()):
        line = (float(np.log(c)) - height, -slope)
        sizes = np.log(np.sort(table.params))
        along = Slice(flops=float(c), rows=np.arange(table.rows), log_n=sizes, line=line, spread=1.0)
        x = least_along(fitted.law, values, along)
        log_n.append(float(x[0]))
        log_d.append(float(along.log_d(x)[0]))
    n, d = np.exp(log_n), np.exp(log_d)
    span = np.log(spent.max() / spent.min())
    require(span > 0, "runs: compute", spent.tolist(), "must differ between runs")
    return {
        "params": n[:-2],
        "tokens": d[:-2],
        "loss": fitted.law.predict(fitted.params, n[:-2], d[:-2]),
        "size_exponent": np.array((log_n[-1] - log_n[-2]) / span),
        "tokens_exponent": np.array((log_d[-1] - log_d[-2]) / span),
    }


def _dataset(rows: dict[str, dict[str, Array]], budgets: Array, notes: list[str]) -> xr.Dataset:
    units = {"params": "parameters", "tokens": "tokens", "loss": "nats/token"}
    columns = {}
    for name in ("params", "tokens", "loss", "size_exponent", "tokens_exponent"):
        dims = ("convention", "flops") if name in units else ("convention",)
        columns[name] = (dims, np.stack([row[name] for row in rows.values()]), {"units": units.get(name, "1")})
    parts = [name.split(", ") for name in rows]
    return xr.Dataset(
        columns,
        coords={
            "convention": list(rows),
            "flops": ("flops", budgets, {"units": "FLOP"}),
            "params_convention": ("convention", [part[0] for part in parts]),
            "flops_convention": ("convention", [part[1] for part in parts]),
        },
        attrs={"notes": json.dumps(notes)},
    )
