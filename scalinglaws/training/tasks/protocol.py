"""What a task is to the training loop: where its examples come from, what its network is, what both cost.

A task holds no state and imports torch only when a network or a batch is asked for, so that a run can be
described and planned without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from scalinglaws.training.config import TrainConfig
    from scalinglaws.training.counting import ModelShape
    from scalinglaws.training.network import Network
    from scalinglaws.training.planning import Plan

    Examples: TypeAlias = tuple[Tensor, Tensor]

__all__ = ["Data", "Size", "Task"]


class Data(Protocol):
    """What a run is trained on."""

    @property
    def label(self) -> str:
        """What the user called it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Text that changes when the data does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Exact counts of a run.

    Attributes
    ----------
    params, flops_per_token
        By group; FLOPs are for training. One sample of a regression is one token.
    evaluation_flops
        FLOPs of one evaluation.
    shape
        Sizes of the transformer; None for another network.
    """

    params: dict[str, int]
    flops_per_token: dict[str, float]
    evaluation_flops: float
    shape: ModelShape | None = None


D = TypeVar("D", bound=Data)


class Task(Protocol[D]):
    """A kind of problem to train on."""

    @property
    def name(self) -> str:
        """Its value of `TrainConfig.task`."""
        ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Values of `TrainConfig` where they differ from the declared defaults."""
        ...

    @property
    def fixed(self) -> Mapping[str, Any]:
        """The only values it accepts, for options that say nothing to it."""
        ...

    def check(self, config: TrainConfig) -> None:
        """Raise an `InputError` if an option, or the width, breaks a rule of the task."""
        ...

    def load(self, config: TrainConfig) -> D:
        """Find the data."""
        ...

    def check_horizon(self, config: TrainConfig, data: D, tokens: int) -> None:
        """Raise an `InputError` if the data cannot give that many tokens without repetition."""
        ...

    def size(self, config: TrainConfig, data: D) -> Size:
        """Count parameters and FLOPs."""
        ...

    def describe(self, data: D) -> dict[str, str]:
        """Attributes of the labelled curve that say what was learned, and in which unit the loss is."""
        ...

    def build(self, config: TrainConfig, plan: Plan) -> tuple[Network, torch.optim.Optimizer]:
        """Build the network at its initial weights, and its optimizer."""
        ...

    def batches(self, config: TrainConfig, data: D) -> Callable[[int], Examples]:
        """Return the function from the step to the inputs and targets of the update, random in neither."""
        ...

    def sampler(self, config: TrainConfig, data: D) -> Callable[[np.random.Generator], Examples]:
        """Return the function that draws one mini-batch, distributed as that of an update, from a generator."""
        ...

    def heldout(self, config: TrainConfig, data: D) -> Examples:
        """Return inputs and targets of the fixed held-out set."""
        ...
