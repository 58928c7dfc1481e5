"""Simulation against exact expectations, against itself, and against bad input."""

import json

import numpy as np
import pytest
import xarray as xr

from scalinglaws import schedules
from scalinglaws._random import restore, seed_sequence
from scalinglaws.errors import InputError
from scalinglaws.models import PLRF, GaussianLeastSquares, from_dict
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.simulation import simulate, simulate_many
from scalinglaws.steps import log_steps
from tests.naive import sgd as naive
from tests.theory.cases import PHASES


def expected(model, opt, steps, rng):
    resolved, t = opt.resolve(model), np.arange(steps[-1])
    one = model.instance(seed_sequence(rng))
    rates, batches = resolved.rate(t).tolist(), np.broadcast_to(resolved.batch_at(t), t.shape).tolist()
    return naive.expected_risk(one.eigenvalues, one.rho, one.irreducible, rates, batches, steps.tolist())


def assert_mean(ds, theory):
    risk = ds["risk"].values
    error = risk.std(axis=0, ddof=1) / np.sqrt(risk.shape[0])
    distance = np.abs(risk.mean(axis=0) - theory)
    assert np.all(distance < 4 * error + 1e-12 * theory), (distance / (error + 1e-300)).tolist()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("batch", [1, 4])
def test_mean_is_the_exact_expectation_in_every_phase(phase, batch):
    alpha, beta = PHASES[phase]
    model, opt = PLRF(alpha=alpha, beta=beta, d=40), SGD(lr=relative_lr(0.4), batch=batch)
    steps = log_steps(1500, per_decade=3, zero=True)
    ds = simulate(model, opt, steps, replicates=400, rng=3)
    assert_mean(ds, expected(model, opt, steps, 3))


def test_expectation_from_the_features_themselves():
    """The whole chain, W to risk, against a recursion that knows no eigenbasis."""
    model, opt = PLRF(alpha=0.8, beta=0.6, d=20, v=60), SGD(lr=0.01, batch=32)
    steps = np.array([0, 1, 10, 100, 400])
    t = np.arange(400)
    w = model.features(seed_sequence(9))
    theory = naive.expected_risk_from_features(w, 0.8, 0.6, 0.01 + 0 * t, 32 + 0 * t, steps.tolist())
    assert_mean(simulate(model, opt, steps, replicates=400, rng=9), theory)
    np.testing.assert_allclose(theory, expected(model, opt, steps, 9), rtol=1e-10)


def test_schedules_of_rate_and_batch():
    model = PLRF(alpha=1.0, beta=0.7, d=30, label_noise=0.05)
    opt = SGD(lr=schedules.wsd(0.1, 600, decay=0.3, warmup=50), batch={0: 1, 200: 4, 450: 32})
    steps = np.array([0, 25, 50, 200, 450, 599, 600, 700])
    ds = simulate(model, opt, steps, replicates=400, rng=1)
    assert_mean(ds, expected(model, opt, steps, 1))
    assert ds["samples"].values.tolist() == [0, 25, 50, 200, 1200, 1200 + 149 * 32, 6000, 9200]
    np.testing.assert_array_equal(ds["flops"], 30 * ds["samples"])
    assert ds["lr"].values[[0, 2, -1]].tolist() == [0.1 / 50, 0.1, 0.0]


@pytest.mark.parametrize("batch", [1, 8])
def test_reduced_and_explicit_have_one_law(batch):
    """Same W, two ways to draw the samples: mean and spread of the runs agree."""
    model, opt = PLRF(alpha=0.9, beta=0.6, d=24, v=48, label_noise=0.01), SGD(lr=0.05, batch=batch)
    steps = np.array([0, 3, 30, 300])
    reduced = simulate(model, opt, steps, replicates=300, rng=4)
    explicit = simulate(model, opt, steps, replicates=300, rng=4, method="explicit")
    np.testing.assert_allclose(reduced["risk"][:, 0], explicit["risk"][:, 0], rtol=1e-12)
    theory = expected(model, opt, steps, 4)
    assert_mean(reduced, theory)
    assert_mean(explicit, theory)
    for ds in (reduced, explicit):
        ds["log"] = np.log(ds["risk"].isel(step=slice(1, None)))
    spreads = [ds["log"].std("replicate").values for ds in (reduced, explicit)]
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=4 * np.sqrt(2 / 300))


