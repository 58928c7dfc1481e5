"""What a sweep of 1000 cells costs beside them: here and on two workers, kept in memory and on disk.

Run with `pytest benchmarks/test_sweep.py --benchmark-enable --benchmark-only`; one core each: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from scalinglaws.sweep import grid, open_executor, sweep

CELLS = grid(alpha=[i / 50 for i in range(1, 26)], beta=[i / 50 for i in range(1, 41)])


def quick(alpha: float, beta: float) -> dict[str, float]:
    return {"risk": math.exp(-alpha) / beta}


@pytest.mark.parametrize("kept", ["memory", "folder"])
@pytest.mark.parametrize("workers", [None, 2])
def test_overhead(benchmark: Any, tmp_path: Path, workers: int | None, kept: str) -> None:
    fresh = itertools.count()
    with open_executor(workers=workers) as executor:

        def run() -> None:
            store = tmp_path / str(next(fresh)) if kept == "folder" else None
            assert sweep(quick, CELLS, store=store, executor=executor).computed == len(CELLS)

        benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["cells"] = len(CELLS)


def test_finding_that_all_is_done(benchmark: Any, tmp_path: Path) -> None:
    sweep(quick, CELLS, store=tmp_path)
    results = benchmark.pedantic(sweep, args=(quick, CELLS), kwargs={"store": tmp_path}, rounds=3)
    assert results.computed == 0
    benchmark.extra_info["cells"] = len(CELLS)
