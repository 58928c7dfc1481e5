"""The solvable model's own law: the sum of its asymptotic terms, exponents tied to (alpha, beta) by the derivation.

L = sum over terms of c_k d^-p_k(alpha, beta) r^-q_k(alpha, beta), with d the parameters, r the samples, the rational
exponents those of `symbolic.terms.sgd_terms`, cross terms included, and the amplitudes c_k >= 0 free. Terms depend
on the sides of 2 alpha = 1 and 2 beta = 1; `plrf` is the corner above both, `plrf_law` gives the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from scalinglaws.fitting.laws.formula import FormulaLaw
from scalinglaws.fitting.laws.jets import Number
from scalinglaws.fitting.laws.law import Numbers, Shape

__all__ = ["PLRF_LAW", "Exponent", "plrf_law", "term_exponents"]

Exponent = Callable[[Number, Number], Number]

_TERMS = {
    (True, True): ("F_0", "F_pp", "F_ac", "K_pp"),
    (True, False): ("F_0", "F_pp"),
    (False, True): ("F_0", "F_pp", "K_pp"),
    (False, False): ("F_0", "F_pp"),
}


def plrf_law(*, alpha_above: bool = True, beta_above: bool = True) -> FormulaLaw:
    """Return the law of the solvable model in one corner of its (alpha, beta) plane.

    Parameters
    ----------
    alpha_above
        2 alpha > 1; otherwise 1/4 < alpha < 1/2, where the stable rate falls with d.
    beta_above
        2 beta > 1.

    Examples
    --------
    >>> plrf_law(beta_above=False).parameters
    ('F_0', 'F_pp', 'alpha', 'beta')
    """
    names = _TERMS[alpha_above, beta_above]

    def logs(p: Numbers, x: Numbers) -> list[Number]:
        exponents = term_exponents(alpha_above=alpha_above, beta_above=beta_above)
        powers = [[power(p["alpha"], p["beta"]) for power in exponents[name]] for name in names]
        return [-(x["params"] * of_d + x["tokens"] * of_r) for of_d, of_r in powers]

    low, high = ((0.505, 3.0) if alpha_above else (0.255, 0.495)), ((0.505, 3.0) if beta_above else (0.01, 0.495))
    corner = ("" if alpha_above else "-low-alpha") + ("" if beta_above else "-low-beta")
    return FormulaLaw(
        name="plrf" + corner,
        formula=f"L = sum of c_k d^-p_k r^-q_k, k in {', '.join(names)}",
        columns=dict.fromkeys(names, 1.0),
        parts=logs,
        shape_parameters=tuple(
            Shape(name=name, axis=tuple(np.geomspace(*bounds, 20).tolist()), bounds=bounds)
            for name, bounds in (("alpha", low), ("beta", high))
        ),
    )


@cache
def term_exponents(*, alpha_above: bool, beta_above: bool) -> dict[str, tuple[Exponent, Exponent]]:
    """Derive the powers (p, q) of d and r of every term of this corner, functions of (alpha, beta); loads SymPy.

    Examples
    --------
    >>> p, q = term_exponents(alpha_above=True, beta_above=True)["F_ac"]
    >>> p(1.0, 0.7), q(1.0, 0.7)
    (1, 0.5)
    """
    import sympy as sp

    from scalinglaws.symbolic.asymptotics import ALPHA, BETA
    from scalinglaws.symbolic.terms import sgd_terms

    inside = {ALPHA: sp.Rational(3 if alpha_above else 1, 4 if alpha_above else 3)}
    inside |= {BETA: sp.Rational(3 if beta_above else 2, 4 if beta_above else 5)}
    return {
        term.name: (_function(term.p), _function(term.q))
        for term in sgd_terms()
        if all(condition.subs(inside) > 0 for condition in term.when)
    }


def _function(power: object) -> Exponent:
    """Turn a rational expression of (alpha, beta) into arithmetic that arrays and jets understand."""
    import sympy as sp

    from scalinglaws.symbolic.asymptotics import ALPHA, BETA

    made: Exponent = sp.lambdify((ALPHA, BETA), power, modules=[{}])
    return made


PLRF_LAW = plrf_law()
