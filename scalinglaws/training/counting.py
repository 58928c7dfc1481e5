"""Exact parameters and FLOPs of the transformer, by group, so that conventions are chosen at analysis time.

FLOPs count matrix products only, two per multiply-add. `scores` is the attention matrix and its product
with the values under the causal mask: position t attends to t + 1 keys, so a token costs
4 * width * (seq_len + 1) / 2 in each block (half of what a dense square would). Training costs three times the
forward pass: the backward pass forms a gradient for the input and one for the weights of every product.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelShape", "count_flops", "count_params"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The numbers that fix the transformer.

    Parameters
    ----------
    vocab
        Tokens in the vocabulary.
    width, depth, head_dim, mlp_width
        Size of the residual stream, number of blocks, size of one head, hidden size of the MLP.
    seq_len
        Longest sequence.
    positions
        "rotary" or "learned".
    qk_norm
        Whether queries and keys are normalised.
    """

    vocab: int
    width: int
    depth: int
    head_dim: int
    mlp_width: int
    seq_len: int
    positions: str = "rotary"
    qk_norm: bool = False

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return self.width // self.head_dim


def count_params(shape: ModelShape) -> dict[str, int]:
    """Count the parameters by group.

    Examples
    --------
    >>> shape = ModelShape(vocab=256, width=64, depth=3, head_dim=16, mlp_width=256, seq_len=128)
    >>> count_params(shape)
    {'embedding': 16384, 'attention': 49152, 'mlp': 98304, 'head': 16384}
    """
    positions = shape.seq_len * shape.width if shape.positions == "learned" else 0
    return {
        "embedding": shape.vocab * shape.width + positions,
        "attention": shape.depth * 4 * shape.width**2,
        "mlp": shape.depth * 2 * shape.width * shape.mlp_width,
        "head": shape.vocab * shape.width,
    }


def count_flops(shape: ModelShape) -> dict[str, float]:
    """Count the training FLOPs per token by group, forward and backward.

    Examples
    --------
    >>> shape = ModelShape(vocab=256, width=64, depth=3, head_dim=16, mlp_width=256, seq_len=128)
    >>> count_flops(shape)["mlp"] == 6 * count_params(shape)["mlp"]
    True
    """
    params = count_params(shape)
    scores = shape.depth * 4 * shape.width * (shape.seq_len + 1) / 2
    return {
        "attention": 6.0 * params["attention"],
        "scores": 3.0 * scores,
        "mlp": 6.0 * params["mlp"],
        "head": 6.0 * params["head"],
    }
