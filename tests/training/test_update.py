"""Updates: accumulated gradients, and what happens when a loss is not finite."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from scalinglaws.training import plan, train
from scalinglaws.training.loop import update
from scalinglaws.training.state import start
from scalinglaws.training.tasks import task_of


def after_one_update(config):
    """The state after an update at rate zero, so that the gradient is still at hand, and the loss it returned."""
    corpus = task_of(config).load(config)
    state = start(config, plan(config, corpus))
    batch = task_of(config).batches(config, corpus)(0)
    return state, update(state, *batch, clip=None, microbatch=config.microbatch), batch


@pytest.mark.parametrize("microbatch", [1, 2, 4])
def test_accumulated_gradient_is_that_of_the_whole_batch(tiny, microbatch):
    config = replace(tiny, parameterization="standard")
    state, loss, batch = after_one_update(replace(config, microbatch=microbatch))
    whole = start(config, plan(config))
    expected = whole.model.loss(*batch)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    for found, wanted in zip(state.model.parameters(), whole.model.parameters(), strict=True):
        assert (found.grad - wanted.grad).norm() <= 1e-6 * wanted.grad.norm()


def test_a_run_in_parts_follows_the_whole_one(tiny):
    whole, parts = train(tiny), train(replace(tiny, microbatch=1))
    np.testing.assert_allclose(parts.loss, whole.loss, rtol=1e-4)
    assert not np.array_equal(parts.loss, whole.loss)  # the sums are rounded differently: it is another description
    assert np.array_equal(parts.flops, whole.flops)


def test_one_part_that_is_not_finite_moves_no_weight(tiny):
    config = replace(tiny, microbatch=1)
    corpus = task_of(config).load(config)
    state = start(config, plan(config, corpus))
    state.optimizer.param_groups[0]["lr"] = 1.0
    before = [p.detach().clone() for p in state.model.parameters()]
    parts = iter([1.0, 1.0, math.inf, 1.0])
    honest = state.loss
    state.loss = lambda x, y: honest(x, y) * next(parts)
    assert not math.isfinite(update(state, *task_of(config).batches(config, corpus)(0), clip=1.0, microbatch=1))
    assert (state.status, state.step) == ("diverged", 0)
    assert all(torch.equal(p, b) for p, b in zip(state.model.parameters(), before, strict=True))


def test_a_diverging_run_in_parts_is_a_status(tiny):
    config = replace(tiny, parameterization="standard", peak_lr=1e30, warmup=0.0, clip=1e30, microbatch=2)
    ds = train(config)
    assert ds.status.values.tolist() == ["diverged"]
    assert np.all(np.isfinite(ds.loss))
