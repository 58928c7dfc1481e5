"""How much memory a run of the transformer needs, by count: weights, what AdamW keeps, what a forward pass saves."""

from __future__ import annotations

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.counting import ModelShape
from scalinglaws.training.planning import Plan

__all__ = ["memory_bytes", "saved_bytes"]

_STATE_BYTES = 16
"""Of every parameter: weight, gradient and two moments, in float32."""

_SAVED = {"float32": (45.0, 8.0, 7.0, 4.0), "bfloat16": (28.0, 4.5, 9.0, 4.0)}
"""Bytes saved for the backward pass: by block and width, block and MLP width, width, entry of the vocabulary."""


def saved_bytes(shape: ModelShape, precision: str = "float32") -> float:
    """Count what a forward pass keeps for the backward pass, in bytes per token, attention being a fused kernel.

    Examples
    --------
    >>> shape = ModelShape(vocab=256, width=64, depth=3, head_dim=16, mlp_width=256, seq_len=128)
    >>> saved_bytes(shape) > 1.5 * saved_bytes(shape, "bfloat16")
    True
    """
    by_width, by_mlp, around, by_vocab = _SAVED[precision]
    blocks = shape.depth * (by_width * shape.width + by_mlp * shape.mlp_width)
    return blocks + around * shape.width + by_vocab * shape.vocab


def memory_bytes(config: TrainConfig, plan: Plan) -> float | None:
    """Estimate the memory of a run in bytes; None for a network other than a transformer.

    Kernels' working space, fragmentation and the libraries themselves (about half a gigabyte on a GPU) come on top.

    Examples
    --------
    >>> from scalinglaws.training import plan
    >>> runs = [TrainConfig(width=128, batch=64, microbatch=size, tokens=10**6) for size in (64, 8)]
    >>> [round(memory_bytes(run, plan(run)) / 2**20) for run in runs]
    [272, 43]
    """
    if plan.shape is None:
        return None
    tokens = (config.microbatch or config.batch) * config.seq_len
    logits = 2 * 4.0 * plan.shape.vocab  # their gradient, and that of their logarithms
    return _STATE_BYTES * sum(plan.params.values()) + tokens * (saved_bytes(plan.shape, config.precision) + logits)
