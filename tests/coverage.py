"""How often intervals hold: tables simulated from a known law, fitted and resampled as a user would."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting import Fit, Table, fit
from scalinglaws.fitting.bootstrap import resample
from tests.naive import fitting as naive

Array = NDArray[np.float64]

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.348, "beta": 0.366}
SIZE = 0.005  # standard deviation of log loss
NOISES = ("gauss", "t4", "t3", "uneven")
LEVEL = 0.9


def isoflop() -> tuple[Array, Array]:
    """Five budgets by seven sizes, a factor of 8 to both sides of the optimum: 35 runs."""
    budgets, factors = np.geomspace(1e18, 1e20, 5), np.geomspace(1 / 8, 8, 7)
    n = np.concatenate([naive.optimum(TRUTH, c) * factors for c in budgets])
    return n, np.repeat(budgets, 7) / 6 / n


def ladder() -> tuple[Array, Array]:
    """Five sizes by four ratios of tokens to parameters: 20 runs."""
    n = np.repeat(np.geomspace(2e7, 1e9, 5), 4)
    return n, n * np.tile([5.0, 20.0, 80.0, 320.0], 5)


def scattered() -> tuple[Array, Array]:
    """60 runs anywhere within 2.5 decades of N and 2.3 of D."""
    rng = np.random.default_rng(7)
    return 10 ** rng.uniform(7, 9.5, 60), 10 ** rng.uniform(8.7, 11, 60)


DESIGNS = {"isoflop": isoflop, "ladder": ladder, "scattered": scattered}


def noise(kind: str, flops: Array, rng: np.random.Generator) -> Array:
    """Errors of log loss, of standard deviation SIZE; "uneven" is t4 and four times larger at the least compute."""
    if kind == "gauss":
        return SIZE * rng.standard_normal(flops.size)
    degrees = 3 if kind == "t3" else 4
    errors = SIZE * rng.standard_t(degrees, flops.size) / np.sqrt(degrees / (degrees - 2))
    if kind == "uneven":
        place = np.log(flops / flops.min()) / np.log(flops.max() / flops.min())
        errors = errors * 4.0 ** (0.5 - place)
    return errors


@dataclass(frozen=True)
class Hits:
    """Fractions of the simulated tables whose interval held N*, the loss there, and the loss of one further run."""

    tables: int
    n_opt: float
    loss_opt: float
    loss: float

    def __str__(self) -> str:
        return f"N* {self.n_opt:.3f}  loss {self.loss_opt:.3f}  further run {self.loss:.3f}  ({self.tables} tables)"


def study(
    design: str, noise_kind: str, kind: str | None, tables: int, replicates: int, seed: int, estimator: str = "huber"
) -> Hits:
    """Count at ten times the largest budget how often the 90 % intervals hold."""
    n, d = DESIGNS[design]()
    flops, clean = 6 * n * d, np.array([naive.loss(TRUTH, *pair) for pair in zip(n, d, strict=True)])
    budget = 10 * flops.max()
    best = naive.optimum(TRUTH, budget)
    loss = naive.loss(TRUTH, best, budget / 6 / best)
    rng = np.random.default_rng(seed)
    held = np.zeros((tables, 3))
    for row in held:
        measured = clean * np.exp(noise(noise_kind, flops, rng))
        fitted: Fit = fit(Table(params=n, tokens=d, loss=measured), estimator=estimator, starts=2)
        draws = resample(fitted, replicates, kind=kind, rng=rng)
        further = loss * np.exp(noise(noise_kind, np.append(flops, flops.max()), rng)[-1])
        asked = (
            (best, draws.interval("n_opt", LEVEL, flops=budget)),
            (loss, draws.interval("loss_opt", LEVEL, flops=budget)),
            (further, draws.interval("loss", LEVEL, n=best, d=budget / 6 / best)),
        )
        row[:] = [low <= value <= high for value, (low, high) in asked]
    return Hits(tables, *(float(v) for v in held.mean(axis=0)))
