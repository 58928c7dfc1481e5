"""The laws themselves: against their definitions, their published accuracy, and their known properties."""

import numpy as np
import pytest

from scalinglaws.comparison.path import Path as Rates
from scalinglaws.comparison.schedule_laws import SCHEDULE_LAWS, History, find_schedule_law
from scalinglaws.comparison.schedule_laws.metrics import errors_of
from scalinglaws.comparison.schedule_laws.multi_power import PUBLISHED
from scalinglaws.curves import iter_runs
from scalinglaws.errors import InputError
from scalinglaws.schedules import constant
from tests.comparison.schedules_data import PEAK, TRAIN, VALUES, measured, plan, published_rates
from tests.naive import schedule_laws as naive

TWICE = "stages:at=[0.4,0.7],rates=[0.3,1.0]"
SHAPES = ("cosine:floor=0.1", "linear", "wsd:0.2,cooldown=sqrt", "multicosine", "constant", TWICE)


def oracle(law, schedule, step):
    rates = schedule(np.arange(schedule.steps)).tolist()
    if law == "multi-power":
        return naive.multi_power(VALUES[law], rates, step)
    by_law = {"momentum": naive.momentum, "functional": naive.functional}
    return by_law[law](VALUES[law], rates, step, schedule.warmup)


@pytest.mark.parametrize("law", VALUES)
@pytest.mark.parametrize("text", SHAPES)
def test_every_law_agrees_with_its_definition(law, text):
    schedule, steps = plan(text, 1200, 60), [61, 300, 777, 1199, 1200]
    fast = find_schedule_law(law).predict(VALUES[law], schedule, steps)
    every = find_schedule_law(law).predict(VALUES[law], schedule, steps, exact=True)
    wanted = [oracle(law, schedule, step) for step in steps]
    np.testing.assert_allclose(every, wanted, rtol=1e-12)
    np.testing.assert_allclose(fast, wanted, atol=3e-6)


@pytest.mark.parametrize("text", SHAPES)
def test_blocks_keep_the_sum_of_all_changes_and_are_few(text):
    path, steps = Rates.of_schedule(plan(text, 20_000, 1000)), np.arange(1200, 20_001, 400)
    few, all_of_them = History.of(path, steps), History.of(path, steps, exact=True)
    np.testing.assert_allclose(
        few.total(np.ones(few.drop.size)), all_of_them.total(np.ones(all_of_them.drop.size)), atol=1e-15
    )
    assert few.drop.size < 0.2 * all_of_them.drop.size
    assert few.lag.min(initial=1.0) >= 0.0
    assert np.all(np.diff(few.owner) >= 0)


@pytest.mark.parametrize("law", SCHEDULE_LAWS)
def test_derivatives_are_those_of_the_features(law):
    law = find_schedule_law(law)
    look = History.of(Rates.of_schedule(plan("cosine:floor=0.1")), np.arange(300, 3001, 300))
    shapes = law.starts(look)[0]
    slopes = law.features(shapes, look)[1]
    for i in range(shapes.size):
        step = np.zeros_like(shapes)
        step[i] = 1e-6 * shapes[i]
        ends = [law.features(shapes + sign * step, look)[0] for sign in (1, -1)]
        numbers = (ends[0] - ends[1]) / (2 * step[i])
        np.testing.assert_allclose(slopes[:, :, i], numbers, rtol=2e-5, atol=1e-8 * max(np.abs(numbers).max(), 1e-12))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [("25", (0.9988, 0.00376, 0.00465, 0.00110, 0.00409)), ("100", (0.9983, 0.00435, 0.00592, 0.00142, 0.00583))],
)
def test_published_parameters_give_the_published_errors(size, wanted):
    # The authors count the rate at the record itself, so that their sums hold one more rate: one step later here.
    law, rows = find_schedule_law("multi-power"), []
    for run in iter_runs(measured(size)):
        if run.name in TRAIN:
            continue
        keep = run.step < 24_000 if "24000" in run.name else slice(None)
        step, path = run.step[keep], published_rates(run.name, int(run.step[-1]))
        np.testing.assert_allclose(path.rate[step], run.lr[keep], rtol=1e-9)
        rows.append(errors_of(law.predict(PUBLISHED[f"{size}M"], path, step + 1), run.loss[keep])[:5])
    assert len(rows) == 6
    half_digit = [5e-5, *[5e-6] * 4]
    assert np.all(np.abs(np.mean(rows, axis=0) - wanted) <= half_digit)


@pytest.mark.parametrize("law", VALUES)
def test_before_the_first_positive_rate_a_prediction_is_infinite(law):
    path = Rates(rate=np.array([0.0, 0.0, *np.full(50, PEAK)]))
    loss = find_schedule_law(law).predict(VALUES[law], path, [1, 2, 10, 52])
    assert np.isinf(loss).tolist() == [True, True, False, False]
    assert np.isinf(find_schedule_law(law).predict(VALUES[law], path, [2])).all()


def test_momentum_law_keeps_falling_at_rate_zero():
    law, values = find_schedule_law("momentum"), VALUES["momentum"]
    done = plan("linear")(np.arange(3000))
    longer = Rates(rate=np.concatenate([done, np.zeros(50)]), warmup=200)
    losses = law.predict(values, longer, np.arange(3001, 3051))
    assert np.all(np.diff(losses) < 0)
    assert np.allclose(longer.tau_at(3050), longer.tau_at(3000), rtol=0, atol=1e-15)


def test_momentum_law_without_changes_is_the_power_law():
    values = VALUES["momentum"]
    schedule, steps = constant(1e-3, steps=2000), [10, 2000]
    power = {name: values[name] for name in ("L0", "A", "alpha")}
    np.testing.assert_array_equal(
        find_schedule_law("momentum").predict(values, schedule, steps),
        find_schedule_law("tau-power").predict(power, schedule, steps),
    )


def test_momentum_law_without_memory_sees_the_last_rate_alone():
    path = Rates.of_schedule(plan("cosine:floor=0.1", warmup=0))
    look = History.of(path, [500, 3000], exact=True)
    area = -find_schedule_law("momentum").features(np.array([0.5, 1.0]), look)[0][:, 2]
    np.testing.assert_allclose(area, path.rate[0] - path.rate[[499, 2999]], rtol=1e-9)


def test_a_rate_of_zero_in_between_is_no_accident():
    rates = np.concatenate([np.full(50, 1e-3), np.zeros(20), np.full(50, 5e-4)])
    values = VALUES["multi-power"]
    law = find_schedule_law("multi-power")
    wanted = [naive.multi_power(values, rates.tolist(), t) for t in (60, 70, 71, 120)]
    np.testing.assert_allclose(law.predict(values, Rates(rate=rates), [60, 70, 71, 120]), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda law: law.predict({"L0": 1.0}, constant(0.1, steps=5)), "tau-power: parameters"),
        (lambda law: law.predict({"L0": 1.0, "A": 1.0, "alpha": 1.0}, constant(0.1, steps=5), [6]), "steps = "),
        (lambda law: law.predict({"L0": 1.0, "A": 1.0, "alpha": 1.0}, constant(0.1, steps=5), [0]), "steps = "),
        (lambda law: law.predict({"L0": 1.0, "A": 1.0, "alpha": 1.0}, constant(0.1, steps=5), [1.5]), "steps = "),
        (lambda law: find_schedule_law("power"), "law = 'power': must be one of"),
    ],
)
def test_what_a_law_cannot_do_is_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call(find_schedule_law("tau-power"))
