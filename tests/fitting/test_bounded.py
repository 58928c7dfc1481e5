"""The bounded error as a function of size, data and epochs: its formula, recovery, bounds, and real extrapolation."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.fitting import Table, fit
from scalinglaws.fitting.laws import find_law
from tests.naive.nqs import bounded_error

GADRE = Path(__file__).parents[2] / ".." / "shared" / "data" / "gadre2024" / "gadre_104.csv"
TRUTH = {"eps": 0.8, "A": 900.0, "B": 700.0, "alpha": 0.4, "beta": 0.3}
REPEATED = TRUTH | {"R_D": 12.0}


def made(law: str, truth: dict[str, float], noise: float = 0.0) -> Table:
    rng = np.random.default_rng(4)
    n, unique = 10 ** rng.uniform(6.5, 9.5, 80), 10 ** rng.uniform(8, 10.5, 80)
    epochs = 10 ** rng.uniform(0, 2, 80) if law == "error-epochs" else np.ones(80)
    error = np.array([bounded_error(truth, *row) for row in zip(n, unique * epochs, unique, strict=True)])
    error = error * np.exp(noise * rng.standard_normal(80))
    return Table(params=n, tokens=unique * epochs, loss=np.ones(80), extra={"error": error, "epochs": epochs})


@pytest.mark.parametrize(("law", "truth"), [("error-nd", TRUTH), ("error-epochs", REPEATED)])
def test_prediction_is_the_formula(law: str, truth: dict[str, float]) -> None:
    table = made(law, truth)
    at = {"unique_tokens": table.column("unique_tokens")} if law == "error-epochs" else {}
    predicted = find_law(law).predict(truth, table.params, table.tokens, **at)
    np.testing.assert_allclose(predicted, table.column("error"), rtol=1e-12)


@pytest.mark.parametrize(("law", "truth"), [("error-nd", TRUTH), ("error-epochs", REPEATED)])
def test_fit_finds_the_truth(law: str, truth: dict[str, float]) -> None:
    exact = fit(made(law, truth), law=law)
    assert exact.converged
    assert exact.params == pytest.approx(truth, rel=1e-5)
    noisy = fit(made(law, truth, noise=0.01), law=law)
    assert noisy.converged
    assert noisy.params["alpha"] == pytest.approx(truth["alpha"], rel=0.15)
    assert noisy.params["beta"] == pytest.approx(truth["beta"], rel=0.15)
    if law == "error-epochs":
        assert noisy.params["R_D"] == pytest.approx(truth["R_D"], rel=0.3)


def test_errors_stay_between_nothing_and_chance() -> None:
    law = find_law("error-nd")
    n, d = np.geomspace(1.0, 1e30, 40)[:, None], np.geomspace(1.0, 1e30, 40)
    error = law.predict(TRUTH, n, d)
    assert ((error > 0) & (error <= TRUTH["eps"])).all()
    assert (np.diff(error, axis=0) <= 0).all()
    assert (np.diff(error, axis=1) <= 0).all()
    assert law.predict(TRUTH, np.inf, np.inf) == 0.0


def test_repetition_is_worth_nothing_in_the_end() -> None:
    law = find_law("error-epochs")
    seen = law.predict(REPEATED, 1e9, 1e9 * np.geomspace(1, 1e6, 20), unique_tokens=1e9)
    fresh = find_law("error-nd").predict(TRUTH, 1e9, 1e9 * (1.0 + REPEATED["R_D"]))
    assert (np.diff(seen) <= 0).all()
    assert seen[-1] == pytest.approx(float(fresh), rel=1e-12)


@pytest.mark.skipif(not GADRE.exists(), reason="needs the runs of Gadre et al. (2024)")
@pytest.mark.parametrize(
    ("data", "metric", "percent"),
    [
        ("rpj", "err_avg_subset", 2.34),
        ("c4_original", "err_avg_subset", 4.90),
        ("rw_original", "err_avg_subset", 3.77),
        ("rpj", "err_avg", 2.26),
        ("c4_original", "err_avg", 3.08),
        ("rw_original", "err_avg", 1.56),
    ],
)
def test_the_six_largest_runs_of_gadre_from_the_others(data: str, metric: str, percent: float) -> None:
    """Predicted from runs of less compute, much better than the best error seen so far says."""
    with GADRE.open(encoding="utf-8") as file:
        runs = [run for run in csv.DictReader(file) if run["train_dataset"] == data and run[metric]]
    n, d, error = np.array([[float(run[name]) for name in ("params", "tokens", metric)] for run in runs]).T
    large = np.argsort(n * d)[-6:]
    small = np.setdiff1d(np.arange(n.size), large)
    fitted = fit(Table(params=n, tokens=d, loss=error, extra={"error": error}).take(small), law="error-nd")
    assert fitted.converged
    assert fitted.starts.agreeing == fitted.starts.tried
    off = float(np.mean(np.abs(fitted.law.predict(fitted.params, n[large], d[large]) / error[large] - 1.0)))
    assert 100.0 * off == pytest.approx(percent, abs=0.02)
    persistence = float(np.mean(np.abs(error[small].min() / error[large] - 1.0)))
    assert off < persistence
