from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, estimate_ladder, plan, tune_threads, tuning
from scalinglaws.training.counting import ModelShape
from scalinglaws.training.memory import memory_bytes, saved_bytes
from scalinglaws.training.model import Transformer


@pytest.fixture
def ladder(tiny):
    return Ladder(name="pair", runs=(replace(tiny, name="short"), replace(tiny, name="long", tokens=48 * 64)))


def test_counts_are_those_of_the_plan_and_the_speed_is_the_one_given(ladder):
    cost = estimate_ladder(ladder, flops_per_second=1e6, workers=2)
    plans = [plan(run) for run in ladder.runs]
    assert [run.flops for run in cost.runs] == [p.work(p.steps) for p in plans]
    assert [run.tokens for run in cost.runs] == [24 * 64, 48 * 64]
    assert [run.seconds for run in cost.runs] == [p.work(p.steps) / 1e6 for p in plans]
    assert (cost.seconds, cost.elapsed) == (sum(r.seconds for r in cost.runs), cost.runs[1].seconds)
    assert json.loads(json.dumps(cost.to_dict()))["flops"] == sum(p.work(p.steps) for p in plans)


def test_the_speed_is_measured_here(ladder):
    cost = estimate_ladder(ladder)
    assert "measured here" in cost.speed
    ratio = cost.runs[1].seconds / cost.runs[0].seconds  # one model, measured once
    assert ratio == pytest.approx(cost.runs[1].flops / cost.runs[0].flops)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_for_a_device_that_is_not_here_there_are_counts_and_no_seconds(ladder):
    away = Ladder(name="gpu", runs=tuple(replace(run, device="cuda", precision="bfloat16") for run in ladder.runs))
    cost = estimate_ladder(away)
    assert (cost.seconds, cost.elapsed, cost.runs[0].seconds) == (None, None, None)
    assert "no CUDA device here" in cost.speed
    assert "--flops-per-second" in cost.speed
    assert estimate_ladder(away, flops_per_second=1e12).seconds > 0


@pytest.mark.parametrize(("values", "said"), [({"flops_per_second": 0.0}, "positive"), ({"workers": 0}, "at least 1")])
def test_wrong_numbers_are_a_sentence(ladder, values, said):
    with pytest.raises(InputError, match=said):
        estimate_ladder(ladder, **values)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("sizes", [(32, 128, 2, 64), (64, 256, 3, 500), (96, 96, 1, 50)], ids=str)
def test_saved_bytes_are_what_autograd_keeps(precision, sizes):
    width, mlp, depth, vocab = sizes
    shape = ModelShape(vocab=vocab, width=width, depth=depth, head_dim=16, mlp_width=mlp, seq_len=64)
    model, tokens = Transformer(shape), torch.zeros(8, 64, dtype=torch.long)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(x):
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage()
        return x

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False),
    ):
        loss = model.loss(tokens, tokens)
    found = sum(storage.nbytes() for at, storage in kept.items() if at not in weights) / tokens.numel()
    assert loss.requires_grad
    assert saved_bytes(shape, precision) == pytest.approx(found, rel=0.2)


def test_parts_of_a_batch_need_less_memory(tiny):
    whole, parts = (memory_bytes(run, plan(run)) for run in (tiny, replace(tiny, microbatch=1)))
    states = 16 * sum(plan(tiny).params.values())
    assert parts - states == pytest.approx((whole - states) / 4)


def test_tuning_times_every_way(ladder, monkeypatch):
    monkeypatch.setattr(tuning, "cores", lambda: 2)
    found = tune_threads(ladder, seconds=4.0)
    assert {(way.workers, way.threads) for way in found} == {(2, 1), (1, 2)}
    assert found[0].tokens_per_second == max(way.tokens_per_second for way in found) > 0


def test_tuning_is_for_the_cpu(ladder):
    away = Ladder(name="gpu", runs=tuple(replace(run, device="cuda") for run in ladder.runs))
    with pytest.raises(InputError, match="device = 'cuda'"):
        tune_threads(away)


def test_processes_that_never_worked_together_cannot_be_compared():
    with pytest.raises(InputError, match="at the same time"):
        tuning.joint_rate([[0.0, 1.0], [2.0, 3.0]], tokens=1)
