"""A small decoder-only transformer: pre-norm blocks, no biases, no gains, an untied read-out.

Without gains every parameter belongs to the embedding, attention, MLP or head, and counts are exact.
Attention logits are scaled by 1/sqrt(head_dim): the family widens by adding heads of a fixed size, and at a
fixed head_dim the 1/head_dim of muP (arXiv 2203.03466) differs from it by a constant only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalinglaws.training.counting import ModelShape
from scalinglaws.training.network import Network

__all__ = ["Attention", "Transformer"]

_ROTARY_BASE = 10_000.0


def _norm(x: Tensor) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), eps=1e-6)


class _Rotary(nn.Module):
    """Rotary positions (arXiv 2104.09864): turn pairs of coordinates by an angle linear in the position."""

    cos: Tensor
    sin: Tensor

    def __init__(self, seq_len: int, head_dim: int) -> None:
        super().__init__()
        speed = _ROTARY_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        angle = torch.outer(torch.arange(seq_len, dtype=torch.float64), speed)
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    """Causal attention of one block."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads, self.qk_norm = shape.heads, shape.qk_norm
        self.rotary = _Rotary(shape.seq_len, shape.head_dim) if shape.positions == "rotary" else nn.Identity()
        self.inputs = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values by head, each of shape (batch, heads, length, head_dim)."""
        batch, length, width = x.shape
        split = self.inputs(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        query, key = self.rotary(query), self.rotary(key)
        if self.qk_norm:
            query, key = _norm(query), _norm(key)
        return query, key, value

    def forward(self, x: Tensor) -> Tensor:
        """Map the normalised stream, shape (batch, length, width), to what is added to it."""
        batch, length, width = x.shape
        query, key, value = self.split(x)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return torch.as_tensor(self.output(mixed.transpose(1, 2).reshape(batch, length, width)))


class _MLP(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.inputs = nn.Linear(shape.width, shape.mlp_width, bias=False)
        self.output = nn.Linear(shape.mlp_width, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.output(functional.gelu(self.inputs(x))))


class _Block(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.attention, self.mlp = Attention(shape), _MLP(shape)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(_norm(x))
        return torch.as_tensor(x + self.mlp(_norm(x)))


class Transformer(Network):
    """Logits of the next token at every position.

    Parameters
    ----------
    shape
        Sizes of the model.
    output_scale
        Factor on the logits; the width-dependent part of the read-out under muP.

    Examples
    --------
    >>> shape = ModelShape(vocab=11, width=8, depth=1, head_dim=4, mlp_width=16, seq_len=5)
    >>> model = Transformer(shape)
    >>> model(torch.zeros(2, 5, dtype=torch.long)).shape
    torch.Size([2, 5, 11])
    """

    def __init__(self, shape: ModelShape, output_scale: float = 1.0) -> None:
        super().__init__()
        self.output_scale = output_scale
        self.embedding = nn.Embedding(shape.vocab, shape.width)
        learned = shape.positions == "learned"
        self.positions = nn.Embedding(shape.seq_len, shape.width) if learned else None
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.depth))
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens, shape (batch, length), to logits, shape (batch, length, vocab)."""
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions.weight[: tokens.shape[-1]]
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.head(_norm(x)) * self.output_scale)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of `targets` in nats per token; both arguments of shape (batch, length)."""
        logits = self(tokens)
        return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))

    def groups(self) -> dict[str, list[Tensor]]:
        """Return the parameters by the group they are counted under."""
        embeddings = [self.embedding] if self.positions is None else [self.embedding, self.positions]
        blocks = [block for block in self.blocks if isinstance(block, _Block)]
        return {
            "embedding": [module.weight for module in embeddings],
            "attention": [p for block in blocks for p in block.attention.parameters()],
            "mlp": [p for block in blocks for p in block.mlp.parameters()],
            "head": [self.head.weight],
        }
