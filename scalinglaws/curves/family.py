"""One measured run, and the family that labels many: build, take apart, select, join."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws.curves.schema import GROUPS, LOSS_UNITS, SCHEMA, STATUSES, TIMINGS, VARIABLES, validate
from scalinglaws.errors import InputError, require

__all__ = ["Run", "from_runs", "iter_runs", "join", "prefixed", "select"]

_PER_RUN = ("batch", "seq_len", "peak_lr", "seed", "width", "depth")
_TEXT = ("schedule", "status", "parameterization")
_MEASURED = (
    "noise_trace", "noise_trace_preconditioned", "noise_trace_adaptive", "gradient_norm", "update_size",
    "attention_logit_max", "output_logit_rms", "sharpness",
)  # fmt: skip
_PER_OBS = ("tokens", "flops", "lr", *_MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured loss curve with what is known about the run.

    Parameters
    ----------
    name
        Distinct within its family.
    step
        Updates done at each observation, strictly increasing integers, shape (n,).
    loss
        Held-out loss in nats per token, shape (n,).
    params
        Parameters by group; keys from `schema.GROUPS`. A bare total goes under "unspecified"; empty where
        unknown (stored as NaN).
    flops_per_token
        Training FLOPs per token by group (forward and backward), if counted.
    tokens, flops, lr
        Per observation, shape (n,), where known.
    noise_trace, noise_trace_preconditioned, noise_trace_adaptive, gradient_norm, update_size, \
attention_logit_max, output_logit_rms, sharpness
        Per observation, shape (n,), where measured; NaN at observations where they were not.
    batch, seq_len, peak_lr, seed, width, depth
        Numbers, NaN where unknown.
    schedule
        Name of the schedule, or `json.dumps(schedule.to_dict())`.
    status
        "finished", "partial" or "diverged".
    parameterization
        "mup", "standard" or another name; empty where unknown.
    timings
        How fast the run went, as far as that was recorded; keys from `schema.TIMINGS`.
    """

    name: str
    step: NDArray[np.int64]
    loss: NDArray[np.float64]
    params: Mapping[str, float]
    flops_per_token: Mapping[str, float] = field(default_factory=dict)
    tokens: NDArray[np.float64] | None = None
    flops: NDArray[np.float64] | None = None
    lr: NDArray[np.float64] | None = None
    noise_trace: NDArray[np.float64] | None = None
    noise_trace_preconditioned: NDArray[np.float64] | None = None
    noise_trace_adaptive: NDArray[np.float64] | None = None
    gradient_norm: NDArray[np.float64] | None = None
    update_size: NDArray[np.float64] | None = None
    attention_logit_max: NDArray[np.float64] | None = None
    output_logit_rms: NDArray[np.float64] | None = None
    sharpness: NDArray[np.float64] | None = None
    batch: float = np.nan
    seq_len: float = np.nan
    peak_lr: float = np.nan
    seed: float = np.nan
    width: float = np.nan
    depth: float = np.nan
    schedule: str = ""
    status: str = "finished"
    parameterization: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(
            self.status in STATUSES,
            f"run {self.name}: status",
            self.status,
            f"must be one of {', '.join(STATUSES)}",
        )
        step = np.asarray(self.step)
        require(
            step.ndim == 1 and step.size > 0,
            f"run {self.name}: step",
            step.shape,
            "must hold one observation or more",
        )
        back = np.flatnonzero(np.diff(step) <= 0)
        require(
            back.size == 0,
            f"run {self.name}: step",
            [int(s) for s in step[back[0] : back[0] + 2]] if back.size else None,
            "must increase strictly",
        )
        for name in ("loss", *_PER_OBS):
            values = getattr(self, name)
            if values is not None:
                shape = np.shape(values)
                require(
                    shape == step.shape,
                    f"run {self.name}: {name}",
                    shape,
                    f"must have the shape of step, {step.shape}",
                )
        for name, allowed in (("params", GROUPS), ("flops_per_token", GROUPS), ("timings", TIMINGS)):
            unknown = set(getattr(self, name)) - set(allowed)
            require(
                not unknown,
                f"run {self.name}: {name}",
                sorted(unknown),
                f"keys must be among {', '.join(allowed)}",
            )


