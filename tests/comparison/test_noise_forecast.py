from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.noise import NoiseForecast, forecast, pair_runs
from scalinglaws.comparison.noise.ageing import Memory
from scalinglaws.comparison.noise.band import by_schedule
from scalinglaws.comparison.noise.smooth import local_linear
from scalinglaws.comparison.path import Path
from scalinglaws.errors import InputError
from tests.comparison.noise_cases import (
    ALPHA,
    ANSWER,
    PACE,
    SCHEDULES,
    family,
    hidden,
    hidden_pairs,
    made,
    make,
    named,
    published_pairs,
    truth,
)
from tests.naive.noise import aged

SPLITS = {
    "linear and cosine": lambda shape, late: shape in ("linear", "cosine"),
    "multicosine and quadratic": lambda shape, late: shape in ("multicosine", "quadratic"),
    "linear": lambda shape, late: shape == "linear",
    "full": lambda shape, late: not late,
}
"""Halves of the schedules to learn from; all others are the test."""


@pytest.mark.parametrize("split", SPLITS)
def test_published_schedules_never_fitted(split):
    learned = forecast(published_pairs(), fit_on=named(SPLITS[split]))
    same = forecast(published_pairs(), fit_on=named(SPLITS[split]), answer="same")
    errors = learned.test(published_pairs())
    assert set(errors.run.values) == set(named(lambda shape, late: not SPLITS[split](shape, late)))
    assert float(errors.relative.mean()) < 1.4e-4  # the baseline of the paper's data is 2.6e-4
    assert float(errors.relative.mean()) < 0.75 * float(same.test(published_pairs()).relative.mean())
    assert learned.converged
    assert not learned.warnings


def test_published_full_decays_from_late_ones_is_the_hard_direction():
    """Late decays do not tell how noise answers a long one: better than the baseline, and not by as much."""
    late = named(lambda shape, late: late)
    error = float(forecast(published_pairs(), fit_on=late).test(published_pairs()).relative.mean())
    same = float(forecast(published_pairs(), fit_on=late, answer="same").test(published_pairs()).relative.mean())
    assert error < 2.5e-4 < 4e-4 < same


@pytest.mark.parametrize("split", ["linear and cosine", "full"])
def test_published_schedules_without_any_noise_measured(split):
    learned = forecast(hidden_pairs(), fit_on=named(SPLITS[split]))
    assert learned.model.trace == "modelled"
    assert float(learned.test(hidden_pairs()).relative.mean()) < 1.4e-4
    assert learned.params["q"] == pytest.approx(0.36, abs=0.03)  # the measured traces fall as tau^-.355 to tau^-.372


def test_published_parameters():
    learned = forecast(published_pairs())
    assert learned.params["alpha"] == pytest.approx(0.219, abs=0.005)
    assert learned.params["p"] == pytest.approx(0.447, abs=0.03)
    assert learned.params["c"] == pytest.approx(15.0, abs=3.0)
    assert learned.band.schedules == 8
    for name, value in learned.params.items():
        low, high = learned.intervals[name]
        assert low < value < high


def test_published_noise_itself():
    """The noise inferred from losses alone is the noise that was measured: within 7 %, 20 % for the baseline."""
    learned = forecast(published_pairs())
    ratios, guesses = [], []
    for pair in published_pairs().pairs:
        ratios.append(np.log(pair.trace / pair.contrast.trace))
        guesses.append(np.log(learned.model.growth(pair.contrast, learned.coordinates)))
    measured, guess = np.concatenate(ratios), np.concatenate(guesses)
    assert np.sqrt(np.mean((measured - guess) ** 2)) < 0.07
    assert np.sqrt(np.mean(measured**2)) > 0.2


def test_coverage_on_published_schedules():
    inside = forecast(published_pairs(), fit_on=named(lambda shape, late: shape in ("linear", "multicosine")))
    assert float(inside.test(published_pairs()).covered.mean()) > 0.9
    narrow = forecast(published_pairs(), fit_on=named(SPLITS["linear and cosine"]))
    assert 0.6 < float(narrow.test(published_pairs()).covered.mean()) < 0.95  # one-sided schedules do not tell of waves


def test_recovers_what_it_was_made_with():
    learned = forecast(family(), fit_on=["linear", "wsd", "multi"])
    assert learned.params["alpha"] == pytest.approx(ALPHA, rel=0.02)
    assert learned.params["p"] == pytest.approx(ANSWER, rel=0.05)
    assert learned.params["c"] == pytest.approx(PACE, rel=0.15)  # the reference's smoothing is seen here
    assert float(learned.test(family()).relative.max()) < 5e-5
    assert learned.fitted == ("linear", "wsd", "multi")
    assert learned.points == sum(p.loss.size for p in pair_runs(family()).only(learned.fitted))


