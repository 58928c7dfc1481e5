import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws import schedules
from scalinglaws.errors import InputError
from scalinglaws.plotting.schedules import draw_schedules

SHAPES = {
    "constant": schedules.constant(1.0),
    "two stages": schedules.two_stage(1.0, 100, at=50, rate=0.3, warmup=10),
    "cosine": schedules.cosine(1.0, 100),
}


def test_a_jump_is_drawn_as_a_jump_and_axes_are_labelled():
    ax = Figure().subplots()
    lines = draw_schedules(SHAPES, ax=ax)
    x, y = lines["two stages"].get_data()
    assert np.diff(x)[np.argmin(np.diff(y))] < 1e-3
    assert max(lines["constant"].get_xdata()) == 100
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_over_flow_time_the_area_is_gone_and_the_length_is_tau():
    lines = draw_schedules(SHAPES, over="tau", ax=Figure().subplots())
    assert max(lines["cosine"].get_xdata()) == pytest.approx(float(SHAPES["cosine"].tau(100)))


def test_mistakes():
    with pytest.raises(InputError, match="over = 'time'"):
        draw_schedules(SHAPES, over="time")
    with pytest.raises(InputError, match="one schedule with an end"):
        draw_schedules({"c": schedules.constant(1.0)})
