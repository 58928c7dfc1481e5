from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from scalinglaws.training import ModelShape, TrainConfig, count_flops, count_params
from scalinglaws.training.model import Transformer
from scalinglaws.training.parameterization import initialize, rules
from tests.naive import training as naive

SHAPES = [
    ModelShape(vocab=11, width=12, depth=2, head_dim=4, mlp_width=24, seq_len=7, positions=positions, qk_norm=qk_norm)
    for positions, qk_norm in itertools.product(("rotary", "learned"), (False, True))
]


def _model(shape, output_scale=1.0):
    model = Transformer(shape, output_scale)
    initialize(model, rules(TrainConfig(parameterization="standard")), seed=3)
    return model


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_params_by_group_are_those_of_the_module(shape):
    model = _model(shape)
    counted = count_params(shape)
    assert counted == {group: sum(p.numel() for p in ps) for group, ps in model.groups().items()}
    assert sum(counted.values()) == sum(p.numel() for p in model.parameters())
    learned = shape.seq_len if shape.positions == "learned" else 0
    assert counted == naive.count_params(shape.vocab, shape.width, shape.depth, shape.mlp_width, learned)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_flops_are_those_torch_counts(shape):
    model = _model(shape)
    tokens = torch.randint(shape.vocab, (3, shape.seq_len))
    # the counter has no entry for the fused attention of CPUs; written out, its two products are counted
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        model.loss(tokens, tokens)
    flops = count_flops(shape)
    causal = naive.count_score_flops(shape.width, shape.depth, shape.seq_len)
    assert flops["scores"] * shape.seq_len / 3 == causal
    # torch counts the whole square of the attention matrix; under the mask (seq_len + 1)/(2 seq_len) of it is used
    square = flops["scores"] * 2 * shape.seq_len / (shape.seq_len + 1)
    expected = (flops["attention"] + flops["mlp"] + flops["head"] + square) / 3 * tokens.numel()
    assert forward.get_total_flops() == pytest.approx(expected, rel=1e-12)


def test_backward_costs_twice_the_forward():
    shape = SHAPES[0]
    model = _model(shape)
    tokens = torch.randint(shape.vocab, (3, shape.seq_len))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        loss = model.loss(tokens, tokens)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as backward:
        loss.backward()
    assert backward.get_total_flops() == 2 * forward.get_total_flops()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_is_the_definition(shape):
    model = _model(shape, output_scale=0.5)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(shape.vocab, size=(2, shape.seq_len)))
    weights = {name: value.tolist() for name, value in model.state_dict().items()}
    logits = model(tokens)
    for row, sequence in zip(logits, tokens, strict=True):
        slow = naive.forward(
            weights,
            sequence.tolist(),
            heads=shape.heads,
            positions=shape.positions,
            qk_norm=shape.qk_norm,
            output_scale=0.5,
        )
        np.testing.assert_allclose(row.detach(), slow, atol=2e-5)
        expected = naive.cross_entropy(slow, sequence.tolist())
        assert float(model.loss(sequence[None], sequence[None]).detach()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_position_sees_the_future(shape):
    model = _model(shape)
    tokens = torch.randint(shape.vocab, (1, shape.seq_len))
    changed = tokens.clone()
    changed[0, 4] = (changed[0, 4] + 1) % shape.vocab
    difference = (model(tokens) - model(changed)).abs().amax(dim=-1)[0]
    assert difference[:4].max() == 0
    assert difference[4:].min() > 0
