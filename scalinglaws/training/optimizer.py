"""AdamW with one parameter group per counted group, and the schedule's rate put into all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.network import Network
from scalinglaws.training.parameterization import Rule

__all__ = ["adamw", "set_rate"]


def adamw(model: Network, config: TrainConfig, table: Mapping[str, Rule]) -> torch.optim.AdamW:
    """Build the optimizer; `scale` in each group is its factor on the schedule's rate."""
    groups = [
        {
            "params": parameters,
            "name": group,
            "scale": table[group].rate,
            "weight_decay": config.weight_decay * table[group].decay,
        }
        for group, parameters in model.groups().items()
    ]
    # fused: one pass over each tensor; on small models the plain loop spends most of its time in Python
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next update: `rate` times each group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
