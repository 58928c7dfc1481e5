"""Laws that are sums of monomials in N and D: linear amplitudes, linear logarithms.

L(N, D) = sum_k c_k N^(-u_k) D^(-v_k), with u_k and v_k fixed linear forms of the exponents. A new law of this
kind is one file that lists its terms; derivatives, search and polish need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MonomialLaw", "Optimum", "Term"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One monomial, `amplitude / (N^(sum of n) D^(sum of d))`.

    Parameters
    ----------
    amplitude
        Name of its coefficient, which is never negative.
    n, d
        Exponent name to the multiple with which it occurs on N and on D.

    Examples
    --------
    >>> Term(amplitude="A", n={"alpha": 1.0}).power("n", ("alpha", "beta")).tolist()
    [1.0, 0.0]
    """

    amplitude: str
    n: Mapping[str, float] = field(default_factory=dict)
    d: Mapping[str, float] = field(default_factory=dict)

    def power(self, of: str, exponents: tuple[str, ...]) -> Array:
        """Return the multiples on N ("n") or D ("d") in the order of `exponents`."""
        multiples = self.n if of == "n" else self.d
        return np.array([multiples.get(name, 0.0) for name in exponents])


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Where a law is least at C = 6 N D: arrays over the budgets (and over draws, if the law was given draws)."""

    params: Array
    tokens: Array
    loss: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class MonomialLaw:
    """A named sum of monomials.

    Parameters
    ----------
    name
        What users call it.
    formula
        For people.
    terms
        The monomials; a term without exponents is the irreducible loss.
    exponents
        Names of the exponents.
    bounds
        Smallest and largest exponent the search may return; a fit that ends on one says so.
    optimum
        From parameters and budgets (arrays that broadcast) to the compute-optimal point at C = 6 N D.
    """

    name: str
    formula: str
    terms: tuple[Term, ...]
    exponents: tuple[str, ...]
    optimum: Callable[[Mapping[str, Array], Array], Optimum]
    bounds: tuple[float, float] = (0.01, 4.0)

    def __str__(self) -> str:
        return self.name

    @property
    def amplitudes(self) -> tuple[str, ...]:
        """Names of the amplitudes, in the order of the terms."""
        return tuple(term.amplitude for term in self.terms)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters: amplitudes, then exponents."""
        return self.amplitudes + self.exponents

    def powers(self, log_n: Array, log_d: Array) -> Array:
        """Return minus the derivative of each log monomial by each exponent, shape (rows, terms, exponents).

        Parameters
        ----------
        log_n, log_d
            Natural logarithms of N and D, shape (rows,).
        """
        u = np.array([term.power("n", self.exponents) for term in self.terms])
        v = np.array([term.power("d", self.exponents) for term in self.terms])
        powers: Array = log_n[:, None, None] * u + log_d[:, None, None] * v
        return powers

    def predict(self, values: Mapping[str, ArrayLike], n: ArrayLike, d: ArrayLike) -> Array:
        """Return L(N, D); parameters, `n` and `d` broadcast against each other.

        Parameters
        ----------
        values
            One number, or an array of draws, for each of `parameters`.
        n, d
            Parameters of the model and training tokens; infinite where a limit is wanted.
        """
        log_n, log_d = np.log(np.asarray(n, np.float64)), np.log(np.asarray(d, np.float64))
        total: Array = np.zeros(())
        for term in self.terms:
            fall: Array = np.zeros(np.broadcast_shapes(log_n.shape, log_d.shape))
            for multiples, logarithm in ((term.n, log_n), (term.d, log_d)):
                for name, multiple in multiples.items():
                    fall = fall + multiple * np.asarray(values[name], np.float64) * logarithm
            total = total + np.asarray(values[term.amplitude], np.float64) * np.exp(-fall)
        return total
