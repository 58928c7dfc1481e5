"""Integrate noise dynamics under a schedule: one labelled curve, or many schedules as an array."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from scalinglaws.curves.schema import SCHEMA
from scalinglaws.errors import InputError, require
from scalinglaws.kernels.noise import follow
from scalinglaws.kernels.noise_block import Physics, Spectrum
from scalinglaws.optimizers import SGD, BatchSchedule, RelativeRate
from scalinglaws.schedules import Schedule
from scalinglaws.steps import check_steps
from scalinglaws.theory.dynamics.panels import panels_of
from scalinglaws.theory.dynamics.rules import rules
from scalinglaws.theory.dynamics.spectrum import NoiseModel

__all__ = ["integrate", "sweep"]

Float = NDArray[np.float64]
Rate = SGD | Schedule | float
Batch = int | BatchSchedule | Mapping[int, int]

LAST = 2**53
"""Largest step: beyond it float64 does not count."""

_MEANING = {
    "risk": "E(prediction - target)^2, no factor 1/2, after `step` updates",
    "loss": "expected loss after `step` updates",
    "forcing": "what is left of the initial error, floor excluded",
    "noise": "what gradient noise has added",
    "floor": "what no parameters remove",
    "lr": "learning rate of the next update, for the gradient averaged over the batch",
    "tau": "gradient-flow time: sum of those rates over the updates done",
    "samples": "samples used so far",
    "noise_trace": "trace of the covariance of the next update's gradient, averaged over its batch",
    "status": "finished or diverged",
}


def integrate(
    modes: NoiseModel, opt: Rate, steps: ArrayLike, *, batch: Batch | None = None, rtol: float = 1e-9
) -> xr.Dataset:
    """Integrate the energies of all modes under a schedule of rates and batches.

    The treatment of discrete steps is exact: blocks of steps are solved by collocation of the difference
    equation, not of a differential one, and short stretches are done step by step. For modes that are a flow
    the steps are infinitesimal, and the rate of update t stands in the middle of t and t + 1.

    Parameters
    ----------
    modes
        From `plrf`, `quadratic`, `noisy_quadratic` or `functional`.
    opt
        An `SGD`; or a rate or a `Schedule` for the gradient averaged over the batch.
    steps
        Numbers of updates after which the result is given, increasing whole numbers >= 0; see `log_steps`.
    batch
        Samples per update where `opt` is a rate or a schedule: an integer (1 if not given), a `BatchSchedule`
        or a mapping {step: size} that starts at step 0.
    rtol
        Bound on the estimated error of each block, relative to what the parameters could still remove. The
        error of the whole curve stays below it too, as measured against every step.

    Returns
    -------
    Dataset over `step` with `risk` or `loss` = `floor` + `forcing` + `noise`, `lr`, `tau`, `samples`;
    `noise_trace` (Tr Sigma) where the model defines it; and `status`: "diverged" if the energy overflows (then
    `attrs["reason"]` is a sentence and the curve is infinite from there), else "finished".

    Raises
    ------
    InputError
        For steps that do not increase, an unknown `opt`, a batch given twice, or a `rtol` outside [1e-11, 0.01].

    References
    ----------
    Qiu et al., Scaling Collapse Reveals Universal Dynamics in Compute-Optimally Trained Neural Networks, arXiv
    2507.02119, equation (11), which is exact for the quadratic model.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.theory import dynamics
    >>> modes = dynamics.plrf(PLRF(alpha=1.0, beta=0.7, d=100), rng=0)
    >>> ds = dynamics.integrate(modes, schedules.wsd(0.3, 10_000), [8000, 10_000], batch=4)
    >>> ds["lr"].values, ds["tau"].values, bool(ds["noise"][1] < ds["noise"][0] / 3)
    (array([0.3, 0. ]), array([2400.  , 2700.15]), True)
    """
    at, sgd = _checked(modes, steps, rtol), _optimizer(opt, batch)
    resolved = sgd.resolve(_HasTrace(modes))
    sums, done = _follow(modes, sgd, at, rtol)
    sizes = resolved.batch_at(at).astype(np.float64)
    forcing, noise, weighted = sums[:, 0], sums[:, 1], sums[:, 2]
    values: dict[str, tuple[tuple[str, ...], ArrayLike]] = {
        modes.quantity: (("step",), modes.floor + forcing + noise),
        "forcing": (("step",), forcing),
        "noise": (("step",), noise),
        "floor": ((), modes.floor),
        "lr": (("step",), resolved.rate(at) * sizes),
        "tau": (("step",), sums[:, 3]),
        "samples": (("step",), resolved.batch.samples(at)),
        "status": ((), "finished" if done == at.size else "diverged"),
    }
    if modes.source_trace is not None:
        values["noise_trace"] = (("step",), modes.trace_along(forcing, noise, weighted, sizes))
    variables = {
        name: xr.Variable(dims, value, {"long_name": _MEANING[name]}) for name, (dims, value) in values.items()
    }
    ds = xr.Dataset(variables, {"step": ("step", at, {"units": "updates", "long_name": "updates done"})})
    ds.attrs = {
        "schema": SCHEMA,
        "version": version("scalinglaws"),
        "method": "flow" if modes.flow else "difference",
        "model": modes.spec,
        "optimizer": json.dumps(sgd.to_dict()),
    }
    if done < at.size:
        ds.attrs["reason"] = f"the energy overflowed before step {at[done]}: the rate is too large for too long"
    return ds


def sweep(
    modes: NoiseModel,
    opts: Sequence[Rate],
    steps: ArrayLike,
    *,
    batch: Batch | None = None,
    rtol: float = 1e-9,
) -> Float:
    """Integrate under many schedules, one after the other on the calling core.

    Parameters
    ----------
    modes, steps, batch, rtol
        As in `integrate`.
    opts
        Optimizers, schedules or rates.

    Returns
    -------
    Risk or loss, shape (opts, steps), infinite from where a run diverged.

    Raises
    ------
    InputError
        As `integrate`, or if `opts` is empty.

    Examples
    --------
    >>> from scalinglaws import schedules
    >>> from scalinglaws.models import PLRF
    >>> from scalinglaws.theory import dynamics
    >>> modes = dynamics.plrf(PLRF(alpha=1.0, beta=0.7, d=100, label_noise=0.01), rng=0)
    >>> cooldowns = [schedules.wsd(0.3, 10_000, decay=x) for x in (0.05, 0.2, 0.8)]
    >>> sweep(modes, cooldowns, [10_000]).round(6)
    array([[0.011056],
           [0.010828],
           [0.010745]])
    """
    require(len(opts) > 0, "opts", opts, "must hold at least one schedule")
    at = _checked(modes, steps, rtol)
    sums = (_follow(modes, _optimizer(opt, batch), at, rtol)[0] for opt in opts)
    return np.array([modes.floor + forcing + noise for forcing, noise, _, _ in (each.T for each in sums)])


class _HasTrace:
    """What a relative rate reads from the model."""

    def __init__(self, modes: NoiseModel) -> None:
        self._modes = modes

    @property
    def trace(self) -> float:
        if self._modes.trace is None:
            raise InputError("lr: a relative rate needs a model with a trace")
        return self._modes.trace


def _follow(modes: NoiseModel, sgd: SGD, at: NDArray[np.int64], rtol: float) -> tuple[Float, int]:
    """Collect sums over modes at every step, infinite where the run has diverged, and how many steps it reached."""
    last = int(at[-1])
    out = np.full((at.size, 4), np.inf)
    done = follow(
        Spectrum(modes.rates, modes.initial, modes.source),
        Physics(*modes.drive, modes.own, modes.flow),
        panels_of(sgd.resolve(_HasTrace(modes)), last),
        rules(last, flow=modes.flow),
        at.astype(np.float64),
        float(rtol),
        out,
    )
    return out, int(done)


def _checked(modes: Any, steps: ArrayLike, rtol: Any) -> NDArray[np.int64]:
    require(isinstance(modes, NoiseModel), "modes", modes, "must be a NoiseModel, for example from dynamics.plrf")
    number = isinstance(rtol, float) and 1e-11 <= rtol <= 1e-2
    require(number, "rtol", rtol, "must lie between 1e-11 and 0.01")
    at = check_steps(steps)
    require(int(at[-1]) < LAST, "steps", int(at[-1]), f"must be less than {LAST}")
    return at


def _optimizer(opt: Any, batch: Batch | None) -> SGD:
    if isinstance(opt, SGD):
        require(batch is None, "batch", batch, "is already part of the SGD")
        return opt
    rate = opt if isinstance(opt, Schedule | RelativeRate | int | float) else None
    require(rate is not None, "opt", opt, "must be an SGD, a Schedule or a rate")
    size: Any = 1 if batch is None else batch
    return SGD(lr=opt, batch=size, reduction="mean")
