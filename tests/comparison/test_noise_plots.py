from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws.comparison.noise import explain, forecast
from scalinglaws.errors import InputError
from scalinglaws.plotting.noise import draw_removed, noise_errors, removed_loss
from tests.comparison.noise_cases import SCHEDULES, family, made


@pytest.fixture(scope="module")
def learned():
    runs = family(*made().values(), *made(3.0, " big").values())
    return runs, forecast(runs, fit_on=["linear", "wsd"])


def test_removed_loss_shows_measured_and_predicted(learned):
    runs, fit = learned
    curves = fit.curves(runs, ["cosine", "multi"])
    found = removed_loss(curves, "multi", ax=Figure().subplots())
    part = slice(int(curves.row_size[0]), None)
    assert found.measured.get_ydata() == pytest.approx(1e3 * (curves.loss - curves.reference).values[part])
    assert found.predicted.get_ydata() == pytest.approx(1e3 * (curves.predicted - curves.reference).values[part])
    assert found.measured.get_xdata()[-1] == pytest.approx(float(curves.tau[-1]))
    assert found.band is not None


def test_explanations_have_no_interval():
    found = removed_loss(explain(family()).curves, "linear", ax=Figure().subplots())
    assert found.band is None


def test_one_panel_for_each_run(learned):
    runs, fit = learned
    figure = draw_removed(fit.curves(runs), ["cosine", "multi", "linear big", "cosine big", "wsd big"], columns=3)
    shown = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert shown == ["cosine, 1.00M", "multi, 1.00M", "linear big, 3.00M", "cosine big, 3.00M", "wsd big, 3.00M"]
    figure.draw_without_rendering()


def test_errors_by_schedule_and_size(learned):
    runs, fit = learned
    table = fit.test(runs)
    kinds = [str(name).removesuffix(" big") for name in table.run.values]
    same = forecast(runs, fit_on=["linear", "wsd"], answer="same").test(runs)
    ax = Figure().subplots()
    found = noise_errors(table, baseline=same, kinds=kinds, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == sorted(SCHEDULES)
    assert np.sort(np.asarray(found.targets.get_offsets())[:, 0]) == pytest.approx(np.sort(100 * table.relative.values))
    cosine = [kind == "cosine" for kind in kinds]
    assert found.means.get_xdata()[0] == pytest.approx(100 * float(table.relative.values[cosine].mean()))
    assert found.baseline is not None
    ax.figure.draw_without_rendering()


def test_mistakes(learned):
    runs, fit = learned
    curves, table = fit.curves(runs), fit.test(runs)
    with pytest.raises(InputError, match="run = 'nobody': must be one of"):
        removed_loss(curves, "nobody", ax=Figure().subplots())
    with pytest.raises(InputError, match="names = \\[\\]: needs one run or more"):
        draw_removed(curves, [])
    with pytest.raises(InputError, match="kinds = 1 names: needs one for each of the 8 targets"):
        noise_errors(table, kinds=["a"], ax=Figure().subplots())
