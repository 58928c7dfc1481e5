"""Problems with published or independently computed numbers, and one model in each phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.models import GaussianLeastSquares

PHASES = {
    "Ia": (0.75, 0.25),
    "Ib": (0.4, 0.3),
    "Ic": (0.2, 1.0),
    "II": (0.9, 0.6),
    "III": (1.0, 1.5),
    "IVa": (0.4, 1.0),
    "IVb": (0.27, 1.0),
}


def power_law(alpha: float, beta: float, d: int, label_noise: float = 0.0) -> GaussianLeastSquares:
    """lambda_j = j^(-2 alpha), error coefficients j^(-beta) in parameter space."""
    j: NDArray[np.float64] = np.arange(1.0, d + 1.0)
    return GaussianLeastSquares(j ** (-2 * alpha), j ** -(alpha + beta), label_noise)
