"""Profiles against general optimisers, published numbers, and simulated coverage; open ends said in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Fit, Table, fit
from scalinglaws.fitting.profile import profile
from scalinglaws.fitting.ridge import ridge
from tests.coverage import TRUTH as LAW
from tests.fitting.conftest import ladder, second_metric
from tests.naive import fitting as naive_fit
from tests.naive import uncertainty as naive


@pytest.fixture(scope="module")
def squares() -> Fit:
    return fit(ladder(0.003), estimator="log-l2")


@pytest.mark.parametrize(
    ("name", "low", "high", "tolerance"),
    [
        ("E", 1.8355, 1.8917, 1e-4),
        ("alpha", 0.34015, 0.38059, 1e-5),
        ("beta", 0.38733, 0.42454, 1e-5),
    ],
)
def test_f_intervals_of_besiroglu(epoch240: Table, name: str, low: float, high: float, tolerance: float) -> None:
    found = fit(epoch240, estimator="log-l2").profile(name, 0.95)
    assert found.interval == (pytest.approx(low, abs=tolerance), pytest.approx(high, abs=tolerance))
    assert found.notes == ()


@pytest.mark.parametrize(("name", "index"), [("A", 1), ("beta", 4)])
def test_parameters_against_scipy(squares: Fit, name: str, index: int) -> None:
    table = squares.table
    start = naive.coordinates(squares.params)
    ends = naive.f_interval(table.params, table.tokens, table.loss, start, index, 0.9, 0.02)
    expected = np.exp(ends) if index < 3 else ends
    assert profile(squares, name).interval == pytest.approx(tuple(expected), rel=1e-5)


def test_optimal_size_against_scipy(squares: Fit) -> None:
    """Along the profile of N*, no other route to the same N* has a smaller sum of squares."""
    table, flops = squares.table, 1e21
    found = profile(squares, "n_opt", flops=flops)
    start = naive.coordinates(squares.params)
    for value, excess in zip(found.values[::3], found.excess[::3], strict=True):
        total = naive.held_optimum(table.params, table.tokens, table.loss, start, flops, np.log(value))
        assert excess == pytest.approx(total - squares.objective, rel=1e-4, abs=1e-9 * squares.objective)
    border = found.threshold
    for end in found.interval:
        total = naive.held_optimum(table.params, table.tokens, table.loss, start, flops, np.log(end))
        assert total - squares.objective == pytest.approx(border, rel=1e-3)


@pytest.mark.parametrize(
    ("estimator", "name", "at"),
    [
        ("huber", "n_opt", {"flops": 1e21}),
        ("l2", "d_opt", {"flops": 1e21}),
        ("l1", "tokens_per_param", {"flops": 1e21}),
        ("student-t", "loss_opt", {"flops": 1e21}),
        ("huber", "surface", {"n": 1e9, "d": 2e10}),
    ],
)
def test_every_quantity_is_held(name: str, at: dict[str, float], estimator: str) -> None:
    """At every stop the quantity has its value, and the excess is that of the objective there."""
    fitted = fit(ladder(0.003), estimator=estimator)
    found = profile(fitted, name, **at)
    problem = fitted.problem()
    for value, theta in zip(found.values, found.theta, strict=True):
        params = {key: float(v) for key, v in problem.to_values(theta).items()}
        if name == "surface":
            held = float(fitted.law.predict(params, at["n"], at["d"]))
        else:
            best = fitted.law.optimum({k: np.asarray(v) for k, v in params.items()}, np.asarray(1e21))
            ratio = best.tokens / best.params
            held = {"n_opt": best.params, "d_opt": best.tokens, "tokens_per_param": ratio, "loss_opt": best.loss}[name]
        assert held == pytest.approx(value, rel=1e-7)
    assert found.low < found.best < found.high
    assert found.excess.min() == 0.0
    assert (np.diff(found.values) > 0).all()


def test_huber_profile_agrees_with_the_bootstrap(epoch240: Table) -> None:
    """The data are not homoscedastic, so pairs are wider than the profile; but not by more than half."""
    fitted = fit(epoch240)
    low, high = profile(fitted, "alpha", 0.9).interval
    a, b = fitted.bootstrap(500, kind="residual", rng=0).interval("alpha", 0.9)
    assert 0.6 < (high - low) / (b - a) < 1.6


def test_profile_intervals_cover() -> None:
    """20 ladders with Gaussian noise: the 90 % F interval of N* at ten times the compute, within 3 sigma."""
    rng = np.random.default_rng(3)
    n = np.repeat(np.geomspace(2e7, 1e9, 5), 4)
    d = n * np.tile([5.0, 20.0, 80.0, 320.0], 5)
    clean, flops = naive_fit.loss(LAW, n, d), 10 * (6 * n * d).max()
    truth, hits = naive_fit.optimum(LAW, flops), 0
    for _ in range(20):
        noisy = clean * np.exp(0.005 * rng.standard_normal(20))
        fitted = fit(Table(params=n, tokens=d, loss=noisy), estimator="log-l2", starts=2)
        found = profile(fitted, "n_opt", flops=flops)
        hits += found.low <= truth <= found.high
    assert 0.7 <= hits / 20 <= 1.0


@pytest.fixture(scope="module")
def repeated() -> Fit:
    """Muennighoff et al. (2023), the 182 runs of their fit; only R_D and R_N are free."""
    path = Path(__file__).parents[2] / ".." / "shared" / "data" / "datablations" / "muennighoff_182.csv"
    if not path.exists():
        pytest.skip("the data of Muennighoff et al. are not beside the checkout")
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    table = Table(
        params=rows["params"],
        tokens=rows["tokens"],
        loss=rows["val_loss"],
        extra={"unique_tokens": rows["unique_tokens"]},
    )
    fixed = {
        "E": np.exp(0.6254804),
        "A": np.exp(6.255414),
        "B": np.exp(7.3049974),
        "alpha": 0.3526596,
        "beta": 0.3526596,
    }
    return fit(table, law="repetition", fixed={k: float(v) for k, v in fixed.items()})


def test_repetition_is_not_bounded_above(repeated: Fit) -> None:
    """The published R_D* = 15.39 is a point on a ridge: from 8 to beyond 1000 the objective is within 1 %."""
    found = profile(repeated, "R_D")
    least = repeated.objective + min(0.0, float(found.excess.min()))
    inside = found.values[found.excess <= 0.01 * least]
    assert inside.min() < 16
    assert found.low < 8
    assert inside.max() > 1000
    assert found.is_open == (False, True)
    assert any("R_D is not bounded above by this data" in note for note in found.notes)
    assert found.to_dict()["high"] is None
    assert "not bounded above" in found.summary()


def test_open_below() -> None:
    """Losses that still fall as one power law of compute do not show a floor."""
    rng = np.random.default_rng(1)
    n = np.repeat(np.geomspace(1e6, 1e8, 4), 3)
    d = n * np.tile([5.0, 20.0, 80.0], 4)
    loss = (0.05 + 60 / n**0.2 + 60 / d**0.2) * np.exp(0.01 * rng.standard_normal(12))
    fitted = fit(Table(params=n, tokens=d, loss=loss), estimator="log-l2")
    if "E" in fitted.at_bounds:
        with pytest.raises(InputError, match="E"):
            profile(fitted, "E")
        return
    found = profile(fitted, "E")
    assert found.is_open[0]
    assert "below" in found.notes[0]


def test_ridge_holds_the_profiles(squares: Fit) -> None:
    """The joint region at a threshold is as wide as the profile at that threshold, and the spine is its path."""
    found = ridge(squares, "B", "beta", points=9)
    level = max(found.thresholds)
    alone = profile(squares, "B", 0.9)
    assert found.along[0] < alone.low
    assert found.along[-1] > alone.high
    inside = np.isfinite(found.low[level])
    assert inside.sum() >= 7
    assert (found.low[level][inside] < found.spine[inside]).all()
    assert (found.spine[inside] < found.high[level][inside]).all()
    assert np.corrcoef(np.log(found.along), found.spine)[0, 1] > 0.99
    small = min(found.thresholds)
    both = np.isfinite(found.low[small])
    assert both.sum() < inside.sum()
    assert (found.low[small][both] > found.low[level][both]).all()


@pytest.mark.parametrize(
    ("name", "level", "at", "word"),
    [
        ("gamma", 0.9, {}, "one of"),
        ("alpha", 0.0, {}, "between"),
        ("alpha", 0.9, {"flops": 1e21}, "no further"),
        ("n_opt", 0.9, {}, "flops"),
        ("n_opt", 0.9, {"flops": [1e21, 1e22]}, "one number"),
        ("loss", 0.9, {"n": 1e9, "d": 1e10}, "surface"),
        ("surface", 0.9, {"n": 1e9}, "needs"),
    ],
)
def test_profiles_nobody_can_give(squares: Fit, name: str, level: float, at: dict[str, float], word: str) -> None:
    with pytest.raises(InputError, match=word):
        profile(squares, name, level, **at)


def test_no_noise_no_profile() -> None:
    with pytest.raises(InputError, match="exactly"):
        profile(fit(ladder(0.0)), "alpha")
    with pytest.raises(InputError, match="held"):
        profile(fit(ladder(0.003), fixed={"E": 1.8}), "E")


@pytest.mark.parametrize("estimator", ["student-t", "huber"])
def test_a_profile_is_the_fit_with_its_parameter_held(estimator: str) -> None:
    fitted = fit(ladder(0.003), estimator=estimator)
    found = profile(fitted, "beta")
    for value, excess in list(zip(found.values, found.excess, strict=True))[::4]:
        held = fit(fitted.table, estimator=estimator, fixed={"beta": float(value)})
        assert excess == pytest.approx(held.objective - fitted.objective, rel=1e-5, abs=1e-7 * fitted.objective)


def test_a_profile_honours_the_prior() -> None:
    """Where the prior says far more than the rows, the interval is the prior's: its deviation times Student's t."""
    from scipy.stats import t

    for unit in (1.0, 30.0):
        table = ladder(0.003)
        table = Table(params=table.params, tokens=table.tokens, loss=table.loss * unit)
        for estimator in ("log-l2", "l2"):
            middle = fit(table, estimator=estimator).params["alpha"]
            fitted = fit(table, estimator=estimator, prior={"alpha": (middle, 1e-4)})
            low, high = profile(fitted, "alpha").interval
            assert (high - low) / 2 == pytest.approx(1e-4 * t.ppf(0.95, 10), rel=0.01)
            assert (high + low) / 2 == pytest.approx(middle, abs=1e-5)


def test_a_prior_does_not_change_what_an_excess_is_worth() -> None:
    free, known = fit(ladder(0.003)), fit(ladder(0.003), prior={"alpha": (0.348, 1e-4)})
    assert profile(known, "beta").threshold == pytest.approx(profile(free, "beta").threshold, rel=0.5)


def test_profile_of_an_error_rate() -> None:
    """The law reads the loss and explains the error: neither is a column that other laws use."""
    table = second_metric()
    fitted = fit(table, law="error")
    found = profile(fitted, "gamma")
    assert found.low < 0.7 < found.high
    for value, excess in list(zip(found.values, found.excess, strict=True))[::4]:
        held = fit(table, law="error", fixed={"gamma": float(value)})
        assert excess == pytest.approx(held.objective - fitted.objective, rel=1e-5, abs=1e-7 * fitted.objective)
