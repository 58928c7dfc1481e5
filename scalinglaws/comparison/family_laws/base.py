"""The interface of all family laws: fitted on runs of several sizes, they predict whole curves of any size.

    loss(record) = sum_a amplitude_a * feature_a(record; shapes)

A new law is one file with one function of the shapes and the `FamilyCurves`, and one line in the registry; search,
robust fit, certificate, covariance, bootstrap, profiles and identifiability need nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.separable.law import SeparableLaw
from scalinglaws.errors import InputError

__all__ = ["FamilyLaw"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FamilyLaw(SeparableLaw[FamilyCurves]):
    """A named law of the loss curves of a family.

    Its parameters are those of `SeparableLaw`; `features` and `starts` read `FamilyCurves`.

    Parameters
    ----------
    theory
        Whether it has the shape that a theory of training derives, rather than one that was read off measurements.

    Examples
    --------
    >>> from scalinglaws.comparison.family_laws import find_family_law
    >>> from scalinglaws.comparison.path import Path
    >>> law = find_family_law("monomials")
    >>> curves = FamilyCurves.of([Path(rate=np.full(100, 0.1))], [100.0], [[100]])
    >>> law.predict({"E": 1.0, "A": 1.0, "B": 1.0, "a": 0.5, "b": 1.0}, curves)
    array([1.2])
    """

    theory: bool = True

    def predict(self, values: Mapping[str, float], curves: FamilyCurves) -> Array:
        """Return the loss at every record, shape (n,).

        Parameters
        ----------
        values
            A number for each of `parameters`.
        curves
            Runs, measured or not.

        Raises
        ------
        InputError
            For parameters that are missing or unknown.
        """
        if set(values) != set(self.parameters):
            raise InputError(f"{self.name}: parameters {sorted(values)}: must be {', '.join(self.parameters)}")
        shapes = np.array([values[shape.name] for shape in self.shapes], dtype=np.float64)
        amplitudes = np.array([values[name] for name in self.amplitudes], dtype=np.float64)
        return np.asarray(self.features(shapes, curves)[0] @ amplitudes)
