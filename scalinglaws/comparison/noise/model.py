r"""Models of the loss that a schedule removes, from the reference run and the schedule alone.

    L'(tau) = L(tau) + alpha (eta' - eta) Tr Sigma'(tau)          arXiv 2507.02119, Eq. 16
    Tr Sigma'(tau) = Tr Sigma(tau) exp(p x(tau))                  "ageing": the noise answers the schedule
    Tr Sigma'(tau) = Tr Sigma(tau)                                "same": it does not

x is the fall of the rate, remembered at the pace c / tau (`ageing`). Under Adam the trace is preconditioned by its own
square root and grows as the rate falls (p > 0: sharper directions are entered); for least squares with SGD it is
proportional to the loss and shrinks (p < 0). p is the log of the growth once the rate has rested at zero for long.
Where no noise was measured, alpha Tr Sigma = B (tau / tau0)^-q in its place ("modelled").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalinglaws.comparison.noise.pairs import Contrast

__all__ = ["ANSWERS", "TRACES", "NoiseModel"]

Array = NDArray[np.float64]

ANSWERS = ("ageing", "same")
TRACES = ("measured", "modelled")

_LOW = {"q": -1.0, "p": -5.0, "c": 0.5}
_HIGH = {"q": 3.0, "p": 5.0, "c": 100.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseModel:
    """How the noise depends on time and schedule.

    Parameters
    ----------
    answer
        One of `ANSWERS`.
    trace
        One of `TRACES`.
    tau0
        Where a modelled trace is B.
    """

    answer: str
    trace: str
    tau0: float = 1.0

    @property
    def amplitude(self) -> str:
        """Name of the parameter in which the model is linear."""
        return "alpha" if self.trace == "measured" else "B"

    @property
    def shapes(self) -> tuple[str, ...]:
        """Names of the others."""
        return (("q",) if self.trace == "modelled" else ()) + (("p", "c") if self.answer == "ageing" else ())

    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest coordinates; c moves in its logarithm."""
        low, high = ([np.log(v[n]) if n == "c" else v[n] for n in self.shapes] for v in (_LOW, _HIGH))
        return np.array(low), np.array(high)

    def starts(self) -> Array:
        """Coordinates worth starting from, shape (starts, shapes)."""
        rows = [{"q": 0.4, "p": p, "c": np.log(c)} for c, p in ((12.0, 0.4), (3.0, 0.4), (40.0, -0.2))]
        return np.array([[row[n] for n in self.shapes] for row in (rows if self.answer == "ageing" else rows[:1])])

    def values(self, coordinates: Array) -> dict[str, float]:
        """Return the shapes by name."""
        found = dict(zip(self.shapes, map(float, coordinates), strict=True))
        return found | ({"c": float(np.exp(found["c"]))} if "c" in found else {})

    def growth(self, at: Contrast, coordinates: Array) -> Array:
        """Return Tr Sigma' / Tr Sigma at the records, shape (n,)."""
        if self.answer == "same":
            return np.ones(at.tau.shape)
        p, log_c = coordinates[-2:]
        return np.asarray(np.exp(p * at.memory.response(float(np.exp(log_c)))))

    def gain(self, at: Contrast, coordinates: Array) -> Array:
        """Return what the amplitude multiplies, shape (n,)."""
        noise = at.trace if self.trace == "measured" else (at.tau / self.tau0) ** -coordinates[0]
        return np.asarray(at.change * noise * self.growth(at, coordinates))
