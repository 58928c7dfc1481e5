"""Recovery, agreement with the plain-loop oracle, certificates and warnings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import ESTIMATORS, Table, estimator, fit
from tests.fitting.conftest import TRUTH, ladder
from tests.naive import fitting as naive


@pytest.mark.parametrize("name", ESTIMATORS)
def test_exact_data_give_the_law_back(name: str) -> None:
    fitted = fit(ladder(), estimator=name)
    for key, value in TRUTH.items():
        assert fitted.params[key] == pytest.approx(value, rel=1e-6), key
    assert fitted.converged


@pytest.mark.parametrize("name", ESTIMATORS)
def test_reported_objective_is_the_plain_sum(name: str) -> None:
    table = ladder(0.003, 1)
    fitted = fit(table, estimator=name)
    plain = naive.objective(fitted.params, table.params, table.tokens, table.loss, name)
    assert fitted.objective == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_never_worse_than_many_starts_of_scipy(seed: int) -> None:
    table = ladder(0.003, seed)
    _, best = naive.multi_start(table.params, table.tokens, table.loss)
    assert fit(table).objective <= best * (1 + 1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_neighbour_is_better(name: str) -> None:
    """Local optimality by the definition: the oracle's objective at 200 random nearby points."""
    table = ladder(0.003, 2)
    fitted = fit(table, estimator=name)
    rng = np.random.default_rng(0)
    for size in (1e-2, 1e-4, 1e-6):
        for _ in range(70):
            near = {k: v * np.exp(size * rng.standard_normal()) for k, v in fitted.params.items()}
            value = naive.objective(near, table.params, table.tokens, table.loss, name)
            assert value >= fitted.objective * (1 - 1e-10)


def test_optimum_against_golden_section() -> None:
    fitted = fit(ladder())
    for flops in (1e18, 1e22):
        best = fitted.optimal(flops)
        assert best.params.item() == pytest.approx(naive.optimum(fitted.params, flops), rel=1e-5)
        assert best.loss.item() == pytest.approx(fitted.predict(best.params.item(), best.tokens.item()))
        assert 6 * best.params.item() * best.tokens.item() == pytest.approx(flops)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_sum_and_mean_give_the_same_answer(name: str) -> None:
    """Weights of 1/rows turn the sum into the mean; a stopping rule that saw the scale would move the answer."""
    table = ladder(0.003, 3)
    mean = Table(params=table.params, tokens=table.tokens, loss=table.loss, weight=np.full(15, 1e-6 / 15))
    one, other = fit(table, estimator=name), fit(mean, estimator=name)
    assert other.objective * 15e6 == pytest.approx(one.objective, rel=1e-9)
    assert other.gradient_norm < 1e-5
    for key in TRUTH:
        assert other.params[key] == pytest.approx(one.params[key], rel=1e-6), key


def test_weight_two_is_a_row_twice() -> None:
    table = ladder(0.003, 4)
    weight = np.ones(15)
    weight[3] = 2.0
    weighted = fit(Table(params=table.params, tokens=table.tokens, loss=table.loss, weight=weight))
    rows = np.r_[0:15, 3]
    doubled = fit(Table(params=table.params[rows], tokens=table.tokens[rows], loss=table.loss[rows]))
    assert weighted.params == pytest.approx(doubled.params, rel=1e-6)


def test_units_of_n_and_d_do_not_matter() -> None:
    table = ladder(0.003, 5)
    scaled = Table(params=table.params / 1e6, tokens=table.tokens / 1e9, loss=table.loss, flops=table.flops)
    one, other = fit(table), fit(scaled)
    assert other.params["alpha"] == pytest.approx(one.params["alpha"], rel=1e-6)
    assert other.params["A"] * 1e6 ** other.params["alpha"] == pytest.approx(one.params["A"], rel=1e-5)


def test_collinear_design_is_flagged() -> None:
    n = np.geomspace(1e7, 1e10, 20)
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(20))
    fitted = fit(Table(params=n, tokens=20 * n, loss=naive.loss(TRUTH, n, 20 * n) * noise))
    assert any("collinear" in sentence for sentence in fitted.warnings)


def test_a_vanishing_irreducible_loss_is_flagged() -> None:
    law = TRUTH | {"E": 0.0}
    fitted = fit(ladder(0.003, 0, truth=law))
    held = fit(ladder(0.003, 0), fixed={"E": 0.0})
    assert fitted.params["E"] == 0.0
    assert fitted.at_bounds == ("E",)
    assert fitted.converged
    assert any("no irreducible loss" in sentence for sentence in fitted.warnings)
    assert held.params["E"] == 0.0
    assert any("held at 0" in sentence for sentence in held.warnings)


def test_loss_that_ignores_size_is_flagged() -> None:
    table = ladder()
    loss = 2.0 + 2100.0 / table.tokens**0.366
    fitted = fit(
        Table(
            params=table.params,
            tokens=table.tokens,
            loss=loss * np.exp(1e-3 * np.random.default_rng(3).standard_normal(15)),
        )
    )
    assert fitted.warnings


def test_held_parameters_stay() -> None:
    table = ladder(0.003, 6)
    fitted = fit(table, fixed={"E": 1.75, "alpha": 0.34})
    assert (fitted.params["E"], fitted.params["alpha"]) == (1.75, 0.34)
    both = fit(table, fixed={"alpha": 0.348, "A": 480.0})
    assert both.params["A"] == 480.0
    assert fitted.objective >= fit(table).objective
    alone = fit(table, fixed={"A": 480.0})
    assert alone.params["A"] == 480.0
    assert fit(table).objective <= alone.objective <= both.objective


@pytest.mark.parametrize(
    ("fixed", "word"),
    [({"C": 1.0}, "one of"), ({"E": -1.0}, "negative"), ({"alpha": "x"}, "number")],
)
def test_what_cannot_be_held(fixed: dict[str, float], word: str) -> None:
    with pytest.raises(InputError, match=word):
        fit(ladder(), fixed=fixed)


def test_result_is_plain_and_readable() -> None:
    fitted = fit(ladder(0.003))
    assert json.loads(json.dumps(fitted.to_dict()))["params"] == dict(fitted.params)
    assert "huber" in repr(fitted)
    assert fitted.predict(np.inf, np.inf) == pytest.approx(fitted.params["E"])
    assert np.abs(fitted.residuals()).max() < 0.02
    assert fitted.optimal([1e20]).extrapolation.item() == pytest.approx(1e20 / (6 * 1e8 * 8e9))


def test_huber_halves_join() -> None:
    huber = estimator("huber", delta=0.1)
    assert huber.rho(np.array([0.1])) == pytest.approx(0.005)
    slope = (huber.rho(np.array([0.1 + 1e-7])) - huber.rho(np.array([0.1 - 1e-7]))) / 2e-7
    assert slope == pytest.approx(0.1, rel=1e-6)
