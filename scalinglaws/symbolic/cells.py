"""Cut a parameter space into open cells where polynomials keep their signs; describe unions of them.

- `open_cells` gives one rational sample point of every open cell, exactly: what holds at the sample and
  depends only on the signs holds in the whole cell. It is the open part of a cylindrical algebraic
  decomposition (leading coefficients, discriminants, resultants; Strzebonski, "Solving systems of strict
  polynomial inequalities", 2000).
- `describe` finds few, simple inequalities that hold in a chosen set of cells and fail in all others.
- `neighbours` proves that two cells touch along exactly one of the curves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise

import sympy as sp

__all__ = [
    "Atom",
    "Cell",
    "atoms_of",
    "describe",
    "irreducible",
    "neighbours",
    "open_cells",
    "sign_at",
    "text_of",
]

Point = tuple[sp.Rational, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One open cell: a rational point in it and the signs of the polynomials there, +1 or -1."""

    point: Point
    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """A strict inequality, `sign * expression > 0`; the expression is a polynomial or `symbol - root`."""

    expression: sp.Expr
    sign: int

    @property
    def relation(self) -> sp.Rel:
        """The inequality as people write it: lone symbols compared with numbers, a symbol with a symbol."""
        positive, negative = sp.Integer(0), sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(self.sign * self.expression)):
            if term.as_coeff_Mul()[0] > 0 and not term.is_number:
                positive += term
            else:
                negative -= term
        if positive == 0:  # -x + 1 > 0 reads x < 1
            lone, bound = negative.as_independent(*negative.free_symbols, as_Add=True)[::-1]
            return sp.Lt(lone, -bound)
        return sp.Gt(positive, negative)


def irreducible(expressions: Iterable[sp.Expr], parameters: Sequence[sp.Symbol]) -> tuple[sp.Poly, ...]:
    """Give the distinct irreducible factors over the rationals of numerators and denominators.

    Raises
    ------
    ValueError
        If an expression is not a rational function of the parameters with rational coefficients.
    """
    found: dict[sp.Expr, sp.Poly] = {}
    for expression in expressions:
        for part in _polynomials(sp.sympify(expression), parameters):
            for factor, _ in part.factor_list()[1]:
                primitive = factor.clear_denoms(convert=True)[1].primitive()[1]
                primitive = primitive if primitive.LC() > 0 else -primitive
                found.setdefault(primitive.as_expr(), primitive.set_domain("QQ"))
    return tuple(found.values())


def _polynomials(expression: sp.Expr, parameters: Sequence[sp.Symbol]) -> list[sp.Poly]:
    if expression.is_polynomial(*parameters):
        parts: tuple[sp.Expr, ...] = (expression,)
    else:
        parts = sp.fraction(sp.cancel(sp.together(expression)))
    try:
        return [sp.Poly(part, *parameters, domain="QQ") for part in parts if not part.is_number]
    except (sp.PolynomialError, sp.CoercionFailed) as error:
        names = ", ".join(map(str, parameters))
        raise ValueError(f"{expression} is not a rational function of {names} with rational coefficients") from error


def sign_at(polynomial: sp.Poly, point: Point) -> int:
    """Give the exact sign of a polynomial at a rational point."""
    value = sum(
        (Fraction(int(c.p), int(c.q)) * _monomial(powers, point) for powers, c in polynomial.terms()),
        Fraction(0),
    )
    return (value > 0) - (value < 0)


def _monomial(powers: tuple[int, ...], point: Point) -> Fraction:
    out = Fraction(1)
    for x, power in zip(point, powers, strict=True):
        out *= Fraction(int(x.p), int(x.q)) ** power
    return out


def open_cells(
    polynomials: Sequence[sp.Poly], parameters: Sequence[sp.Symbol], region: Sequence[sp.Expr] = ()
) -> list[Cell]:
    """Sample every open cell of the decomposition by `polynomials`, inside `region`.

    Parameters
    ----------
    polynomials
        As `irreducible` gives them.
    parameters
        The coordinates, in the order of the sample points.
    region
        Polynomials that must be positive; their factors should be among `polynomials`.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> cells = open_cells(irreducible([a - b, a, b], (a, b)), (a, b), region=[a, b])
    >>> sorted({cell.signs for cell in cells})
    [(-1, 1, 1), (1, 1, 1)]
    """
    if not parameters:
        return [Cell((), ())]
    limits = [sp.Poly(item, *parameters, domain="QQ") for item in region]
    points = _samples([p for p in polynomials if not p.is_ground], tuple(parameters))
    return [
        Cell(point, tuple(sign_at(p, point) for p in polynomials))
        for point in points
        if all(sign_at(limit, point) > 0 for limit in limits)
    ]


