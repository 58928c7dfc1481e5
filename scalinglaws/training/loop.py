"""The training loop: update, measure, keep a checkpoint, say how far it is.

A loss that is not finite ends the run with the status "diverged" and the curve up to there: a fact about the
run, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from scalinglaws.training.batches import Batches, heldout_windows
from scalinglaws.training.checkpoint import Checkpoint
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.corpus import Corpus
from scalinglaws.training.model import Transformer
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.planning import Plan
from scalinglaws.training.state import State, start

__all__ = ["evaluate", "run_loop", "update"]

_EVALUATION_TOKENS = 8192
"""Tokens per forward pass of an evaluation: large enough for full speed, small enough for the cache."""


def run_loop(
    config: TrainConfig, corpus: Corpus, plan: Plan, checkpoint: Checkpoint, tell: Callable[[float], None]
) -> State:
    """Train from the checkpoint, or from the start, to the end or to divergence.

    Parameters
    ----------
    tell
        Called after every update with the FLOPs spent so far, evaluations included.
    """
    state = start(config, plan)
    checkpoint.restore(state)
    batches = Batches(corpus.train, seq_len=config.seq_len, batch=config.batch, seed=config.seed)
    heldout = heldout_windows(corpus, seq_len=config.seq_len, tokens=config.eval_tokens)
    due = frozenset(plan.evaluations)
    while state.status == "partial":
        _measure(state, due, heldout)
        checkpoint.keep(state)
        if state.status == "partial" and state.step < plan.steps:
            set_rate(state.optimizer, float(plan.schedule(state.step)))
            update(state, *batches(state.step), clip=config.clip)
        elif state.status == "partial":
            state.status = "finished"
        tell(plan.work(state.step))
    return state


def update(state: State, tokens: Tensor, targets: Tensor, *, clip: float) -> None:
    """Make one AdamW update; a loss that is not finite leaves the weights alone and ends the run."""
    loss = state.model.loss(tokens, targets)
    if not math.isfinite(loss.item()):
        state.status = "diverged"
        return
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip)
    state.optimizer.step()
    state.step += 1


def evaluate(model: Transformer, tokens: Tensor, targets: Tensor) -> float:
    """Mean loss over the held-out set in nats per token."""
    rows = max(_EVALUATION_TOKENS // tokens.shape[1], 1)
    total = 0.0
    with torch.inference_mode():
        for x, y in zip(torch.split(tokens, rows), torch.split(targets, rows), strict=True):
            total += model.loss(x, y).item() * len(x)
    return total / len(tokens)


def _measure(state: State, due: frozenset[int], heldout: tuple[Tensor, Tensor]) -> None:
    measured = state.curve[-1][0] if state.curve else -1
    if state.step not in due or state.step <= measured:
        return
    loss = evaluate(state.model, *heldout)
    if math.isfinite(loss):
        state.curve.append((state.step, loss))
    else:
        state.status = "diverged"
