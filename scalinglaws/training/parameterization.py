r"""How initial sizes and learning rates depend on width: one table per parameterization.

With $m$ = width / base_width and AdamW, "mup" follows Tensor Programs V (arXiv 2203.03466, Table 8) in the form
that keeps the read-out's rate and puts its width dependence into a factor on the logits:

=========== ================== ================ ============== ==============
group       initial deviation  rate             weight decay   forward factor
=========== ================== ================ ============== ==============
embedding   1                  embedding_rate   0              1
hidden      1/sqrt(fan_in)     1/m              m              1
head        0                  head_rate        1/head_rate    1/m
=========== ================== ================ ============== ==============

AdamW multiplies the weight decay by the rate, so the inverse factors keep their product, which sets how long the
decay remembers, the same everywhere. "standard" is this table with m = 1 at every width, and a read-out of
deviation 1/sqrt(fan_in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.network import Network

__all__ = ["Rule", "initialize", "rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a parameterization says about one group.

    Attributes
    ----------
    deviation
        Standard deviation of the initial entries; None stands for 1/sqrt(fan_in).
    rate, decay
        Factors on the schedule's learning rate and on the weight decay.
    forward
        Factor on the output of the layer.
    """

    deviation: float | None
    rate: float
    decay: float
    forward: float = 1.0


def rules(config: TrainConfig) -> dict[str, Rule]:
    """Return the rule of each parameter group.

    Examples
    --------
    >>> rules(TrainConfig(width=128, base_width=64))["mlp"]
    Rule(deviation=None, rate=0.5, decay=2.0, forward=1.0)
    """
    mup = config.parameterization == "mup"
    m = config.width / config.base_width if mup else 1.0
    hidden = Rule(deviation=None, rate=1.0 / m, decay=m)
    return {
        "embedding": Rule(deviation=1.0, rate=config.embedding_rate, decay=0.0),
        "attention": hidden,
        "mlp": hidden,
        "head": Rule(
            deviation=0.0 if mup else None,
            rate=config.head_rate,
            decay=1.0 / config.head_rate,
            forward=1.0 / m,
        ),
    }


def initialize(model: Network, table: Mapping[str, Rule], seed: int) -> None:
    """Draw the initial weights in place; the global generator is not touched."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for group, parameters in model.groups().items():
            for parameter in parameters:
                deviation = table[group].deviation
                if deviation is None:
                    deviation = parameter.shape[1] ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)
