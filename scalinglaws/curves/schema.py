"""The names every labelled result uses: declared once, with dimensions, units and meaning.

A family of measured runs of unequal length is one `xarray.Dataset` in the CF contiguous ragged array layout:
the observations of all runs lie end to end along `obs`, and `row_size(run)` says how many belong to each run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from scalinglaws.errors import InputError

__all__ = [
    "FLOPS_CONVENTIONS",
    "GROUPS",
    "LOSS_UNITS",
    "PARAMS_CONVENTIONS",
    "SCHEMA",
    "STATUSES",
    "TIMINGS",
    "VARIABLES",
    "Variable",
    "validate",
]

SCHEMA = 1
"""Version of this layout, written to every file."""

GROUPS = ("embedding", "attention", "scores", "mlp", "head", "unspecified")
"""What parameters and FLOPs are counted by. `scores` is the attention matrix (FLOPs only, grows with the
sequence length); `unspecified` holds totals whose composition was not recorded."""

PARAMS_CONVENTIONS = {
    "total": GROUPS,
    "non_embedding": ("attention", "mlp", "head", "unspecified"),
    "body": ("attention", "mlp", "unspecified"),
}
"""Ways to count N: everything, without the input embedding, or the blocks alone (as Kaplan et al. did)."""

FLOPS_CONVENTIONS = ("6ND", "recorded")
"""Ways to count C: six times parameters times tokens, or the exact count recorded with the run."""

LOSS_UNITS = {"nats/token": "held-out loss, natural log", "1": "held-out mean squared error"}
"""Units of the loss and its name in each; one family has one of them. A family of regressions says so in its
attribute `loss_unit`, and its tokens are samples."""

STATUSES = ("finished", "partial", "diverged")

TIMINGS = (
    "update_seconds", "update_cpu_seconds", "evaluation_seconds", "measurement_seconds", "tokens_per_second",
    "peak_flops", "model_flops_utilization",
)  # fmt: skip
"""Variables that say how fast a run went: alone in that, they differ when the same run is done again."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One registered variable: its dimensions, unit and meaning."""

    dims: tuple[str, ...]
    units: str
    long_name: str
    required: bool = False
    text: bool = False


VARIABLES: dict[str, Variable] = {
    "row_size": Variable(("run",), "1", "observations of each run", required=True),
    "params": Variable(("run", "group"), "parameters", "parameters by group", required=True),
    "flops_per_token": Variable(
        ("run", "group"), "FLOP/token", "training FLOPs per token by group, forward and backward"
    ),
    "batch": Variable(("run",), "sequences", "sequences per update"),
    "seq_len": Variable(("run",), "tokens", "tokens per sequence"),
    "peak_lr": Variable(("run",), "1", "peak learning rate"),
    "seed": Variable(("run",), "1", "seed of the run"),
    "width": Variable(("run",), "1", "model width"),
    "depth": Variable(("run",), "blocks", "model depth"),
    "schedule": Variable(("run",), "", "learning-rate schedule: a name, or its JSON", text=True),
    "status": Variable(("run",), "", "finished, partial or diverged", text=True),
    "parameterization": Variable(("run",), "", "how initial sizes and rates depend on width", text=True),
    "update_seconds": Variable(("run",), "s", "wall time in updates"),
    "update_cpu_seconds": Variable(("run",), "s", "CPU time of the process in updates"),
    "evaluation_seconds": Variable(("run",), "s", "wall time in evaluations of the held-out loss"),
    "measurement_seconds": Variable(("run",), "s", "wall time in measurements besides the loss"),
    "tokens_per_second": Variable(("run",), "tokens/s", "training tokens over the wall time in updates"),
    "peak_flops": Variable(("run",), "FLOP/s", "rate of a large matrix product measured where the run went"),
    "model_flops_utilization": Variable(("run",), "1", "training FLOPs over the wall time in updates and peak_flops"),
    "step": Variable(("obs",), "updates", "updates done", required=True),
    "tokens": Variable(("obs",), "tokens", "training tokens seen"),
    "flops": Variable(("obs",), "FLOP", "training FLOPs spent, exact count"),
    "lr": Variable(("obs",), "1", "learning rate of the next update"),
    "loss": Variable(("obs",), "nats/token", "held-out loss, natural log", required=True),
    "noise_trace": Variable(("obs",), "1", "trace of the mini-batch gradient covariance"),
    "noise_trace_preconditioned": Variable(
        ("obs",), "1", "trace of the mini-batch gradient covariance, by second moments and peak learning rates"
    ),
    "noise_trace_adaptive": Variable(
        ("obs",), "1", "trace of the mini-batch gradient covariance, by second moments that include each gradient"
    ),
    "gradient_norm": Variable(("obs",), "1", "root mean square norm of the mini-batch gradient, unclipped"),
    "update_size": Variable(("obs",), "1", "norm of the change of all parameters by the last update"),
    "attention_logit_max": Variable(("obs",), "1", "largest attention logit"),
    "output_logit_rms": Variable(("obs",), "1", "root mean square of the output logits"),
    "sharpness": Variable(("obs",), "1", "largest eigenvalue of the Hessian of the loss on a fixed mini-batch"),
}


def validate(ds: xr.Dataset) -> xr.Dataset:
    """Check that a Dataset is a family of measured runs and return it.

    Raises
    ------
    InputError
        Naming the variable that is missing, misplaced, of another unit, or inconsistent.
    """
    for name, spec in VARIABLES.items():
        if name not in ds:
            if spec.required:
                raise InputError(f"dataset: the variable {name} over {spec.dims} is missing; is this a family of runs?")
        elif ds[name].dims != spec.dims:
            raise InputError(f"dataset: {name} has dimensions {ds[name].dims}: must be {spec.dims}")
    if "run" not in ds.coords or len(set(ds["run"].values.tolist())) != ds.sizes["run"]:
        raise InputError("dataset: the coordinate run must hold one distinct name per run")
    if int(ds["row_size"].sum()) != ds.sizes["obs"] or bool((ds["row_size"] < 1).any()):
        raise InputError("dataset: row_size must be positive and add up to the length of obs")
    unknown = set(ds["group"].values.tolist()) - set(GROUPS)
    if unknown:
        raise InputError(f"dataset: group holds {sorted(unknown)}: must be among {', '.join(GROUPS)}")
    _check_loss_unit(ds)
    if not np.all(np.isfinite(ds["step"].values)):
        raise InputError("dataset: step must be finite")
    return ds


def _check_loss_unit(ds: xr.Dataset) -> None:
    unit, declared = ds["loss"].attrs.get("units"), ds.attrs.get("loss_unit", "nats/token")
    if unit not in LOSS_UNITS:
        raise InputError(f"dataset: loss is in {unit!r}: must be in nats/token, or in 1 for a mean squared error")
    if unit != declared:
        raise InputError(f"dataset: loss is in {unit!r} and the attribute loss_unit says {declared!r}: must agree")
