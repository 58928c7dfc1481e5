"""SGD as it is defined: draw v-dimensional samples, form features and residuals, update the parameters.

It costs O(batch v d) an update and knows nothing of the reduction in `kernels.sgd`; it is there to be
compared with, in tests and as the baseline of the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalinglaws._progress import Progress, Report
from scalinglaws.optimizers import ResolvedSGD
from scalinglaws.simulation.features import Features

__all__ = ["run", "update"]

Floats = NDArray[np.float64]


def run(
    features: Features,
    optimizer: ResolvedSGD,
    steps: NDArray[np.int64],
    *,
    seeds: Sequence[np.random.SeedSequence],
    ceiling: float,
    progress: Report,
) -> tuple[Floats, NDArray[np.int8]]:
    """Simulate one run for each seed; returns what `reduced.run` returns."""
    risk = np.full((len(seeds), steps.size), np.inf)
    status = np.zeros(len(seeds), dtype=np.int8)
    for i, seed in enumerate(seeds):
        curve = _one_run(features, optimizer, steps, np.random.default_rng(seed), ceiling)
        risk[i, : len(curve)] = curve
        status[i] = len(curve) < steps.size
        progress(Progress(label="simulate", item=i + 1, items=len(seeds), done=i + 1.0, total=float(len(seeds))))
    return risk, status


def _one_run(
    features: Features,
    optimizer: ResolvedSGD,
    steps: NDArray[np.int64],
    rng: np.random.Generator,
    ceiling: float,
) -> list[float]:
    """Risks at `steps`, fewer when the run diverges on the way."""
    theta = np.zeros(features.matrix.shape[1])
    limit = ceiling * features.risk(theta)
    curve: list[float] = []
    done = 0
    for until in steps:
        for t in range(done, int(until)):
            theta = update(features, theta, float(optimizer.rate(t)), int(optimizer.batch_at(t)), rng)
        done = int(until)
        risk = features.risk(theta)
        if not risk <= limit:
            break
        curve.append(risk)
    return curve


def update(features: Features, theta: Floats, lr: float, batch: int, rng: np.random.Generator) -> Floats:
    """One update with fresh samples, the gradient summed over the batch."""
    z = rng.standard_normal((batch, features.target.size))
    inputs = z @ features.matrix
    residual = inputs @ theta - z @ features.target
    if features.label_noise > 0:
        residual += np.sqrt(features.label_noise) * rng.standard_normal(batch)
    return theta - lr * (residual @ inputs)
