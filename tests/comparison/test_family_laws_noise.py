"""Family laws that follow the gradient noise of a schedule: against sums over every update, and recovered."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law, fit_family
from scalinglaws.comparison.family_laws.stretches import Stretches
from scalinglaws.comparison.path import Path
from tests.naive import dynamics, family_laws

SIZES = (1e3, 4e3, 1.6e4)
TRUTH = {
    "functional": {"E": 1.0, "A": 5.0, "B": 2.0, "C0": 0.5, "C1": 3.0, "a": 0.4, "s": 0.5, "c": 0.7, "k": 1.6},
    "nqs": {"e_irr": 1.0, "P": 3.0, "R": 2.0, "p": 1.2, "q": 0.8, "r": 1.3, "Q": 4.0},
}


def rates(shape, steps):
    t = np.arange(steps)
    if shape == "wsd":
        return np.where(t < 0.7 * steps, 0.3, 0.03)
    warm = np.minimum((t + 1) / 20, 1.0)
    return 0.3 * warm * (1 - t / steps if shape == "linear" else 0.5 * (1 + np.cos(np.pi * t / steps)) ** 0.5)


def family(points=20, length=300, batches=(2.0, 8.0)):
    made = [
        (size, batch, rates(shape, int(length * (size / 1e3) ** 0.5)))
        for size in SIZES
        for shape in ("linear", "cosine", "wsd")
        for batch in batches
    ]
    return FamilyCurves.of(
        [Path(rate=rate) for _, _, rate in made],
        [size for size, _, _ in made],
        [np.unique(np.geomspace(2, rate.size, points).astype(int)) for _, _, rate in made],
        batch=[batch for _, batch, _ in made],
    )


def by_hand(name, v, curves):
    slow = getattr(family_laws, name)
    return np.concatenate(
        [
            slow(v, curves.paths[r].rate, curves.size[r], curves.batch[r], curves.step[part])
            for r, part in enumerate(curves.slices)
        ]
    )


@pytest.mark.parametrize("name", TRUTH)
def test_every_update_and_derivatives(name):
    law, curves, v = find_family_law(name), family(), TRUTH[name]
    assert law.predict(v, curves) == pytest.approx(by_hand(name, v, curves), rel=5e-6)
    shapes = np.array([v[s.name] for s in law.shapes])
    _, slopes = law.features(shapes, curves)
    for i, h in enumerate(1e-6 * np.diag(shapes)):
        central = (law.features(shapes + h, curves)[0] - law.features(shapes - h, curves)[0]) / (2 * h.sum())
        assert slopes[:, :, i] == pytest.approx(central, abs=1e-7 * np.abs(central).max())


@pytest.mark.parametrize("name", TRUTH)
def test_long_runs_with_few_records(name):
    """20,000 updates and eight records: blocks of updates stand for every one of them."""
    curves = FamilyCurves.of(
        [Path(rate=rates(shape, 20_000)) for shape in ("linear", "cosine", "wsd")],
        SIZES[0],
        [np.geomspace(3, 20_000, 8).astype(int)] * 3,
        batch=[1.0, 2.0, 4.0],
    )
    law = find_family_law(name)
    assert law.predict(TRUTH[name], curves) == pytest.approx(by_hand(name, TRUTH[name], curves), rel=2e-5)
    assert Stretches.of(curves.paths[0], curves.distinct.steps[0]).count.size < 4000


@pytest.mark.parametrize("name", TRUTH)
def test_recovery_without_noise(name):
    """All starts that are tried return the parameters of the slow arithmetic to 1 %, and its losses to 1e-5."""
    curves = family()
    records = FamilyRecords(curves=curves, loss=by_hand(name, TRUTH[name], curves))
    fit = fit_family(records, name)
    assert fit.converged
    assert fit.starts.agreeing == fit.starts.tried == 3
    assert fit.params == pytest.approx(TRUTH[name], rel=1e-2)
    assert np.abs(fit.residuals()).max() < 1e-5


@pytest.mark.parametrize("name", TRUTH)
def test_recovery_with_noise(name):
    """With seed noise of 0.1 %, another size, schedule and batch is predicted to 0.3 % all along its curve."""
    curves, rng = family(), np.random.default_rng(2)
    noise = 1e-3 * rng.standard_normal(len(curves.names))[curves.run]
    fit = fit_family(FamilyRecords(curves=curves, loss=by_hand(name, TRUTH[name], curves) * np.exp(noise)), name)
    rate = 0.2 * np.sqrt(1 - np.arange(1500) / 1500)
    other = FamilyCurves.of([Path(rate=rate)], [6.4e4], [np.arange(50, 1501, 50)], batch=4.0)
    assert fit.predict(other) == pytest.approx(by_hand(name, TRUTH[name], other), rel=3e-3)


def test_functional_is_the_law_of_the_dynamics():
    """The paper's kernel and its coupling, against quadrature in continuous time: rates so small that both agree."""
    s, beta, label = 0.4, 2.0, 0.3
    pieces = [(50.0, 0.02, 4.0), (30.0, 0.005, 4.0)]
    rate = np.concatenate([np.full(round(length / lr), lr) for length, lr, _ in pieces])
    curves = FamilyCurves.of([Path(rate=rate)], [100.0], [[rate.size]], batch=4.0)
    law = find_family_law("functional")
    v = {"E": 0.0, "A": 0.0, "B": 1.0, "C0": label, "C1": 1.0, "a": 1.0, "s": s, "c": 1.0, "k": 2 - 1 / beta}
    expected = dynamics.functional(s, beta, label, pieces)
    assert law.predict(v, curves).item() == pytest.approx(expected, rel=2e-6)


def test_rates_too_large_for_the_noisy_quadratic_have_no_loss():
    law, curves = find_family_law("nqs"), family()
    fast = law.predict(TRUTH["nqs"] | {"Q": 2.0 / 0.29}, curves)
    assert np.isnan(fast).all()
