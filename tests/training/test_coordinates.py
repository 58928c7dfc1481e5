from __future__ import annotations

import numpy as np
import pytest
import torch

from scalinglaws.errors import InputError
from scalinglaws.training import TrainConfig, coordinate_check, load_corpus, plan
from scalinglaws.training.batches import heldout_windows
from scalinglaws.training.loop import update
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.state import start
from scalinglaws.training.tasks import task_of

WIDTHS = (32, 64, 128)


@pytest.fixture(scope="module", params=["mup", "standard"])
def check(request):
    return coordinate_check({"parameterization": request.param, "depth": 2}, WIDTHS, updates=3, seeds=2)


def test_mup_keeps_every_change_and_standard_does_not(check):
    """Tensor Programs V, appendix D.1; at these widths standard slopes measure .4 to 1.1 beyond the embedding."""
    slopes = check["slope"].isel(update=-1).drop_sel(layer="embedding").values
    if check.attrs["parameterization"] == "mup":
        assert np.abs(slopes).max() < 0.2
    else:
        assert slopes.mean() > 0.4


def test_slope_is_the_least_squares_line(check):
    change = check["change"].mean("seed").isel(update=-1).sel(layer="logits").values
    line = np.polyfit(np.log(WIDTHS), np.log(change), 1)
    assert check["slope"].isel(update=-1).sel(layer="logits").item() == pytest.approx(line[0], rel=1e-9)


def test_below_a_read_out_that_starts_at_zero_the_first_update_changes_nothing(check):
    first = check["slope"].isel(update=0).sel(layer="embedding").item()
    assert np.isnan(first) == (check.attrs["parameterization"] == "mup")


def test_changes_by_hand():
    config = TrainConfig(width=32, depth=1, batch=2, tokens=2 * 128 * 2)
    found = coordinate_check(config, [32, 48], updates=2, seeds=1).sel(width=32, seed=0)
    corpus = load_corpus("python-stdlib")
    state, task = start(config, plan(config, corpus)), task_of(config)
    probe = heldout_windows(corpus, seq_len=128, tokens=config.eval_tokens)[0][:4]
    batches = task.batches(config, corpus)
    weights = state.model.embedding.weight.detach().clone().double()
    with torch.no_grad():
        logits = state.model(probe).double()
    set_rate(state.optimizer, config.peak_lr)
    for step in range(2):
        update(state, *batches(step), clip=config.clip)
    with torch.no_grad():
        moved = (state.model.embedding.weight.double() - weights)[probe].square().mean().sqrt().item()
        told = (state.model(probe).double() - logits).square().mean().sqrt().item()
    assert found["change"].isel(update=1).sel(layer="embedding").item() == pytest.approx(moved, rel=1e-6)
    assert found["change"].isel(update=1).sel(layer="logits").item() == pytest.approx(told, rel=1e-6)


@pytest.mark.parametrize(
    ("config", "widths", "options", "said"),
    [
        ({}, [32], {}, "widths = [32]: must be two or more"),
        ({}, [32, 50], {}, "width = 50: must be a multiple of head_dim = 16"),
        ({}, [32, 48], {"updates": 0}, "updates = 0: must be 1 or more"),
        ({}, [32, 48], {"seeds": 0}, "seeds = 0: must be 1 or more"),
        ({"task": "plrf"}, [32, 48], {}, "task = 'plrf': must be language"),
    ],
)
def test_what_cannot_be_checked_is_refused(config, widths, options, said):
    with pytest.raises(InputError) as error:
        coordinate_check(config, widths, **options)
    assert said in str(error.value)
