"""SGD as it is defined: draw v-dimensional samples, form features and residuals, update the parameters.

It costs O(batch v d) an update and knows nothing of the reduction in `kernels.sgd`; it is there to be
compared with, in tests and as the baseline of the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws._progress import Progress, Report
from scalinglaws.models import PLRF, GaussianLeastSquares
from scalinglaws.optimizers import ResolvedSGD

__all__ = ["Features", "features_of", "run"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """A linear model of data z ~ N(0, I_v): features `matrix.T @ z`, target `target @ z` plus noise.

    Attributes
    ----------
    matrix
        D^(1/2) W, shape (v, d).
    target
        D^(1/2) b, shape (v,).
    label_noise
        Variance of the label noise.
    """

    matrix: Floats
    target: Floats
    label_noise: float

    def risk(self, theta: Floats) -> float:
        """Risk of the parameters, exact."""
        residual = self.matrix @ theta - self.target
        return float(residual @ residual) + self.label_noise


def features_of(model: PLRF | GaussianLeastSquares, seed: np.random.SeedSequence) -> Features:
    """Draw the random features of a model, the same that its `instance` is made of."""
    if isinstance(model, GaussianLeastSquares):
        matrix = np.diag(np.sqrt(model.spectrum))
        return Features(matrix=matrix, target=model.target, label_noise=model.label_noise)
    scale = np.arange(1.0, model.data_dimension + 1.0)
    return Features(
        matrix=scale[:, None] ** -model.alpha * model.features(seed),
        target=scale ** -(model.alpha + model.beta),
        label_noise=model.label_noise,
    )


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
        progress(
            Progress(label="simulate", item=i + 1, items=len(seeds), done=i + 1.0, total=float(len(seeds)))
        )
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
