"""Solvable models: frozen specs, their spectra, and one drawn instance of each.

`PLRF` is the power-law random-feature model (three exponent-like numbers and two sizes);
`GaussianLeastSquares` takes any spectrum and target as arrays, for example a measured kernel's.
Both give an `Instance` (eigenvalues, initial errors, irreducible risk), which is all that simulation and
exact theory need; the large-size limit of `PLRF` needs only sums over its data spectrum (`models.sums`).
"""

from __future__ import annotations

from scalinglaws.models.instance import Instance
from scalinglaws.models.least_squares import GaussianLeastSquares
from scalinglaws.models.plrf import PLRF

Model = PLRF | GaussianLeastSquares

__all__ = ["PLRF", "GaussianLeastSquares", "Instance", "Model", "from_dict"]


def from_dict(values: dict[str, object]) -> Model:
    """Rebuild any model from its `to_dict`, by the key `model`.

    Examples
    --------
    >>> from_dict(PLRF(alpha=1.0, beta=0.7, d=100).to_dict())
    PLRF(alpha=1.0, beta=0.7, d=100, v=400, label_noise=0.0)
    """
    if values.get("model") == "GaussianLeastSquares":
        return GaussianLeastSquares.from_dict(dict(values))
    return PLRF.from_dict(dict(values))
