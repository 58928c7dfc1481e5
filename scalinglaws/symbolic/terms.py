"""The risk of SGD as power laws of size and time, with constants, conditions, and what hides what.

- `sgd_terms`  the terms that can lead: what `scalinglaws.symbolic.duality` optimises;
- `absorbed`   the cases that cannot, each with the term that hides it: a sum without a bulk is dominated by
  its edge at lambda ~ d^(-2 alpha) and copies F_0, and noise driven by a forcing that does not converge
  stays below F_pp.

The stable rate is inserted here, so exponents differ on the two sides of 2 alpha = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import sympy as sp

from scalinglaws.symbolic import asymptotics, cells
from scalinglaws.symbolic.asymptotics import ALPHA, BETA, RATE, SHARE, SIZE, STUDIED, TIME
from scalinglaws.symbolic.duality import Term
from scalinglaws.symbolic.mellin import Asymptote

__all__ = ["Absorbed", "absorbed", "sgd_terms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorbed:
    """A term that never exceeds `host` in the time range 1 <= T <= d^(2 alpha), up to constants.

    Parameters
    ----------
    term
        The hidden power law.
    host
        The power law that hides it.
    at_start, at_end
        Powers of d of term/host at T = 1 and at T = d^(2 alpha): neither is positive, and in between it is a
        straight line in log T.
    """

    term: Term
    host: Term
    at_start: sp.Expr
    at_end: sp.Expr


def _as_terms(name: str, cases: tuple[Asymptote, ...], gain: sp.Expr) -> list[Term]:
    """Insert the stable rate and read off the exponents, on each side of 2 alpha = 1 that a case allows."""
    out = []
    for case, rate in product(cases, asymptotics.stable_rate()):
        depends = case.value.has(RATE)
        when = tuple(dict.fromkeys((*case.when, *(rate.when if depends else ()))))
        if not _possible(when):
            continue
        value = gain * case.value.subs(RATE, rate.value)
        p, q = (sp.factor(sp.powsimp(-x * sp.diff(value, x) / value)) for x in (SIZE, TIME))
        term = Term(name=name, p=p, q=q, c=value.subs({SIZE: 1, TIME: 1}), when=_outside_studied(when))
        if term not in out:
            out.append(term)
    return out


def _possible(when: tuple[sp.Expr, ...]) -> bool:
    """Tell whether some studied point satisfies all the strict conditions."""
    conditions, plane = tuple(dict.fromkeys((*when, *STUDIED))), (ALPHA, BETA)
    return bool(cells.open_cells(cells.irreducible(conditions, plane), plane, conditions))


def _outside_studied(when: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
    return tuple(condition for condition in when if condition not in STUDIED)


@cache
def _all_terms() -> dict[str, list[tuple[str, Term]]]:
    """Give every term in every case as (part, Term), by name."""
    once, twice = (
        1 / (1 - SHARE),
        1 / (1 - SHARE) ** 2,
    )  # P = F + K*F + K*K*F + ... sums geometrically in the tails
    sources = {
        "F_pp": ((asymptotics.pure_point(),), once),
        "F_ac": (asymptotics.continuous(), once),
        "F_0": (asymptotics.irreducible(), once),
        "K_pp": (asymptotics.noise(), twice),
    }
    return {
        name: [(case.part, term) for case in cases for term in _as_terms(name, (case,), gain)]
        for name, (cases, gain) in sources.items()
    }


def _counts(name: str, part: str, term: Term) -> bool:
    """Tell whether a term can lead: F_ac and the noise only as a bulk over a target that is summable."""
    return name in ("F_pp", "F_0") or (part == "bulk" and 2 * BETA - 1 in term.when)


def sgd_terms() -> tuple[Term, ...]:
    """Derive the terms of the risk that can lead somewhere, with constants and conditions.

    The constants use theta = |K|, R = v/d and kappa; the noise term is called K_pp after its kernel.

    Examples
    --------
    >>> for term in sgd_terms():
    ...     print(term.name, "|", term.p, "|", term.q, "|", *term.when)
    F_pp | 0 | (2*alpha + 2*beta - 1)/(2*alpha) | 2*alpha - 1
    F_pp | (2*alpha - 1)*(2*alpha + 2*beta - 1)/(2*alpha) | (2*alpha + 2*beta - 1)/(2*alpha) | 1 - 2*alpha
    F_ac | 1 | (2*alpha - 1)/(2*alpha) | 2*beta - 1 2*alpha - 1
    F_0 | 2*alpha + 2*beta - 1 | 0 | 1 - 2*beta
    F_0 | 2*alpha | 0 | 2*beta - 1
    K_pp | 0 | (4*alpha - 1)/(2*alpha) | 2*beta - 1 4*alpha - 1 2*alpha - 1
    K_pp | (2*alpha - 1)**2/(2*alpha) | (4*alpha - 1)/(2*alpha) | 2*beta - 1 4*alpha - 1 1 - 2*alpha
    """
    return tuple(term for name, found in _all_terms().items() for part, term in found if _counts(name, part, term))


def absorbed() -> tuple[Absorbed, ...]:
    """List the cases that cannot lead, each with the term that hides it and the exponents that show it."""
    everything = _all_terms()
    out = []
    for name, found in everything.items():
        for part, term in found:
            if not _counts(name, part, term):
                out += [
                    _compare(term, host)
                    for _, host in everything["F_pp" if term.q != 0 else "F_0"]
                    if _possible((*term.when, *host.when))
                ]
    return tuple(out)


def _compare(term: Term, host: Term) -> Absorbed:
    below = 1 - 2 * ALPHA in (*term.when, *host.when)
    slowdown = 1 - 2 * ALPHA if below else sp.Integer(0)  # t ~ T d^slowdown
    start, end = (sp.factor(host.p - term.p + (host.q - term.q) * (y + slowdown)) for y in (sp.Integer(0), 2 * ALPHA))
    return Absorbed(term=term, host=host, at_start=start, at_end=end)
