"""What every fit of a separable law holds and says, whatever its law looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from scalinglaws._numbers import plain
from scalinglaws.comparison.separable.law import Look, SeparableLaw
from scalinglaws.comparison.separable.minimise import End
from scalinglaws.comparison.separable.problem import Problem
from scalinglaws.comparison.separable.search import agreement, gradient_norm
from scalinglaws.fitting import Estimator, Starts
from scalinglaws.fitting.result import certificate

__all__ = ["SeparableFit", "outcome"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeparableFit(ABC, Generic[Look]):
    """A law fitted to measured curves.

    Parameters
    ----------
    law, estimator
        What was fitted, and by which objective of the log residuals.
    params
        The law's parameters by name, full precision.
    objective
        Plain sum of the named loss over the records.
    gradient_norm
        Largest derivative of the log objective by a free coordinate (log parameters); the same whether the
        objective is a sum or a mean.
    converged
        Whether no further step promised a decrease worth taking.
    starts
        Agreement of the starts, to 1e-4 of the best objective.
    ends
        Where the descents from them ended, in the order of the search.
    condition
        Condition number of the Jacobian with columns of unit length.
    at_bounds
        Parameters that ended on a bound.
    warnings
        Sentences; none for a healthy fit.
    problem, theta
        The function that was minimised, and the solution in its coordinates (amplitudes, logarithms of shapes).
    """

    law: SeparableLaw[Look]
    estimator: Estimator
    params: Mapping[str, float]
    objective: float
    gradient_norm: float
    converged: bool
    starts: Starts
    ends: tuple[End, ...]
    condition: float
    at_bounds: tuple[str, ...]
    warnings: tuple[str, ...]
    problem: Problem[Look]
    theta: Array

    def residuals(self) -> Array:
        """Return log predicted minus log measured loss of each fitted record."""
        found = self.problem.residuals(self.theta)
        assert found is not None  # the end of a fit is a place where the law is defined
        return found

    def summary(self) -> str:
        """Return the fit in a few lines for people."""
        digits = ", ".join(f"{name} {value:.5g}" for name, value in self.params.items())
        head = f"{self.law.formula}, {self.estimator.name}, {self.problem.loss.size} records of {self._fitted_to()}"
        said = (*self._remarks(), *(f"warning: {sentence}" for sentence in self.warnings))
        return "\n".join([head, digits, certificate(self), *said])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; None for what is not finite."""
        told = {name: getattr(self, name) for name in ("params", "objective", "gradient_norm", "converged")}
        return dict(
            plain(
                {
                    "law": self.law.name,
                    "formula": self.law.formula,
                    "source": self.law.source,
                    "estimator": self.estimator.name,
                    "delta": self.estimator.delta,
                    **told,
                    "fixed": self.problem.fixed,
                    "starts": {name: getattr(self.starts, name) for name in Starts.__slots__},
                    "condition": self.condition,
                    "at_bounds": self.at_bounds,
                    "warnings": self.warnings,
                    "records": self.problem.loss.size,
                }
            )
        )

    @abstractmethod
    def _fitted_to(self) -> str:
        """Say which runs were fitted."""

    def _remarks(self) -> tuple[str, ...]:
        """Give what shall be said of the fit beside its warnings."""
        return ()


def outcome(problem: Problem[Look], best: End, ends: Sequence[End]) -> dict[str, Any]:
    """Return the fields of a fit that follow from the search alone."""
    return {
        "law": problem.law,
        "estimator": problem.estimator,
        "params": problem.values(best.theta),
        "objective": best.objective,
        "gradient_norm": gradient_norm(best, len(problem.law.amplitudes)),
        "converged": best.converged,
        "starts": agreement(ends),
        "ends": tuple(ends),
        "problem": problem,
        "theta": best.theta,
    }
