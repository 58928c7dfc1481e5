"""One default fit, 2000 bootstrap refits, and beside them what the field does: 32 starts of scipy's L-BFGS-B.

Run with `pytest benchmarks/test_fit.py --benchmark-enable --benchmark-only`; one core: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalinglaws.fitting import Table, fit
from tests.naive import fitting as naive

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "besiroglu2024" / "svg_extracted_data.csv"


def measured() -> Table:
    """The 240 points of Besiroglu et al. (2024) where they are, else synthetic ones of that size."""
    if DATA.exists():
        columns = np.genfromtxt(DATA, delimiter=",", names=True, dtype=None, encoding="utf-8", comments=None)
        n, c = columns["Model_Size"].astype(float), columns["Training_FLOP"].astype(float)
        table = Table(params=n, tokens=c / (6 * n), loss=columns["loss"])
        return table.take(table.loss < np.sort(table.loss)[-5])
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.5, 10.2, 240), 10 ** rng.uniform(8.5, 11.5, 240)
    law = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.348, "beta": 0.366}
    return Table(params=n, tokens=d, loss=naive.loss(law, n, d) * np.exp(0.006 * rng.standard_t(4, 240)))


@pytest.fixture(scope="module")
def table() -> Table:
    return measured()


@pytest.fixture(scope="module")
def baseline(table: Table) -> dict[str, Any]:
    start = time.perf_counter()
    params, objective = naive.multi_start(table.params, table.tokens, table.loss, method="L-BFGS-B")
    return {"seconds": time.perf_counter() - start, "objective": objective, "params": params}


def test_one_default_fit(benchmark: Any, table: Table, baseline: dict[str, Any]) -> None:
    fitted = benchmark.pedantic(fit, args=(table,), rounds=10, warmup_rounds=1)
    benchmark.extra_info["rows"] = table.rows
    benchmark.extra_info["lbfgs_32_starts_seconds"] = baseline["seconds"]
    benchmark.extra_info["objective_over_lbfgs_minus_1"] = fitted.objective / baseline["objective"] - 1
    assert fitted.converged
    assert fitted.objective <= baseline["objective"] * (1 + 1e-9)
    if benchmark.stats is not None:
        median = benchmark.stats.stats.median
        benchmark.extra_info["times_faster_than_lbfgs"] = baseline["seconds"] / median


def test_2000_bootstrap_refits(benchmark: Any, table: Table, baseline: dict[str, Any]) -> None:
    fitted = fit(table)
    resampled = benchmark.pedantic(fitted.bootstrap, args=(2000,), kwargs={"kind": "pairs"}, rounds=3, warmup_rounds=1)
    benchmark.extra_info["rows"] = table.rows
    benchmark.extra_info["converged"] = resampled.draws.converged
    benchmark.extra_info["lbfgs_2000_refits_of_32_starts_seconds"] = 2000 * baseline["seconds"]
    benchmark.extra_info["scipy_warm_bfgs_seconds_for_2000"] = _warm_baseline(table, fitted)
    assert resampled.draws.converged == 1.0
    if benchmark.stats is not None:
        median = benchmark.stats.stats.median
        warm = benchmark.extra_info["scipy_warm_bfgs_seconds_for_2000"]
        benchmark.extra_info["times_faster_than_warm_bfgs"] = warm / median


def _warm_baseline(table: Table, fitted: Any) -> float:
    """Seconds for 2000 warm-started scipy BFGS refits, from 50 of them."""
    weights = np.random.default_rng(0).multinomial(table.rows, np.full(table.rows, 1 / table.rows), size=50)
    start = time.perf_counter()
    for weight in weights:
        naive.bfgs(table.params, table.tokens, table.loss, fitted.params, weight.astype(float), tolerance=1e-8)
    return (time.perf_counter() - start) * 2000 / 50
