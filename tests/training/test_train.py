from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError
from scalinglaws.schedules import Schedule
from scalinglaws.training import TrainConfig, count_flops, count_params, load_corpus, loop, plan, train
from tests.naive import training as naive
from tests.training.conftest import VOCAB, markov_chain, untimed


def test_same_description_same_curve_bit_for_bit(tiny):
    first = train(tiny)
    torch.manual_seed(123)  # the global generator plays no part
    assert untimed(train(tiny)).identical(untimed(first))


@pytest.mark.parametrize("change", [{"seed": 1}, {"peak_lr": 0.02}, {"qk_norm": True}, {"positions": "learned"}])
def test_another_description_another_curve(tiny, change):
    assert not np.array_equal(train(replace(tiny, **change)).loss, train(tiny).loss)


def test_labels(tiny):
    ds, p = train(tiny), plan(tiny)
    assert ds.run.values.tolist() == ["tiny"]
    assert ds.status.values.tolist() == ["finished"]
    assert (float(ds.batch[0]), float(ds.seq_len[0]), float(ds.width[0]), float(ds.depth[0])) == (4, 16, 16, 2)
    params = dict(zip(ds.group.values.tolist(), ds.params.values[0].tolist(), strict=True))
    assert {k: v for k, v in params.items() if v} == count_params(p.shape)
    assert np.array_equal(ds.tokens, ds.step * 64)
    np.testing.assert_allclose(ds.flops, ds.tokens * sum(count_flops(p.shape).values()), rtol=1e-12)
    assert ds.attrs["corpus_fingerprint"] == load_corpus(tiny.corpus).fingerprint
    assert ds.attrs["torch"] == torch.__version__.split("+")[0] or ds.attrs["torch"] == torch.__version__
    assert json.loads(ds.attrs["config_common"])["threads"] == 1


def test_evaluations_are_linear_and_logarithmic_with_the_ends():
    steps = plan(TrainConfig(tokens=1000 * 512, eval_linear=4, eval_log=4)).evaluations
    assert steps == (0, 1, 10, 100, 250, 500, 750, 1000)


def test_first_loss_of_mup_is_that_of_a_uniform_guess(tiny):
    assert float(train(tiny).loss[0]) == pytest.approx(np.log(VOCAB), abs=1e-6)


@pytest.mark.parametrize("shape", [{}, {"schedule": "wsd", "schedule_options": '{"decay": 0.5}', "floor": 0.1}])
def test_schedule_is_obeyed(tiny, shape, monkeypatch):
    config = replace(tiny, warmup=0.25, **shape)
    used = []

    def spy(optimizer, rate):
        used.append(rate)
        original(optimizer, rate)

    original = loop.set_rate
    monkeypatch.setattr(loop, "set_rate", spy)
    ds = train(config)
    schedule = config.schedule_for(24)
    assert used == [float(schedule(step)) for step in range(24)]
    assert np.array_equal(ds.lr, schedule(ds.step))
    assert max(used) == config.peak_lr
    assert Schedule.from_dict(json.loads(str(ds.schedule.values[0]))) == schedule


def test_zero_rate_learns_nothing(tiny):
    table = '{"at": [0.0, 1.0], "rate": [0.0, 0.0]}'
    loss = train(replace(tiny, schedule="table", schedule_options=table, warmup=0.0)).loss.values
    assert np.all(loss == loss[0])


def test_known_entropy_is_reached(tiny):
    """A chain's tokens cannot be predicted better than its entropy rate, and a transformer gets close to it."""
    config = replace(tiny, width=32, depth=1, tokens=300 * 512, seq_len=32, batch=16, eval_tokens=20_000, peak_lr=0.02)
    loss = float(train(config).loss[-1])
    entropy = naive.markov_entropy(*markov_chain())
    assert entropy - 0.02 < loss < entropy + 0.02  # the held-out sample itself is 0.01 from the rate


def test_text_is_learned():
    loss = train(TrainConfig(width=32, depth=2, batch=4, tokens=60_000, eval_tokens=8192)).loss.values
    assert loss[0] == pytest.approx(np.log(256), abs=1e-5)
    assert loss[-1] < 3.0


def test_divergence_is_a_status(tiny, tmp_path):
    config = replace(tiny, parameterization="standard", peak_lr=1e30, warmup=0.0, clip=1e30)
    ds = train(config, out=tmp_path)
    assert ds.status.values.tolist() == ["diverged"]
    assert 1 <= ds.sizes["obs"] < len(plan(config).evaluations)
    assert np.all(np.isfinite(ds.loss))
    assert train(config, out=tmp_path).identical(load_curves(tmp_path / "tiny.nc"))


def test_threads_are_put_back(tiny):
    before = torch.get_num_threads()
    train(replace(tiny, threads=2))
    assert torch.get_num_threads() == before


def test_finished_run_is_read_not_repeated(tiny, tmp_path):
    first = train(tiny, out=tmp_path)
    told = []
    assert train(tiny, out=tmp_path, report=told.append).identical(load_curves(tmp_path / "tiny.nc"))
    assert told == []
    assert np.array_equal(first.loss, load_curves(tmp_path / "tiny.nc").loss)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.nc"]


def test_progress_counts_flops(tiny):
    told = []
    train(tiny, report=told.append)
    done = [p.done for p in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].total == plan(tiny).work(24)
    assert {(p.label, p.item, p.items) for p in told} == {("tiny", 1, 1)}


def test_another_run_under_the_same_name(tiny, tmp_path):
    train(tiny, out=tmp_path)
    with pytest.raises(InputError, match=r"peak_lr = 0.01, not 0.02"):
        train(replace(tiny, peak_lr=0.02), out=tmp_path)


def test_changed_corpus_is_noticed(tiny, tmp_path):
    np.zeros(5000, dtype=np.uint16).tofile(tmp_path / "text.bin")
    config = replace(tiny, corpus=str(tmp_path / "text.bin"))
    train(config, out=tmp_path)
    np.ones(5000, dtype=np.uint16).tofile(tmp_path / "text.bin")
    with pytest.raises(InputError, match="another text"):
        train(config, out=tmp_path)


def test_foreign_results_and_folders(tiny, tmp_path):
    (tmp_path / "tiny.nc").write_text("not a curve")
    with pytest.raises(InputError, match=r"tiny\.nc"):
        train(tiny, out=tmp_path)
    with pytest.raises(InputError, match="cannot be made a folder"):
        train(tiny, out=tmp_path / "tiny.nc" / "below")
