"""The solvable model as a law of whole families: one evaluation with all derivatives, one fit, a bootstrap.

Run with `pytest benchmarks/test_compare.py --benchmark-enable --benchmark-only`; one core: OMP_NUM_THREADS=1. The
baseline of one evaluation is what the package offers otherwise: one call of `solve` for each size, whose curves are the
discrete model's, more exact and without derivatives.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
import pytest

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.comparison.family_laws import FamilyRecords, find_family_law, fit_family
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr

SIZES = [64, 91, 128, 181, 256, 362, 512, 724]
SHAPE, BATCH, SEEDS, POINTS = schedules.linear(0.25, 2000), 4, 5, 300
SHAPES = np.array([1.0, 0.7, 1.0, 1.0, 1.0])


@cache
def records():
    """Eight sizes by five seeds by 300 points, of which a fit takes 100."""
    options = {"sizes": SIZES, "horizon": (2000, 0.8), "schedule": SHAPE, "batch": BATCH}
    return FamilyRecords.of(sl.model_family(1.0, 0.7, seeds=SEEDS, points=POINTS, **options), most=100)


def solved(curves):
    """Solve for the expected risk at the same records, run by run."""
    at = curves.distinct
    for run, steps in zip(at.runs, at.steps, strict=True):
        opt = SGD(lr=relative_lr(SHAPE.scaled(curves.paths[run].steps)), batch=BATCH)
        sl.solve(PLRF(alpha=1.0, beta=0.7, d=int(curves.size[run])), opt, steps)


def test_one_evaluation(benchmark):
    curves, law = records().curves, find_family_law("plrf")
    law.features(SHAPES, curves)
    solved(curves)
    start = time.perf_counter()
    solved(curves)
    baseline = time.perf_counter() - start
    benchmark(law.features, SHAPES, curves)
    if benchmark.stats is not None:
        benchmark.extra_info["solve / law"] = round(baseline / benchmark.stats.stats.median, 1)


@pytest.mark.parametrize("noise", ["records", "levels"])
@pytest.mark.parametrize("estimator", ["huber", "log-l2"])
def test_one_family(benchmark, estimator, noise):
    fit_family(records(), "plrf", starts=1)
    options = {"estimator": estimator, "noise": noise}
    fit = benchmark.pedantic(fit_family, (records(), "plrf"), options, rounds=1)
    assert fit.converged
    benchmark.extra_info["agreeing starts"] = f"{fit.starts.agreeing} of {fit.starts.tried}"


def test_bootstrap_of_200(benchmark):
    fit = fit_family(records(), "plrf", starts=1)
    with ProcessPoolExecutor(2) as executor:
        draws = benchmark.pedantic(fit.bootstrap, (200,), {"executor": executor}, rounds=1)
    assert draws.by_seed
