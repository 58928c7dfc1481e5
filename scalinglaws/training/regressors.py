"""Networks with one real output, trained by their mean squared error (no factor 1/2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalinglaws.training.network import Network

__all__ = ["LinearModel", "ResidualMLP"]


class LinearModel(Network):
    """Inner product of features and parameters, in double precision, starting at zero.

    Parameters
    ----------
    features
        Number of parameters.

    Examples
    --------
    >>> model = LinearModel(3)
    >>> model.loss(torch.ones(2, 3, dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64)).item()
    5.0
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(features, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map features, shape (batch, features), to predictions, shape (batch,)."""
        return torch.as_tensor(inputs @ self.theta)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of a batch."""
        return functional.mse_loss(self(inputs), targets)

    def groups(self) -> dict[str, list[Tensor]]:
        """Return the parameters, all of them a read-out."""
        return {"head": [self.theta]}


class ResidualMLP(Network):
    """An affine embedding, residual blocks h + W gelu(norm(h)), and a read-out of norm(h); norms without gains.

    The embedding alone has a bias: without it the first norm would forget the length of the input.

    Parameters
    ----------
    inputs, width, depth
        Dimension of the input, size of the residual stream, number of blocks.
    output_scale
        Factor on the output; the width-dependent part of the read-out under muP.

    Examples
    --------
    >>> ResidualMLP(inputs=8, width=16, depth=5)(torch.zeros(4, 8)).shape
    torch.Size([4])
    """

    def __init__(self, *, inputs: int, width: int, depth: int, output_scale: float = 1.0) -> None:
        super().__init__()
        self.output_scale = output_scale
        self.embedding = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.head = nn.Linear(width, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs, shape (batch, inputs), to predictions, shape (batch,)."""
        h = self.embedding(inputs)
        for block in self.blocks:
            h = h + block(functional.gelu(_norm(h)))
        return torch.as_tensor(self.head(_norm(h))[:, 0] * self.output_scale)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of a batch."""
        return functional.mse_loss(self(inputs), targets)

    def groups(self) -> dict[str, list[Tensor]]:
        """Return the parameters by the group they are counted under."""
        return {
            "embedding": list(self.embedding.parameters()),
            "mlp": list(self.blocks.parameters()),
            "head": [self.head.weight],
        }


def _norm(x: Tensor) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), eps=1e-6)
