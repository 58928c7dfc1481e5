"""The laws that every other one must beat: a power of size, a power of tokens or gradient-flow time, a constant.

No schedule beyond the sum of its rates, no cross term, no noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.separable.law import Shape

__all__ = ["CHINCHILLA", "MONOMIALS"]

Array = NDArray[np.float64]


def _of_time(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    return _powers(shapes, curves.N, curves.tau)


def _of_tokens(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    return _powers(shapes, curves.N, curves.tokens)


def _powers(shapes: Array, size: Array, time: Array) -> tuple[Array, Array]:
    logs = np.log(np.stack([size, time], axis=1))
    powers = np.exp(-logs * shapes)
    features = np.concatenate([np.ones((logs.shape[0], 1)), powers], axis=1)
    slopes = np.zeros((*features.shape, 2))
    slopes[:, 1, 0] = -logs[:, 0] * powers[:, 0]
    slopes[:, 2, 1] = -logs[:, 1] * powers[:, 1]
    return features, slopes


def _starts(curves: FamilyCurves) -> Array:
    del curves
    return np.array([[a, b] for a in (0.5, 0.2, 1.0) for b in (0.5, 0.2, 1.0)])


MONOMIALS = FamilyLaw(
    name="monomials",
    formula="L = E + A N^-a + B tau^-b",
    source="the form of Hoffmann et al., arXiv 2203.15556, in gradient-flow time",
    amplitudes=("E", "A", "B"),
    shapes=(Shape(name="a", low=0.01, high=3.0), Shape(name="b", low=0.01, high=3.0)),
    features=_of_time,
    starts=_starts,
    theory=False,
)

CHINCHILLA = replace(
    MONOMIALS,
    name="chinchilla",
    formula="L = E + A N^-a + B D^-b, D the tokens so far",
    source="Hoffmann et al., arXiv 2203.15556",
    features=_of_tokens,
)
