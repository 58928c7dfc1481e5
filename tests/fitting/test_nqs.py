"""The noisy quadratic system as a law: formula, derivatives, published numbers, its own table, and the best split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import zeta

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.fitting.estimators import estimator
from scalinglaws.fitting.laws.directions import hurwitz_zeta, risk_sums
from scalinglaws.fitting.laws.jets import jet_of, variable
from scalinglaws.fitting.laws.nqs import NQS, nqs_optimum
from scalinglaws.fitting.problem import Problem
from scalinglaws.theory import dynamics
from tests.naive import nqs as naive

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "nqs"
README = {"p": 1.117, "q": 0.588, "P": 3.581, "Q": 0.936, "e_irr": 0.449, "R": 4.283, "r": 1.485}
measured = pytest.mark.skipif(not SHARED.exists(), reason="needs the published table and fit")


def published() -> dict[str, float]:
    return json.loads((SHARED / "fitted_nqs.json").read_text(encoding="utf-8"))


def runs(which: str = "all") -> Table:
    d: Any = np.genfromtxt(SHARED / "dataset.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    chosen = {
        "all": np.ones(d.size, bool),
        "train": (d["split"] == "train") & ~d["filtered"],
        "isoflop": (d["split"] == "test") & (d["type"] == "isoflop"),
        "isotoken": (d["split"] == "test") & (d["type"] == "isotoken"),
    }
    d = d[chosen[which]]
    how = {"batch": d["B"], "steps": d["K"]}
    return Table(params=d["N"], tokens=128.0 * d["B"] * d["K"], loss=d["loss"], extra=how)


def predict(values: dict[str, float], table: Table) -> np.ndarray:
    return NQS.predict(values, n=table.params, batch=table.extra["batch"], steps=table.extra["steps"])


def synthetic(truth: dict[str, float], noise: float = 0.0, rows: int = 60) -> Table:
    rng = np.random.default_rng(7)
    n, b, k = np.rint(10 ** rng.uniform(((5.5,), (1,), (2,)), ((8,), (3.5,), (5,)), (3, rows)))
    n = np.rint(10 ** (np.rint(np.log10(n) * 3) / 3))
    loss = NQS.predict(truth, n=n, batch=b, steps=k) * np.exp(noise * rng.standard_normal(rows))
    return Table(params=n, tokens=128.0 * b * k, loss=loss, extra={"batch": b, "steps": k})


@pytest.mark.parametrize("values", [README, README | {"q": 1.3, "r": 0.4}, README | {"Q": 0.05, "p": 1.6}])
def test_prediction_is_the_formula(values: dict[str, float]) -> None:
    n, b, k = np.array([1, 3, 70, 500]), np.array([4, 1, 32, 8]), np.array([5, 1, 100, 30])
    slow = [naive.noisy_quadratic(values, *map(int, row)) for row in zip(n, b, k, strict=True)]
    np.testing.assert_allclose(NQS.predict(values, n=n, batch=b, steps=k), slow, rtol=2e-10)


def test_published_example() -> None:
    loss = NQS.predict(README, n=64e6, batch=2048, steps=10_000)
    assert float(loss) == pytest.approx(2.4319861, abs=1e-7)


@measured
def test_published_fit() -> None:
    loss = NQS.predict(published(), n=64e6, batch=9134, steps=135_200)
    assert float(loss) == pytest.approx(2.3215929, abs=1e-7)


@pytest.mark.parametrize("q", [0.3, 0.588, 1.3, 2.5])
@pytest.mark.parametrize("size", [17, 10_000, 64_000_000])
def test_theory_integrates_to_the_same(q: float, size: int) -> None:
    values = README | {"q": q}
    modes, steps = dynamics.noisy_quadratic(size, **values), [1, 40, 10_000, 200_000]
    curve = dynamics.integrate(modes, 1.999, steps, batch=64)["loss"].values
    np.testing.assert_allclose(NQS.predict(values, n=size, batch=64, steps=np.array(steps)), curve, rtol=1e-10)


@pytest.mark.parametrize("x", [1.0, 2.0, 63.0, 64.0, 1e4, 1e9])
def test_zeta(x: float) -> None:
    for s in (1.001, 1.1, 2.5, 4.0):
        assert hurwitz_zeta(s, np.array(x)) == pytest.approx(zeta(s, x), rel=1e-12)


def test_derivatives_are_those_of_the_value() -> None:
    where = np.array([1.15, 1.4, 0.6, -0.1])
    log_n, log_k = np.log([50.0, 3e4, 1e8]), np.log([7.0, 300.0, 5e4])

    def values(at: np.ndarray) -> np.ndarray:
        tail = hurwitz_zeta(at[0], np.exp(log_n) + 1.0)
        return np.stack([*risk_sums(*at, log_n, log_k), tail])

    p, r, q, log_q = (variable(value, i) for i, value in enumerate(where))
    jets = [jet_of(j) for j in (*risk_sums(p, r, q, log_q, log_n, log_k), hurwitz_zeta(p, np.exp(log_n) + 1.0))]
    np.testing.assert_allclose([j.value for j in jets], values(where), rtol=1e-13)
    one, two = 1e-5, 1e-4
    for i, a in enumerate(np.eye(4)):
        slope = (values(where + one * a) - values(where - one * a)) / (2 * one)
        exact = [np.broadcast_to(j.first.get(i, 0.0), 3) for j in jets]
        np.testing.assert_allclose(exact, slope, rtol=1e-7, atol=1e-7)
        for k, b in enumerate(np.eye(4)[: i + 1]):
            corners = [values(where + two * (s * a + t * b)) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            bend = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * two**2)
            exact = [np.broadcast_to(j.second.get((k, i), 0.0), 3) for j in jets]
            np.testing.assert_allclose(exact, bend, rtol=1e-4, atol=2e-5)


def test_draws_of_parameters_broadcast() -> None:
    draws = {name: np.array([value, 0.99 * value]) for name, value in (README | {"p": 1.2}).items()}
    n, k = np.array([1e3, 1e5]), np.array([[30.0], [500.0], [2000.0]])
    wide = {name: values[:, None, None] for name, values in draws.items()}
    whole = NQS.predict(wide, n=n, batch=8.0, steps=k)
    assert whole.shape == (2, 3, 2)
    one = {name: values[1] for name, values in draws.items()}
    np.testing.assert_allclose(whole[1], NQS.predict(one, n=n, batch=8.0, steps=k), rtol=1e-13)
    along = NQS.predict(draws, n=n, batch=8.0, steps=30.0)
    np.testing.assert_allclose(along, [whole[0, 0, 0], whole[1, 0, 1]], rtol=1e-13)


@measured
def test_average_huber_loss_of_the_published_fit() -> None:
    """The paper's figures, 2.1e-5 and 4.9e-5, are means of Huber losses of log loss with threshold 1e-3."""
    huber = estimator("huber", 1e-3)
    for which, mean in (("train", 2.0034e-5), ("isoflop", 2.0674e-5), ("isotoken", 4.7533e-5)):
        table = runs(which)
        found = huber.objective(predict(published(), table), table.loss, table.weight) / table.rows
        assert found == pytest.approx(mean, rel=1e-4)


