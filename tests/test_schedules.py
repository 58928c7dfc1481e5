import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws import schedules
from scalinglaws.errors import InputError
from tests.naive.schedules import rate_by_hand

FALLING = ("linear", "cosine", "multicosine", "quadratic", "sqrt", "power", "exponential")
OPTIONS = {"power": {"exponent": 1.5}, "exponential": {"final": 0.05}}
MAKERS = {
    "constant": lambda **k: schedules.constant(k["peak"], k["steps"], warmup=k["warmup"]),
    "linear": schedules.linear,
    "cosine": schedules.cosine,
    "multicosine": schedules.multicosine,
    "quadratic": schedules.quadratic,
    "power": lambda **k: schedules.power(**k, exponent=1.5),
    "exponential": lambda **k: schedules.exponential(k["peak"], k["steps"], warmup=k["warmup"], final=0.05),
    "eight_one_one": lambda **k: schedules.eight_one_one(k["peak"], k["steps"], warmup=k["warmup"]),
} | {
    f"wsd-{name}": lambda name=name, **k: schedules.wsd(**k, decay=0.3, cooldown=name, **OPTIONS.get(name, {}))
    for name in FALLING
}
WITHOUT_FLOOR = ("exponential", "eight_one_one")


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(steps=st.integers(2, 300), warm=st.floats(0, 0.9), floor=st.floats(0, 1), peak=st.floats(0, 10))
def test_every_shape_equals_its_definition_step_by_step(name, steps, warm, floor, peak):
    warmup, floor = int(warm * (steps - 1)), 0.0 if name in WITHOUT_FLOOR else floor
    schedule = MAKERS[name](peak=peak, steps=steps, warmup=warmup, floor=floor)
    expected = [rate_by_hand(name, t, peak=peak, steps=steps, warmup=warmup, floor=floor) for t in range(steps + 3)]
    # The square root is infinitely steep where a cooldown begins: rounding of x shows there.
    atol = 1e-7 * peak if name == "wsd-sqrt" else 1e-13
    np.testing.assert_allclose(schedule(np.arange(steps + 3)), expected, rtol=1e-12, atol=atol)
    np.testing.assert_allclose(schedule.tau(np.arange(steps + 1)), np.cumsum([0.0, *expected[:steps]]), rtol=1e-7)


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
        (lambda: schedules.multicosine(1.0, 9, halves=2), "halves = 2"),
        (lambda: schedules.power(1.0, 9, exponent=0), "exponent = 0"),
        (lambda: schedules.exponential(1.0, 9, final=0.0), "final = 0.0"),
        (lambda: schedules.two_stage(1.0, 9, at=9, rate=0.1), "at = "),
        (lambda: schedules.stages(1.0, 9, at=[3, 2], rates=[0.1, 0.2]), "must be increasing"),
        (lambda: schedules.stages(1.0, 9, at=[2, 3], rates=[0.1]), "one level for each change"),
        (lambda: schedules.parse("sawtooth", peak=1.0, steps=9), "schedule = 'sawtooth'"),
        (lambda: schedules.parse("linear:0.2", peak=1.0, steps=9), "must have the form option=value"),
        (lambda: schedules.parse("wsd:deacy=0.2", peak=1.0, steps=9), "options = "),
        (lambda: schedules.parse("wsd:x", peak=1.0, steps=9), "decay = 'x'"),
        (lambda: schedules.linear(1.0, 9).inverse_tau(99.0), "tau = 99.0"),
        (lambda: schedules.linear(1.0, 9).tau(-1), "step = -1"),
        (lambda: schedules.from_table([0, 2, 1], [1, 1, 1]), "must start at 0 and increase"),
        (lambda: schedules.from_table([0, 2], [1, float("inf")]), "must be finite"),
    ],
)
def test_a_wrong_value_gets_a_sentence(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_stages_change_at_the_step_asked_for():
    for steps, at, warmup in ((16_000, 8000, 2160), (97, 13, 7), (10**7, 7_654_321, 123)):
        schedule = schedules.two_stage(1.0, steps, at=at, rate=0.3, warmup=warmup)
        np.testing.assert_array_equal(schedule([at - 1, at, steps]), [1.0, 0.3, 0.3])
        assert schedule.kinks == (warmup, at, steps)


def test_kinks_are_where_the_rate_is_not_smooth():
    assert schedules.wsd(1.0, 1000, decay=0.3, warmup=100).kinks == (100, 730, 1000)
    assert schedules.from_table([0, 10, 40], [1.0, 0.5, 0.0]).kinks == (0, 10, 40)
    assert schedules.cosine(1.0, 50).kinks == (0, 50)
    assert schedules.constant(1.0).kinks == (0,)


@pytest.mark.parametrize("name", MAKERS)
def test_inverse_tau_undoes_tau(name):
    schedule = MAKERS[name](peak=0.1, steps=500, warmup=20, floor=0.0 if name in WITHOUT_FLOOR else 0.1)
    at = np.linspace(0, 500, 777).reshape(7, 111)
    np.testing.assert_allclose(schedule.inverse_tau(schedule.tau(at)), at, atol=1e-9)


def test_tau_of_long_runs_and_of_rests():
    schedule = schedules.linear(1.0, 3_000_000)
    np.testing.assert_allclose(schedule.tau([3_000_000, 0, 1_500_000]), [1_500_000.5, 0, 1_125_000.25], rtol=1e-12)
    rest = schedules.from_table([0, 10, 11, 20, 21, 30], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    assert rest.inverse_tau(rest.tau(15)) == rest.inverse_tau(rest.tau(20)) == 11
    assert schedules.constant(0.5, warmup=4).inverse_tau(100.0) == pytest.approx(201.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cosine", schedules.cosine(0.1, 100, warmup=5)),
        ("wsd:0.3", schedules.wsd(0.1, 100, decay=0.3, warmup=5)),
        ("wsd:0.3,cooldown=sqrt,floor=0.1", schedules.wsd(0.1, 100, decay=0.3, cooldown="sqrt", floor=0.1, warmup=5)),
        ("power:exponent=3", schedules.power(0.1, 100, exponent=3, warmup=5)),
        ("linear:warmup=7", schedules.linear(0.1, 100, warmup=7)),
        ("stages:at=[0.8,0.9],rates=[0.5,0.1]", schedules.eight_one_one(0.1, 100, rates=(0.5, 0.1), warmup=5)),
    ],
)
def test_text_form(text, expected):
    read = schedules.parse(text, peak=0.1, steps=100, warmup=5)
    np.testing.assert_array_equal(read(np.arange(101)), expected(np.arange(101)))
    assert read.kinks == expected.kinks
