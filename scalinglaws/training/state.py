"""What changes while a run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.network import Network
from scalinglaws.training.planning import Plan
from scalinglaws.training.tasks import task_of

__all__ = ["State", "start"]


@dataclass(slots=True)
class State:
    """A run in progress.

    Attributes
    ----------
    model, optimizer
        Changed in place by every update.
    step
        Updates done.
    curve
        Pairs of step and held-out loss so far.
    measured
        What was measured besides, by name, at each point of the curve.
    status
        "partial" until the run has ended "finished" or "diverged".
    """

    model: Network
    optimizer: torch.optim.Optimizer
    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    measured: list[dict[str, float]] = field(default_factory=list)
    status: str = "partial"


def start(config: TrainConfig, plan: Plan) -> State:
    """Build the model and its optimizer at step 0."""
    model, optimizer = task_of(config).build(config, plan)
    return State(model=model, optimizer=optimizer)
