"""How far a predicted curve is from a measured one, as the multi-power paper measures it (arXiv 2503.12811)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Errors", "errors_of"]

Array = NDArray[np.float64]


class Errors(NamedTuple):
    """Errors of one curve.

    Parameters
    ----------
    R2
        1 - sum of squared errors over sum of squares about the curve's own mean.
    MAE, RMSE
        Mean absolute and root mean squared error, nats per token.
    PredE, WorstE
        Mean and largest relative error.
    end
        Relative error of the last record, predicted minus measured.
    """

    R2: float
    MAE: float
    RMSE: float
    PredE: float
    WorstE: float
    end: float


def errors_of(predicted: Array, measured: Array) -> Errors:
    """Compare two curves at the same records, shape (n,).

    Examples
    --------
    >>> errors_of(np.array([3.0, 2.2]), np.array([3.0, 2.0]))._asdict()["WorstE"]
    0.1...
    """
    error = predicted - measured
    about = float(np.sum((measured - measured.mean()) ** 2))
    relative = error / measured
    return Errors(
        R2=1.0 - float(np.sum(error**2)) / about if about > 0 else float("nan"),
        MAE=float(np.mean(np.abs(error))),
        RMSE=float(np.sqrt(np.mean(error**2))),
        PredE=float(np.mean(np.abs(relative))),
        WorstE=float(np.max(np.abs(relative))),
        end=float(relative[-1]),
    )
