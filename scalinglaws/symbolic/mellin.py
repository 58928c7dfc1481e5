r"""Asymptotics of power-law sums: the one integral from which every term of the model follows.

Spectra that are powers of `j` lead to sums of one shape,

.. math:: S(T) = \sum_{1 \le j \le J} j^{-\sigma}\, h(T j^{-\rho}), \qquad T \to \infty,\ T \le J^\rho .

`power_law_sum` says which part of the sum counts, and with which constant. Let (lo, hi) be the strip in which
the Mellin transform M of h exists, and z = (sigma - 1)/rho:

- z inside the strip: the *bulk*, a continuum of j near T^(1/rho), gives M(z)/rho * T^(-z);
- z above it: the *head*, j = 1, 2, ..., where h(u) ~ c u^(-hi), gives c zeta(sigma - rho hi) T^(-hi);
- z below it: the *edge*, j near J, where h(u) ~ c u^(-lo), gives c T^(-lo) J^(1 - sigma + rho lo)/(1 -
  sigma + rho lo).

So the conditions under which a term exists are not assumptions: they are the edges of a Mellin strip.
Equality (z on an edge) brings a logarithm and is a phase boundary; it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy as sp

__all__ = ["Asymptote", "power_law_sum", "power_sum", "primitive"]

_U = sp.Symbol("u", positive=True)
_Z = sp.Symbol("z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asymptote:
    """Leading behaviour of a sum in one case.

    Parameters
    ----------
    value
        The leading term, constant included.
    when
        Expressions that must all be positive.
    part
        Which part of the sum it is: "bulk", "head" or "edge".
    """

    value: sp.Expr
    when: tuple[sp.Expr, ...]
    part: str


def primitive(expression: sp.Expr) -> sp.Expr:
    """Give the polynomial with integer coefficients that has the sign of a rational function.

    Factors known to be positive (positive symbols, squares) are dropped.

    Examples
    --------
    >>> a = sp.Symbol("a", positive=True)
    >>> primitive(1 - 1 / (2 * a))
    2*a - 1
    """
    numerator, denominator = sp.fraction(sp.cancel(sp.together(expression)))
    content, factors = sp.factor_list(numerator * denominator)
    kept = [base for base, power in factors if power % 2 and not base.is_positive]
    return sp.expand(sp.sign(content) * sp.Mul(*kept))


@cache
def _transform(profile: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    transform, (low, high), _ = sp.mellin_transform(profile.subs(profile.free_symbols.pop(), _U), _U, _Z)
    return transform, low, high


def power_sum(sigma: sp.Expr, size: sp.Expr) -> tuple[Asymptote, Asymptote]:
    """Give the sum of j^(-sigma) over 1 <= j <= size for large size: a constant, or a growing power.

    Examples
    --------
    >>> s, n = sp.symbols("s n", positive=True)
    >>> [(case.value, case.when) for case in power_sum(s, n)]
    [(zeta(s), (s - 1,)), (n**(1 - s)/(1 - s), (1 - s,))]
    """
    x = sp.Symbol("x", positive=True)
    power = sp.Symbol("q", positive=True)  # the exponent 1 - sigma, positive in the growing case
    grown = sp.integrate(x ** (power - 1), (x, 0, size)).subs(power, 1 - sigma)
    return (
        Asymptote(value=sp.zeta(sigma), when=(primitive(sigma - 1),), part="head"),
        Asymptote(value=grown, when=(primitive(1 - sigma),), part="edge"),
    )


def power_law_sum(
    sigma: sp.Expr, rho: sp.Expr, profile: sp.Expr, scale: sp.Expr, size: sp.Expr
) -> tuple[Asymptote, ...]:
    """Give the leading behaviour of sum_j j^(-sigma) h(T j^(-rho)) in every case, with its conditions.

    Parameters
    ----------
    sigma, rho
        Exponents; rho > 0.
    profile
        h as an expression in one symbol, with a Mellin transform that sympy knows.
    scale
        T, large.
    size
        J, the number of summands; T <= J^rho.

    Returns
    -------
    tuple of Asymptote
        "bulk" always, "head" and "edge" where the strip is bounded on that side.

    References
    ----------
    Flajolet, Gourdon, Dumas, "Mellin transforms and asymptotics: harmonic sums", 1995.

    Examples
    --------
    >>> a, u, n = sp.symbols("a u n", positive=True)
    >>> bulk, edge = power_law_sum(2 * a, 2 * a, sp.exp(-u), sp.Symbol("T", positive=True), n)
    >>> bulk.when, sp.simplify(bulk.value)
    ((2*a - 1,), T**(-1 + 1/(2*a))*gamma(1 - 1/(2*a))/(2*a))
    """
    transform, low, high = _transform(profile)
    u = next(iter(profile.free_symbols))
    z = (sigma - 1) / rho
    above_low = primitive(z - low)
    cases = []
    if high.is_finite:
        below_high = primitive(high - z)
        constant = sp.limit(profile * u**high, u, sp.oo)
        head = constant * sp.zeta(sp.expand(sigma - rho * high)) * scale ** (-high)
        cases.append(Asymptote(value=head, when=(sp.expand(-below_high),), part="head"))
        bulk_when = tuple(condition for condition in (above_low, below_high) if condition != 1)
    else:
        bulk_when = (above_low,) if above_low != 1 else ()
    bulk = transform.subs(_Z, z) * scale ** (-z) / rho
    constant = sp.limit(profile * u**low, u, 0)
    growth = 1 - sigma + rho * low
    edge = constant * scale ** (-low) * size**growth / growth
    return (
        Asymptote(value=bulk, when=bulk_when, part="bulk"),
        *cases,
        Asymptote(value=edge, when=(sp.expand(-above_low),), part="edge"),
    )
