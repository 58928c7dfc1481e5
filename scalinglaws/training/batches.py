"""Which tokens an update sees: windows of the training stream, each visited once, in an order fixed by the seed.

The position in the data is a function of the seed and the step alone, so a resumed run needs no record of it.
Runs of different size under one seed see the same windows in the same order, which takes the noise of the data
out of comparisons between them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scalinglaws.training.corpus import Corpus, Tokens, count_windows

__all__ = ["Batches", "heldout_windows", "take"]


def take(tokens: Tokens, windows: NDArray[np.int64], seq_len: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of the numbered windows, each of shape (windows, seq_len)."""
    rows = np.stack([tokens[w * seq_len : (w + 1) * seq_len + 1] for w in windows]).astype(np.int64)
    both = torch.from_numpy(rows)
    return both[:, :-1].contiguous(), both[:, 1:].contiguous()


class Batches:
    """The batch of every update.

    Parameters
    ----------
    tokens
        The training stream.
    seq_len, batch
        Tokens per sequence and sequences per update.
    seed
        Fixes the order.
    """

    def __init__(self, tokens: Tokens, *, seq_len: int, batch: int, seed: int) -> None:
        self._tokens, self._seq_len, self._batch = tokens, seq_len, batch
        self._order = np.random.default_rng(seed).permutation(count_windows(tokens, seq_len))

    def windows(self, step: int) -> NDArray[np.int64]:
        """Numbers of the windows of update `step`."""
        return np.asarray(self._order[step * self._batch : (step + 1) * self._batch])

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of update `step`, each of shape (batch, seq_len)."""
        return take(self._tokens, self.windows(step), self._seq_len)


def heldout_windows(corpus: Corpus, *, seq_len: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Return the fixed held-out set: windows spread evenly over the held-out stream, `tokens` in all."""
    available = count_windows(corpus.heldout, seq_len)
    wanted = max(min(tokens // seq_len, available), 1)
    return take(corpus.heldout, np.arange(wanted, dtype=np.int64) * available // wanted, seq_len)
