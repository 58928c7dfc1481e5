"""Malformed or degenerate tables: a sentence, or a result that its own definition confirms, from every question."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalinglaws.errors import InputError
from scalinglaws.fitting import Fit, Table, as_table, fit
from scalinglaws.fitting.identifiability import check_design
from scalinglaws.fitting.profile import profile
from scalinglaws.prediction.planning import plan_runs
from scalinglaws.prediction.rolling import rolling_origin
from tests.fitting.test_malformed import degenerate, sentence, tables
from tests.naive import fitting as naive_fit
from tests.naive import uncertainty as naive

FLOPS = 1e20


def ask_design(data: Any) -> None:
    design = check_design(data, flops=FLOPS)
    assert design.condition >= 1.0 or np.isnan(design.condition)
    assert np.isfinite(design.condition) or design.warnings
    if design.collinear_power is not None:
        assert any("collinear" in words or "cannot be fitted" in words for words in design.warnings)
    json.dumps(design.to_dict(), allow_nan=False)


def fitted_to(data: Any) -> Fit:
    return fit(as_table(data), starts=2)


def ask_outliers(data: Any) -> None:
    found = fitted_to(data)
    rows = found.outliers()
    assert rows.flags.shape == (found.table.rows,)
    if rows.scale > 1e-9:
        assert np.flatnonzero(rows.flags).tolist() == naive.flagged((-found.residuals()).tolist())


def ask_bootstrap(kind: str) -> Callable[[Any], None]:
    def ask(data: Any) -> None:
        draws = fitted_to(data).bootstrap(20, kind=kind).draws
        assert draws is not None
        assert 0.0 <= draws.converged <= 1.0
        assert all(np.isfinite(v).all() and (v >= 0).all() for v in draws.values.values())
        for name, at in (("alpha", {}), ("n_opt", {"flops": FLOPS}), ("surface", {"n": 1e8, "d": 1e10})):
            low, high = draws.interval(name, **at)
            assert low <= high
            inside = np.mean((draws.draws(name, **at) >= low) & (draws.draws(name, **at) <= high))
            assert inside >= 0.85 or np.isinf([low, high]).any()

    return ask


def ask_profile(name: str, **at: float) -> Callable[[Any], None]:
    def ask(data: Any) -> None:
        found = fitted_to(data)
        curve = profile(found, name, **at)
        assert curve.low <= curve.best * (1 + 1e-9)
        assert curve.best <= curve.high * (1 + 1e-9)
        assert (curve.excess >= 0).all()
        assert np.isfinite(curve.values).all()
        assert bool(curve.notes) or not any(curve.is_open)
        table, problem = found.table, found.problem()
        for value, excess, theta in list(zip(curve.values, curve.excess, curve.theta, strict=True))[::4]:
            params = {key: float(v) for key, v in problem.to_values(theta).items()}
            plain = naive_fit.objective(params, table.params, table.tokens, table.loss, "huber")
            least = plain - excess
            assert least <= found.objective * (1 + 1e-6)
            if name in params:
                assert params[name] == pytest.approx(value, rel=1e-6)
        json.dumps(curve.to_dict(), allow_nan=False)

    return ask


def ask_rolling(data: Any) -> None:
    rolled = rolling_origin(data, replicates=10)
    for origin in rolled.origins:
        assert np.isfinite(origin.predicted).all()
        assert (origin.low <= origin.high).all()
        assert np.isfinite(origin.mape)
    json.dumps(rolled.to_dict(), allow_nan=False)


def ask_plan(data: Any) -> None:
    found = fitted_to(data)
    budget = 3.0 * float(found.table.flops.max())
    plan = plan_runs(found, budget, "surface", n=1e9, d=1e11)
    assert plan.flops.sum() <= budget * (1 + 1e-9)
    assert (plan.remaining <= 1.0 + 1e-9).all()
    assert (plan.remaining >= 0.0).all()
    assert np.isfinite(plan.now)
    json.dumps(plan.to_dict(), allow_nan=False)


QUESTIONS: dict[str, Callable[[Any], None]] = {
    "design": ask_design,
    "outliers": ask_outliers,
    "residual": ask_bootstrap("residual"),
    "wild": ask_bootstrap("wild"),
    "pairs": ask_bootstrap("pairs"),
    "profile of beta": ask_profile("beta"),
    "profile of N*": ask_profile("n_opt", flops=FLOPS),
    "rolling": ask_rolling,
    "plan": ask_plan,
}


def put(question: str, data: Any) -> None:
    refusal = None
    try:
        QUESTIONS[question](data() if callable(data) else data)
    except InputError as error:
        refusal = error
    assert refusal is None or sentence(refusal)


FEW = settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=150)


@MANY
@given(tables(), st.sampled_from(sorted(QUESTIONS)))
def test_malformed_tables(data: Any, question: str) -> None:
    put(question, data)


@FEW
@given(degenerate(), st.sampled_from(sorted(QUESTIONS)))
def test_degenerate_tables(table: Table, question: str) -> None:
    put(question, table)


@pytest.mark.slow
@MANY
@given(degenerate(), st.sampled_from(sorted(QUESTIONS)))
def test_150_degenerate_tables(table: Table, question: str) -> None:
    put(question, table)
