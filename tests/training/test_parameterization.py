from __future__ import annotations

import numpy as np
import pytest
import torch

from scalinglaws.training import TrainConfig, load_corpus, plan
from scalinglaws.training.batches import Batches
from scalinglaws.training.loop import update
from scalinglaws.training.optimizer import adamw, set_rate
from scalinglaws.training.parameterization import initialize, rules
from scalinglaws.training.state import start
from tests.naive import training as naive

WIDTHS = (32, 64, 128)


def test_mup_rates_over_width():
    """Tensor Programs V, Table 8, for Adam: hidden rate and variance fall as 1/width, the rest stays."""
    narrow, wide = (rules(TrainConfig(width=w, base_width=64)) for w in (64, 256))
    assert {group: wide[group].rate / narrow[group].rate for group in wide} == {
        "embedding": 1.0, "attention": 0.25, "mlp": 0.25, "head": 1.0,
    }  # fmt: skip
    assert wide["head"].forward == 0.25
    for group in ("attention", "mlp", "head"):
        assert wide[group].rate * wide[group].decay == narrow[group].rate * narrow[group].decay == 1.0
    assert wide["embedding"].decay == 0.0


def test_standard_has_one_rate():
    table = rules(TrainConfig(width=256, parameterization="standard", embedding_rate=2.0, head_rate=4.0))
    assert {group: rule.rate for group, rule in table.items()} == {
        "embedding": 2.0, "attention": 1.0, "mlp": 1.0, "head": 4.0,
    }  # fmt: skip
    assert table["head"].forward == 1.0


def test_both_share_their_rates_at_the_base_width():
    mup, standard = (rules(TrainConfig(width=64, base_width=64, parameterization=p)) for p in ("mup", "standard"))
    assert all((mup[g].rate, mup[g].decay, mup[g].forward) == (standard[g].rate, standard[g].decay, 1.0) for g in mup)


@pytest.mark.parametrize("parameterization", ["mup", "standard"])
def test_initial_deviations(tiny, parameterization):
    config = TrainConfig(width=128, corpus=tiny.corpus, parameterization=parameterization, tokens=4096)
    state = start(config, plan(config))
    spread = {group: [float(p.std().detach()) for p in ps] for group, ps in state.model.groups().items()}
    assert spread["embedding"] == pytest.approx([1.0], rel=0.1)
    assert spread["attention"] == pytest.approx([128**-0.5] * 6, rel=0.02)
    assert spread["mlp"] == pytest.approx([128**-0.5, 512**-0.5] * 3, rel=0.02)
    assert spread["head"] == pytest.approx([0.0 if parameterization == "mup" else 128**-0.5], rel=0.1)


def test_initial_weights_leave_the_global_generator_alone(tiny):
    before = torch.get_rng_state()
    first, same, other = (start(c, plan(c)) for c in (tiny, tiny, TrainConfig.from_dict({**tiny.to_dict(), "seed": 1})))
    a, b, c = (torch.cat([p.detach().ravel() for p in s.model.parameters()]) for s in (first, same, other))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    built = torch.get_rng_state()
    initialize(first.model, rules(tiny), seed=2)
    assert torch.equal(built, torch.get_rng_state())
    assert before.shape == built.shape


def test_updates_are_adamw_at_the_group_rates(tiny):
    """Feed known gradients and compare one weight of every group with the algorithm as published."""
    config = TrainConfig.from_dict({**tiny.to_dict(), "width": 32, "base_width": 8, "weight_decay": 0.3})
    table = rules(config)
    model = start(config, plan(config)).model
    optimizer = adamw(model, config, table)
    schedule = config.schedule_for(5)
    gradients = np.random.default_rng(0).normal(size=5)
    before = {group: ps[0][0, 0].item() for group, ps in model.groups().items()}
    for step, g in enumerate(gradients):
        for p in model.parameters():
            p.grad = torch.full_like(p, float(g))
        set_rate(optimizer, float(schedule(step)))
        optimizer.step()
    for group, ps in model.groups().items():
        expected = naive.adamw(
            before[group],
            gradients,
            [float(schedule(step)) * table[group].rate for step in range(5)],
            beta1=config.beta1,
            beta2=config.beta2,
            eps=config.eps,
            weight_decay=config.weight_decay * table[group].decay,
        )
        assert ps[0][0, 0].item() == pytest.approx(expected, abs=2e-6), group


def _sizes(parameterization, width, tiny, seed):
    """Mean size of what the blocks and the read-out put out after five updates."""
    config = TrainConfig(
        corpus=tiny.corpus, width=width, parameterization=parameterization, base_width=32, depth=2, seed=seed,
        seq_len=32, batch=8, peak_lr=0.01, schedule="constant", warmup=0.0, tokens=5 * 256, weight_decay=0.0,
    )  # fmt: skip
    corpus = load_corpus(config.corpus)
    state = start(config, plan(config, corpus))
    batches = Batches(corpus.train, seq_len=32, batch=8, seed=seed)
    for step in range(5):
        set_rate(state.optimizer, config.peak_lr)
        update(state, *batches(step), clip=1e9)
    sizes = {}

    def keep(name):
        def hook(_module, _inputs, output):
            sizes[name] = output.detach().abs().mean().item()

        return hook

    for i, block in enumerate(state.model.blocks):
        block.attention.register_forward_hook(keep(f"attention{i}"))
        block.mlp.register_forward_hook(keep(f"mlp{i}"))
    sizes["logits"] = state.model(batches(5)[0]).detach().abs().mean().item()
    return sizes


def test_coordinate_check(tiny):
    """After a few updates activations keep their size over widths under muP, and grow without it."""
    slopes = {}
    for parameterization in ("mup", "standard"):
        runs = [[_sizes(parameterization, width, tiny, seed) for seed in range(2)] for width in WIDTHS]
        slopes[parameterization] = {
            name: np.polyfit(np.log(WIDTHS), [np.mean(np.log([r[name] for r in runs_w])) for runs_w in runs], 1)[0]
            for name in runs[0][0]
        }
    assert max(abs(s) for s in slopes["mup"].values()) < 0.15, slopes
    assert slopes["standard"].pop("logits") > 0.25, slopes  # a trained model's logits saturate
    assert min(slopes["standard"].values()) > 0.6, slopes
