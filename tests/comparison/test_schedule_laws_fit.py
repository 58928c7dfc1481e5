"""Fits of schedule laws: known parameters come back, the certificate certifies, and what is unknown is said."""

import numpy as np
import pytest

from scalinglaws.comparison.schedule_laws import by_size, contest, fit_schedule, forecast_schedule
from scalinglaws.curves import Run, from_runs, iter_runs, join, select
from scalinglaws.errors import InputError
from tests.comparison.schedules_data import MOMENTUM, MULTI_POWER, TRAIN, VALUES, WARMUP, family, measured, plan

PLANS = {"cosine": plan("cosine:floor=0.1"), "wsd": plan("wsd:0.2"), "stage": plan("stages:at=[0.4],rates=[0.3]")}
THREE = {"constant": plan("constant"), **PLANS}


def huber(r, delta=1e-3):
    return sum(x * x / 2 if abs(x) < delta else delta * (abs(x) - delta / 2) for x in r)


@pytest.mark.parametrize("law", VALUES)
def test_noiseless_curves_give_their_parameters_back(law):
    fit = fit_schedule(family(law, VALUES[law], THREE), law)
    assert fit.converged
    assert fit.objective < 1e-12
    for name, value in VALUES[law].items():
        assert fit.params[name] == pytest.approx(value, rel=2e-3), name


def test_the_objective_is_a_sum_and_its_gradient_vanishes():
    fit = fit_schedule(family("momentum", MOMENTUM, PLANS, noise=2e-3), "momentum")
    assert fit.objective == pytest.approx(huber(fit.residuals().tolist()), rel=1e-12)
    assert fit.converged
    assert fit.gradient_norm < 1e-3
    assert fit.starts.agreeing == fit.starts.tried == 6
    for name in fit.params:  # no small move of any parameter is better
        for factor in (0.998, 1.002):
            moved = {**fit.params, name: fit.params[name] * factor}
            residuals = []
            for (path, part), _ in zip(fit.records.look.curves, fit.records.names, strict=True):
                predicted = fit.law.predict(moved, path, fit.records.look.step[part])
                residuals += np.log(predicted / fit.records.loss[part]).tolist()
            assert huber(residuals) > fit.objective


def test_spikes_hardly_move_the_robust_fit():
    clean = family("momentum", MOMENTUM, PLANS, noise=5e-4)
    spiked = clean.copy(deep=True)
    spiked["loss"][40:43] *= 1.5
    target = plan("linear")
    wanted = fit_schedule(clean, "momentum").predict(target)[0]
    errors = {}
    for estimator in ("huber", "log-l2"):
        fit = fit_schedule(spiked, "momentum", estimator=estimator)
        errors[estimator] = abs(fit.predict(target)[0] / wanted - 1)
    assert errors["huber"] < 5e-4 < errors["log-l2"]


def test_a_held_shape_stays():
    fit = fit_schedule(family("momentum", MOMENTUM, PLANS), "momentum", fixed={"forget": 0.02})
    assert fit.params["forget"] == 0.02
    assert fit.objective > 1e-6


def test_one_cosine_is_said_not_to_identify_the_multi_power_law():
    one = family("multi-power", MULTI_POWER, {"cosine": PLANS["cosine"]}, noise=1e-3)
    said = [s for s in fit_schedule(one, "multi-power").warnings if "the one run fitted does not identify" in s]
    assert len(said) == 1
    vague = said[0].partition("identify ")[2].partition(" (")[0].replace(" and ", ", ").split(", ")
    assert len(vague) >= 2
    assert set(vague) <= {"B", "C", "beta", "gamma"}
    more = fit_schedule(family("momentum", MOMENTUM, PLANS, noise=5e-4), "momentum")
    assert more.warnings == ()


def test_constant_runs_alone_are_said_to_tell_nothing_about_decay():
    one = family("momentum", MOMENTUM, {"constant": THREE["constant"]}, noise=1e-3)
    assert any("no fitted run changes its rate" in said for said in fit_schedule(one, "momentum").warnings)


def test_diverged_runs_are_left_out_and_named():
    ds = family("momentum", MOMENTUM, PLANS)
    runs = [Run(**{**_fields(r), "status": "diverged"}) if r.name == "wsd" else r for r in iter_runs(ds)]
    fit = fit_schedule(from_runs(runs), "momentum")
    assert fit.records.names == ("cosine", "stage")
    assert any("wsd diverged" in said for said in fit.warnings)


