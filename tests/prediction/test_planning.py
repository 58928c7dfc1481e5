"""Plans against every possible choice, and against the narrowing that simulated runs really bring."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Fit, Table, fit
from scalinglaws.prediction.planning import plan_runs
from tests.fitting.conftest import TRUTH, ladder
from tests.naive import fitting as naive_fit
from tests.naive import uncertainty as naive


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(ladder(0.004), estimator="log-l2")


@pytest.mark.parametrize(
    ("target", "at", "function"),
    [
        ("n_opt", {"flops": 1e20}, lambda x: naive.log_optimum(x, 1e20)),
        ("surface", {"n": 1e9, "d": 2e10}, lambda x: naive.predict(x, 1e9, 2e10)),
        ("alpha", {}, lambda x: np.log(x[3])),
    ],
)
def test_as_good_as_every_choice(fitted: Fit, target: str, at: dict[str, float], function: object) -> None:
    table, x = fitted.table, naive.coordinates(fitted.params)
    candidates = [(n, r * n) for n in (3e7, 1e8, 3e8) for r in (5.0, 50.0, 200.0)]
    budget = 6e18
    plan = plan_runs(fitted, budget, target, runs=2, candidates=tuple(np.array(candidates).T), **at)
    now = naive.variance(x, table.params, table.tokens, function)
    best = naive.best_plan(x, table.params, table.tokens, function, candidates, budget, 2)
    chosen = naive.variance(x, [*table.params, *plan.params], [*table.tokens, *plan.tokens], function)
    assert plan.now == pytest.approx(plan.noise * np.sqrt(now), rel=1e-4)
    assert plan.remaining[-1] == pytest.approx(np.sqrt(chosen / now), rel=1e-4)
    assert chosen <= best * (1 + 1e-6)
    assert plan.flops.sum() <= budget


def test_plan_narrows_more_than_the_naive_choice(fitted: Fit) -> None:
    """50 repetitions: the planned runs leave less spread of N* than compute-optimal runs for the same FLOP."""
    flops, budget = 2e19, 2e18
    plan = plan_runs(fitted, budget, "n_opt", flops=flops)
    best = fitted.optimal([budget, budget / 4])
    n, d = best.params.values, best.tokens.values
    choices = {
        "none": (np.zeros(0), np.zeros(0)),
        "planned": (plan.params, plan.tokens),
        "single": (n[:1], d[:1]),
        "four": (np.repeat(n[1], 4), np.repeat(d[1], 4)),
    }
    rng, base = np.random.default_rng(8), ladder()
    spread = {name: np.zeros(50) for name in choices}
    for k in range(50):
        measured = base.loss * np.exp(0.004 * rng.standard_normal(15))
        for name, (more_n, more_d) in choices.items():
            new = naive_fit.loss(TRUTH, more_n, more_d) * np.exp(0.004 * rng.standard_normal(more_n.size))
            table = Table(
                params=np.concatenate([base.params, more_n]),
                tokens=np.concatenate([base.tokens, more_d]),
                loss=np.concatenate([measured, new]),
            )
            again = fit(table, estimator="log-l2", starts=1)
            spread[name][k] = np.log(again.optimal(flops).params.item())
    width = {name: np.ptp(np.quantile(values, [0.1, 0.9])) for name, values in spread.items()}
    assert width["planned"] < 0.85 * min(width["single"], width["four"])
    assert width["planned"] / width["none"] == pytest.approx(plan.remaining[-1], rel=0.6)


def test_result(fitted: Fit) -> None:
    plan = plan_runs(fitted, 2e18, "loss_opt", flops=1e20, runs=3)
    assert plan.params.size <= 3
    assert (np.diff(plan.remaining) < 0).all()
    assert plan.shrinkage == pytest.approx(1 - plan.remaining[-1])
    assert plan.flops == pytest.approx(6 * plan.params * plan.tokens)
    assert plan.flops.sum() <= 2e18 * (1 + 1e-9)
    assert plan.remaining[-1] <= plan.single + 1e-9
    assert list(plan.to_frame().columns) == ["params", "tokens", "flops", "remaining", "tokens_per_param"]
    assert json.loads(json.dumps(plan.to_dict()))["target"] == "loss_opt at flops = 1e+20"
    assert "tokens per parameter" in plan.summary()


def test_more_budget_never_hurts(fitted: Fit) -> None:
    left = [plan_runs(fitted, budget, "n_opt", flops=1e20).remaining[-1] for budget in (1e17, 1e18, 1e19, 1e20)]
    assert (np.diff(left) < 1e-3).all()


@pytest.mark.parametrize(
    ("budget", "target", "options", "word"),
    [
        (-1.0, "n_opt", {"flops": 1e20}, "budget"),
        (1e3, "n_opt", {"flops": 1e20}, "buys none"),
        (1e18, "size", {}, "one of"),
        (1e18, "loss", {"n": 1e9, "d": 1e10}, "surface"),
        (1e18, "n_opt", {}, "flops"),
        (1e18, "n_opt", {"flops": [1e20, 1e21]}, "one number"),
        (1e18, "alpha", {"runs": 0}, "runs"),
        (1e18, "alpha", {"candidates": ([1e8],)}, "two columns"),
        (1e18, "alpha", {"candidates": ([1e8], [-1.0])}, "positive"),
        (1e18, "alpha", {"candidates": ([1e8], [1e9, 2e9])}, "shapes"),
    ],
)
def test_wrong_wishes(fitted: Fit, budget: float, target: str, options: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        plan_runs(fitted, budget, target, **options)  # type: ignore[arg-type]


def test_a_table_that_determines_nothing() -> None:
    n = np.geomspace(1e7, 1e9, 12)
    fitted = fit(Table(params=n, tokens=20 * n, loss=naive_fit.loss(TRUTH, n, 20 * n)))
    try:
        plan = plan_runs(fitted, 1e20, "n_opt", flops=1e21)
    except InputError as error:
        assert "determine" in str(error) or "finite" in str(error)  # noqa: PT017
    else:
        assert any("collinear" in note for note in plan.notes)
    with pytest.raises(InputError, match="held"):
        plan_runs(fit(ladder(0.003), fixed={"E": 1.8}), 1e18, "E")


def test_a_plan_honours_the_prior() -> None:
    """What the prior already says better than any run could is not learned again."""
    for estimator in ("log-l2", "l2", "huber"):
        known = fit(ladder(0.004), estimator=estimator, prior={"alpha": (0.35, 1e-4)})
        plan = plan_runs(known, 1e18, "alpha")
        assert plan.now == pytest.approx(1e-4 / 0.35, rel=0.05)
        assert plan.shrinkage < 0.05
