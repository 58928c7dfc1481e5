from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scalinglaws import read_curves
from scalinglaws.comparison.noise import explain, pair_runs
from scalinglaws.comparison.noise.curve import Curve
from scalinglaws.curves import Run
from scalinglaws.errors import InputError
from tests.comparison.noise_cases import FLAT, SCHEDULES, as_dict, family, made, make, published_pairs
from tests.naive.noise import pooled_alpha


@pytest.mark.parametrize(
    ("model", "alpha", "relative", "mae", "r2"),
    [
        ("eq16", 0.2098, 1.44e-4, 5.2e-4, 0.9925),
        ("eq15", 0.314, 3.38e-4, 9.7e-4, 0.9764),
        ("constant", 0.0143, 7.19e-4, 19.2e-4, 0.892),
    ],
)
def test_published_runs(model, alpha, relative, mae, r2):
    found = explain(published_pairs(), model)
    assert found.alpha == pytest.approx(alpha, abs=3e-4)
    assert found.relative == pytest.approx(relative, rel=0.01)
    assert found.mae == pytest.approx(mae, rel=0.01)
    assert found.r2 == pytest.approx(r2, abs=5e-4)
    assert found.targets.sizes["run"] == 36
    assert found.points == found.curves.sizes["obs"] == int(found.curves.row_size.sum())
    assert found.low < found.alpha < found.high


@pytest.mark.parametrize("model", ["eq16", "eq15", "constant"])
def test_definition(model):
    runs = made()
    found = explain(family(), model)
    alpha, relative = pooled_alpha(as_dict(runs["flat"]), [as_dict(runs[n]) for n in SCHEDULES], model)
    assert found.alpha == pytest.approx(alpha, rel=1e-9)
    assert found.relative == pytest.approx(relative, rel=1e-6)


def test_finds_the_alpha_it_was_made_with():
    found = explain(family())
    assert found.alpha == pytest.approx(0.25, rel=2e-3)
    assert found.low <= found.high
    assert found.r2 > 0.9999


def test_reports_what_it_did():
    found = explain(family())
    error = found.curves.loss - found.curves.predicted
    assert found.objective == pytest.approx(float((error**2).sum()))
    assert found.mae == pytest.approx(float(np.abs(error).mean()))
    assert float((found.targets.mae * found.targets.points).sum()) == pytest.approx(found.mae * found.points)
    assert "alpha" in found.summary()
    assert explain(family(), rng=3).low == explain(family(), rng=3).low


def test_one_target_has_no_interval():
    found = explain(family(made()["flat"], made()["linear"]))
    assert np.isnan(found.low)
    assert np.isnan(found.high)


# ----- what is found, what happens: one test for each rule


def test_without_reference():
    lonely = make("lonely", SCHEDULES["linear"], size=2.0)
    found = explain(family(*made().values(), lonely))
    assert found.excluded["lonely"] == "no constant run has its size, batch and peak rate"
    assert found.alpha == explain(family()).alpha


def test_no_reference_at_all():
    with pytest.raises(InputError, match="none can be compared with a constant run"):
        explain(family(made()["linear"]))


def test_without_noise_trace():
    runs = made()
    found = explain(family(*(replace(r, noise_trace=None) if r.name == "linear" else r for r in runs.values())))
    assert "measured at 0 records" in found.excluded["linear"]
    assert found.targets.sizes["run"] == 4


def test_reference_without_noise_trace():
    bare = [replace(r, noise_trace=None) if r.name == "flat" else r for r in made().values()]
    assert explain(family(*bare)).alpha == explain(family()).alpha
    with pytest.raises(InputError, match="noise of its constant run flat was not measured"):
        explain(family(*bare), "eq15")


def test_target_longer_than_reference():
    short = make("flat", FLAT)
    keep = short.step <= 1500
    cut = {n: getattr(short, n)[keep] for n in ("step", "loss", "lr", "noise_trace")}
    found = explain(family(replace(short, **cut), made()["cosine"], made()["wsd"]))
    assert any("beyond the end of flat were left out" in note for note in found.notes)
    assert "wsd" in found.excluded  # it falls beyond the end of the reference
    assert float(found.curves.tau.max()) <= 750.0
    assert found.alpha == pytest.approx(0.25, rel=1e-2)


def test_longest_reference():
    short = make("short", FLAT)
    keep = short.step <= 1500
    cut = {n: getattr(short, n)[keep] for n in ("step", "loss", "lr", "noise_trace")}
    found = explain(family(replace(short, **cut), *made().values()))
    assert found.excluded == {"short": "a longer constant run of the same kind is the reference"}
    assert found.alpha == explain(family()).alpha


@pytest.mark.parametrize("which", ["linear", "flat"])
def test_spikes(which):
    run = made()[which]
    loss = run.loss.copy()
    loss[[150, 151, 220]] *= [1.4, 1.2, 1.1]
    found = explain(family(*(replace(r, loss=loss) if r.name == which else r for r in made().values())))
    assert f"run {which}: 3 record(s) in loss spikes were left out" in found.notes
    assert found.alpha == pytest.approx(explain(family()).alpha, rel=1e-4)