def _samples(polynomials: Sequence[sp.Poly], parameters: tuple[sp.Symbol, ...]) -> list[Point]:
    if len(parameters) == 1:
        return [(x,) for x in _between_roots(polynomials)]
    last = parameters[-1]
    base = _samples(_project(polynomials, last, parameters[:-1]), parameters[:-1])
    out = []
    for point in base:
        values = dict(zip(parameters[:-1], point, strict=True))
        fibre = irreducible([p.as_expr().subs(values) for p in polynomials], (last,))
        out += [(*point, y) for y in _between_roots(fibre)]
    return out


def _project(polynomials: Sequence[sp.Poly], last: sp.Symbol, rest: tuple[sp.Symbol, ...]) -> tuple[sp.Poly, ...]:
    inside = [p.as_expr() for p in polynomials if p.as_expr().has(last)]
    out = [p.as_expr() for p in polynomials if not p.as_expr().has(last)]
    for p in inside:
        out.append(sp.LC(p, last))
        if sp.degree(p, last) > 1:
            out.append(sp.discriminant(p, last))
    out += [sp.resultant(p, q, last) for p, q in combinations(inside, 2)]
    return irreducible(out, rest)


def _between_roots(polynomials: Sequence[sp.Poly]) -> list[sp.Rational]:
    """Give one simple rational in every gap between the real roots, and beyond the outermost ones."""
    if not polynomials:
        return [sp.Integer(0)]
    product = sp.Poly(1, polynomials[0].gens[0], domain="QQ")
    for p in polynomials:
        product *= p
    product = product.sqf_part()
    intervals, width = product.intervals(sqf=True), sp.Rational(1, 2)
    while any(left[1] == right[0] and product.eval(left[1]) == 0 for left, right in pairwise(intervals)):
        intervals, width = product.intervals(sqf=True, eps=width), width / 2  # until every gap has an inside
    if not intervals:
        return [sp.Integer(0)]
    gaps = [(left[1], right[0]) for left, right in pairwise(intervals)]
    inner = [_simplest(product, low, high) for low, high in gaps]
    return [sp.floor(intervals[0][0]) - 1, *inner, sp.ceiling(intervals[-1][1]) + 1]


def _simplest(product: sp.Poly, low: sp.Rational, high: sp.Rational) -> sp.Rational:
    """Give the rational with the smallest denominator in [low, high] that is no root."""
    denominator = 1
    while True:
        first, last = sp.ceiling(low * denominator), sp.floor(high * denominator)
        for numerator in range(int(first), int(last) + 1):
            x = sp.Rational(numerator, denominator)
            if product.eval(x) != 0:
                return x
        denominator += 1


