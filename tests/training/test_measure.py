from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from scalinglaws.curves import iter_runs, load_curves
from scalinglaws.errors import InputError
from scalinglaws.training import TrainConfig, load_corpus, plan, train
from scalinglaws.training.batches import take
from scalinglaws.training.corpus import count_windows
from scalinglaws.training.loop import update
from scalinglaws.training.measure import Probe
from scalinglaws.training.measure_gradient import Spread, gradient, second_moments
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.state import start
from scalinglaws.training.tasks import task_of
from tests.naive import measure as naive
from tests.naive import training as naive_training
from tests.training.conftest import VOCAB, untimed

TRACES = ("noise_trace", "noise_trace_preconditioned", "noise_trace_adaptive")
NAMES = (*TRACES, "gradient_norm", "update_size", "attention_logit_max", "output_logit_rms")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A text of 11 windows, so that all 55 mini-batches of two can be listed."""
    path = tmp_path_factory.mktemp("text") / "text.bin"
    np.random.default_rng(2).integers(VOCAB, size=50).astype(np.uint16).tofile(path)
    return TrainConfig(
        corpus=str(path), vocab=VOCAB, width=8, base_width=4, head_dim=4, depth=1, mlp_ratio=1, seq_len=4, batch=2,
        tokens=5 * 8, eval_tokens=4, peak_lr=0.01, measure_batches=4, warmup=0.0, schedule="constant",
    )  # fmt: skip


def trained(config, updates=4):
    """A run after a few updates."""
    corpus = task_of(config).load(config)
    todo = plan(config, corpus)
    state, batches = start(config, todo), task_of(config).batches(config, corpus)
    for step in range(updates):
        set_rate(state.optimizer, float(todo.schedule(step)))
        update(state, *batches(step), clip=config.clip)
    return state, corpus, todo


def flat(tensors):
    return [float(x) for tensor in tensors for x in tensor.detach().double().reshape(-1)]


def by_hand(state, batch):
    """Gradient of one mini-batch by a plain backward pass on a model of its own."""
    state.optimizer.zero_grad()
    state.model.loss(*batch).backward()
    return flat(p.grad for p in state.model.parameters())


def all_batches(config, corpus):
    windows = range(count_windows(corpus.train, config.seq_len))
    for chosen in itertools.combinations(windows, config.batch):
        yield take(corpus.train, np.array(chosen), config.seq_len)


def exact_traces(config):
    """The three traces by listing every mini-batch."""
    state, corpus, _ = trained(config)
    groups = {id(p): group for group, ps in state.model.groups().items() for p in ps}
    rate = {"embedding": 2.0, "attention": 0.5, "mlp": 0.5, "head": 5.0}  # muP at twice the base width
    rates = [config.peak_lr * rate[groups[id(p)]] for p in state.model.parameters() for _ in range(p.numel())]
    moments = flat(state.optimizer.state[p]["exp_avg_sq"] for p in state.model.parameters())
    gradients = [by_hand(state, batch) for batch in all_batches(config, corpus)]
    adam = {"updates": 4, "beta2": config.beta2, "eps": config.eps}
    forms = {
        "noise_trace": gradients,
        "noise_trace_preconditioned": [naive.precondition(g, moments, rates, **adam) for g in gradients],
        "noise_trace_adaptive": [naive.adapt(g, moments, rates, **adam) for g in gradients],
    }
    return {name: naive.trace_of_covariance(vectors) for name, vectors in forms.items()}, gradients


def test_estimate_over_all_pairs_of_batches_is_the_exact_covariance(small):
    """Two independent mini-batches, each of the 55: the mean of the estimate over all 55^2 pairs, without sampling."""
    exact, _ = exact_traces(small)
    state, corpus, _ = trained(small)
    moments = second_moments(state.optimizer, state.model, small.peak_lr)
    gradients = [gradient(state.model, batch) for batch in all_batches(small, corpus)]
    assert len(gradients) == 55
    forms = zip(TRACES, (lambda g: g, moments.precondition, moments.adapt), strict=True)
    for name, form in forms:
        vectors = [form(g) for g in gradients]
        estimates = []
        for pair in itertools.product(vectors, repeat=2):
            spread = Spread()
            for x in pair:
                spread.add(x)
            estimates.append(spread.trace())
        assert np.mean(estimates) == pytest.approx(exact[name], rel=1e-5), name


def test_what_a_run_measures_is_unbiased(small):
    """Means over 500 evaluations of the same weights, each with mini-batches of its own."""
    exact, gradients = exact_traces(small)
    state, corpus, todo = trained(small)
    probe, found = Probe(small, corpus, todo), []
    for step in range(500):
        state.step = step
        found.append(probe(state))
    for name in TRACES:
        values = np.array([at[name] for at in found])
        assert abs(values.mean() - exact[name]) < 4 * values.std(ddof=1) / np.sqrt(values.size), name
        assert values.std() > 0
    signal = np.array([at["gradient_norm"] ** 2 - at["noise_trace"] for at in found])
    full = float(np.sum(np.mean(gradients, axis=0) ** 2))
    assert abs(signal.mean() - full) < 4 * signal.std(ddof=1) / np.sqrt(signal.size)


def test_gradient_norm_of_known_batches(small):
    state, corpus, todo = trained(small)
    batches = list(all_batches(small, corpus))[:4]
    probe = Probe(small, corpus, todo)
    left = iter(batches)
    probe._draw = lambda rng: next(left)
    squares = [sum(x * x for x in by_hand(state, batch)) for batch in batches]
    assert probe(state)["gradient_norm"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-5)


def test_adaptive_scaling_is_that_of_the_update(small):
    """Without momentum and decay AdamW moves by -(rate/peak) P^-1 g, with g in the moments: the same P."""
    config = replace(small, beta1=0.0, weight_decay=0.0, clip=1e9)
    state, corpus, _ = trained(config)
    batch = next(iter(all_batches(config, corpus)))
    g = gradient(state.model, batch)
    expected = second_moments(state.optimizer, state.model, config.peak_lr).adapt(g).square()
    before = flat(state.model.parameters())
    set_rate(state.optimizer, 0.3 * config.peak_lr)
    update(state, *batch, clip=config.clip)
    moved = np.array(flat(state.model.parameters())) - before
    np.testing.assert_allclose(-g.numpy() * moved, 0.3 * expected.numpy(), rtol=1e-3, atol=1e-9)


def test_before_the_first_update(small):
    state, corpus, todo = trained(small, updates=0)
    found = Probe(small, corpus, todo)(state)
    assert {name for name, value in found.items() if np.isnan(value)} == {"noise_trace_preconditioned", "update_size"}


def test_update_size(small):
    state, corpus, todo = trained(small)
    probe = Probe(small, corpus, todo)
    before = flat(state.model.parameters())
    set_rate(state.optimizer, 0.01)
    probe.before_update(state)
    update(state, *next(iter(all_batches(small, corpus))), clip=1.0)
    expected = naive.norm_of_change(before, flat(state.model.parameters()))
    assert probe(state)["update_size"] == pytest.approx(expected, rel=1e-12)
    assert expected > 0


@pytest.mark.parametrize("change", [{}, {"positions": "learned"}, {"qk_norm": True}], ids=str)
def test_logits(small, change):
    config = replace(small, **change)
    state, corpus, todo = trained(config)
    probe, seen, outputs = Probe(config, corpus, todo), [], []
    batches = list(all_batches(config, corpus))[:4]
    weights = {name: p.detach().double().tolist() for name, p in state.model.named_parameters()}
    options = {"heads": 2, "positions": config.positions, "qk_norm": config.qk_norm}
    for tokens in (row for inputs, _ in batches for row in inputs.tolist()):
        outputs += naive_training.forward(
            weights, tokens, output_scale=state.model.output_scale, note=seen.extend, **options
        )
    left = iter(batches)
    probe._draw = lambda rng: next(left)
    found = probe(state)
    assert found["attention_logit_max"] == pytest.approx(max(seen), rel=1e-5)
    assert found["output_logit_rms"] == pytest.approx(np.sqrt(np.mean(np.square(outputs))), rel=1e-5)


def test_training_is_the_same_bit_for_bit(tiny):
    plain, measured = train(tiny), train(replace(tiny, measure_batches=3, sharpness_points=2))
    assert np.array_equal(plain.loss, measured.loss)
    assert set(measured.data_vars) - set(plain.data_vars) == {*NAMES, "sharpness"}


def test_labels_and_file(tiny, tmp_path):
    config = replace(tiny, measure_batches=3, sharpness_points=2)
    ds = train(config, out=tmp_path)
    for name in NAMES:
        assert ds[name].dims == ("obs",)
        assert ds[name].attrs["long_name"]
        assert ds[name].attrs["units"] == "1"
        assert np.all(np.isfinite(ds[name].values[1:]))
    known = ds.step.values[np.isfinite(ds.sharpness.values)]
    assert known.tolist() == [12, 24]
    assert load_curves(tmp_path / "tiny.nc").identical(train(config, out=tmp_path))
    (run,) = iter_runs(ds)
    assert np.array_equal(run.sharpness, ds.sharpness.values, equal_nan=True)
    assert json.loads(ds.attrs["config_common"])["measure_batches"] == 3


def test_more_batches_refine_what_fewer_see(tiny):
    """The first mini-batches are the same, whatever their number."""
    few, many = (train(replace(tiny, measure_batches=n)) for n in (2, 16))
    assert np.array_equal(few.update_size, many.update_size, equal_nan=True)
    assert np.all(few.attention_logit_max <= many.attention_logit_max)
    ratio = (many.noise_trace / few.noise_trace).values
    assert np.all((ratio > 0.3) & (ratio < 3))


@pytest.mark.parametrize("moment", [1, 2, 13, 24])
def test_resumed_run_measures_the_same(tiny, tmp_path, moment):
    config = replace(tiny, measure_batches=2, sharpness_points=2)

    updates = itertools.count(1)

    def die(progress):
        if next(updates) == moment:
            raise KeyboardInterrupt

    whole = train(config)
    with pytest.raises(KeyboardInterrupt):
        train(config, out=tmp_path, report=die, checkpoint_every=0.0)
    assert untimed(train(config, out=tmp_path)).identical(untimed(whole))


def test_progress_counts_measurements(tiny):
    told = []
    config = replace(tiny, measure_batches=2)
    train(config, report=told.append)
    assert told[-1].done == told[-1].total == plan(config).work(24)
    extra = plan(config).evaluation_flops - plan(tiny).evaluation_flops
    assert extra == 2 * 64 * sum(plan(tiny).flops_per_token.values())


def test_fourier_task():
    config = TrainConfig.from_dict(
        {"task": "fourier", "width": 16, "depth": 1, "batch": 32, "tokens": 320, "eval_tokens": 64,
         "task_options": {"modes": 20}, "measure_batches": 2, "sharpness_points": 1}
    )  # fmt: skip
    ds = train(config)
    assert np.array_equal(ds.loss, train(replace(config, measure_batches=0, sharpness_points=0)).loss)
    assert np.all(ds.noise_trace > 0)
    assert float(ds.sharpness[-1]) > 0
    assert "attention_logit_max" not in ds


def test_plrf_task_against_the_exact_trace():
    """Gaussian linear regression has the trace in closed form; SGD keeps no second moments to scale by."""
    config = TrainConfig.from_dict({"task": "plrf", "width": 6, "tokens": 40, "batch": 4, "measure_batches": 4})
    state, data, todo = trained(config, updates=0)
    probe = Probe(config, data, todo)
    with torch.no_grad():
        state.model.theta += 0.1
    values = []
    for step in range(1500):
        state.step = step
        values.append(probe(state)["noise_trace"])
    assert set(probe(state)) == {"noise_trace", "gradient_norm", "update_size"}
    inputs, targets = task_of(config).heldout(config, data)  # sqrt(v) times the rows of the model
    scale = len(targets) ** -0.5
    exact = naive.gaussian_regression_trace(
        (scale * inputs).tolist(), (scale * targets).tolist(), state.model.theta.tolist(), config.batch
    )
    assert abs(np.mean(values) - exact) < 4 * np.std(values, ddof=1) / np.sqrt(len(values))
    assert np.std(values) / np.sqrt(len(values)) < 0.03 * exact


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"measure_batches": 1}, "measure_batches = 1: must be 0, or 2 or more"),
        ({"measure_batches": -2}, "measure_batches = -2: must be at least 0"),
        ({"sharpness_points": -1}, "sharpness_points = -1: must be at least 0"),
        ({"sharpness_points": 1.5}, "sharpness_points = 1.5: must be an integer"),
    ],
    ids=str,
)
def test_wrong_values(values, said):
    with pytest.raises(InputError) as error:
        TrainConfig.from_dict(values)
    assert said in str(error.value)


def test_same_windows_as_the_run_reads(small):
    """Every window can be drawn, none twice in a mini-batch."""
    corpus = load_corpus(small.corpus, small.token_dtype, small.vocab)
    draw = task_of(small).sampler(small, corpus)
    every = {tuple(row) for x, _ in all_batches(small, corpus) for row in x.tolist()}
    rng = np.random.default_rng(0)
    drawn = [draw(rng)[0].tolist() for _ in range(200)]
    assert {tuple(row) for batch in drawn for row in batch} == every
    assert all(batch[0] != batch[1] for batch in drawn)


def test_every_third_evaluation_counted_from_the_last(tiny):
    every, third = (train(replace(tiny, measure_batches=2, measure_every=k)) for k in (1, 3))
    measured = np.isfinite(third.noise_trace.values)
    assert np.flatnonzero(measured[::-1]).tolist() == list(range(0, every.sizes["obs"], 3))
    assert np.array_equal(third.noise_trace.values[measured], every.noise_trace.values[measured])
    assert np.array_equal(third.loss, every.loss)
