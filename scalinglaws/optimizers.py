"""Optimizers as frozen specs, and what they become for a given model: a rate and a batch at every step.

`SGD(lr=0.3)` is a constant rate, `SGD(lr=schedules.cosine(...))` a schedule, `SGD(lr=relative_lr(0.25))` a
rule that the model resolves. `SGD.resolve(model)` gives a `ResolvedSGD`, whose `rate(step)` is always the
rate that multiplies the gradient *summed* over the batch; simulation and theory read nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.schedules import Schedule, constant

__all__ = ["SGD", "BatchSchedule", "RelativeRate", "ResolvedSGD", "relative_lr"]


class HasTrace(Protocol):
    """What a relative rate needs from a model."""

    @property
    def trace(self) -> float:
        """Expected trace of the feature covariance."""
        ...


@dataclass(frozen=True, slots=True)
class BatchSchedule:
    """A batch size that changes at given steps.

    Parameters
    ----------
    steps
        Steps from which the sizes hold, starting at 0 and increasing.
    sizes
        Batch size from the step of the same place on, integers >= 1.

    Examples
    --------
    >>> batch = BatchSchedule((0, 1000), (8, 64))
    >>> batch([0, 999, 1000, 10**9])
    array([ 8,  8, 64, 64])
    """

    steps: tuple[int, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        steps = tuple(_whole("batch steps", step, 0) for step in self.steps)
        sizes = tuple(_whole("batch", size, 1) for size in self.sizes)
        require(len(steps) == len(sizes) > 0, "batch", (self.steps, self.sizes), "needs one size for each step")
        increasing = steps[0] == 0 and all(a < b for a, b in pairwise(steps))
        require(increasing, "batch steps", steps, "must start at 0 and increase")
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "sizes", sizes)

    def __call__(self, step: ArrayLike) -> NDArray[np.int64]:
        """Batch size of the update from `step` to `step + 1`, shaped like `step`."""
        place = np.searchsorted(np.asarray(self.steps), np.asarray(step), side="right") - 1
        return np.asarray(np.asarray(self.sizes, dtype=np.int64)[place])

    def samples(self, step: ArrayLike) -> NDArray[np.float64]:
        """Count the samples used by the first `step` updates (float64: exact up to 2^53).

        Examples
        --------
        >>> BatchSchedule((0, 10), (1, 4)).samples([0, 10, 12])
        array([ 0., 10., 18.])
        """
        t = np.asarray(step, dtype=np.float64)[..., None]
        edges = np.append(np.asarray(self.steps, dtype=np.float64), np.inf)
        spent = np.clip(t, edges[:-1], edges[1:]) - edges[:-1]
        return np.asarray(spent @ np.asarray(self.sizes, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class RelativeRate:
    """The rate `scale / (batch * trace)`: stable at any size, also where the trace grows with the model.

    `scale` may be a schedule. The rule is about the summed gradient, so it gives the same update whichever
    `reduction` the optimizer uses; with a batch schedule the rate follows the batch.
    """

    scale: Schedule


def relative_lr(scale: float | Schedule) -> RelativeRate:
    """Set the rate to `scale / (batch * sum_j j^(-2 alpha))`, resolved by the model.

    Examples
    --------
    >>> from scalinglaws.models import PLRF
    >>> model = PLRF(alpha=0.4, beta=1.0, d=400, v=4000)
    >>> bool(SGD(lr=relative_lr(0.5), batch=2).resolve(model).rate(0) * 2 * model.trace == 0.5)
    True
    """
    return RelativeRate(_rate_schedule("scale", scale))


@dataclass(frozen=True, slots=True)
class SGD:
    """One-pass stochastic gradient descent on the loss 1/2 (prediction - target)^2 of each sample.

    The update is theta <- theta - lr * sum over the batch of features * (prediction - target); with
    reduction="mean" the sum is divided by the batch size.

    Parameters
    ----------
    lr
        A rate >= 0, a `Schedule`, or `relative_lr(scale)`.
    batch
        Samples per update: an integer >= 1, a `BatchSchedule`, or a mapping {step: size} that starts at step
        0.
    reduction
        "sum" or "mean" over the batch.

    Raises
    ------
    InputError
        If a rate is negative or not finite, a batch not a whole number, or the reduction unknown.

    Examples
    --------
    >>> SGD(lr=0.3, batch=4, reduction="mean") == SGD.from_dict(SGD(0.3, 4, "mean").to_dict())
    True
    >>> SGD(lr=0.1, batch={0: 8, 1000: 64}).batch.sizes
    (8, 64)
    """

    lr: float | Schedule | RelativeRate
    batch: int | BatchSchedule = 1
    reduction: Literal["sum", "mean"] = "sum"

    def __post_init__(self) -> None:
        require(self.reduction in ("sum", "mean"), "reduction", self.reduction, "must be sum or mean")
        if not isinstance(self.lr, RelativeRate):
            _rate_schedule("lr", self.lr)
        if isinstance(self.batch, Mapping):
            object.__setattr__(self, "batch", BatchSchedule(tuple(self.batch), tuple(self.batch.values())))
        elif not isinstance(self.batch, BatchSchedule):
            object.__setattr__(self, "batch", _whole("batch", self.batch, 1))

    def resolve(self, model: HasTrace) -> ResolvedSGD:
        """Turn the spec into a rate and a batch at every step, for `model`."""
        batch = self.batch if isinstance(self.batch, BatchSchedule) else BatchSchedule((0,), (self.batch,))
        if isinstance(self.lr, RelativeRate):
            return ResolvedSGD(schedule=self.lr.scale, factor=1.0 / model.trace, per_sample=True, batch=batch)
        schedule = _rate_schedule("lr", self.lr)
        return ResolvedSGD(schedule=schedule, factor=1.0, per_sample=self.reduction == "mean", batch=batch)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        rate: Any = self.lr
        if isinstance(rate, RelativeRate):
            rate = {"relative": rate.scale.to_dict()}
        elif isinstance(rate, Schedule):
            rate = rate.to_dict()
        batch: Any = self.batch
        if isinstance(batch, BatchSchedule):
            batch = {"steps": list(batch.steps), "sizes": list(batch.sizes)}
        return {"optimizer": "SGD", "lr": rate, "batch": batch, "reduction": self.reduction}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild an optimizer from `to_dict`."""
        rate, batch = values.get("lr"), values.get("batch", 1)
        if rate is None:
            raise InputError(f"optimizer = {dict(values)!r}: needs the key lr")
        if isinstance(rate, Mapping):
            relative = "relative" in rate
            schedule = Schedule.from_dict(dict(rate["relative"] if relative else rate))
            rate = RelativeRate(schedule) if relative else schedule
        if isinstance(batch, Mapping) and set(batch) == {"steps", "sizes"}:
            batch = BatchSchedule(tuple(batch["steps"]), tuple(batch["sizes"]))
        return cls(lr=rate, batch=batch, reduction=values.get("reduction", "sum"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSGD:
    """The rate of the summed gradient and the batch size, as functions of the step.

    Parameters
    ----------
    schedule
        Rate before the factors below.
    factor
        Multiplies every rate.
    per_sample
        Whether the rate is also divided by the batch size of the step.
    batch
        Batch size of each step.
    """

    schedule: Schedule
    factor: float
    per_sample: bool
    batch: BatchSchedule

    def rate(self, step: ArrayLike) -> NDArray[np.float64]:
        """Rate multiplying the summed gradient in the update from `step` to `step + 1`."""
        rate = self.factor * self.schedule(step)
        return np.asarray(rate / self.batch(step) if self.per_sample else rate)

    def batch_at(self, step: ArrayLike) -> NDArray[np.int64]:
        """Batch size of the update from `step` to `step + 1`."""
        return self.batch(step)

    @property
    def is_constant(self) -> bool:
        """Whether rate and batch are the same at every step."""
        steady = self.schedule.shape == "constant" and self.schedule.warmup == 0
        return steady and len(self.batch.sizes) == 1


def _rate_schedule(name: str, rate: Any) -> Schedule:
    if isinstance(rate, Schedule):
        return rate
    number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    require(
        number and bool(np.isfinite(rate)) and rate >= 0,
        name,
        rate,
        "must be a finite rate >= 0 or a Schedule",
    )
    return constant(float(rate))


def _whole(name: str, value: Any, least: int) -> int:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    require(number and value >= least and value == np.floor(value), name, value, f"must be an integer >= {least}")
    return int(value)
