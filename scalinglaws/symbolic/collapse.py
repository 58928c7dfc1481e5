r"""Which families of curves collapse: the theory of sums of power laws.

Loss - L0 = sum_i c_i p^(-nu_i) t^(-mu_i), trained for t*(p) = scale * p^gamma, has along the horizons the powers
beta_i = mu_i gamma + nu_i of the size. The curves normalised by their ends tend to

    ell(x) = sum_(tied i) b_i x^(-mu_i) / sum_(tied i) b_i,      b_i = c_i scale^(-mu_i),

over the terms tied at the smallest beta, with an error O(p^(-eps)), eps the gap to the next power. The
compute-optimal gamma is the one at which two terms tie (`duality`). Exact rational exponents come out of exact ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from scalinglaws.errors import InputError, require
from scalinglaws.symbolic.duality import Exponent, Term, optimum

__all__ = ["Collapse", "collapse_of", "power_law_sum"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapse:
    """The limit of the normalised curves of a sum of power laws along t* = scale p^gamma.

    Parameters
    ----------
    gamma
        Horizon exponent.
    powers
        beta_i = mu_i gamma + nu_i of every term, by name.
    tied
        Names of the terms with the smallest beta: those the limit is made of.
    gap
        The next beta less the smallest; infinite if all are tied, and the collapse exact.
    optimal
        Whether `gamma` is the compute-optimal one.
    terms
        The terms, with numbers put in.
    """

    gamma: sp.Expr
    powers: Mapping[str, sp.Expr] = field(hash=False)
    tied: tuple[str, ...]
    gap: sp.Expr
    optimal: bool
    terms: tuple[Term, ...]

    def optimal_scale(self) -> float:
        """Scale of t* = scale p^gamma at the compute-optimal size of every budget f = p t, for large budgets.

        Raises
        ------
        InputError
            Unless gamma is compute-optimal and exactly two terms tie, one of which grows with p at fixed f.
        """
        require(self.optimal and len(self.tied) == 2, "tied", self.tied, "must be two terms at the optimal gamma")
        best = optimum([term for term in self.terms if term.name in self.tied])
        return float(best.size_constant ** (-1 / best.size_exponent))

    def curve(self, x: ArrayLike, scale: float | None = None) -> Array:
        """Return the limit of ell at normalised times x > 0; `scale` is the compute-optimal one if not given.

        Examples
        --------
        >>> terms = [Term(name="data", p=0, q=0.5), Term(name="size", p=0.5, q=0)]
        >>> collapse_of(terms).curve([0.1, 0.25, 0.5]).round(7).tolist()
        [2.0811388, 1.5, 1.2071068]
        """
        scale = self.optimal_scale() if scale is None else scale
        at = np.asarray(x, dtype=np.float64)
        parts = [(float(t.c) * scale ** -float(t.q), float(t.q)) for t in self.terms if t.name in self.tied]
        weights = sum(weight for weight, _ in parts)
        return np.asarray(sum(weight * at**-mu for weight, mu in parts) / weights)


def collapse_of(
    terms: Sequence[Term], at: Mapping[sp.Symbol, Exponent] | None = None, *, gamma: Exponent | None = None
) -> Collapse:
    """Find the horizon exponent at which a sum of power laws collapses, and what it collapses to.

    Parameters
    ----------
    terms
        `duality.Term`: p is the power of the size (nu), q that of time (mu), c the amplitude.
    at
        Values of the parameters in the terms.
    gamma
        Another horizon exponent than the compute-optimal one, to see what it does.

    Raises
    ------
    InputError
        If no two terms balance, or a parameter has no value.

    References
    ----------
    Qiu et al. (2025), arXiv 2507.02119, Eq. 5-7, theorems E.1 and F.1.

    Examples
    --------
    >>> from scalinglaws.symbolic.terms import ALPHA, BETA, sgd_terms
    >>> found = collapse_of(sgd_terms(), {ALPHA: 0.6, BETA: 0.52})
    >>> found.gamma, found.tied, found.gap
    (15/13, ('F_pp', 'F_ac'), 1/130)
    """
    best = optimum(terms, at)
    values = {symbol: sp.nsimplify(value, rational=True) for symbol, value in (at or {}).items()}
    kept = {*(term.name for term in best.balance), *best.gaps}
    present = tuple(
        replace(term, p=term.p.subs(values), q=term.q.subs(values), c=term.c.subs(values), when=())
        for term in terms
        if term.name in kept and all(sp.sympify(condition).subs(values) > 0 for condition in term.when)
    )
    exponent = best.tradeoff_exponent if gamma is None else sp.nsimplify(gamma, rational=True)
    powers = {term.name: sp.nsimplify(term.q * exponent + term.p) for term in present}
    least = min(powers.values())
    tied = tuple(name for name, power in powers.items() if power == least)
    above = [power - least for power in powers.values() if power != least]
    return Collapse(
        gamma=exponent,
        powers=powers,
        tied=tied,
        gap=min(above, default=sp.oo),
        optimal=exponent == best.tradeoff_exponent,
        terms=present,
    )


def power_law_sum(terms: Sequence[Term], p: ArrayLike, t: ArrayLike) -> Array:
    """Return sum_i c_i p^(-nu_i) t^(-mu_i); `p` and `t` broadcast.

    Examples
    --------
    >>> power_law_sum([Term(name="data", p=0, q=0.5), Term(name="size", p=0.5, q=0, c=2)], 4.0, [4.0, 100.0]).tolist()
    [1.5, 1.1]
    """
    size, time = np.asarray(p, dtype=np.float64), np.asarray(t, dtype=np.float64)
    total: Array = np.zeros(np.broadcast_shapes(size.shape, time.shape))
    for term in terms:
        if {*term.p.free_symbols, *term.q.free_symbols, *term.c.free_symbols}:
            raise InputError(f"term {term.name} = {term}: must hold numbers, not symbols")
        total = total + float(term.c) * size ** -float(term.p) * time ** -float(term.q)
    return total
