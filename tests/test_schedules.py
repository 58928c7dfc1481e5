import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws import schedules
from scalinglaws.errors import InputError
from tests.naive.schedules import rate_by_hand

MAKERS = {
    "constant": lambda **k: schedules.constant(k["peak"], k["steps"], warmup=k["warmup"]),
    "linear": lambda **k: schedules.linear(**k),
    "cosine": lambda **k: schedules.cosine(**k),
    "wsd": lambda **k: schedules.wsd(**k, decay=0.3),
    "wsd-sqrt": lambda **k: schedules.wsd(**k, decay=0.3, cooldown="sqrt"),
}


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(steps=st.integers(2, 300), warm=st.floats(0, 0.9), floor=st.floats(0, 1), peak=st.floats(0, 10))
def test_every_shape_equals_its_definition_step_by_step(name, steps, warm, floor, peak):
    warmup = int(warm * (steps - 1))
    schedule = MAKERS[name](peak=peak, steps=steps, warmup=warmup, floor=floor)
    expected = [rate_by_hand(name, t, peak=peak, steps=steps, warmup=warmup, floor=floor) for t in range(steps + 3)]
    np.testing.assert_allclose(schedule(np.arange(steps + 3)), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(schedule.tau(np.arange(steps + 1)), np.cumsum([0.0, *expected[:steps]]), rtol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_round_trip_through_json(name):
    schedule = MAKERS[name](peak=0.1, steps=50, warmup=5, floor=0.1)
    again = schedules.Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))
    assert again == schedule
    assert hash(again) == hash(schedule)


def test_table_is_linear_between_its_points():
    schedule = schedules.from_table([0, 4, 10], [0.0, 2.0, 0.5])
    np.testing.assert_allclose(schedule([0, 2, 4, 7, 10, 99]), [0, 1, 2, 1.25, 0.5, 0.5])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedules.linear(-1.0, 10), "peak = -1.0"),
        (lambda: schedules.linear(float("nan"), 10), "peak = nan"),
        (lambda: schedules.linear(1.0, 10, warmup=10), "must exceed warmup"),
        (lambda: schedules.linear(1.0, 10, floor=2.0), "floor = 2.0"),
        (lambda: schedules.cosine(1.0, 10.5), "steps = 10.5"),
        (lambda: schedules.wsd(1.0, 10, decay=0.0), "decay = 0.0"),
        (lambda: schedules.wsd(1.0, 10, cooldown="cubic"), "cooldown = 'cubic'"),
        (lambda: schedules.Schedule(shape="staircase", peak=1.0, steps=3), "schedule = 'staircase'"),
        (lambda: schedules.Schedule(shape="linear", peak=1.0), "needs its length"),
        (lambda: schedules.Schedule.from_dict({"shape": "linear", "peak": "high", "steps": 3}), "peak = 'high'"),
        (
            lambda: schedules.Schedule.from_dict({"shape": "cosine", "peak": 1.0, "steps": 3, "decay": 0.1}),
            "options = ",
        ),
        (lambda: schedules.Schedule.from_dict({"peak": 1.0}), "needs at least the keys"),
        (lambda: schedules.from_table([0, 2, 1], [1, 1, 1]), "must start at 0 and increase"),
        (lambda: schedules.from_table([0, 2], [1, float("inf")]), "must be finite"),
    ],
)
def test_a_wrong_value_gets_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()
