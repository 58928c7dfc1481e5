"""What the training loop asks of a network, whatever its task."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["Network"]


class Network(nn.Module, ABC):
    """A module that knows its own loss, and which of its parameters are counted under which group."""

    @abstractmethod
    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch; its examples lie along the first axis."""

    @abstractmethod
    def groups(self) -> dict[str, list[Tensor]]:
        """Return the parameters by the group they are counted under."""