def test_recovers_without_noise_traces():
    learned = forecast(hidden(family()), fit_on=["linear", "wsd", "multi"])
    assert learned.params["q"] == pytest.approx(0.35, abs=0.02)
    assert learned.params["p"] == pytest.approx(ANSWER, rel=0.1)
    assert float(learned.test(hidden(family())).relative.max()) < 1e-4


def test_predicts_a_schedule_never_run():
    learned = forecast(family(), fit_on=["linear", "wsd"])
    new = schedules.parse("wsd:0.5,cooldown=cosine", peak=0.5, steps=2500)
    step = np.array([50, 500, 1500, 2000, 2500])
    found = learned.predict(new, step)
    assert found.loss.values == pytest.approx(truth(new, step)[0], rel=5e-4)
    assert bool((found.low < found.loss).all())
    assert bool((found.high > found.loss).all())
    assert found.removed.values[:2] == pytest.approx([0.0, 0.0])
    assert learned.predict(Path.of_schedule(new), step).equals(found)
    assert learned.predict(new).step.values[[0, -1]].tolist() == [20, 2500]


def test_never_looks_at_the_target():
    learned = forecast(family(), fit_on=["linear", "wsd"])
    rng = np.random.default_rng(0)
    wrong = [
        replace(r, loss=r.loss + rng.uniform(0.0, 1e-3, r.loss.size), noise_trace=r.noise_trace * 7)
        if r.name in ("cosine", "multi")
        else r
        for r in made().values()
    ]
    names = ["cosine", "multi"]
    assert np.array_equal(learned.curves(family(*wrong), names).predicted, learned.curves(family(), names).predicted)
    again = forecast(family(*wrong), fit_on=["linear", "wsd"])
    assert again.params == learned.params
    assert again.band == learned.band


def test_uses_no_trace_of_the_runs_it_learns_from():
    """Only the constant run's noise enters."""
    bare = [replace(r, noise_trace=None) if r.name != "flat" else r for r in made().values()]
    assert forecast(family(*bare), trace="measured").params == forecast(family(), trace="measured").params


def test_one_set_of_parameters_for_all_sizes():
    runs = [*made().values(), *made(3.0, " big").values()]
    learned = forecast(family(*runs), fit_on=["linear", "wsd", "multi"])
    assert set(learned.test(family(*runs)).run.values) == {
        "cosine",
        "quadratic",
        *(f"{name} big" for name in SCHEDULES),
    }
    assert float(learned.test(family(*runs)).relative.max()) < 1e-4
    assert learned.predict(SCHEDULES["cosine"], [3000], reference="flat big").attrs["reference"] == "flat big"
    with pytest.raises(InputError, match="reference = None: must be one of flat, flat big"):
        learned.predict(SCHEDULES["cosine"])


def test_damaged_runs_cost_little():
    rng = np.random.default_rng(1)
    runs = []
    for run in made().values():
        loss, trace = run.loss.copy(), run.noise_trace.copy()
        loss[rng.choice(loss.size, 20, replace=False)] = np.nan
        loss[[180, 181]] *= 1.3
        trace[rng.choice(loss.size, 20, replace=False)] = np.nan
        runs.append(replace(run, loss=loss, noise_trace=trace))
    learned = forecast(family(*runs))
    assert learned.params["alpha"] == pytest.approx(ALPHA, rel=0.05)
    assert any("in loss spikes" in note for note in learned.notes)


def test_warns_where_runs_do_not_tell():
    one = forecast(family(made()["flat"], made()["linear"]))
    assert any(s.startswith("one schedule tells little") for s in one.warnings)
    assert any(s.startswith("one target was fitted") for s in one.warnings)
    assert np.isnan(one.intervals["alpha"][0])
    upward = [replace(r, loss=4.2 - r.loss) if r.name != "flat" else r for r in made().values()]
    assert any("did not lower the loss" in s for s in forecast(family(*upward), answer="same").warnings)


