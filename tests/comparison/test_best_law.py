"""The remembered-rate law: its definition, its derivatives, and its forecasts of measured curves."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.schedule_laws import History, find_schedule_law, fit_schedule
from scalinglaws.comparison.schedule_laws.multi_power import PUBLISHED
from scalinglaws.comparison.schedule_laws.remembered import REMEMBERED, remembered_rate
from scalinglaws.curves import iter_runs, select
from tests.comparison.schedules_data import TRAIN, family, measured, plan, published_rates
from tests.naive.convex import remembered

VALUES = {"L0": 3.0, "alpha": 0.5, "r": 0.16, "c": 140.0, "m": 800.0}
SKIP = 0.125  # of each run: the transient after warm-up


def test_remembered_rate_matches_its_definition():
    rates = [0.1, 0.3, 0.3, 0.0, 0.2, 0.2, 0.05, 0.05, 0.05]
    look = History.of(Path(rate=rates), np.arange(1, 10), exact=True)
    np.testing.assert_allclose(remembered_rate(2.5, look)[0], remembered(rates, 2.5), rtol=1e-12)


@pytest.mark.parametrize("text", ["cosine", "wsd:0.1", "multicosine"])
def test_blocks_of_changes_stand_for_every_change(text):
    path, steps = Path.of_schedule(plan(text)), np.arange(250, 3001, 250)
    exact = REMEMBERED.predict(VALUES, path, steps, exact=True)
    np.testing.assert_allclose(REMEMBERED.predict(VALUES, path, steps), exact, atol=2e-5)


def test_slopes_match_differences():
    look = History.of(Path.of_schedule(plan("cosine")), [400, 2000, 3000])
    shapes = np.array([VALUES[shape.name] for shape in REMEMBERED.shapes])
    slopes = REMEMBERED.features(shapes, look)[1]
    for i, value in enumerate(shapes):
        ends = [np.where(np.arange(shapes.size) == i, shapes * (1 + h), shapes) for h in (1e-5, -1e-5)]
        high, low = (REMEMBERED.features(end, look)[0] for end in ends)
        np.testing.assert_allclose(slopes[:, :, i], (high - low) / (2e-5 * value), rtol=1e-6)


def test_constant_rate_settles_at_the_stationary_noise():
    """F + b eta F^2 with the noise grown in; b = c / L0."""
    steps, rate = 400_000, 3e-4
    loss = REMEMBERED.predict({**VALUES, "m": 20.0}, schedules.constant(rate, steps), [steps])[0]
    flow = VALUES["L0"] * (1 + VALUES["r"] * (rate * steps) ** -VALUES["alpha"])
    assert loss == pytest.approx(flow + VALUES["c"] / VALUES["L0"] * rate * flow**2, rel=1e-7)


def test_parameters_are_recovered_from_curves_with_noise():
    plans = {"a": plan("cosine", 8000), "b": plan("constant", 8000), "c": plan("wsd:0.4", 8000)}
    fit = fit_schedule(family("remembered-rate", VALUES, plans, noise=2e-4), "remembered-rate")
    for name, value in VALUES.items():
        assert fit.params[name] == pytest.approx(value, rel=0.25)
    assert fit.starts.agreeing == fit.starts.tried


@pytest.mark.parametrize("size", [25, 100])
def test_forecasts_of_unseen_schedules_beat_the_multi_power_law_fitted_alike(size):
    """Fit cosine, constant and one two-stage run; forecast the other six, two of them three times as long."""
    runs = measured(size)
    paths = {run.name: published_rates(run.name, int(run.step[-1])) for run in iter_runs(runs)}
    train, test = select(runs, TRAIN), select(runs, [n for n in paths if n not in TRAIN])
    error = {}
    for law in ("remembered-rate", "multi-power"):
        fit = fit_schedule(train, law, paths=paths, skip=SKIP)
        error[law] = float(fit.metrics(test, paths=paths).MAE.mean())
    assert len(REMEMBERED.parameters) == 5 < len(PUBLISHED[f"{size}M"])
    assert error["remembered-rate"] < {25: 0.00415, 100: 0.00435}[size]
    assert error["remembered-rate"] < 0.9 * error["multi-power"]


def test_law_is_registered_with_its_parameters():
    assert find_schedule_law("remembered-rate") is REMEMBERED
    assert REMEMBERED.parameters == ("L0", "alpha", "r", "c", "m")
