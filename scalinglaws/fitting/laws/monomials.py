"""Laws that are sums of monomials in N and D: linear amplitudes, linear logarithms.

L(N, D) = sum_k c_k N^(-u_k) D^(-v_k), with u_k and v_k fixed linear forms of the exponents. A new law of this
kind is one file that lists its terms; derivatives, search and polish need nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scalinglaws.fitting.laws.jets import Number
from scalinglaws.fitting.laws.law import Law, Numbers, Shape

__all__ = ["MonomialLaw", "Term"]

Array = NDArray[np.float64]

_GRID = 400  # points of the search over all exponents


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
class MonomialLaw(Law):
    """A named sum of monomials.

    Parameters
    ----------
    terms
        The monomials; a term without exponents is the irreducible loss.
    exponent_names
        Names of the exponents.
    bounds
        Smallest and largest exponent the search may return; a fit that ends on one says so.
    """

    terms: tuple[Term, ...]
    exponent_names: tuple[str, ...]
    bounds: tuple[float, float] = (0.01, 4.0)

    @property
    def amplitudes(self) -> tuple[str, ...]:
        """Names of the amplitudes, in the order of the terms."""
        return tuple(term.amplitude for term in self.terms)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The exponents; the search starts on a geometric grid, for they are scales."""
        return _shapes(self.exponent_names, self.bounds)

    @property
    def tells_n_from_d(self) -> bool:
        """Whether both N and D occur; see `Law.tells_n_from_d`."""
        return any(term.n for term in self.terms) and any(term.d for term in self.terms)

    def is_constant(self, amplitude: str) -> bool:
        """Tell whether a term is the irreducible loss."""
        term = self.terms[self.amplitudes.index(amplitude)]
        return not term.n and not term.d

    def powers(self, log_n: Array, log_d: Array) -> Array:
        """Return minus the derivative of each log monomial by each exponent, shape (rows, terms, exponents).

        Parameters
        ----------
        log_n, log_d
            Natural logarithms of N and D, shape (rows,).
        """
        u = np.array([term.power("n", self.exponent_names) for term in self.terms])
        v = np.array([term.power("d", self.exponent_names) for term in self.terms])
        powers: Array = log_n[:, None, None] * u + log_d[:, None, None] * v
        return powers

    def logs(self, p: Numbers, x: Numbers) -> Sequence[Number]:
        """Return the logarithm of each monomial; see `Law.logs`."""
        return [_log(term, p, x) for term in self.terms]


@cache
def _shapes(names: tuple[str, ...], bounds: tuple[float, float]) -> tuple[Shape, ...]:
    points = max(round(_GRID ** (1.0 / len(names))), 5)
    axis = tuple(np.geomspace(max(bounds[0], 0.02), min(bounds[1], 2.5), points).tolist())
    return tuple(Shape(name=name, axis=axis, bounds=bounds) for name in names)


def _log(term: Term, p: Numbers, x: Numbers) -> Number:
    fall: Number = np.zeros(())
    for multiples, of in ((term.n, "params"), (term.d, "tokens")):
        for name, multiple in multiples.items():
            fall = fall + p[name] * x[of] * multiple
    return -fall
