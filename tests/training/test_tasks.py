from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scalinglaws._random import seed_sequence
from scalinglaws.curves import from_runs, iter_runs, join, load_curves, save_curves, select
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.simulation import explicit
from scalinglaws.simulation.features import features_of
from scalinglaws.theory.solve import solve
from scalinglaws.training import Ladder, TrainConfig, plan, train, train_ladder
from scalinglaws.training.loop import evaluate
from scalinglaws.training.state import start
from scalinglaws.training.streams import SAMPLES, generator_at
from scalinglaws.training.tasks import task_of
from scalinglaws.training.tasks.fourier import FourierOptions, draw_series
from tests.naive import tasks as naive
from tests.training.conftest import untimed

NOISY = {"alpha": 0.9, "beta": 0.6, "v": 50, "label_noise": 0.01, "instance": 3}
CLEAN = {"alpha": 1.1, "beta": 0.3, "instance": 3}


def _plrf(options, **values):
    own = {"name": "plrf", "width": 20, "batch": 4, "tokens": 240, "eval_linear": 60, "eval_log": 0, "peak_lr": 0.08}
    return TrainConfig.from_dict({"task": "plrf", "task_options": options, **own, **values})


def _fourier(**values):
    own = {"name": "fourier", "width": 16, "depth": 2, "batch": 32, "tokens": 32 * 20, "eval_tokens": 256}
    own |= {"task_options": {"modes": 30, "dimension": 3}, "base_width": 16, "eval_linear": 5, "eval_log": 3}
    return TrainConfig.from_dict({"task": "fourier", **own, **values})


BOTH = pytest.mark.parametrize("config", [_plrf(NOISY), _fourier()], ids=lambda config: config.task)


# --- the random-feature model: the whole curve is known


@pytest.mark.parametrize("options", [CLEAN, NOISY], ids=["clean", "noisy"])
@pytest.mark.parametrize("values", [{}, {"batch": 3, "tokens": 180, "schedule": "linear", "warmup": 0.2}], ids=str)
def test_plrf_is_the_explicit_simulation_step_for_step(options, values):
    config = _plrf(options, **values)
    ds = train(config)
    model = PLRF(d=20, **{k: v for k, v in options.items() if k != "instance"})
    features = features_of(model, seed_sequence(options["instance"]))
    rate = SGD(lr=config.schedule_for(60), batch=config.batch).resolve(model).rate
    theta, risks = np.zeros(20), [features.risk(np.zeros(20))]
    for t in range(60):
        theta = explicit.update(features, theta, float(rate(t)), config.batch, generator_at(config.seed, SAMPLES, t))
        risks.append(features.risk(theta))
    assert np.array_equal(ds.step, np.arange(61))
    np.testing.assert_allclose(ds.loss, risks, rtol=1e-12)
    assert np.array_equal(ds.lr, rate(np.arange(61)))


def test_plrf_is_its_definition():
    config = _plrf(NOISY, tokens=4 * 8, eval_linear=8)
    w = PLRF(alpha=0.9, beta=0.6, d=20, v=50).features(3)
    samples = []
    for t in range(8):
        rng = generator_at(config.seed, SAMPLES, t)
        z, noise = rng.standard_normal((4, 50)), 0.1 * rng.standard_normal(4)
        samples.append(list(zip(z.tolist(), noise.tolist(), strict=True)))
    slow = naive.plrf_sgd(w.tolist(), 0.9, 0.6, samples, [0.08] * 8)
    np.testing.assert_allclose(train(config).loss, np.array(slow) + 0.01, rtol=1e-12)


def test_plrf_agrees_in_law_with_the_exact_mean():
    """Mean over 200 orders of the data, against the theory of this very draw of the features."""
    runs = np.array([train(_plrf(NOISY, seed=seed, eval_linear=6)).loss.values for seed in range(200)])
    model = PLRF(alpha=0.9, beta=0.6, d=20, v=50, label_noise=0.01)
    steps = plan(_plrf(NOISY, eval_linear=6)).evaluations
    theory = solve(model, SGD(lr=0.08, batch=4), steps, method="instance", rng=3).risk.values
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert runs[:, 0] == pytest.approx(theory[0], rel=1e-12)
    assert np.all(np.abs(runs.mean(axis=0) - theory)[1:] < 4 * error[1:])
    assert np.all(error[1:] < 0.05 * theory[1:])  # the test has power
    assert theory[-1] < 0.5 * theory[0]


