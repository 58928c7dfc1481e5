"""Delta, sigma and onset of a family at a given irreducible loss, and their spread over resampled seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.collapsing.deviation import NoiseFloor, deviation, noise_floor, normalise, onset
from scalinglaws.comparison.collapsing.family import Family
from scalinglaws.comparison.collapsing.seeds import SeedBootstrap
from scalinglaws.comparison.collapsing.sizes import band_levels
from scalinglaws.errors import InputError

__all__ = ["SECOND_HALF", "Draws", "Measured", "measure", "resampled", "resampled_floor"]

Array = NDArray[np.float64]

SECOND_HALF = 0.5
"""Means of Delta and sigma are over x in [0.5, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Normalised curves (runs, x), Delta (x,), sigma, onset, and means over the second half of training."""

    ell: Array
    delta: Array
    noise: NoiseFloor
    onset: float
    mean_deviation: float
    mean_noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The same numbers for every resample, shape (replicates,), and band levels (replicates, runs, bands)."""

    onset: Array
    mean_deviation: Array
    mean_noise: Array
    levels: Array


def measure(family: Family, loss: Array, irreducible: float, ddof: int) -> Measured:
    """Measure collapse of curves on the grid of a family.

    Parameters
    ----------
    family
        For the grid and the sizes.
    loss
        Its losses or a resample of them, shape (runs, x); the last column is the end.
    irreducible, ddof
        As in `deviation`.
    """
    x = family.x
    ell = normalise(loss, loss[:, -1], irreducible)
    delta = deviation(ell, ddof=ddof if len(ell) > 1 else 0)
    noise = noise_floor([loss[family.group == p] - irreducible for p in range(family.sizes.size)], ddof=ddof)
    half = (x >= SECOND_HALF) & (x < 1.0)
    return Measured(
        ell=ell,
        delta=delta,
        noise=noise,
        onset=onset(x, delta, noise.mean),
        mean_deviation=float(delta[half].mean()) if half.any() else float("nan"),
        mean_noise=float(noise.mean[half].mean()) if half.any() else float("nan"),
    )


def resampled(family: Family, bootstrap: SeedBootstrap, floors: Array, ddof: int) -> Draws:
    """Measure every resample of seeds with its own irreducible loss, shape (replicates,).

    A resample in which Lhat is not below all ends is left out.

    Raises
    ------
    InputError
        When that leaves fewer than half of them.
    """
    each = []
    for curves, floor in zip(bootstrap, floors, strict=True):
        if floor < curves[:, -1].min():
            found = measure(family, curves, float(floor), ddof)
            each.append((found.onset, found.mean_deviation, found.mean_noise, _levels(family, found.ell)))
    if 2 * len(each) < len(floors):
        raise InputError(
            f"irreducible = {np.median(floors):.6g}: too close to the final losses, the least is "
            f"{family.final.min():.6g}, for their noise to be resampled"
        )
    numbers = np.array([row[:3] for row in each]).reshape(-1, 3)
    return Draws(
        onset=numbers[:, 0],
        mean_deviation=numbers[:, 1],
        mean_noise=numbers[:, 2],
        levels=np.stack([row[3] for row in each]),
    )


def resampled_floor(family: Family, floors: Array, irreducible: float) -> Array:
    """Band levels of the curves as they are for every draw of the irreducible loss, (replicates, runs, bands)."""
    below = np.append(floors[floors < family.final.min()], irreducible)
    return np.stack([_levels(family, normalise(family.loss, family.final, float(floor))) for floor in below])


def _levels(family: Family, ell: Array) -> Array:
    return band_levels(ell, family.x, family.group)
