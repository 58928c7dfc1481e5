import json

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison import Path
from scalinglaws.curves.family import Run
from scalinglaws.errors import InputError


def recorded(schedule, every, first=0, stop=None):
    """A run that logged its rate every `every` steps and does not say which schedule it had."""
    step = np.unique(np.append(np.arange(first, stop or schedule.steps, every), stop or schedule.steps))
    return Run(name="a", step=step, loss=np.ones(step.size), params={}, lr=schedule(step))


@pytest.mark.parametrize(
    ("schedule", "tolerance"),
    [
        (schedules.linear(0.1, 5000), 1e-12),
        (schedules.cosine(0.1, 5000, floor=0.1), 5e-5),
        (schedules.two_stage(0.1, 5120, at=2560, rate=0.3), 1e-12),
        (schedules.stages(0.1, 5120, at=[3840, 4480], rates=[0.3, 0.1]), 1e-12),
        (schedules.wsd(0.1, 5120, decay=0.25), 1e-12),
    ],
)
def test_recorded_rates_give_back_the_schedule(schedule, tolerance):
    path = Path.of_run(recorded(schedule, 128))
    np.testing.assert_allclose(path.rate, schedule(np.arange(schedule.steps)), rtol=0, atol=tolerance)
    np.testing.assert_allclose(path.tau_at(path.steps), schedule.tau(schedule.steps), rtol=1e-3)


def test_a_stored_schedule_is_taken_at_its_word():
    schedule = schedules.wsd(0.1, 1000, warmup=100)
    run = Run(name="a", step=[400, 900], loss=[2, 1], params={}, schedule=json.dumps(schedule.to_dict()))
    np.testing.assert_array_equal(Path.of_run(run).rate, schedule(np.arange(900)))


def test_updates_before_the_first_record_are_warm_up_only_if_they_are_many():
    schedule = schedules.cosine(0.1, 5000, warmup=1000)
    path = Path.of_run(recorded(schedule, 100, first=1000))
    assert path.warmup == 1000
    np.testing.assert_allclose(path.rate[:1000], schedule(np.arange(1000)))
    assert Path.of_run(recorded(schedules.constant(0.1, 5000), 100, first=100)).warmup == 0
    assert Path.of_run(recorded(schedule, 100, first=1000), warmup=0).rate[0] == 0.1


def test_a_warm_up_that_is_under_way_at_the_first_record_is_drawn_back_to_zero():
    schedule = schedules.cosine(0.1, 5000, warmup=1000)
    path = Path.of_run(recorded(schedule, 100, first=200))
    np.testing.assert_allclose(path.rate[:1000], schedule(np.arange(1000)), atol=1e-4)
    assert path.warmup == 1000


def test_a_rate_logged_as_zero_at_the_very_end_of_a_constant_run_is_no_cooldown():
    run = Run(
        name="a", step=np.array([0, 100, 200, 300]), loss=np.arange(4.0), params={}, lr=np.array([0.1, 0.1, 0.1, 0.0])
    )
    np.testing.assert_array_equal(Path.of_run(run).rate, 0.1)


def test_step_at_undoes_tau_at_and_is_nan_beyond_the_end():
    path = Path(rate=[0.1, 0.2, 0.0, 0.0, 0.3])
    at = np.array([0, 0.5, 1, 1.7, 4.2, 5])
    np.testing.assert_allclose(path.step_at(path.tau_at(at)), at)
    assert path.step_at(path.tau_at(3.0)) == 2.0
    assert np.isnan(path.step_at(0.7)) and np.isnan(path.step_at(-0.1))  # noqa: PT018


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Path(rate=[]), "one rate or more"),
        (lambda: Path(rate=[0.1, np.nan]), "rate = nan at step 1"),
        (lambda: Path(rate=[0.0, 0.0]), "must be positive"),
        (lambda: Path.of_schedule(schedules.constant(0.1)), "schedule without an end"),
        (lambda: Path(rate=[0.1]).tau_at(2), "step = 2"),
        (lambda: Path.of_run(Run(name="a", step=[1], loss=[1], params={})), "run a: lr"),
        (lambda: Path.of_run(recorded(schedules.constant(0.1, 90), 10), warmup=3), "warmup = 3"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(InputError, match=words):
        make()
