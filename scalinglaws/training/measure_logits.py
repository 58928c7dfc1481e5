"""How large logits grow: watched during forward passes that happen anyway.

- `attention_logit_max`: largest entry before the softmax of attention, over layers, heads and pairs that the causal
  mask allows. Growth without bound goes before the divergence of large models (arXiv 2309.14322).
- `output_logit_rms`: root mean square of the output logits over positions and the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from scalinglaws.training.model import Attention, Transformer
from scalinglaws.training.network import Network

__all__ = ["Logits", "watch_logits"]


class Logits:
    """What the forward passes of a watched model showed so far."""

    def __init__(self) -> None:
        self._largest: list[Tensor] = []  # left on the device until asked for: reading an entry would wait for it
        self._squares, self._count = 0.0, 0

    def see_attention(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Look at the attention logits of one block."""
        assert isinstance(module, Attention)
        with torch.no_grad():
            query, key, _ = module.split(inputs[0])
            masked = torch.ones(key.shape[-2], key.shape[-2], dtype=torch.bool, device=key.device).triu(1)
            for q, k in zip(query, key, strict=True):  # one sequence at a time: the square of its length is held
                scores = (q @ k.mT) * q.shape[-1] ** -0.5
                self._largest.append(scores.masked_fill_(masked, -math.inf).amax())

    def see_output(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        """Look at the output logits."""
        self._squares += float(torch.linalg.vector_norm(output.detach(), dtype=torch.float64)) ** 2
        self._count += output.numel()

    def measured(self) -> dict[str, float]:
        """Return both measurements, or none if no logits were seen."""
        if self._count == 0:
            return {}
        return {
            "attention_logit_max": float(torch.stack(self._largest).max()),
            "output_logit_rms": math.sqrt(self._squares / self._count),
        }


@contextmanager
def watch_logits(model: Network) -> Iterator[Logits]:
    """Watch every forward pass of the model inside the block; a network other than a transformer has no logits."""
    seen = Logits()
    hooks = [m.register_forward_pre_hook(seen.see_attention) for m in model.modules() if isinstance(m, Attention)]
    if isinstance(model, Transformer):
        hooks.append(model.register_forward_hook(seen.see_output))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
