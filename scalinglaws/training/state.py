"""What changes while a run goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.devices import Device, Loss, open_device
from scalinglaws.training.network import Network
from scalinglaws.training.planning import Plan
from scalinglaws.training.tasks import task_of
from scalinglaws.training.throughput import Clock

__all__ = ["State", "start"]


@dataclass(slots=True)
class State:
    """A run in progress.

    Attributes
    ----------
    model, optimizer
        Changed in place by every update; the model is on `device`.
    device
        Where it is computed.
    loss
        Mean loss of a batch as updates compute it; evaluations and measurements ask the model itself.
    step
        Updates done.
    curve
        Pairs of step and held-out loss so far.
    measured
        What was measured besides, by name, at each point of the curve.
    status
        "partial" until the run has ended "finished" or "diverged".
    peak
        FLOP/s of the device (`throughput.peak_flops`); NaN until measured.
    clock
        What the time went into, parts of the run before an interruption included.
    """

    model: Network
    optimizer: torch.optim.Optimizer
    device: Device
    loss: Loss
    step: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    measured: list[dict[str, float]] = field(default_factory=list)
    status: str = "partial"
    peak: float = math.nan
    clock: Clock = field(default_factory=Clock)


def start(config: TrainConfig, plan: Plan, device: Device | None = None) -> State:
    """Build the model and its optimizer at step 0, on the device of the run unless another is given."""
    device = device or open_device(config)
    model, optimizer = task_of(config).build(config, plan)
    model.to(device.where)  # the initial weights are drawn on the CPU: the same on every device
    return State(model=model, optimizer=optimizer, device=device, loss=device.training_loss(model))
