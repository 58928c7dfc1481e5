"""The phase diagram of any sum of power laws: where in parameter space which two terms balance.

`phase_diagram` takes terms with parameters in their exponents (a Chinchilla law, another optimizer) and
returns every region with its own pair of balanced terms, exact exponents as rational functions, the
inequalities of the region, and what the other terms do there. Regions are proved, not sampled: the optimum
depends on the signs of finitely many polynomials, and one rational point of every open cell with constant
signs is checked (`scalinglaws.symbolic.cells`). For one point, use `scalinglaws.symbolic.duality.optimum`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import sympy as sp

from scalinglaws.errors import InputError
from scalinglaws.symbolic import cells
from scalinglaws.symbolic.duality import (
    Exponent,
    Optimum,
    Term,
    balanced,
    checked_cost,
    line,
    positive_sides,
    solve,
)

__all__ = ["Boundary", "Diagram", "Region", "phase_diagram"]

Namer = Callable[[Optimum], str]
Outcome = tuple[tuple[int, ...], tuple[int, ...], str]  # balanced pair, other terms present, reason if none


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of parameter space where the same two terms balance.

    Parameters
    ----------
    name
        Given by the caller's rule, else the names of the balanced terms.
    optimum
        Exact exponents, valid in the whole region; None where no balance exists (see `reason`).
    ways
        Alternatives (or) of strict inequalities (and) that describe the region inside the studied one.
    cells
        The sign cells it is made of, each with its rational sample point: the certificate.
    reason
        Why there is no optimum; empty otherwise.
    """

    name: str
    optimum: Optimum | None
    ways: tuple[tuple[cells.Atom, ...], ...]
    cells: tuple[cells.Cell, ...]
    reason: str = ""

    @property
    def text(self) -> str:
        """The inequalities in one line."""
        return " or ".join(cells.text_of(way) for way in self.ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """A curve along which two regions touch.

    Parameters
    ----------
    between
        Names of the two regions.
    curve
        The irreducible polynomial that vanishes on it.
    loss_continuous, size_continuous
        Whether the exponents of the two sides agree on the curve, proved by exact division; False where a
        side has no optimum.
    """

    between: tuple[str, str]
    curve: sp.Expr
    loss_continuous: bool
    size_continuous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Regions that fill the studied part of parameter space up to boundaries, and the boundaries."""

    parameters: tuple[sp.Symbol, ...]
    regions: tuple[Region, ...]
    boundaries: tuple[Boundary, ...]

    def __getitem__(self, name: str) -> Region:
        """Give the region called `name`."""
        for region in self.regions:
            if region.name == name:
                return region
        raise InputError(f"region = {name!r}: must be one of {', '.join(r.name for r in self.regions)}")


def _determinant(lines: Sequence[tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """Give the determinant whose sign tells on which side of a crossing the third line lies."""
    (c1, m1), (c2, m2), (c3, m3) = lines
    return sp.cancel(sp.together((c3 - c1) * (m2 - m1) - (m3 - m1) * (c2 - c1)))


def _tidy(best: Optimum, values: Mapping[sp.Symbol, sp.Rational]) -> Optimum:
    """Write the exponents with factors that are positive at `values`, a point of the region."""

    def positive(expression: sp.Expr) -> sp.Expr:
        factors = [factor.as_base_exp() for factor in sp.Mul.make_args(sp.factor(expression))]
        flips = [base.is_Add and power % 2 == 1 and base.subs(values) < 0 for base, power in factors]
        turned = [sp.expand(-base) if flip else base for (base, _), flip in zip(factors, flips, strict=True)]
        sign = (-1) ** sum(map(bool, flips))
        return sp.Mul(sign, *(base**power for base, (_, power) in zip(turned, factors, strict=True)))

    return replace(
        best,
        size_exponent=positive(best.size_exponent),
        loss_exponent=positive(best.loss_exponent),
        tradeoff_exponent=positive(best.tradeoff_exponent),
        gaps={key: positive(value) for key, value in best.gaps.items()},
    )


def _together(terms: Iterable[Term]) -> bool:
    """Tell whether the terms can exist at the same point, as far as opposite conditions show."""
    conditions = {sp.expand(condition) for term in terms for condition in term.when}
    return not any(sp.expand(-condition) in conditions for condition in conditions)


def _deciding(terms: Sequence[Term], cost: tuple[sp.Expr, sp.Expr], region: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Give the expressions whose signs fix which terms exist and which pair is optimal."""
    lines = [line(term, cost) for term in terms]
    out = [*region, *(condition for term in terms for condition in term.when)]
    out += [slope for _, slope in lines]
    for i, j in combinations(range(len(terms)), 2):
        if _together((terms[i], terms[j])):
            (c1, m1), (c2, m2) = lines[i], lines[j]
            crossing = sp.cancel((c1 - c2) * (m2 - m1))  # the sign of x there; x < 1/a likewise
            out += [crossing, sp.cancel(((m2 - m1) - cost[0] * (c1 - c2)) * (m2 - m1))]
    for three in combinations(range(len(terms)), 3):
        if _together(terms[k] for k in three):
            out.append(_determinant([lines[k] for k in three]))
    return out


def phase_diagram(
    terms: Sequence[Term],
    parameters: Sequence[sp.Symbol],
    region: Sequence[sp.Expr | sp.Rel] = (),
    cost: tuple[Exponent, Exponent] = (1, 1),
    name: Namer | None = None,
) -> Diagram:
    """Derive every region with its compute-optimal exponents from parametric power-law terms.

    Parameters
    ----------
    terms
        The loss, exponents and conditions in the parameters.
    parameters
        The coordinates of parameter space.
    region
        The studied part: expressions that must be positive, or strict inequalities. Symbols declared
        positive are kept positive.
    cost
        (a, b) of f = d^a t^b.
    name
        Names a region from its optimum; by default the balanced terms' names.

    Returns
    -------
    Diagram
        Regions that together fill the studied part up to boundaries, each proved cell by cell.

    Raises
    ------
    InputError
        If the terms are no rational functions of the parameters, or if one is a constant floor.

    Examples
    --------
    A loss limited by size, by time, and by noise that only the size averages out:

    >>> a, b = sp.symbols("a b", positive=True)
    >>> terms = [Term(name="size", p=a, q=0), Term(name="time", p=0, q=b), Term(name="noise", p=1, q=0)]
    >>> for part in phase_diagram(terms, (a, b)).regions:
    ...     print(part.name, "|", part.text, "|", part.optimum.loss_exponent)
    size = time | a < 1 | a*b/(a + b)
    noise = time | a > 1 | b/(b + 1)
    """
    cost = checked_cost(terms, cost)
    limits = [*positive_sides("region", region), *(x for x in parameters if x.is_positive)]
    try:
        factors = cells.irreducible(_deciding(terms, cost, limits), parameters)
    except ValueError as error:
        raise InputError(f"terms = {[term.name for term in terms]}: {error}") from error
    samples = cells.open_cells(factors, parameters, limits)
    groups: dict[Outcome, list[cells.Cell]] = {}
    for cell in samples:
        groups.setdefault(_outcome(terms, cost, parameters, cell), []).append(cell)
    atoms = cells.atoms_of(factors, parameters)
    regions = []
    for outcome, members in groups.items():
        rest = [cell for cell in samples if cell not in members]
        ways = cells.describe(members, rest, atoms, parameters)
        regions.append(_region(terms, cost, parameters, outcome, tuple(members), ways, name))
    return Diagram(parameters=tuple(parameters), regions=tuple(regions), boundaries=_boundaries(regions, factors))


def _outcome(
    terms: Sequence[Term], cost: tuple[sp.Expr, sp.Expr], parameters: Sequence[sp.Symbol], cell: cells.Cell
) -> Outcome:
    """Give (balanced pair, other terms present, reason if none) in one cell, by index."""
    values = dict(zip(parameters, cell.point, strict=True))
    present = [k for k, t in enumerate(terms) if all(sp.sympify(w).subs(values) > 0 for w in t.when)]
    lines = [tuple(part.subs(values) for part in line(terms[k], cost)) for k in present]
    pair = balanced(lines, cost[0])
    if isinstance(pair, str):
        return (), (), pair
    chosen = (present[pair[0]], present[pair[1]])
    return chosen, tuple(k for k in present if k not in chosen), ""


def _region(
    terms: Sequence[Term],
    cost: tuple[sp.Expr, sp.Expr],
    parameters: Sequence[sp.Symbol],
    outcome: Outcome,
    members: tuple[cells.Cell, ...],
    ways: tuple[tuple[cells.Atom, ...], ...],
    name: Namer | None,
) -> Region:
    pair, others, reason = outcome
    if reason:
        return Region(name="no balance", optimum=None, ways=ways, cells=members, reason=reason)
    best = solve(terms[pair[0]], terms[pair[1]], [terms[k] for k in others], cost)
    best = _tidy(best, dict(zip(parameters, members[0].point, strict=True)))
    label = name(best) if name else f"{best.balance[0].name} = {best.balance[1].name}"
    return Region(name=label, optimum=best, ways=ways, cells=members)


def _boundaries(regions: Sequence[Region], factors: Sequence[sp.Poly]) -> tuple[Boundary, ...]:
    out = []
    for one, other in combinations(regions, 2):
        for k in cells.neighbours(one.cells, other.cells, factors):
            same = [
                one.optimum is not None
                and other.optimum is not None
                and _vanishes_on(getattr(one.optimum, key) - getattr(other.optimum, key), factors[k])
                for key in ("loss_exponent", "size_exponent")
            ]
            out.append(
                Boundary(
                    between=(one.name, other.name),
                    curve=factors[k].as_expr(),
                    loss_continuous=same[0],
                    size_continuous=same[1],
                )
            )
    return tuple(out)


def _vanishes_on(difference: sp.Expr, curve: sp.Poly) -> bool:
    numerator = sp.Poly(sp.fraction(sp.cancel(sp.together(difference)))[0], *curve.gens, domain="QQ")
    return bool(numerator.rem(curve).is_zero)
