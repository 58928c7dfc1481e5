"""The training loop: update, measure, keep a checkpoint, say how far it is.

A loss that is not finite ends the run with the status "diverged" and the curve up to there: a fact about the
run, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scalinglaws.training.checkpoint import Checkpoint
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.measure import Probe
from scalinglaws.training.network import Network
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.planning import Plan
from scalinglaws.training.state import State, start
from scalinglaws.training.tasks import task_of

__all__ = ["evaluate", "run_loop", "update"]

_EVALUATION_TOKENS = 8192
"""Tokens per forward pass of an evaluation: large enough for full speed, small enough for the cache."""


def run_loop(
    config: TrainConfig, corpus: Any, plan: Plan, checkpoint: Checkpoint, tell: Callable[[float], None]
) -> State:
    """Train from the checkpoint, or from the start, to the end or to divergence.

    Parameters
    ----------
    corpus
        What the task learns from, as its `load` returns it.
    tell
        Called after every update with the FLOPs spent so far, evaluations included.
    """
    task, state = task_of(config), start(config, plan)
    checkpoint.restore(state)
    batches, heldout = task.batches(config, corpus), task.heldout(config, corpus)
    due, probe = frozenset(plan.evaluations), Probe(config, corpus, plan)
    while state.status == "partial":
        _measure(state, due, heldout, probe)
        checkpoint.keep(state)
        if state.status == "partial" and state.step < plan.steps:
            set_rate(state.optimizer, float(plan.schedule(state.step)))
            probe.before_update(state)
            update(state, *batches(state.step), clip=config.clip)
        elif state.status == "partial":
            state.status = "finished"
        tell(plan.work(state.step))
    return state


def update(state: State, tokens: Tensor, targets: Tensor, *, clip: float | None) -> None:
    """Make one update; a loss that is not finite leaves the weights alone and ends the run."""
    loss = state.model.loss(tokens, targets)
    if not math.isfinite(loss.item()):
        state.status = "diverged"
        return
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip)
    state.optimizer.step()
    state.step += 1


def evaluate(model: Network, tokens: Tensor, targets: Tensor) -> float:
    """Mean loss over the held-out set."""
    rows = max(_EVALUATION_TOKENS // tokens.shape[1], 1)
    total = 0.0
    with torch.inference_mode():
        for x, y in zip(torch.split(tokens, rows), torch.split(targets, rows), strict=True):
            total += model.loss(x, y).item() * len(x)
    return total / len(tokens)


def _measure(state: State, due: frozenset[int], heldout: tuple[Tensor, Tensor], probe: Probe) -> None:
    measured = state.curve[-1][0] if state.curve else -1
    if state.step not in due or state.step <= measured:
        return
    loss = evaluate(state.model, *heldout)
    if math.isfinite(loss):
        state.curve.append((state.step, loss))
        state.measured.append(probe(state))
    else:
        state.status = "diverged"
