r"""Compute-optimal exponents of any loss that is a sum of power laws in size and time, by linear duality.

Write the loss as terms c d^(-p) t^(-q) and the cost as f = d^a t^b. At fixed f, with x = log d / log f, the
logarithm of each term is affine in x,

    log term / log f  =  -q/b + m x,     m = q a/b - p,

so the best size minimises a maximum of affine functions: a linear programme. Its dual says that the optimum
is the largest crossing of a term that falls with size (m < 0) and one that does not (m >= 0), and that a
crossing is the optimum exactly when every other term lies below it there.

`optimum` does this at one point, exactly, for terms with numbers or with parameters given values;
`scalinglaws.symbolic.diagram` does it for all values of the parameters at once.

Where a term is flat (m = 0) and limits the loss alone, a range of sizes is optimal; the smallest is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import TypeAlias

import sympy as sp

from scalinglaws.errors import InputError, require

__all__ = ["Optimum", "Term", "balanced", "checked_cost", "line", "optimum", "positive_sides", "solve"]

Exponent: TypeAlias = "sp.Expr | int | float"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One power law, c d^(-p) t^(-q), present where every expression in `when` is positive.

    Parameters
    ----------
    name
        What to call it; versions of one term for different parameters may share a name.
    p, q
        Exponents of size and time: numbers or rational functions of the parameters. Floats are read as the
        short decimals they print as.
    c
        The positive constant; it changes no exponent, only `size_constant` and `loss_constant`.
    when
        Conditions of existence, as expressions that must be positive or as strict inequalities.

    Examples
    --------
    >>> Term(name="width", p=0.34, q=0).p
    17/50
    """

    name: str
    p: sp.Expr
    q: sp.Expr
    c: sp.Expr = 1
    when: tuple[sp.Expr | sp.Rel, ...] = ()

    def __post_init__(self) -> None:
        for key in ("p", "q", "c"):
            object.__setattr__(self, key, _exact(key, getattr(self, key)))
        object.__setattr__(self, "when", positive_sides("when", self.when))


def _exact(name: str, value: object) -> sp.Expr:
    try:
        out = sp.nsimplify(sp.sympify(value), rational=True)
    except (sp.SympifyError, TypeError, ValueError) as error:
        raise InputError(f"{name} = {value!r}: must be a number or a sympy expression") from error
    require(isinstance(out, sp.Expr) and out.is_finite is not False, name, value, "must be a finite exponent")
    return out


