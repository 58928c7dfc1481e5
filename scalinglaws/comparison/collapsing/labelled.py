"""The labelled curves of a collapse: one Dataset over run, size and x, with units, conventions and who was left out."""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import xarray as xr

from scalinglaws.comparison.collapsing.deviation import decompose
from scalinglaws.comparison.collapsing.family import Family, Selection
from scalinglaws.comparison.collapsing.measure import Measured
from scalinglaws.comparison.collapsing.result import Irreducible

__all__ = ["label"]

_NAMES = {
    "loss": ("nats/token", "loss at x"),
    "ell": ("1", "normalised loss, (L - Lhat) / (L at the end - Lhat)"),
    "mean": ("1", "mean of ell over runs"),
    "size_mean": ("1", "mean of ell over the seeds of each size"),
    "delta": ("1", "collapse deviation, std(ell) / mean(ell)"),
    "sigma": ("1", "seed noise of the reducible loss by size, std / mean"),
    "sigma_mean": ("1", "seed noise, mean over sizes"),
    "between": ("1", "variance of ell between sizes"),
    "within": ("1", "variance of ell within sizes, between seeds"),
}


def label(
    selection: Selection,
    family: Family,
    found: Measured,
    floor: Irreducible,
    *,
    ddof: int,
    unit: str,
    attrs: dict[str, str],
) -> xr.Dataset:
    """Put names, units and conventions on what was measured."""
    parts = decompose(found.ell, family.group)
    runs = [c.run for c in selection.curves]
    size_mean = np.stack([found.ell[family.group == p].mean(axis=0) for p in range(family.sizes.size)])
    arrays = {
        "loss": (("run", "x"), family.loss),
        "ell": (("run", "x"), found.ell),
        "mean": ("x", found.ell.mean(axis=0)),
        "size_mean": (("size", "x"), size_mean),
        "delta": ("x", found.delta),
        "sigma": (("size", "x"), found.noise.by_size),
        "sigma_mean": ("x", found.noise.mean),
        "between": ("x", parts.between),
        "within": ("x", parts.within),
    }
    counted = "parameters" if selection.counts_params else "width"
    ds = xr.Dataset(
        {k: (dims, v, dict(zip(("units", "long_name"), _NAMES[k], strict=True))) for k, (dims, v) in arrays.items()},
        coords={
            "run": ("run", np.array(family.names, dtype=object)),
            "x": ("x", family.x, {"units": "1", "long_name": "normalised compute, t / t*"}),
            "size": ("size", family.sizes, {"units": counted, "long_name": "size of the model"}),
            "label": ("size", np.array(family.labels, dtype=object)),
            "seeds": ("size", family.seeds, {"units": "1", "long_name": "runs of the size"}),
            "run_size": ("run", family.sizes[family.group], {"units": counted, "long_name": "size of the run"}),
            "seed": ("run", np.array([r.seed for r in runs])),
            "horizon": (
                "run",
                np.array([c.horizon for c in selection.curves]),
                {"units": "tokens" if selection.in_tokens else "updates", "long_name": "t*"},
            ),
            "compute": (
                "run",
                family.compute,
                {"units": "FLOP" if family.in_flops else "arbitrary", "long_name": "compute at the end, 6 N t*"},
            ),
        },
    )
    ds["loss"].attrs["units"] = unit
    points = family.x.size
    even = bool(np.allclose(np.diff(family.x), 1.0 / max(points - 1, 1)))
    spacing = "evenly spaced" if even else "given"
    ds.attrs = {
        "version": version("scalinglaws"),
        "ddof": ddof,
        "grid": f"{points} points of x, {spacing}, {family.x[0]:g} to {family.x[-1]:g}",
        "irreducible": floor.value,
        "irreducible_source": floor.source,
        **attrs,
        "left_out": json.dumps(selection.left_out, ensure_ascii=False),
        "repairs": json.dumps(list(selection.repairs), ensure_ascii=False),
    }
    return ds