@measured
def test_our_fit_of_the_published_rows_is_no_worse_than_theirs() -> None:
    table = runs("train")
    fitted = fit(table, law="nqs")
    theirs = fitted.estimator.objective(predict(published(), table), table.loss, table.weight)
    assert theirs == pytest.approx(1.28220521e-3, rel=1e-6)
    assert fitted.converged
    assert fitted.objective <= 1.2499820e-3
    dynamics.noisy_quadratic(64_000_000, **fitted.params)  # the same parameters


@measured
def test_fit_of_all_rows() -> None:
    table = runs()
    fitted = fit(table, law="nqs", fixed={"r": 2.58})
    assert fitted.converged
    assert fitted.starts.agreeing == fitted.starts.tried
    theirs = fitted.estimator.objective(predict(published(), table), table.loss, table.weight)
    assert fitted.objective <= 0.823 * theirs
    assert fitted.objective <= 0.5 * fit(table).objective  # of N and D alone: it cannot see the batch


def test_fit_finds_the_truth() -> None:
    truth = README | {"r": 0.8}
    exact = fit(synthetic(truth), law="nqs")
    assert exact.params == pytest.approx(truth, rel=1e-3)
    noisy = fit(synthetic(truth, noise=3e-3), law="nqs", estimator="log-l2")
    assert noisy.converged
    assert noisy.params["q"] == pytest.approx(truth["q"], rel=0.1)


def test_the_best_split_of_a_budget() -> None:
    best = nqs_optimum(README, [1e16, 1e25], seq_len=128)
    np.testing.assert_allclose(6 * best.params * best.batch * best.steps * 128, [1e16, 1e25], rtol=1e-9)
    np.testing.assert_allclose(best.tokens, best.batch * best.steps * 128, rtol=1e-12)
    for i in range(2):
        at = np.array([best.params[i], best.batch[i], best.steps[i]])
        for move in ((1, -1, 0), (1, 0, -1), (0, 1, -1)):
            for sign in (0.05, -0.05):
                n, b, k = at * np.exp(sign * np.array(move))
                assert NQS.predict(README, n=n, batch=b, steps=k) > best.loss[i]
    small = nqs_optimum(README | {"R": 0.0}, 1e12, seq_len=128)
    assert small.batch[0] == pytest.approx(1.0)  # without noise a batch is wasted


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InputError, match=r"needs steps too"):
        NQS.predict(README, n=1e6, batch=4.0)
    with pytest.raises(InputError, match=r"params = inf: must be at most"):
        NQS.predict(README, n=np.inf, batch=4.0, steps=10.0)
    with pytest.raises(InputError, match=r"has no compute-optimal size"):
        NQS.optimum({name: np.array(v) for name, v in README.items()}, np.array(1e18))
    with pytest.raises(InputError, match=r"flops = 10: must be finite and above"):
        nqs_optimum(README, 10, seq_len=128)
    with pytest.raises(InputError, match=r"seq_len = 0: must be a positive"):
        nqs_optimum(README, 1e18, seq_len=0)
    with pytest.raises(InputError, match=r"values: needs e_irr too"):
        nqs_optimum({k: v for k, v in README.items() if k != "e_irr"}, 1e18, seq_len=128)
    with pytest.raises(InputError, match=r"column 'batch': the law needs it"):
        fit(Table(params=[1e6] * 9, tokens=[1e8] * 9, loss=[3.0] * 9), law="nqs")
    with pytest.raises(InputError, match=r"a derivative by N or K"):
        risk_sums(1.1, 1.1, 0.5, 0.0, variable(3.0, 0), np.array(2.0))


def test_problem_has_exact_derivatives_of_many_starts_at_once() -> None:
    problem = Problem.build(NQS, estimator("log-l2", 1e-3), synthetic(README, rows=12))
    theta = np.array([[-1.0, -1.0, -2.0, 1.12, 0.58, -0.07, 2.0], [-1.0, -1.0, -2.0, 1.3, 0.9, -1.2, 1.0]])
    together = problem.basis.evaluate(theta)
    for i in range(2):
        alone = problem.basis.evaluate(theta[[i]])
        np.testing.assert_allclose(together.values[i], alone.values[0], rtol=1e-12)
        np.testing.assert_allclose(together.features[i], alone.features[0], rtol=1e-9, atol=1e-12)
