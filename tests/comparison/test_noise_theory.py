"""The noise model where everything is known: least squares with Gaussian data, trained by SGD."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import scalinglaws as sl
from scalinglaws.comparison.noise import explain, forecast, pair_runs
from scalinglaws.curves import Run, from_runs
from tests.naive.noise import least_squares_sgd

SPECTRUM = np.arange(1, 9) ** -2.0
START = SPECTRUM * np.arange(1, 9) ** -1.4
TIME = 1200.0
"""Gradient-flow time times Tr K of the constant run: all modes relax within it."""
SHAPES = {
    "flat": sl.schedules.constant,
    "linear": sl.schedules.linear,
    "cosine": sl.schedules.cosine,
    "wsd": lambda peak, steps: sl.schedules.wsd(peak, steps=steps, decay=0.4),
}


@lru_cache(maxsize=4)
def exact(strength, batch=1):
    """Exact expected curves for a peak rate of `strength` over Tr K; traces are scaled by the peak rate."""
    peak = strength / SPECTRUM.sum()
    steps = int(TIME / strength)
    step = np.unique(np.geomspace(1, steps, 150).astype(np.int64))
    runs = []
    for name, shape in SHAPES.items():
        rates = shape(peak, steps=steps)(np.arange(steps))
        rows = least_squares_sgd(SPECTRUM.tolist(), START.tolist(), 0.1, rates.tolist(), batch, set(step.tolist()))
        loss, trace = np.array(rows).T
        lr = np.append(rates, rates[-1])[step]
        runs.append(Run(name=name, step=step, loss=loss, params={}, lr=lr, noise_trace=peak * trace))
    return from_runs(runs)


@pytest.mark.parametrize(("strength", "tolerance"), [(0.4, 0.12), (0.2, 0.05), (0.1, 0.025)])
def test_alpha_is_a_quarter_for_slow_rates(strength, tolerance):
    """Eq. 15 is exact for a rate that varies slowly; what is left is of the order of rate times curvature."""
    found = explain(exact(strength), "eq15")
    assert found.alpha == pytest.approx(0.25, rel=tolerance)
    assert found.r2 > 0.999


@pytest.mark.parametrize("strength", [0.1, 0.2])
@pytest.mark.parametrize("batch", [1, 4])
def test_published_form_differs_by_the_noise_that_falls_with_the_loss(strength, batch):
    """In least squares Sigma is in proportion to the loss: Eq. 16 then needs alpha / (1 - 2 alpha rate Tr K / B)."""
    full = explain(exact(strength, batch), "eq15").alpha
    expected = full / (1.0 - 2.0 * full * strength / batch)
    assert explain(exact(strength, batch)).alpha == pytest.approx(expected, rel=0.06 * strength / 0.2 / batch + 0.01)


def test_alpha_does_not_depend_on_the_batch():
    assert explain(exact(0.2, 4), "eq15").alpha == pytest.approx(explain(exact(0.2), "eq15").alpha, rel=0.01)


@pytest.mark.parametrize("strength", [0.1, 0.2])
def test_forecast_of_a_schedule_never_seen(strength):
    runs = pair_runs(exact(strength))
    learned = forecast(runs, fit_on=["linear", "wsd"])
    curves = learned.curves(runs, ["cosine"])
    removed = float((curves.reference - curves.loss).max())
    assert float(np.abs(curves.loss - curves.predicted).max()) < 0.05 * removed
    assert learned.params["p"] < 0  # noise in proportion to the loss falls with it


def test_features_drawn_by_the_package():
    """The same for random features: `solve` gives the exact risk, twice the loss, so alpha is 1/2 for it."""
    model = sl.PLRF(alpha=1.0, beta=0.7, d=20, label_noise=0.1)
    trace = float(np.sum(model.instance(0).eigenvalues))
    batch, steps = 2, 3000
    step = np.unique(np.geomspace(1, steps, 150).astype(np.int64))
    peak = 0.1 / trace  # of the sum over the batch
    runs = []
    for name in ("flat", "linear", "wsd"):
        schedule = SHAPES[name](peak, steps=steps)
        opt = sl.SGD(lr=schedule, batch=batch)
        risk = sl.solve(model, opt, step, method="instance", rng=0).risk.values
        lr = batch * schedule(np.minimum(step, steps - 1))
        noise = batch * peak * risk * trace / batch
        runs.append(Run(name=name, step=step, loss=risk, params={}, lr=lr, noise_trace=noise))
    found = explain(from_runs(runs), "eq15")
    assert found.alpha == pytest.approx(0.5, rel=0.1)
    learned = forecast(from_runs(runs), fit_on=["linear"])
    assert float(learned.test(from_runs(runs)).relative.max()) < 5e-3