def test_explicit_takes_a_spectrum_too():
    model, opt = GaussianLeastSquares([1.0, 0.5, 0.1], [1.0, -0.3, 0.2], 0.02), SGD(lr=0.1, batch=2)
    steps = np.array([0, 5, 50])
    for method in ("reduced", "explicit"):
        ds = simulate(model, opt, steps, replicates=300, rng=2, method=method)
        assert_mean(ds, expected(model, opt, steps, 2))


def test_results_do_not_depend_on_workers_chunks_or_company(monkeypatch):
    model, opt = PLRF(alpha=1.0, beta=0.7, d=50), SGD(lr=schedules.cosine(0.1, 2000), batch=4)
    steps = log_steps(2000, per_decade=5, zero=True)
    one = simulate(model, opt, steps, replicates=5, rng=8, workers=1)
    two = simulate(model, opt, steps, replicates=5, rng=8, workers=2)
    few = simulate(model, opt, steps, replicates=3, rng=8, workers=3)
    monkeypatch.setattr("scalinglaws.simulation.reduced._CHUNK_UPDATES", 50 * 37)
    short = simulate(model, opt, steps, replicates=5, rng=8)
    np.testing.assert_array_equal(one["risk"], two["risk"])
    np.testing.assert_array_equal(one["risk"], short["risk"])
    np.testing.assert_array_equal(one["risk"][:3], few["risk"])
    assert len(set(one["risk"].values[:, -1])) == 5


def test_many_cases_are_each_what_they_are_alone():
    cases = [
        (PLRF(alpha=1.0, beta=0.7, d=20), SGD(lr=0.1, batch=4)),
        (GaussianLeastSquares([1.0, 0.5], [1.0, 1.0], 0.1), SGD(lr=schedules.linear(0.2, 100))),
        (PLRF(alpha=0.4, beta=0.7, d=33), SGD(lr=30.0)),
    ]
    steps = [0, 10, 100]
    together = simulate_many(cases, steps, rngs=[1, 2, 3], replicates=2)
    for (model, opt), rng, ds in zip(cases, (1, 2, 3), together, strict=True):
        assert ds.identical(simulate(model, opt, steps, rng=rng, replicates=2))
    assert together[2]["status"].values.tolist() == ["diverged", "diverged"]


def test_a_diverged_replicate_leaves_the_others_alone():
    """Near the edge some runs blow up: they are marked, inf from there on, and the rest is finite."""
    model, opt = GaussianLeastSquares([1.0], [1.0], 0.0), SGD(lr=2.5)
    ds = simulate(model, opt, [0, 10, 3000], replicates=60, rng=0)
    diverged = (ds["status"] == "diverged").values
    assert 0 < diverged.sum() < 60
    assert np.isinf(ds["risk"][diverged, -1]).all()
    assert np.isfinite(ds["risk"][~diverged]).all()
    explicit = simulate(model, opt, [0, 10, 3000], replicates=60, rng=0, method="explicit")
    assert 0 < (explicit["status"] == "diverged").sum() < 60


def test_same_rng_same_features_and_same_runs():
    model, opt = PLRF(alpha=1.0, beta=0.7, d=20), SGD(lr=0.1)
    runs = [simulate(model, opt, [50], rng=rng) for rng in (7, np.random.SeedSequence(7), np.int64(7))]
    assert all(run.identical(runs[0]) for run in runs[1:])
    again = simulate(model, opt, [50], rng=restore(runs[0].attrs["rng"]))
    assert again.identical(runs[0])
    generator = np.random.default_rng(7)
    assert simulate(model, opt, [50], rng=generator)["risk"] != simulate(model, opt, [50], rng=generator)["risk"]
    fresh = simulate(model, opt, [50])
    assert simulate(model, opt, [50], rng=restore(fresh.attrs["rng"])).identical(fresh)


