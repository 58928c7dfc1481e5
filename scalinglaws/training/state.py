"""What changes while a run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.model import Transformer
from scalinglaws.training.optimizer import adamw
from scalinglaws.training.parameterization import initialize, rules
from scalinglaws.training.planning import Plan

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
    status
        "partial" until the run has ended "finished" or "diverged".
    """

    model: Transformer
    optimizer: torch.optim.Optimizer
    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    status: str = "partial"


def start(config: TrainConfig, plan: Plan) -> State:
    """Build the model and its optimizer at step 0."""
    table = rules(config)
    model = Transformer(plan.shape, output_scale=table["head"].forward)
    initialize(model, table, config.seed)
    return State(model=model, optimizer=adamw(model, config, table))
