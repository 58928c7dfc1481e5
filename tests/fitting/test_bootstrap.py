"""Refits as good as single fits; reproducible; intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import ESTIMATORS, Table, fit
from scalinglaws.fitting.solve import refit
from tests.fitting.conftest import TRUTH, ladder
from tests.naive import fitting as naive


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(5)
    n, d = 10 ** rng.uniform(7.5, 10, 120), 10 ** rng.uniform(9, 11.5, 120)
    loss = naive.loss(TRUTH, n, d) * np.exp(0.005 * rng.standard_t(4, 120))
    return Table(params=n, tokens=d, loss=loss)


def test_refits_are_never_worse_than_scipy(table: Table) -> None:
    fitted = fit(table)
    weight = np.random.default_rng(0).multinomial(120, np.full(120, 1 / 120), size=8).astype(float)
    problem = fitted.problem()
    ends = refit(problem, np.tile(fitted.theta, (8, 1)), weight, np.broadcast_to(problem.y, weight.shape))
    assert ends.converged.all()
    for i in range(8):
        starts = [dict(fitted.params), *naive.starts()[::8]]
        best = min(naive.bfgs(table.params, table.tokens, table.loss, s, weight[i])[1] for s in starts)
        assert ends.objective[i] <= best * (1 + 1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("kind", ["pairs", "residual"])
def test_kinds_and_estimators(table: Table, name: str, kind: str) -> None:
    draws = fit(table, estimator=name).bootstrap(40, kind=kind, rng=3).draws
    assert draws is not None
    assert draws.converged >= (0.95 if name == "l1" else 1.0)  # a vertex of repeated rows may lack its certificate
    for key, error in draws.standard_errors().items():
        assert 0 < error < 2 * TRUTH[key]


def test_same_seed_same_draws(table: Table) -> None:
    fitted = fit(table)
    one, two, other = (fitted.bootstrap(20, rng=seed).interval("alpha") for seed in (1, 1, 2))
    assert one == two != other


def test_default_kind_follows_the_number_of_rows(table: Table) -> None:
    many, few = fit(table).bootstrap(10).draws, fit(ladder(0.003)).bootstrap(10).draws
    assert many is not None
    assert few is not None
    assert (many.kind, few.kind) == ("wild", "residual")


def test_clusters_are_drawn_whole(table: Table) -> None:
    """Each row repeated four times as one cluster: errors as for single rows, not half of them."""
    rows = np.repeat(np.arange(120), 4)
    copies = Table(
        params=table.params[rows], tokens=table.tokens[rows], loss=table.loss[rows], cluster=rows.astype(str)
    )
    single = fit(table).bootstrap(300, rng=0).standard_errors()["alpha"]
    clustered = fit(copies).bootstrap(300, by="cluster", rng=0).standard_errors()["alpha"]
    ignored = fit(copies).bootstrap(300, by="run", rng=0).standard_errors()["alpha"]
    assert clustered == pytest.approx(single, rel=0.15)
    assert ignored < 0.65 * single


def test_intervals_of_every_quantity(table: Table) -> None:
    fitted = fit(table).bootstrap(60, rng=0)
    for name, at in (
        ("alpha", {}),
        ("n_opt", {"flops": 1e21}),
        ("d_opt", {"flops": [1e21, 1e22]}),
        ("tokens_per_param", {"flops": 1e21}),
        ("loss_opt", {"flops": 1e21}),
        ("surface", {"n": 1e9, "d": 2e10}),
        ("loss", {"n": [1e9, 2e9], "d": 2e10}),
    ):
        low, high = fitted.interval(name, 0.8, **at)
        assert np.all(np.asarray(low) < np.asarray(high)), name
    surface, run = (fitted.interval(q, n=1e9, d=2e10) for q in ("surface", "loss"))
    assert run[0] < surface[0] < surface[1] < run[1]
    best = fitted.optimal([1e21, 1e22], 0.8)
    assert (best.params_low < best.params).all()
    assert (best.params < best.params_high).all()
    assert best.params_high.attrs["units"] == "parameters"


@pytest.mark.parametrize(
    ("name", "level", "at", "word"),
    [
        ("gamma", 0.9, {}, "one of"),
        ("alpha", 1.0, {}, "between 0 and 1"),
        ("n_opt", 0.9, {}, "flops"),
        ("loss", 0.9, {"n": 1e9}, "needs"),
        ("alpha", 0.9, {"flops": 1e21}, "no further"),
        ("n_opt", 0.9, {"flops": -1.0}, "positive"),
        ("n_opt", 0.9, {"flops": "many"}, "number"),
    ],
)
def test_intervals_nobody_can_give(name: str, level: float, at: dict[str, float], word: str) -> None:
    with pytest.raises(InputError, match=word):
        fit(ladder(0.003)).bootstrap(10).interval(name, level, **at)


def test_wrong_bootstraps() -> None:
    fitted = fit(ladder(0.003))
    for options in ({"replicates": 1}, {"kind": "jackknife"}, {"by": "size"}):
        with pytest.raises(InputError):
            fitted.bootstrap(**options)  # type: ignore[arg-type]


def test_prediction_interval_covers() -> None:
    """100 simulated ladders, one further run at 4 times the largest compute: 90 % nominal, within 3.5 sigma."""
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(100):
        clean = ladder()
        loss = clean.loss * np.exp(0.003 * rng.standard_normal(15))
        fitted = fit(Table(params=clean.params, tokens=clean.tokens, loss=loss), starts=2)
        n, d = 2 * clean.params.max(), 2 * clean.tokens.max()
        low, high = fitted.bootstrap(120, rng=rng).interval("loss", n=n, d=d)
        hits += low <= naive.loss(TRUTH, n, d) * np.exp(0.003 * rng.standard_normal()) <= high
    assert 0.80 <= hits / 100 <= 0.99