def _fields(run):
    return {name: getattr(run, name) for name in Run.__slots__}


def test_long_logs_are_thinned_and_the_last_record_stays():
    dense = family("tau-power", {"L0": 3.0, "A": 0.5, "alpha": 0.5}, {"wsd": PLANS["wsd"]}, every=2)
    fit = fit_schedule(dense, "tau-power")
    assert fit.records.loss.size == 400
    assert fit.records.look.step[-1] == 3000


def test_the_interval_covers_and_grows_with_noise():
    values, widths = {"L0": 3.0, "A": 0.5, "alpha": 0.5}, {}
    truth = family("tau-power", values, {"linear": plan("linear")})["loss"].values[-1]
    for noise in (1e-3, 4e-3):
        inside, widths[noise] = 0, []
        for seed in range(5):
            ds = family("tau-power", values, PLANS, noise=noise, seed=seed, every=100)
            fit = fit_schedule(ds, "tau-power", starts=1)
            low, high = fit.interval(plan("linear"), draws=fit.bootstrap(15, rng=seed))
            inside += low[0] <= truth <= high[0]
            widths[noise].append(high[0] / low[0] - 1)
        assert inside >= 4
    assert 2.5 < np.median(widths[4e-3]) / np.median(widths[1e-3]) < 6.5


def test_the_interval_holds_the_error_of_a_law_that_is_wrong():
    ds, target = family("momentum", MOMENTUM, THREE, noise=5e-4, every=100), plan("linear")
    truth = family("momentum", MOMENTUM, {"linear": target})["loss"].values[-1]
    fit = fit_schedule(ds, "tau-power")
    blind = fit.interval(target, draws=fit.bootstrap(20, law_error=False))
    honest = fit.interval(target, draws=fit.bootstrap(60))
    assert honest[0][0] <= truth <= honest[1][0]
    assert honest[1][0] - honest[0][0] > blind[1][0] - blind[0][0]


def test_of_one_run_the_last_third_is_left_out():
    fit = fit_schedule(family("momentum", MOMENTUM, {"cosine": PLANS["cosine"]}, noise=1e-3), "momentum", starts=1)
    assert fit.bootstrap(2).left_out == 1
    assert fit_schedule(family("momentum", MOMENTUM, PLANS), "momentum", starts=1).bootstrap(2).left_out == 3


def test_the_interval_is_reproducible():
    fit = fit_schedule(family("momentum", MOMENTUM, PLANS, noise=2e-3), "momentum", starts=1)
    first, second = (fit.bootstrap(5, rng=3).theta for _ in range(2))
    np.testing.assert_array_equal(first, second)
    low, high = fit.parameter_intervals(draws=fit.bootstrap(20))["alpha"]
    assert low < fit.params["alpha"] < high


def test_metrics_are_means_over_each_curve():
    ds = family("momentum", MOMENTUM, PLANS, noise=2e-3)
    fit = fit_schedule(ds, "tau-power")
    table = fit.metrics(select(ds, ["wsd"]))
    run = next(r for r in iter_runs(ds) if r.name == "wsd")
    keep = run.step >= 200
    predicted = fit.predict(PLANS["wsd"], run.step[keep])
    assert table["MAE"].item() == pytest.approx(np.mean(np.abs(predicted - run.loss[keep])))
    assert table["WorstE"].item() == pytest.approx(np.max(np.abs(predicted / run.loss[keep] - 1)))
    assert table["R2"].item() == pytest.approx(
        1 - np.var(predicted - run.loss[keep]) / np.var(run.loss[keep]), abs=0.05
    )


def test_the_contest_is_won_by_the_law_that_made_the_curves():
    small = family("momentum", MOMENTUM, {f"s-{k}": v for k, v in THREE.items()}, params={"mlp": 1e6})
    large = family("momentum", {**MOMENTUM, "L0": 2.5}, {f"l-{k}": v for k, v in THREE.items()}, params={"mlp": 1e7})
    lone = family("momentum", MOMENTUM, {"x": PLANS["wsd"]}, params={"mlp": 3e7})
    both = join([small, large, lone])
    found = contest(both, ["s-cosine", "s-stage", "l-cosine", "l-constant"], ["tau-power", "momentum"])
    assert found.table().law.values.tolist() == ["momentum", "tau-power"]
    assert found.table().parameters.values.tolist() == [5, 3]
    assert found.errors.run.values.tolist() == ["s-constant", "s-wsd", "l-wsd", "l-stage"]
    assert found.errors["MAE"].sel(law="momentum").max() < 1e-4
    assert found.notes == ("30000000 parameters: no run to fit, left out",)