@pytest.mark.parametrize("options", [CLEAN, NOISY], ids=["clean", "noisy"])
def test_plrf_heldout_loss_is_the_risk_of_any_parameters(options):
    config = _plrf(options)
    task, state = task_of(config), start(config, plan(config))
    theta = np.random.default_rng(0).standard_normal(20)
    with torch.no_grad():
        state.model.theta.copy_(torch.from_numpy(theta))
    model = PLRF(d=20, **{k: v for k, v in options.items() if k != "instance"})
    risk = features_of(model, seed_sequence(3)).risk(theta)
    heldout = task.heldout(config, task.load(config))
    assert evaluate(state.model, *heldout) == pytest.approx(risk, rel=1e-13)
    assert plan(config).evaluation_flops == 2 * heldout[0].numel()


def test_plrf_noise_trace_is_the_exact_covariance():
    """Of the gradient of the mean over B of r^2, with Gaussian x of covariance K: (4/B)(risk Tr K + |K delta|^2).

    The fourth moments of a Gaussian are those of Isserlis' theorem.
    """
    config = _plrf(NOISY, tokens=8, eval_linear=1, measure_batches=4000)
    ds = train(config)
    features = features_of(PLRF(alpha=0.9, beta=0.6, d=20, v=50, label_noise=0.01), seed_sequence(3))
    k = features.matrix.T @ features.matrix
    slope = features.matrix.T @ features.target
    covariance = features.risk(np.zeros(20)) * np.trace(k) + slope @ slope
    assert float(ds.noise_trace[0]) == pytest.approx(4 / config.batch * covariance, rel=0.1)
    assert float(ds.gradient_norm[0]) ** 2 == pytest.approx(covariance + 4 * slope @ slope, rel=0.1)
    assert "attention_logit_max" not in ds


@BOTH
def test_measurements_change_nothing(config):
    alone = train(config)
    ds = train(replace(config, measure_batches=2, sharpness_points=1))
    assert np.array_equal(ds.loss, alone.loss)
    assert ds.gradient_norm.attrs["units"] == "1"


def test_plrf_that_is_unstable_diverges():
    ds = train(_plrf(NOISY, peak_lr=1e6, tokens=4000))
    assert ds.status.values.tolist() == ["diverged"]
    assert np.all(np.isfinite(ds.loss))


# --- the Fourier series: target, network and first loss are known


