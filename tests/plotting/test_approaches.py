"""Figures of the approaches, by the artists they return."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws.plotting.approaches import approach_lines, isoflop_slices
from scalinglaws.prediction.measured import compare_approaches, isoflop
from tests.prediction.test_measured_compare import grid


@pytest.fixture(scope="module")
def result():
    return compare_approaches(grid(), 1e22, replicates=40)


@pytest.fixture
def ax():
    return Figure().subplots()


def test_slices_show_runs_curves_and_minima(ax):
    data = grid()
    data["loss"][:9] = 7.0 - data["loss"][:9]  # the first budget bends down
    found = isoflop(data)
    drawn = isoflop_slices(found, ax=ax)
    assert len(drawn.points) == len(drawn.curves) == 5
    assert [line.get_linestyle() for line in drawn.curves] == ["--", "-", "-", "-", "-"]
    assert "wrong-curvature" in drawn.curves[0].get_label()
    clean = [b for b in found.budgets if b.used and not b.codes]
    np.testing.assert_allclose(drawn.minima.get_xdata(), [b.params for b in clean])
    x, y = drawn.curves[2].get_data()
    assert min(y) == pytest.approx(found.budgets[2].loss, rel=1e-4)
    assert x[int(np.argmin(y))] == pytest.approx(found.budgets[2].params, rel=0.03)
    assert len(drawn.doubtful.get_xdata()) == sum(b.used and bool(b.codes) for b in found.budgets)
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_lines_go_through_the_estimates_inside_their_bands(result, ax):
    drawn = approach_lines(result, ax=ax)
    assert set(drawn.lines) == set(drawn.bands) == {"isoflop", "parametric"}
    for name, line in drawn.lines.items():
        x, y = line.get_data()
        row = result.table.sel(approach=name)
        assert np.exp(np.interp(np.log(1e22), np.log(x), np.log(y))) == pytest.approx(float(row.params[0]), rel=1e-6)
        edge = drawn.bands[name].get_paths()[0].vertices
        end = edge[np.isclose(edge[:, 0], x[-1])][:, 1]
        assert end.min() == pytest.approx(float(row.params_low[0]), rel=1e-6)
        assert end.max() == pytest.approx(float(row.params_high[0]), rel=1e-6)
    assert drawn.minima is not None
    assert drawn.envelope is None
    assert set(approach_lines(result, corrected=True, ax=Figure().subplots()).lines) == {
        "isoflop",
        "isoflop-corrected",
        "parametric",
    }