def test_a_forecast_says_where_it_leaves_the_data():
    ds = family("momentum", MOMENTUM, PLANS, noise=1e-3)
    (found,) = forecast_schedule(
        ds, "wsd:0.1,peak=6e-4", "momentum", fit_to=["cosine", "stage"], others=["tau-power"], steps=6000, replicates=10
    )
    assert found.path.steps == 6000
    assert any("2 times as long" in said for said in found.cautions)
    assert any("peak rate is 2 times" in said for said in found.cautions)
    assert list(found.opinions()) == ["momentum", "tau-power"]
    assert found.judged.run.values.tolist() == ["wsd"]
    loss, low, high = found.end()
    assert low < loss < high
    assert loss == found.opinions()["momentum"]


def test_a_forecast_from_one_run_says_what_its_interval_cannot_know():
    wsd = family("momentum", MOMENTUM, {"wsd": PLANS["wsd"]}, noise=1e-3)
    options = {"law": "momentum", "others": ["tau-power"], "replicates": 3, "starts": 1}
    (decayed,) = forecast_schedule(family("momentum", MOMENTUM, {"cosine": PLANS["cosine"]}), "linear", **options)
    assert any("judged on the last third" in said for said in decayed.cautions)
    (stable,) = forecast_schedule(wsd, "linear", **options)  # without its last third it never decays
    assert any("no run could be left out" in said for said in stable.cautions)


def test_sizes_are_told_apart():
    ds = join([family("momentum", MOMENTUM, {str(p): PLANS["wsd"]}, params={"mlp": p}) for p in (1e6, 2e6)])
    assert list(by_size(ds)) == ["1000000 parameters", "2000000 parameters"]
    with pytest.raises(InputError, match="are of 2 sizes"):
        fit_schedule(ds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"law": "cubic"}, "law = 'cubic'"),
        ({"estimator": "l1"}, "estimator = 'l1'"),
        ({"delta": 0.0}, "delta = 0.0"),
        ({"starts": 0}, "starts = 0"),
        ({"skip": 1.0}, "skip = 1.0"),
        ({"fixed": {"beta": 1.0}}, "fixed = 'beta'"),
        ({"fixed": {"forget": 2.0}}, "fixed: forget = 2.0"),
    ],
)
def test_mistakes_are_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        fit_schedule(family("momentum", MOMENTUM, PLANS), **{"law": "momentum", **options})


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ("25", {"L0": 3.1583, "A": 0.5136, "C": 0.4019, "alpha": 0.5134}),
        ("100", {"L0": 2.7889, "A": 0.5926, "C": 0.4812, "alpha": 0.4550}),
    ],
)
def test_momentum_law_on_measured_runs_agrees_with_another_implementation(size, wanted):
    ds = measured(size)
    fit = fit_schedule(select(ds, TRAIN), "momentum", fixed={"forget": 1e-3}, warmup=WARMUP, starts=2)
    for name, value in wanted.items():
        assert fit.params[name] == pytest.approx(value, abs=4e-4), name
    unseen = select(ds, [n for n in ds.run.values.tolist() if n not in TRAIN])
    mean = fit.metrics(unseen, warmup=WARMUP).mean("run")
    assert mean["MAE"].item() == pytest.approx({"25": 0.00477, "100": 0.00467}[size], abs=3e-5)
    assert mean["R2"].item() == pytest.approx({"25": 0.9979, "100": 0.9978}[size], abs=1e-4)


def test_laws_with_memory_predict_unseen_measured_schedules():
    found = contest(measured("25"), TRAIN, ["functional", "momentum", "tau-power"], warmup=WARMUP, starts=2)
    mae = dict(zip(found.errors.law.values.tolist(), found.errors["MAE"].mean("run").values.tolist(), strict=True))
    assert mae["functional"] < 0.0047
    assert mae["momentum"] < 0.0047
    assert mae["tau-power"] > 0.02
    assert all(fit.converged for fit in found.fits.values())