def test_series_is_its_definition():
    series = draw_series(FourierOptions(modes=40, dimension=3, target=5))
    x = np.random.default_rng(1).random((6, 3)) - 0.5
    slow = [naive.fourier_series(row, series.frequencies, series.phases, series.weights) for row in x.tolist()]
    for same in (series, series.merged()):
        np.testing.assert_allclose(same(torch.from_numpy(x)), slow, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("modes", [1, 40, 2000])
def test_merged_series_has_one_term_for_each_frequency_and_the_exact_power(modes):
    series = draw_series(FourierOptions(modes=modes, dimension=2, target=6))
    merged = series.merged()
    up_to_sign = {max(tuple(k), tuple(-c for c in k)) for k in series.frequencies.tolist()}
    assert len(merged.frequencies) == len(up_to_sign)
    exact = naive.fourier_power(series.frequencies, series.phases, series.weights)
    assert merged.power == pytest.approx(exact, rel=1e-12)


def test_published_series():
    """Frequencies are integers of which a share r^-2 is longer than r, phases are two, weights have unit norm."""
    series = draw_series(FourierOptions())
    assert series.frequencies.shape == (10_000, 8)
    assert np.array_equal(series.frequencies, np.rint(series.frequencies))
    assert set(series.phases.tolist()) == {0.0, np.pi / 2}
    assert np.linalg.norm(series.weights) == pytest.approx(1.0)
    length = np.linalg.norm(series.frequencies, axis=1)
    for r in (8.0, 16.0, 32.0):  # rounding changes such lengths by a few percent
        share = r**-2.0
        assert np.mean(length > r) == pytest.approx(share, abs=4 * np.sqrt(share / 10_000) + 0.1 * share)


def test_samples_have_the_exact_power():
    config = _fourier(eval_tokens=40_000)
    task = task_of(config)
    series = task.load(config)
    x, y = task.heldout(config, series)
    assert x.dtype == y.dtype == torch.float32
    assert -0.5 <= float(x.min()) < -0.499
    assert 0.499 < float(x.max()) <= 0.5
    np.testing.assert_allclose(y, series(x.double()), rtol=1e-6, atol=1e-6)
    squares = y.double().square()
    error = float(squares.std()) / len(y) ** 0.5
    assert abs(float(squares.mean()) - series.power) < 4 * error < 0.1
    assert float(train(_fourier()).attrs["target_power"]) == series.power


def test_first_loss_of_mup_is_the_power_and_one_wave_is_learned():
    """One wave in one dimension: E phi^2 = 1 at the start, and next to nothing is left at the end."""
    config = _fourier(
        width=32, tokens=128 * 400, batch=128, eval_tokens=2000, peak_lr=0.01, schedule="linear",
        task_options={"modes": 1, "dimension": 1, "target": 0, "tail": 1e-9},
    )  # fmt: skip
    series = task_of(config).load(config)
    assert np.abs(series.frequencies).tolist() == [[1.0]]
    loss = train(config).loss.values
    assert loss[0] == pytest.approx(1.0, abs=0.06)
    assert loss[-1] < 0.01


def test_mlp_is_its_definition_and_costs_what_is_counted():
    config = _fourier(parameterization="standard")
    state, p = start(config, plan(config)), plan(config)
    weights = {name: value.tolist() for name, value in state.model.state_dict().items()}
    x, y = task_of(config).batches(config, task_of(config).load(config))(0)
    slow = [naive.mlp(weights, row, 1.0) for row in x[:4].tolist()]
    np.testing.assert_allclose(state.model(x[:4]).detach(), slow, atol=2e-6)
    assert p.params == {g: sum(w.numel() for w in ws) for g, ws in state.model.groups().items()}
    assert sum(p.params.values()) == sum(w.numel() for w in state.model.parameters())
    with FlopCounterMode(display=False) as counted:
        state.model.loss(x, y).backward()
    assert counted.get_total_flops() == sum(p.flops_per_token.values()) * len(x)
    heldout = task_of(config).heldout(config, task_of(config).load(config))
    with FlopCounterMode(display=False) as counted:
        evaluate(state.model, *heldout)
    assert counted.get_total_flops() == p.evaluation_flops


def test_published_settings():
    config = TrainConfig.from_dict({"task": "fourier", "width": 512})
    optimizer = start(config, plan(config)).optimizer
    assert {group["name"]: group["scale"] for group in optimizer.param_groups} == {
        "embedding": 1.0, "mlp": 0.25, "head": 1.0,
    }  # fmt: skip
    shared = optimizer.param_groups[0]
    assert (shared["betas"], shared["eps"], shared["weight_decay"]) == ((0.9, 0.95), 1e-20, 0.0)
    assert (config.batch, config.peak_lr, config.warmup, config.clip, config.depth) == (4096, 1e-3, 0.0, None, 5)


# --- both on the one loop


@BOTH
def test_samples_follow_from_seed_and_step(config):
    task = task_of(config)
    data = task.load(config)
    draw = task.batches(config, data)
    again, other = draw(7), task.batches(replace(config, seed=1), data)(7)
    for a, b, c, d in zip(draw(7), again, other, draw(8), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert not torch.equal(a, d)


def test_widths_share_their_samples():
    narrow, wide = (task_of(c).batches(c, task_of(c).load(c))(3) for c in (_fourier(width=16), _fourier(width=32)))
    assert all(torch.equal(a, b) for a, b in zip(narrow, wide, strict=True))


class KilledError(Exception):
    pass


@BOTH
def test_interrupted_run_goes_on_bit_for_bit(config, tmp_path):
    whole, left = train(config), [5, 1, 9]

    def report(progress):
        left[0] -= 1
        if left[0] == 0:
            raise KilledError

    while left:
        with pytest.raises(KilledError):
            train(config, out=tmp_path, report=report, checkpoint_every=0.0)
        left.pop(0)
    assert untimed(train(config, out=tmp_path)).identical(untimed(whole))


@BOTH
def test_labels_say_mean_squared_error(config, tmp_path):
    ds, p = train(config), plan(config)
    assert ds.loss.attrs["units"] == ds.attrs["loss_unit"] == "1"
    assert "squared error" in ds.loss.attrs["long_name"]
    assert ds.attrs["token"] == "one sample"
    assert np.array_equal(ds.tokens, ds.step * config.batch)
    np.testing.assert_allclose(ds.flops, ds.tokens * sum(p.flops_per_token.values()))
    save_curves(ds, tmp_path / "family.nc")
    assert load_curves(tmp_path / "family.nc").identical(ds)
    assert select(ds, [config.name]).identical(ds)


def test_units_do_not_mix(tiny):
    language, squared = train(tiny), train(_fourier())
    assert language.loss.attrs["units"] == "nats/token"
    assert "loss_unit" not in language.attrs
    for families in ([language, squared], [squared, language]):
        with pytest.raises(InputError, match="units of loss"):
            join(families)
    with pytest.raises(InputError, match="loss_unit"):
        from_runs(iter_runs(squared), {"loss_unit": "volts"})
    del squared.attrs["loss_unit"]
    with pytest.raises(InputError, match="must agree"):
        save_curves(squared, "never.nc")


def test_ladder_of_models(tmp_path):
    common = _plrf(CLEAN).to_dict()
    common = {k: v for k, v in common.items() if k not in ("name", "width")}
    ds = train_ladder({"name": "solvable", "common": common, "grid": [{"width": [10, 20]}]}, tmp_path)
    assert ds.attrs["loss_unit"] == "1"
    ends = np.cumsum(ds.row_size.values) - 1
    assert ds.loss.values[ends[1]] < ds.loss.values[ends[0]]
    assert np.array_equal(ds.loss.values[ends[0] + 1 :], train(_plrf(CLEAN)).loss.values)


def test_ladder_holds_one_task():
    with pytest.raises(InputError, match="tasks"):
        Ladder.from_dict({"grid": [{"task": ["fourier", "plrf"], "width": 16}]})


@BOTH
def test_round_trip_through_plain_values(config):
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


WRONG = [
    ({"task": "vision"}, "language or fourier or plrf"),
    ({"task": 3}, "text"),
    ({"task_options": {"modes": 3}}, "must be '{}'"),
    ({"seq_len": 1}, "at least 2"),
    ({"clip": 0.0}, "positive and finite"),
    ({"corpus": "text", "task": "fourier"}, "must be '' for the task fourier"),
    ({"seq_len": 128, "task": "fourier"}, "must be 1 for the task fourier"),
    ({"task_options": {"mods": 3}, "task": "fourier"}, "modes, dimension, tail, target"),
    ({"task_options": "[", "task": "fourier"}, "JSON object"),
    ({"task_options": {"modes": 0}, "task": "fourier"}, "at least 1"),
    ({"task_options": {"modes": 2.5}, "task": "fourier"}, "an integer"),
    ({"task_options": {"tail": -1.0}, "task": "fourier"}, "(0, 4]"),
    ({"weight_decay": 0.1, "task": "plrf"}, "must be 0.0 for the task plrf"),
    ({"task_options": {"alpha": -1.0}, "task": "plrf"}, "alpha"),
    ({"task_options": {"v": 3}, "task": "plrf"}, "must not exceed v"),
    ({"task_options": {"instance": -1}, "task": "plrf"}, "at least 0"),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=[str(values) for values, _ in WRONG])
def test_wrong_values_get_a_sentence(values, said):
    with pytest.raises(InputError) as error:
        TrainConfig.from_dict(values)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_defaults_of_another_task_are_not_taken_silently():
    with pytest.raises(InputError, match=r"TrainConfig\.from_dict"):
        TrainConfig(task="fourier")


def test_descriptions_do_not_import_torch():
    code = (
        "import sys, scalinglaws.training as t; "
        "[t.plan(t.TrainConfig.from_dict({'task': k, 'width': 16})) for k in ('fourier', 'plrf')]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