def atoms_of(polynomials: Sequence[sp.Poly], parameters: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """Give the expressions inequalities are written with, simplest first.

    A polynomial in one parameter becomes `parameter - root` for each real root, so that regions read as
    bounds.
    """
    out: list[sp.Expr] = []
    for p in polynomials:
        expression = p.as_expr()
        names = [x for x in parameters if expression.has(x)]
        if len(names) == 1:
            roots = sp.Poly(expression, names[0]).real_roots(multiple=False)
            out += [names[0] - root for root, _ in roots]
        else:
            out.append(expression)
    return sorted(set(out), key=lambda e: (len(e.free_symbols), sp.count_ops(e), sp.default_sort_key(e)))


@cache
def _sign(atom: sp.Expr, place: tuple[tuple[sp.Symbol, sp.Rational], ...]) -> int:
    return int(sp.sign(atom.subs(dict(place))))


def _row(cell: Cell, atoms: Sequence[sp.Expr], parameters: Sequence[sp.Symbol]) -> list[int]:
    pairs = list(zip(parameters, cell.point, strict=True))
    return [_sign(atom, tuple(pair for pair in pairs if atom.has(pair[0]))) for atom in atoms]


def describe(
    inside: Sequence[Cell], outside: Sequence[Cell], atoms: Sequence[sp.Expr], parameters: Sequence[sp.Symbol]
) -> tuple[tuple[Atom, ...], ...]:
    """Find inequalities true in every cell of `inside` and in none of `outside`.

    Returns
    -------
    tuple of tuple of Atom
        Alternatives (or), each a conjunction (and) from which nothing can be dropped; one when the set
        allows it.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> polynomials = irreducible([a - b, a - 1, b], (a, b))
    >>> cells = open_cells(polynomials, (a, b))
    >>> chosen = [c for c in cells if c.point[0] > 1 and c.point[0] > c.point[1]]
    >>> rest = [c for c in cells if c not in chosen]
    >>> ways = describe(chosen, rest, atoms_of(polynomials, (a, b)), (a, b))
    >>> [text_of(way) for way in ways]
    ['a > 1, a > b']
    """
    held, shunned = ([_row(cell, atoms, parameters) for cell in group] for group in (inside, outside))
    ways = _ways(held, shunned)
    return tuple(tuple(Atom(atoms[k], sign) for k, sign in sorted(way.items())) for way in ways)


def text_of(way: Sequence[Atom]) -> str:
    """Write a conjunction in one line, with the two bounds of a symbol in one chain.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> text_of([Atom(a - 1, 1), Atom(a - 2, -1), Atom(a - b, -1)])
    '1 < a < 2, b > a'
    """
    relations = [atom.relation for atom in way]
    bounds = {(type(r), r.lhs): r.rhs for r in relations if r.lhs.is_Symbol and r.rhs.is_number}
    out = []
    for relation in relations:
        symbol = relation.lhs
        low, high = bounds.get((sp.StrictGreaterThan, symbol)), bounds.get((sp.StrictLessThan, symbol))
        chained = relation.rhs.is_number and low is not None and high is not None
        out.append(f"{low} < {symbol} < {high}" if chained else str(relation))
    return ", ".join(dict.fromkeys(out)) or "everywhere"


def _ways(inside: list[list[int]], outside: list[list[int]]) -> list[dict[int, int]]:
    common = {k: signs[0] for k, signs in enumerate(zip(*inside, strict=True)) if len(set(signs)) == 1}
    if all(_excluded(row, common) for row in outside):
        for k in sorted(common, reverse=True):  # the most complex inequality is the first to go
            fewer = {i: sign for i, sign in common.items() if i != k}
            if all(_excluded(row, fewer) for row in outside):
                common = fewer
        return [common]
    split = next(k for k in range(len(inside[0])) if k not in common)
    return [way for sign in (-1, 1) for way in _ways([row for row in inside if row[split] == sign], outside)]


def _excluded(row: list[int], conditions: dict[int, int]) -> bool:
    return any(row[k] != sign for k, sign in conditions.items())


def neighbours(first: Sequence[Cell], second: Sequence[Cell], polynomials: Sequence[sp.Poly]) -> tuple[int, ...]:
    """Find the polynomials along whose zero sets the two unions of cells touch.

    A polynomial is found when two sample points differ in its sign alone and the straight segment between
    them crosses no other zero set (exact root counts), which proves that the unions share a piece of that
    curve.
    """
    found = []
    for k in range(len(polynomials)):
        pairs = (
            (one.point, other.point)
            for one in first
            for other in second
            if [i for i, (x, y) in enumerate(zip(one.signs, other.signs, strict=True)) if x != y] == [k]
        )
        if any(_only_crosses(k, *pair, polynomials) for pair in pairs):
            found.append(k)
    return tuple(found)


def _only_crosses(k: int, start: Point, end: Point, polynomials: Sequence[sp.Poly]) -> bool:
    s = sp.Symbol("s")
    for i, p in enumerate(polynomials):
        if i == k:
            continue
        line = {x: a + s * (b - a) for x, a, b in zip(p.gens, start, end, strict=True)}
        if sp.Poly(p.as_expr().subs(line), s, domain="QQ").count_roots(0, 1):
            return False
    return True