def test_summary_tells_the_parameters():
    learned = forecast(family(), fit_on=["linear", "wsd"])
    assert isinstance(learned, NoiseForecast)
    for word in ("alpha", "p ", "c ", "objective", "converged", "2 schedules"):
        assert word in learned.summary()


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"answer": "young"}, "answer = 'young': must be one of ageing, same"),
        ({"trace": "guessed"}, "trace = 'guessed': must be one of measured, modelled"),
        ({"level": 0.0}, "level = 0.0: must lie between 0 and 1"),
        ({"replicates": 1.5}, "replicates = 1.5: must be an integer, 2 or more"),
        ({"fit_on": ["nobody"]}, "run nobody: is not an annealed run of this family"),
        ({"fit_on": []}, "runs: none can be compared"),
    ],
)
def test_mistakes(keywords, match):
    with pytest.raises(InputError, match=match):
        forecast(family(), **keywords)


def test_measured_trace_must_be_there():
    with pytest.raises(InputError, match="noise of the constant runs flat was not measured"):
        forecast(hidden(family()), trace="measured")


@pytest.mark.parametrize(
    ("schedule", "steps", "match"),
    [
        (schedules.linear(0.4, steps=3000), None, "peak = 0.4: must be that of flat, 0.5"),
        (schedules.linear(0.5, steps=9000), None, "gradient-flow time 2250.25 lies outside what the constant run flat"),
        (schedules.linear(0.5, steps=3000), [5, 90], "steps = 5: gradient-flow time 2.49.* lies outside"),
        (schedules.linear(0.5, steps=3000), [0], "steps = .* must be whole numbers from 1 to 3000"),
        (schedules.linear(0.5, steps=3000), [3001], "must be whole numbers from 1 to 3000"),
    ],
)
def test_mistakes_in_a_prediction(schedule, steps, match):
    learned = forecast(family(), fit_on=["linear", "wsd"])
    with pytest.raises(InputError, match=match):
        learned.predict(schedule, steps)


def test_nothing_left_to_test():
    with pytest.raises(InputError, match="no annealed run is left"):
        forecast(family()).test(family())


# ----- the parts


@pytest.mark.parametrize("pace", [0.7, 4.0, 20.0])
def test_ageing_is_its_differential_equation(pace):
    rng = np.random.default_rng(2)
    rates = np.concatenate([np.ones(20), rng.uniform(0.0, 1.0, 60)])
    memory = Memory.of(Path(rate=rates), 1.0 - rates, [30, 55, 80], 20)
    expected = [aged(rates[:n].tolist(), (1.0 - rates[:n]).tolist(), pace) for n in (30, 55, 80)]
    assert memory.response(pace) == pytest.approx(expected, rel=3e-3)


def test_ageing_in_coarse_cells():
    """Cells of several updates change little: the fall is averaged in each."""
    schedule = schedules.cosine(1.0, steps=20_000)
    rates = schedule(np.arange(20_000))
    weight = np.append(0.0, np.cumsum(rates)) / rates.sum()
    exact = np.sum((1.0 - rates) * np.diff(weight**12.0))
    found = Memory.of(Path(rate=rates), 1.0 - rates, [20_000], 0).response(12.0)
    assert found == pytest.approx([exact], rel=1e-5)


def test_updates_at_rate_zero_are_forgotten():
    rates = np.concatenate([np.linspace(1.0, 0.0, 100), np.zeros(50)])
    memory = Memory.of(Path(rate=rates), 1.0 - rates, [99, 120, 150], 1)
    assert memory.response(5.0) == pytest.approx(np.full(3, memory.response(5.0)[0]))


def test_schedules_are_told_apart_by_their_rates():
    runs = [*made().values(), *(replace(r, schedule=r.schedule) for r in made(2.0, " big").values())]
    groups = by_schedule(pair_runs(family(*runs)).pairs)
    assert sorted(len(group) for group in groups) == [2, 2, 2, 2, 2]


def test_schedules_of_the_published_runs():
    assert len(by_schedule(published_pairs().pairs)) == 8


def test_smoothing_keeps_a_line_and_removes_scatter():
    x = np.linspace(0.0, 3.0, 600)
    noise = np.random.default_rng(0).normal(0.0, 1.0, 600)
    smooth = local_linear(x, 5.0 - x + noise)
    assert np.std(smooth[50:-50] - (5.0 - x)[50:-50]) < 0.25
    assert local_linear(np.array([0.0, 9.0]), np.array([1.0, 2.0])) == pytest.approx([1.0, 2.0])


def test_runs_of_another_grid_are_forecast_alike():
    learned = forecast(family(), fit_on=["linear", "wsd"])
    sparse = make("sparse", SCHEDULES["cosine"], every=40)
    errors = learned.test(family(made()["flat"], sparse))
    assert float(errors.relative[0]) < 1e-4
