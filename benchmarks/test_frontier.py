"""Time of the atlas, and the frontier's exponents over thirty decades beside their limits (kept in `extra_info`)."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws._workers import worker_pool
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD, relative_lr
from scalinglaws.prediction.atlas import atlas
from scalinglaws.prediction.frontier import frontier
from scalinglaws.symbolic import phase

POINTS = [(0.75, 0.25), (0.4, 0.3), (0.2, 1.0), (0.9, 0.6), (1.0, 1.5), (0.7, 1.0), (0.4, 1.0), (0.27, 0.9)]


def test_atlas_of_2500_cells_on_two_cores(benchmark):
    centres = 1.5 * (np.arange(50) + 0.5) / 50
    with worker_pool(2) as pool:
        atlas(centres[:2], centres[:2], executor=pool)  # both workers have imported and compiled
        ds = benchmark.pedantic(atlas, args=(centres, centres), kwargs={"executor": pool}, rounds=1)
    done = int((ds["status"] == "finished").sum())
    benchmark.extra_info["cells"] = done
    assert done > 2300
    assert benchmark.stats.stats.max < 120


@pytest.mark.parametrize(("alpha", "beta"), POINTS)
def test_frontier_over_thirty_decades(benchmark, alpha, beta):
    flops = 10.0 ** np.arange(6, 49 if (alpha, beta) == (0.27, 0.9) else 31, 3)
    given = PLRF(alpha=alpha, beta=beta, d=1, v=4), SGD(lr=relative_lr(0.25)), flops
    ds = benchmark.pedantic(frontier, args=given, rounds=1)
    limit = phase(alpha, beta)
    benchmark.extra_info["limit"] = [limit.name, limit.size_exponent, limit.loss_exponent]
    for name in ("size_exponent", "loss_exponent"):
        benchmark.extra_info[name] = dict(zip(map("{:.0e}".format, flops), ds[name].values.round(5), strict=True))
        assert abs(float(ds[name][-1]) - getattr(limit, name)) < 0.011
