"""Profiles, joint regions and errors by origin: what is drawn where."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalinglaws.fitting import Fit, fit
from scalinglaws.fitting.profile import Profile, profile
from scalinglaws.fitting.ridge import ridge
from scalinglaws.plotting.uncertainty import joint_region, profile_curve, rolling_errors
from scalinglaws.prediction.rolling import rolling_origin
from tests.fitting.conftest import ladder


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(ladder(0.003), estimator="log-l2")


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def test_profile_crosses_one_at_its_ends(fitted: Fit, ax: Axes) -> None:
    found = profile(fitted, "n_opt", flops=1e21)
    drawn = profile_curve(found, ax=ax)
    x, y = drawn.curve.get_data()
    for end in found.interval:
        assert np.interp(end, x, y) == pytest.approx(1.0, abs=0.05)
    assert drawn.best.get_xdata()[0] == found.best
    assert "1e21" in ax.get_xlabel()
    assert ax.get_ylabel()
    shade = drawn.interval.get_paths()[0].vertices[:, 0]
    assert (shade.min(), shade.max()) == (pytest.approx(found.low), pytest.approx(found.high))


def test_an_open_end_is_marked(ax: Axes) -> None:
    values = np.array([0.5, 1.0, 2.0, 8.0, 100.0])
    found = Profile(
        name="R_D",
        at={},
        values=values,
        excess=np.array([4.0, 0.0, 0.3, 0.5, 0.6]),
        theta=np.zeros((5, 1)),
        best=1.0,
        threshold=1.0,
        level=0.9,
        calibration="by hand",
        low=0.7,
        high=np.inf,
        notes=("R_D is not bounded above by this data: 100 is still inside the interval.",),
    )
    profile_curve(found, ax=ax)
    marks = [line for line in ax.lines if line.get_marker() == ">"]
    assert len(marks) == 1
    assert marks[0].get_xdata()[0] == 100.0
    assert ax.get_xscale() == "log"


def test_joint_region_holds_its_spine(fitted: Fit, ax: Axes) -> None:
    found = ridge(fitted, "B", "beta", points=7)
    drawn = joint_region(found, ax=ax)
    assert len(drawn.regions) == 2
    assert drawn.spine.get_xdata().tolist() == found.along.tolist()
    assert (drawn.best.get_xdata()[0], drawn.best.get_ydata()[0]) == found.best
    wide, narrow = (np.ptp(region.get_paths()[0].vertices[:, 0]) for region in drawn.regions)
    assert wide > narrow
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("B", "beta")


@pytest.mark.parametrize("replicates", [0, 50])
def test_errors_by_origin(ax: Axes, replicates: int) -> None:
    rolled = rolling_origin(ladder(0.003), [2e16, 1e17], replicates=replicates)
    drawn = rolling_errors(rolled, ax=ax)
    assert [line.get_xdata()[0] for line in drawn.origins] == [2e16, 1e17]
    assert len(drawn.errors) == 2
    first = drawn.errors[0]
    points = np.asarray(first.get_offsets()) if replicates == 0 else np.column_stack(first[0].get_data())
    assert points[:, 1] == pytest.approx(100 * rolled.origins[0].error)
    assert points[:, 0] == pytest.approx(rolled.origins[0].compute)