def test_attributes_rebuild_the_specs():
    model, opt = PLRF(alpha=1.0, beta=0.7, d=20), SGD(lr=relative_lr(0.1), batch={0: 1, 5: 2})
    ds = simulate(model, opt, [10], rng=7)
    assert from_dict(json.loads(ds.attrs["model"])) == model
    assert SGD.from_dict(json.loads(ds.attrs["optimizer"])) == opt
    assert ds.attrs["schema"] == 1
    assert ds["risk"].attrs["units"] == "1"


def test_result_survives_a_file(tmp_path):
    ds = simulate(PLRF(alpha=1.0, beta=0.7, d=20), SGD(lr=0.1), [0, 10], rng=7, replicates=2)
    ds.to_netcdf(tmp_path / "runs.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "runs.nc", engine="h5netcdf") as back:
        np.testing.assert_array_equal(back["risk"], ds["risk"])
        assert back.attrs["rng"] == ds.attrs["rng"]


def test_progress_reaches_the_end():
    seen = []
    simulate(PLRF(alpha=1.0, beta=0.7, d=20), SGD(lr=0.1), [10, 500_000], rng=7, progress=seen.append)
    done = [p.done for p in seen]
    assert len(done) > 1
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == 500_000


def test_only_step_zero_needs_no_update():
    model = PLRF(alpha=1.0, beta=0.7, d=20)
    ds = simulate(model, SGD(lr=0.1), [0], rng=7)
    assert ds["risk"].item() == pytest.approx(model.initial_risk, rel=1e-12)


MODEL, OPT = PLRF(alpha=1.0, beta=0.7, d=5), SGD(lr=0.1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": [3, 2]}, "steps = .*: must be strictly increasing"),
        ({"steps": [0.5]}, "steps = .*: must be whole numbers"),
        ({"steps": [np.nan]}, "steps = .*: must be whole numbers"),
        ({"steps": []}, "steps = .*: must be a list of at least one step"),
        ({"replicates": 0}, "replicates = 0: must be an integer >= 1"),
        ({"replicates": 2.0}, "replicates = 2.0: must be an integer >= 1"),
        ({"workers": 0}, "workers = 0: must be an integer >= 1"),
        ({"rng": -1}, "rng = -1: must be None, an integer >= 0"),
        ({"rng": "seed"}, "rng = 'seed': must be None"),
        ({"method": "exact"}, "method = 'exact': must be reduced or explicit"),
        ({"backend": "tpu"}, "backend = 'tpu': must be one of"),
        ({"backend": "gpu", "method": "explicit"}, "backend = 'gpu': must be auto or cpu"),
        ({"model": "PLRF"}, "model = 'PLRF': must be a PLRF"),
        ({"opt": 0.1}, "opt = 0.1: must be an SGD"),
        ({"model": PLRF(alpha=1.0, beta=0.7, d=5, v=np.inf)}, r"v \* d = inf: has more than"),
        (
            {"model": GaussianLeastSquares(np.ones(20_000), np.ones(20_000)), "method": "explicit"},
            "d = 20000: ",
        ),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    arguments = {"model": MODEL, "opt": OPT, "steps": [1], **change}
    with pytest.raises(InputError, match=f"^{sentence}"):
        simulate(**arguments)


def test_bad_company_is_one_sentence():
    with pytest.raises(InputError, match=r"cases = \[\]: must hold at least one"):
        simulate_many([], [1], rngs=[])
    with pytest.raises(InputError, match="rngs = 2: must be one for each of the 1 cases"):
        simulate_many([(MODEL, OPT)], [1], rngs=[1, 2])
