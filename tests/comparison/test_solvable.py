"""Supercollapse in the solvable model: with decaying rates below the seed noise, with constant ones not."""

import numpy as np
import pytest

from scalinglaws import schedules
from scalinglaws.comparison.collapsing.deviation import decompose, deviation, noise_floor, normalise, onset
from scalinglaws.comparison.solvable import model_family
from scalinglaws.curves import load_curves, save_curves
from scalinglaws.curves.family import iter_runs
from scalinglaws.errors import InputError
from scalinglaws.symbolic.collapse import collapse_of
from scalinglaws.symbolic.terms import ALPHA, BETA, sgd_terms

RATES = {"linear": schedules.linear(0.6, 100), "constant": schedules.constant(0.6)}
WIDE = [100, 1000, 10_000, 100_000]
X = np.linspace(0, 1, 51)[1:]


def gamma(alpha, beta):
    return float(collapse_of(sgd_terms(), {ALPHA: alpha, BETA: beta}).gamma)


def curves(runs):
    """Losses, shape (runs, points), and the size of each run."""
    loss = np.array([run.loss for run in iter_runs(runs)])
    return loss, runs["params"].sum("group").values


def exact(factor, schedule):
    """Normalised exact mean curves of phase Ia with gamma off by a factor."""
    runs = model_family(
        0.75,
        0.3,
        sizes=WIDE,
        horizon=(2000, factor * gamma(0.75, 0.3)),
        schedule=schedule,
        batch=2,
        seeds=None,
        points=50,
    )
    loss, _ = curves(runs)
    return normalise(loss, loss[:, -1], 0.0)


def test_two_terms_collapse_exactly_in_the_model_itself():
    right, low, high = (deviation(exact(f, RATES["constant"])) for f in (1.0, 0.85, 1.15))
    assert right[X >= 0.3].max() < 1e-3
    assert low[X >= 0.3].max() > 0.05
    assert high[X >= 0.3].max() > 0.05


def test_the_exact_curve_is_close_to_that_of_the_theorem():
    """Close, not equal: horizons of d^(2 alpha) end where the features' smallest eigenvalue bends the power law."""
    found = collapse_of(sgd_terms(), {ALPHA: 0.75, BETA: 0.3})
    fitted = exact(1.0, RATES["constant"])[-1]
    mu = float(next(term.q for term in found.terms if term.name == "F_pp"))
    x = X[X >= 0.1]
    design = np.stack([x**-mu, np.ones_like(x)], axis=1)
    weights, *_ = np.linalg.lstsq(design, fitted[X >= 0.1], rcond=None)
    np.testing.assert_allclose(design @ weights, fitted[X >= 0.1], rtol=5e-3)
    assert weights.sum() == pytest.approx(1.0, abs=5e-3)


@pytest.fixture(scope="module", params=["linear", "constant"])
def noisy(request):
    runs = model_family(
        1.0,
        0.7,
        sizes=[48, 96, 192, 384],
        horizon=(1500, gamma(1.0, 0.7)),
        schedule=RATES[request.param],
        batch=2,
        seeds=6,
        points=50,
    )
    loss, size = curves(runs)
    ell = normalise(loss, loss[:, -1], 0.0)
    floor = noise_floor([loss[size == d] for d in np.unique(size)]).mean
    return request.param, deviation(ell), floor, decompose(ell, size)


def test_decay_brings_the_deviation_below_the_seed_noise_and_a_constant_rate_does_not(noisy):
    schedule, delta, sigma, _ = noisy
    below = delta[:-1] < sigma[:-1]
    if schedule == "linear":
        assert onset(X, delta, sigma) > 0.4
        assert below[X[:-1] >= 0.7].all()
    else:
        assert onset(X, delta, sigma) < 0.1
        assert below[X[:-1] >= 0.3].mean() < 0.5


def test_a_wrong_horizon_exponent_breaks_it():
    """Mean curves alone, without any noise of their own, spread more than seeds do; with the right exponent less."""
    seeds = model_family(
        0.75, 0.3, sizes=[1000], horizon=(60_000, 1.0), schedule=RATES["linear"], batch=2, seeds=4, points=50
    )
    at = (X >= 0.1) & (X <= 0.3)
    sigma = noise_floor([curves(seeds)[0]]).mean[at].mean()
    assert deviation(exact(1.0, RATES["linear"]))[at].max() < 0.5 * sigma
    assert deviation(exact(0.5, RATES["linear"]))[at].min() > 1.5 * sigma


def test_a_model_family_is_a_family_like_any_other(tmp_path):
    runs = model_family(1.0, 0.7, sizes=[16, 32], horizon=(64, 1.0), schedule=RATES["linear"], seeds=2, points=8)
    save_curves(runs, tmp_path / "model.nc")
    np.testing.assert_array_equal(load_curves(tmp_path / "model.nc")["loss"], runs["loss"])
    first, other = list(iter_runs(runs))[:2]
    assert first.step[-1] == 64
    assert not np.allclose(first.loss, other.loss)


def test_mistakes():
    with pytest.raises(InputError, match="fewer than 100 points"):
        model_family(1.0, 0.7, sizes=[16], horizon=(50, 1.0), schedule=RATES["linear"])
    with pytest.raises(InputError, match="seeds = 0"):
        model_family(1.0, 0.7, sizes=[16], horizon=(500, 1.0), schedule=RATES["linear"], seeds=0)
    with pytest.raises(InputError, match="one size or more"):
        model_family(1.0, 0.7, sizes=[], horizon=(500, 1.0), schedule=RATES["linear"])