def positive_sides(name: str, conditions: Iterable[sp.Expr | sp.Rel | bool]) -> tuple[sp.Expr, ...]:
    """Write strict inequalities as expressions that must be positive; those known to be true say nothing."""
    out = []
    for condition in map(sp.sympify, conditions):
        if isinstance(condition, sp.StrictGreaterThan | sp.StrictLessThan):
            out.append(sp.expand(condition.gts - condition.lts))
        elif condition is not sp.true:
            rule = "must hold expressions that are positive or strict inequalities that can be true"
            require(isinstance(condition, sp.Expr), name, condition, rule)
            out.append(condition)
    return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The compute-optimal allocation where two terms balance.

    Parameters
    ----------
    balance
        The terms that balance: first the one that falls with size, then the other.
    size_exponent, loss_exponent
        d* ~ f^size_exponent and loss ~ f^(-loss_exponent).
    tradeoff_exponent
        t ~ d^tradeoff_exponent along the optimum.
    gaps
        For every other term, the power of f by which it is smaller than the loss at the optimum.
    cost
        (a, b) of f = d^a t^b.
    """

    balance: tuple[Term, Term]
    size_exponent: sp.Expr
    loss_exponent: sp.Expr
    tradeoff_exponent: sp.Expr
    gaps: Mapping[str, sp.Expr] = field(hash=False)
    cost: tuple[sp.Expr, sp.Expr]

    @property
    def size_constant(self) -> sp.Expr:
        """C in d* = C f^size_exponent when the loss is the sum of the two balanced terms.

        Raises
        ------
        InputError
            If the second term does not change with size, so that the sum has no smallest value.
        """
        down, up = self.balance
        m_down, m_up = (line(term, self.cost)[1] for term in self.balance)
        require(m_up != 0, "balance", up.name, "does not change with size at fixed cost; no constant exists")
        return (-m_down * down.c / (m_up * up.c)) ** (1 / (m_up - m_down))

    @property
    def loss_constant(self) -> sp.Expr:
        """C in loss = C f^(-loss_exponent) when the loss is the sum of the two balanced terms."""
        slopes = [line(term, self.cost)[1] for term in self.balance]
        return sum(term.c * self.size_constant**m for term, m in zip(self.balance, slopes, strict=True))


@cache
def line(term: Term, cost: tuple[sp.Expr, sp.Expr]) -> tuple[sp.Expr, sp.Expr]:
    """Give intercept and slope in x of log term / log f."""
    a, b = cost
    return sp.cancel(-term.q / b), sp.cancel(term.q * a / b - term.p)


def solve(down: Term, up: Term, others: Iterable[Term], cost: tuple[sp.Expr, sp.Expr]) -> Optimum:
    """Balance a term that falls with size and one that does not; compare the others with them there."""
    (c1, m1), (c2, m2) = line(down, cost), line(up, cost)
    xi = sp.factor((c1 - c2) / (m2 - m1))
    eta = sp.factor(-(c1 + m1 * xi))
    gaps = {}
    for term in others:
        c, m = line(term, cost)
        gaps[term.name] = sp.factor(-(c + m * xi) - eta)
    tradeoff = sp.factor((1 - cost[0] * xi) / (cost[1] * xi))
    return Optimum(
        balance=(down, up),
        size_exponent=xi,
        loss_exponent=eta,
        tradeoff_exponent=tradeoff,
        gaps=gaps,
        cost=cost,
    )


def balanced(lines: Sequence[tuple[sp.Rational, sp.Rational]], a: sp.Rational) -> tuple[int, int] | str:
    """Give the optimal pair (falling, not falling) of numeric lines, or say why there is none."""
    falling = [i for i, (_, m) in enumerate(lines) if m < 0]
    rising = [i for i, (_, m) in enumerate(lines) if m >= 0]
    if not falling:
        return "no term falls as the model grows at fixed cost: the smallest model is best"
    if not rising:
        return "every term falls as the model grows at fixed cost: the largest model is best"
    for i, j in product(falling, rising):
        (c1, m1), (c2, m2) = lines[i], lines[j]
        x = (c1 - c2) / (m2 - m1)
        if all(c + m * x <= c1 + m1 * x for c, m in lines):
            if x > 0 and x * a < 1:
                return i, j
            return "the balance would need a size or a time that does not grow with cost"
    raise AssertionError("a falling and a rising line always have a highest crossing")


def checked_cost(terms: Sequence[Term], cost: tuple[Exponent, Exponent]) -> tuple[sp.Expr, sp.Expr]:
    """Check what the engine is given, and return the cost's powers as exact numbers."""
    require(len(terms) >= 2, "terms", [t.name for t in terms], "must hold at least two terms")
    for term in terms:
        floor = sp.simplify(term.p) == 0 and sp.simplify(term.q) == 0
        require(not floor, "term", term.name, "is a constant floor; leave it out, exponents describe the rest")
    a, b = _exact("cost", cost[0]), _exact("cost", cost[1])
    require(bool(a > 0) and bool(b > 0), "cost", cost, "must be two positive powers (of size, of time)")
    return a, b


def optimum(
    terms: Sequence[Term],
    at: Mapping[sp.Symbol, Exponent] | None = None,
    cost: tuple[Exponent, Exponent] = (1, 1),
) -> Optimum:
    """Find the compute-optimal exponents of a sum of power laws at one point.

    Parameters
    ----------
    terms
        The loss; at least two terms.
    at
        Values of the parameters in the terms; terms whose `when` fails there are left out.
    cost
        (a, b) of f = d^a t^b.

    Raises
    ------
    InputError
        If a parameter has no value, if a condition is undecided there, or if no two terms balance.

    Examples
    --------
    The law of Hoffmann et al. (2022), loss - E = A/N^0.34 + B/D^0.28 with f = 6 N D:

    >>> law = [Term(name="size", p=0.34, q=0, c=406.4), Term(name="data", p=0, q=0.28, c=410.7)]
    >>> best = optimum(law)
    >>> best.size_exponent, best.loss_exponent
    (14/31, 119/775)
    >>> round(float(best.size_constant * 6 ** -best.size_exponent), 3)  # N* = 0.599 C^0.452
    0.599
    """
    cost = checked_cost(terms, cost)
    values = {symbol: _exact(str(symbol), value) for symbol, value in (at or {}).items()}
    present = []
    for term in terms:
        signs = [sp.sign(sp.sympify(condition).subs(values)) for condition in term.when]
        missing = set().union(*(expr.subs(values).free_symbols for expr in (term.p, term.q, *signs)))
        require(not missing, "at", at, f"must give {', '.join(sorted(map(str, missing)))} for term {term.name}")
        require(all(sign != 0 for sign in signs), "at", at, f"lies on the edge of existence of term {term.name}")
        if all(sign > 0 for sign in signs):
            fixed = {"p": term.p.subs(values), "q": term.q.subs(values), "c": term.c.subs(values)}
            present.append(Term(name=term.name, **fixed))
    pair = balanced([line(term, cost) for term in present], cost[0])
    if isinstance(pair, str):
        raise InputError(f"terms = {[term.name for term in present]}: {pair}")
    others = [term for k, term in enumerate(present) if k not in pair]
    return solve(present[pair[0]], present[pair[1]], others, cost)
