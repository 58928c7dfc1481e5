"""The figure of a forecast: what it draws is what was forecast."""

import matplotlib as mpl
import numpy as np

from scalinglaws.comparison.schedule_laws import forecast_schedule
from scalinglaws.plotting.forecast import draw_forecasts, forecast_curve
from scalinglaws.plotting.style import styled
from tests.comparison.schedules_data import MOMENTUM, family, plan


def forecast():
    plans = {"cosine": plan("cosine:floor=0.1"), "wsd": plan("wsd:0.2")}
    ds = family("momentum", MOMENTUM, plans, noise=1e-3, every=100)
    return forecast_schedule(ds, "linear", "momentum", others=["tau-power"], replicates=5, starts=1)


def test_the_forecast_and_its_interval_are_drawn():
    (found,) = forecast()
    with styled():
        drawn = forecast_curve(found, ax=mpl.figure.Figure().subplots())
    np.testing.assert_array_equal(drawn.forecast.get_ydata(), found.curve["loss"])
    assert len(drawn.measured) == len(drawn.fitted) == 2
    (end,) = drawn.others[0].get_ydata()
    assert end == found.opinions()["tau-power"]
    reach = drawn.band.get_paths()[0].get_extents()
    assert reach.ymin == found.curve["loss_low"].min()
    assert reach.ymax == found.curve["loss_high"].max()


def test_a_page_has_rates_and_losses_of_each_size():
    figure = draw_forecasts(forecast() * 2)
    assert len(figure.axes) == 4
    last = figure.axes[0].lines[-1].get_ydata()[-1]
    np.testing.assert_allclose(last, 3e-4 / 2800)  # the last update of a linear decay