def from_runs(runs: Iterable[Run], attrs: Mapping[Any, Any] | None = None) -> xr.Dataset:
    """Label runs as one family (CF contiguous ragged arrays; variables of `schema.VARIABLES`).

    Parameters
    ----------
    runs
        The runs, in the order they will keep.
    attrs
        Provenance to store with the family; values that are not text or numbers are stored as JSON. `loss_unit`
        is the unit of the loss (`schema.LOSS_UNITS`), nats/token unless given.

    Examples
    --------
    >>> run = Run(name="a", step=np.array([1, 2]), loss=np.array([3.0, 2.5]), params={"unspecified": 1e6})
    >>> ds = from_runs([run])
    >>> dict(ds.sizes), float(ds.loss[1])
    ({'run': 1, 'group': 6, 'obs': 2}, 2.5)
    """
    runs = list(runs)
    if not runs:
        raise InputError("runs: none given, and a family needs one or more")
    ds = xr.Dataset(
        coords={
            "run": ("run", np.array([r.name for r in runs], dtype=object)),
            "group": ("group", list(GROUPS)),
        }
    )
    _put(ds, "row_size", [len(r.step) for r in runs], np.int64)
    ds["row_size"].attrs["sample_dimension"] = "obs"
    _put(ds, "params", [_row(r.params) for r in runs])
    if any(r.flops_per_token for r in runs):
        _put(ds, "flops_per_token", [_row(r.flops_per_token) for r in runs])
    for name in _PER_RUN:
        _put(ds, name, [float(getattr(r, name)) for r in runs])
    for name in _TEXT:
        if name != "parameterization" or any(r.parameterization for r in runs):
            _put(ds, name, [getattr(r, name) for r in runs], object)
    for name in TIMINGS:
        if any(name in r.timings for r in runs):
            _put(ds, name, [float(r.timings.get(name, np.nan)) for r in runs])
    _put(ds, "step", np.concatenate([r.step for r in runs]), np.int64)
    _put(ds, "loss", np.concatenate([r.loss for r in runs]))
    for name in _PER_OBS:
        columns = [getattr(r, name) for r in runs]
        if any(c is not None for c in columns):
            filled = [np.full(len(r.step), np.nan) if c is None else c for r, c in zip(runs, columns, strict=True)]
            _put(ds, name, np.concatenate(filled))
    _put_loss_unit(ds, str((attrs or {}).get("loss_unit", VARIABLES["loss"].units)))
    plain = {k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in (attrs or {}).items()}
    ds.attrs = {
        "Conventions": "CF-1.11",
        "featureType": "trajectory",
        "schema": SCHEMA,
        "version": version("scalinglaws"),
        **plain,
    }
    return validate(ds)


def _row(by_group: Mapping[str, float]) -> list[float]:
    """Values over `GROUPS`: a group not named holds none, a mapping without any group is unknown."""
    return [float(by_group.get(g, 0.0)) if by_group else np.nan for g in GROUPS]


def _put(ds: xr.Dataset, name: str, values: Any, dtype: Any = np.float64) -> None:
    spec = VARIABLES[name]
    attrs = {"long_name": spec.long_name} | ({"units": spec.units} if spec.units else {})
    ds[name] = xr.Variable(spec.dims, np.asarray(values, dtype=dtype), attrs)


def _put_loss_unit(ds: xr.Dataset, unit: str) -> None:
    require(unit in LOSS_UNITS, "loss_unit", unit, f"must be one of {', '.join(LOSS_UNITS)}")
    ds["loss"].attrs["long_name"] = LOSS_UNITS[unit]
    for variable in ds.data_vars.values():  # some of what is measured has the unit of the loss too
        if variable.attrs.get("units") == VARIABLES["loss"].units:
            variable.attrs["units"] = unit


def iter_runs(ds: xr.Dataset) -> Iterator[Run]:
    """Take a family apart into its runs, in order.

    Examples
    --------
    >>> run = Run(name="a", step=np.array([1, 2]), loss=np.array([3.0, 2.5]), params={"unspecified": 1e6})
    >>> [r.name for r in iter_runs(from_runs([run]))]
    ['a']
    """
    ends = np.cumsum(ds["row_size"].values)
    for i, name in enumerate(ds["run"].values):
        part = slice(int(ends[i] - ds["row_size"].values[i]), int(ends[i]))
        fields: dict[str, Any] = {
            **{k: ds[k].values[part] for k in ("step", "loss", *_PER_OBS) if k in ds},
            **{k: float(ds[k].values[i]) for k in _PER_RUN if k in ds},
            **{k: str(ds[k].values[i]) for k in _TEXT if k in ds},
            **{k: _groups(ds[k].values[i]) for k in ("params", "flops_per_token") if k in ds},
            "timings": {k: float(ds[k].values[i]) for k in TIMINGS if k in ds and np.isfinite(ds[k].values[i])},
        }
        yield Run(name=str(name), **fields)


def _groups(row: NDArray[np.float64]) -> dict[str, float]:
    return {g: float(v) for g, v in zip(GROUPS, row, strict=True) if np.isfinite(v) and v != 0}


def select(ds: xr.Dataset, keep: Iterable[str]) -> xr.Dataset:
    """Return the named runs of a family, in its order; an unknown name is an `InputError`."""
    wanted = set(keep)
    unknown = wanted - set(ds["run"].values.tolist())
    require(
        not unknown,
        "runs",
        sorted(unknown),
        f"not in the family, which holds {', '.join(map(str, ds['run'].values))}",
    )
    return from_runs((r for r in iter_runs(ds) if r.name in wanted), ds.attrs)


def prefixed(runs: xr.Dataset, prefix: str) -> xr.Dataset:
    """Put a prefix and a slash in front of every run's name, so that families can be joined.

    Examples
    --------
    >>> runs = from_runs([Run(name="a", step=np.array([1, 2]), loss=np.array([2.0, 1.0]), params={"mlp": 9.0})])
    >>> prefixed(runs, "first")["run"].values.tolist()
    ['first/a']
    """
    return runs.assign_coords(run=np.array([f"{prefix}/{name}" for name in runs["run"].values], dtype=object))


def join(families: Iterable[xr.Dataset]) -> xr.Dataset:
    """Join several families into one; a run name that occurs twice is an `InputError`."""
    families = list(families)
    units = sorted({str(ds["loss"].attrs.get("units")) for ds in families})
    require(len(units) < 2, "families: units of loss", units, "must be the same")
    runs = [r for ds in families for r in iter_runs(ds)]
    names = [r.name for r in runs]
    twice = sorted({n for n in names if names.count(n) > 1})
    require(not twice, "runs", twice, "occur in more than one of the families")
    return from_runs(runs, families[0].attrs if families else None)