def test_missing_points():
    rng = np.random.default_rng(0)
    runs = []
    for run in made().values():
        loss, trace = run.loss.copy(), run.noise_trace.copy()
        loss[rng.choice(loss.size, 30, replace=False)] = np.nan
        trace[rng.choice(loss.size, 30, replace=False)] = np.nan
        runs.append(replace(run, loss=loss, noise_trace=trace))
    for model in ("eq16", "eq15"):
        assert explain(family(*runs), model).alpha == pytest.approx(explain(family(), model).alpha, rel=5e-3)
    assert any("30 record(s) without a usable loss" in note for note in explain(family(*runs)).notes)


def test_restarted_steps(tmp_path):
    lines = ["run,step,val_loss,lr,noise_trace"]
    for run in made().values():
        row = [
            f"{run.name},{s},{v},{r},{n}"
            for s, v, r, n in zip(run.step, run.loss, run.lr, run.noise_trace, strict=True)
        ]
        bad = [
            f"{run.name},{s},{v + 0.3},{r},{n}"
            for s, v, r, n in zip(run.step, run.loss, run.lr, run.noise_trace, strict=True)
        ]
        lines += row[:120] + bad[120:160] + row[120:]  # crashed after 160, resumed from 120
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    runs = read_curves(path, columns={"noise_trace": "noise_trace"}, params=1e6)
    clean = family(*(replace(r, schedule="") for r in made().values()))
    assert explain(runs).alpha == pytest.approx(explain(clean).alpha, rel=1e-9)


def test_other_logging_grids():
    runs = [made()["flat"], *(make(n, s, every=17 + 5 * i) for i, (n, s) in enumerate(SCHEDULES.items()))]
    assert explain(family(*runs)).alpha == pytest.approx(0.25, rel=5e-3)


def test_diverged_and_unknown_rates():
    runs = made()
    odd = [
        replace(runs["linear"], name="blown", status="diverged"),
        replace(runs["linear"], name="silent", lr=None, schedule=""),
        replace(runs["flat"], name="burst", status="diverged"),
    ]
    found = explain(family(*runs.values(), *odd))
    assert found.excluded["blown"] == found.excluded["burst"] == "it diverged"
    assert found.excluded["silent"].startswith("its learning rates cannot be used (run silent: lr = ")
    assert found.alpha == explain(family()).alpha


def test_too_few_records():
    run = made()["linear"]
    few = {n: getattr(run, n)[::60] for n in ("step", "loss", "lr", "noise_trace")}
    found = explain(family(*(replace(r, **few) if r.name == "linear" else r for r in made().values())))
    assert "usable record(s), and 8 are needed" in found.excluded["linear"]


def test_recorded_rates_do_as_well_as_a_stored_schedule():
    runs = [make("flat", FLAT, stored=False), *(make(n, s, stored=False) for n, s in SCHEDULES.items())]
    assert explain(family(*runs)).alpha == pytest.approx(explain(family()).alpha, rel=5e-3)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"model": "eq99"}, "model = 'eq99': must be one of eq16, eq15, constant"),
        ({"level": 1.0}, "level = 1.0: must lie between 0 and 1"),
        ({"replicates": 1}, "replicates = 1: must be an integer, 2 or more"),
    ],
)
def test_mistakes(keywords, match):
    with pytest.raises(InputError, match=match):
        explain(family(), **keywords)


def test_unknown_target_is_named():
    with pytest.raises(InputError, match="run flat: is not an annealed run"):
        pair_runs(family()).only(["flat"])


def test_another_fall():
    with pytest.raises(InputError, match=r"fall = 0\.0: must lie between 0 and 1"):
        pair_runs(family(), fall=0.0)
    later = explain(pair_runs(family(), fall=0.2))
    assert float(later.curves.rate.isel(obs=0)) < 0.8
    assert later.points < explain(family()).points


def test_records_before_the_first_positive_rate():
    runs = []
    for run in made().values():
        lr, step = np.concatenate([[0.0, 0.0], run.lr]), np.concatenate([[0, 1], run.step])
        loss, trace = (np.concatenate([[11.0, 11.0], v]) for v in (run.loss, run.noise_trace))
        runs.append(replace(run, lr=lr, step=step, loss=loss, noise_trace=trace, schedule=""))
    found = explain(family(*runs))
    assert found.alpha == pytest.approx(0.25, rel=0.01)
    assert found.notes == ()


def test_a_preconditioned_trace_is_preferred_to_a_raw_one():
    raw, preconditioned = np.full(60, 5.0), np.linspace(1.0, 2.0, 60)
    step, facts = np.arange(1, 61) * 10, {"params": {}, "lr": np.full(60, 0.1), "loss": np.linspace(3.0, 2.0, 60)}
    both = Run(name="a", step=step, noise_trace=raw, noise_trace_preconditioned=preconditioned, **facts)
    np.testing.assert_array_equal(Curve.of(both, fall=0.01).trace, preconditioned)
    np.testing.assert_array_equal(Curve.of(Run(name="a", step=step, noise_trace=raw, **facts), fall=0.01).trace, raw)
