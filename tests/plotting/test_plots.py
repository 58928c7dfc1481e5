"""Figures are tested by the artists they return: what is drawn where, with axes that say what they show."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalinglaws.curves import end_points, iter_runs, params_by
from scalinglaws.fitting import fit
from scalinglaws.plotting import agreement, compute_curves, data_term, held_out, isoflop, residuals, size_term
from scalinglaws.plotting.curves import envelope
from scalinglaws.plotting.style import label_log
from scalinglaws.prediction import predict_held_out
from tests.cases import LAW, family


@pytest.fixture(scope="module")
def runs():
    return family()


@pytest.fixture(scope="module")
def fitted(runs):
    return fit(end_points(runs)).bootstrap(100, rng=0)


@pytest.fixture
def ax():
    return Figure().subplots()


def labelled(ax):
    return bool(ax.get_xlabel() and ax.get_ylabel())


def test_envelope_is_the_least_loss_within_each_budget():
    curves = [(np.array([1.0, 100.0]), np.array([4.0, 2.0])), (np.array([10.0, 1000.0]), np.array([5.0, 1.0]))]
    budgets, best = envelope(curves, points=61)
    for c, value in zip(budgets, best, strict=True):
        within = [np.interp(np.log(min(c, x[-1])), np.log(x), y) for x, y in curves if c >= x[0] * (1 - 1e-12)]
        assert value == pytest.approx(min(within), rel=1e-12)


def test_compute_curves_draws_every_run_over_its_compute(runs, ax):
    drawn = compute_curves(runs, ax=ax)
    assert len(drawn.curves) == len(drawn.ends) == runs.sizes["run"]
    first = next(iter_runs(runs))
    np.testing.assert_allclose(drawn.curves[0].get_xdata(), 6 * params_by(runs).values[0] * first.tokens)
    np.testing.assert_allclose(drawn.curves[0].get_ydata(), first.loss)
    assert labelled(ax)
    assert drawn.colorbar is not None


def test_terms_lie_on_the_law_when_there_is_no_noise(ax):
    exact = fit(end_points(family(noise=0.0)))
    drawn = size_term(exact, ax=ax)
    n, y = np.asarray(drawn.points.get_offsets()).T
    np.testing.assert_allclose(y, LAW["A"] / n ** LAW["alpha"], rtol=1e-4)
    assert drawn.hidden == 0
    assert labelled(ax)
    drawn = data_term(exact, ax=Figure().subplots())
    d, y = np.asarray(drawn.points.get_offsets()).T
    np.testing.assert_allclose(y, LAW["B"] / d ** LAW["beta"], rtol=1e-4)


def test_residuals_are_percent_of_the_fitted_loss(fitted, ax):
    _, y = np.asarray(residuals(fitted, ax=ax).points.get_offsets()).T
    np.testing.assert_allclose(y, -100 * fitted.residuals(), rtol=1e-10)
    assert labelled(ax)


def test_isoflop_marks_the_minimum_of_each_curve(fitted, ax):
    budgets = [1e19, 1e21]
    drawn = isoflop(fitted, budgets, ax=ax)
    for curve, c in zip(drawn.curves, budgets, strict=True):
        x, y = curve.get_data()
        best = fitted.optimal(c)
        assert float(best["loss"][0]) <= np.min(y) * (1 + 1e-9)
        assert x[np.argmin(y)] == pytest.approx(float(best["params"][0]), rel=0.05)
    marks = drawn.optima.lines[0]
    np.testing.assert_allclose(marks.get_xdata(), fitted.optimal(budgets)["params"])
    assert drawn.optima.has_xerr
    assert labelled(ax)


def test_held_out_shows_prediction_interval_and_measurement(runs, ax):
    result = predict_held_out(end_points(runs), replicates=100)
    run = next(r for r in iter_runs(runs) if r.name == result.names[0])
    drawn = held_out(result, run, ax=ax)
    assert drawn.measured.get_ydata()[0] == pytest.approx(result.measured[0])
    assert drawn.predicted.lines[0].get_ydata()[0] == pytest.approx(result.predicted[0])
    np.testing.assert_allclose(drawn.curve.get_ydata(), run.loss)
    assert labelled(ax)
    both = agreement(result, ax=Figure().subplots())
    assert len(both.fitted.get_offsets()) == runs.sizes["run"] - 1


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.6), (60.0, 90.0), (1.1e3, 1.6e3), (4e5, 9e7)])
def test_labels_of_a_logarithmic_axis_tell_its_ticks_apart(low, high):
    ax = Figure().subplots()
    ax.set(xscale="log", xlim=(low, high))
    label_log(ax.xaxis)
    said = [
        label.get_text() for label, at in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True) if low <= at <= high
    ]
    assert len(said) > 1
    assert len(set(said)) == len(said)
