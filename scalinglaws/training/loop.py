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
from scalinglaws.training.devices import Device
from scalinglaws.training.measure import Probe
from scalinglaws.training.network import Network
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.planning import Plan
from scalinglaws.training.state import State, start
from scalinglaws.training.tasks import task_of
from scalinglaws.training.throughput import peak_flops

__all__ = ["evaluate", "run_loop", "update"]

_EVALUATION_TOKENS = 8192
"""Tokens per forward pass of an evaluation: large enough for full speed, small enough for the cache."""


def run_loop(
    config: TrainConfig, corpus: Any, plan: Plan, checkpoint: Checkpoint, device: Device, tell: Callable[[State], None]
) -> State:
    """Train from the checkpoint, or from the start, to the end or to divergence.

    Parameters
    ----------
    corpus
        What the task learns from, as its `load` returns it.
    tell
        Called after every update.
    """
    task, state = task_of(config), start(config, plan, device)
    state.peak = peak_flops(device.where, device.dtype(state.model), config.threads)
    checkpoint.restore(state)
    batches, heldout = task.batches(config, corpus), device.put(task.heldout(config, corpus))
    due, probe = frozenset(plan.evaluations), Probe(config, corpus, plan)
    size = config.microbatch or config.batch
    first, targets = batches(0)
    device.warm_up(state.model, state.loss, device.put((first[:size], targets[:size])))
    state.clock.start()
    while state.status == "partial":
        _measure(state, due, heldout, probe)
        checkpoint.keep(state)
        state.clock.lap("keeping")
        if state.status == "partial" and state.step < plan.steps:
            probe.before_update(state)
            state.clock.lap("measurement")
            set_rate(state.optimizer, float(plan.schedule(state.step)))
            update(state, *device.put(batches(state.step)), clip=config.clip, microbatch=config.microbatch)
            state.clock.lap("update")
        elif state.status == "partial":
            state.status = "finished"
        tell(state)
        state.clock.start()
    return state


def update(
    state: State, inputs: Tensor, targets: Tensor, *, clip: float | None, microbatch: int | None = None
) -> float:
    """Make one update and return the loss before it; one that is not finite leaves the weights alone and ends the run.

    Parameters
    ----------
    inputs, targets
        The batch, on the device of the run.
    clip
        Largest norm of the gradient.
    microbatch
        Examples per forward pass, a divisor of the batch; None for all at once.
    """
    size = microbatch or len(inputs)
    share = size / len(inputs)
    losses = []
    state.optimizer.zero_grad(set_to_none=True)
    for x, y in zip(torch.split(inputs, size), torch.split(targets, size), strict=True):
        part = state.loss(x, y)
        (part * share if share < 1.0 else part).backward()  # type: ignore[no-untyped-call]
        losses.append(part.detach())
    # The weights must not move before the losses are known to be finite, so a GPU is waited for once in every update.
    # All forward and backward passes are queued by then: what it idles is the time to queue the optimizer's kernels.
    mean = math.fsum(torch.stack(losses).tolist()) * share
    if not math.isfinite(mean):
        state.status = "diverged"
        return mean
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip)
    state.optimizer.step()
    state.step += 1
    return mean


def evaluate(model: Network, inputs: Tensor, targets: Tensor) -> float:
    """Mean loss over the held-out set, in the precision of the weights."""
    rows = max(_EVALUATION_TOKENS // inputs.shape[1], 1)
    parts = list(zip(torch.split(inputs, rows), torch.split(targets, rows), strict=True))
    with torch.inference_mode():
        losses = torch.stack([model.loss(x, y) for x, y in parts]).tolist()  # a GPU is waited for once
    return float(sum(loss * len(x) for loss, (x, _) in zip(losses, parts, strict=True)) / len(inputs))


def _measure(state: State, due: frozenset[int], heldout: tuple[Tensor, Tensor], probe: Probe) -> None:
    measured = state.curve[-1][0] if state.curve else -1
    if state.step not in due or state.step <= measured:
        return
    state.device.synchronize()
    state.clock.lap("update")  # what was left of the last one in the queue of the device
    loss = evaluate(state.model, *heldout)
    state.clock.lap("evaluation")
    if math.isfinite(loss):
        state.curve.append((state.step, loss))
        state.measured.append(probe(state))
        state.clock.lap("measurement")
    else:
        state.status = "diverged"
