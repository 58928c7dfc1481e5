"""Parameters, tokens and FLOPs of a family under a stated convention.

Which parameters count as N and how C is counted moves fitted exponents (Porian et al., arXiv 2406.19146), so a
family stores parameters by group and the convention is chosen here, at analysis time:

=================  ====================================================================
"total"            N counts every parameter
"non_embedding"    N leaves the input embedding out
"body"             N counts the blocks alone (Kaplan et al., arXiv 2001.08361)
"6ND"              C = 6 N D with that N
"recorded"         C is the exact count stored with the run
=================  ====================================================================
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.curves.schema import FLOPS_CONVENTIONS, PARAMS_CONVENTIONS
from scalinglaws.errors import InputError, require

__all__ = ["flops_by", "params_by", "tokens_by", "unit_slip"]


def params_by(ds: xr.Dataset, convention: str = "total") -> xr.DataArray:
    """Count the parameters of every run under a convention.

    Parameters
    ----------
    ds
        A family of runs.
    convention
        A key of `schema.PARAMS_CONVENTIONS`.

    Returns
    -------
        N over `run`.

    Raises
    ------
    InputError
        When the parameters of a run are unknown, or only their total is and the convention leaves some out.

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> groups = {"embedding": 100.0, "attention": 30.0, "mlp": 60.0, "head": 10.0}
    >>> ds = from_runs([Run(name="a", step=np.array([1]), loss=np.array([3.0]), params=groups)])
    >>> [params_by(ds, c).item() for c in ("total", "non_embedding", "body")]
    [200.0, 100.0, 90.0]
    """
    require(
        convention in PARAMS_CONVENTIONS,
        "params",
        convention,
        f"must be one of {', '.join(PARAMS_CONVENTIONS)}",
    )
    by_group = ds["params"]
    unknown = ~(by_group.sum("group").values > 0)
    if unknown.any():
        raise InputError(f"params: unknown for {_named(ds, unknown)}; give them when reading, for example params=25e6")
    if convention != "total":
        known = by_group.sel(group=[g for g in by_group["group"].values if g != "unspecified"])
        bare = known.sum("group").values == 0
        if bare.any():
            raise InputError(
                f"params: the convention {convention} needs the parameters by group, "
                f"and only the total is recorded for {_named(ds, bare)}"
            )
    total = by_group.sel(group=list(PARAMS_CONVENTIONS[convention])).sum("group")
    return total.assign_attrs(units="parameters", long_name=f"parameters, {convention}").rename("params")


def tokens_by(ds: xr.Dataset) -> xr.DataArray:
    """Count the training tokens seen at every observation: recorded, else step x batch x sequence length.

    Returns
    -------
        D over `obs`; NaN where neither is known.
    """
    rows = ds["row_size"].values
    tokens = np.full(ds.sizes["obs"], np.nan)
    if "batch" in ds and "seq_len" in ds:
        with np.errstate(over="ignore"):  # a count beyond floats is infinite, which `end_points` refuses
            tokens = ds["step"].values * np.repeat(ds["batch"].values * ds["seq_len"].values, rows)
    if "tokens" in ds:
        tokens = np.where(np.isnan(ds["tokens"].values), tokens, ds["tokens"].values)
    attrs = {"units": "tokens", "long_name": "training tokens seen"}
    return xr.DataArray(tokens, dims="obs", name="tokens", attrs=attrs)


def flops_by(ds: xr.Dataset, convention: str = "6ND", *, params: str = "total") -> xr.DataArray:
    """Count the training FLOPs spent at every observation under a convention.

    Parameters
    ----------
    ds
        A family of runs.
    convention
        "6ND", or "recorded" for the exact count: `flops`, else `flops_per_token` times tokens.
    params
        What counts as N for "6ND"; a key of `schema.PARAMS_CONVENTIONS`.

    Returns
    -------
        C over `obs`; NaN where tokens are unknown.

    Raises
    ------
    InputError
        When "recorded" is asked of a run that has no record, or N is unknown.

    Examples
    --------
    >>> from scalinglaws.curves import Run, from_runs
    >>> curve = dict(step=np.array([1, 2]), loss=np.array([3.0, 2.9]), tokens=np.array([10.0, 20.0]))
    >>> ds = from_runs([Run(name="a", params={"unspecified": 5.0}, flops_per_token={"mlp": 31.0}, **curve)])
    >>> flops_by(ds).values, flops_by(ds, "recorded").values
    (array([300., 600.]), array([310., 620.]))
    """
    require(convention in FLOPS_CONVENTIONS, "flops", convention, f"must be one of {', '.join(FLOPS_CONVENTIONS)}")
    rows = ds["row_size"].values
    tokens = tokens_by(ds).values
    with np.errstate(over="ignore"):
        if convention == "6ND":
            flops = 6.0 * np.repeat(params_by(ds, params).values, rows) * tokens
        else:
            flops = _recorded(ds, tokens)
    attrs = {"units": "FLOP", "long_name": f"training FLOPs, {convention}"}
    return xr.DataArray(flops, dims="obs", name="flops", attrs=attrs)


def _recorded(ds: xr.Dataset, tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = ds["row_size"].values
    flops = np.full(ds.sizes["obs"], np.nan)
    if "flops_per_token" in ds:
        flops = np.repeat(ds["flops_per_token"].sum("group", skipna=False).values, rows) * tokens
    if "flops" in ds:
        flops = np.where(np.isnan(ds["flops"].values), flops, ds["flops"].values)
    last = np.cumsum(rows) - 1
    missing = np.isnan(flops[last])
    if missing.any():
        raise InputError(f"flops: no exact count is recorded for {_named(ds, missing)}; use the convention 6ND")
    return flops


def _named(ds: xr.Dataset, mask: NDArray[np.bool_]) -> str:
    names = [str(n) for n in ds["run"].values[mask]]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"run {shown}" if len(names) == 1 else f"runs {shown}"


def unit_slip(flops: NDArray[np.float64], six_nd: NDArray[np.float64]) -> str:
    """Say so when recorded FLOPs are so far from 6ND that they must be in another unit; "" when they agree.

    A counting convention (attention, the read-out) moves C by a small factor, a unit by a thousand.

    Examples
    --------
    >>> unit_slip(np.array([6.0]), np.array([5.0]))
    ''
    """
    known = (six_nd > 0) & (flops > 0) & np.isfinite(six_nd)
    if not known.any():
        return ""
    decades = float(np.median(np.log10(flops[known]) - np.log10(six_nd[known])))
    if abs(decades) < 2:
        return ""
    return (
        f"FLOPs are about 1e{round(decades)} of 6ND, so they are in another unit and were left out; "
        f"give scale={{'flops': 1e{-round(decades)}}} to use them"
    )
