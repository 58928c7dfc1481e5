"""Derive the seven phases of SGD on power-law random features, check them, and keep the result as data.

`derive` runs the derivation (terms, then duality); `certify` proves what the derivation takes for granted;
`document` writes the result as TOML. The file `phases.toml` beside this module is that text: `phase` reads
it, so that a call needs no sympy, and a test compares it with a fresh derivation and with the package
version. After a change run

    python -m scalinglaws.symbolic.derivation
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import sympy as sp

from scalinglaws._files import write_text
from scalinglaws.symbolic import asymptotics, cells, diagram
from scalinglaws.symbolic.asymptotics import ALPHA, BETA, STUDIED
from scalinglaws.symbolic.duality import Optimum
from scalinglaws.symbolic.terms import absorbed, sgd_terms

__all__ = ["DATA", "certify", "derive", "document", "phase_name"]

DATA = Path(__file__).with_name("phases.toml")
_PLANE = (ALPHA, BETA)
_NUMERALS = {
    frozenset({"F_pp", "F_0"}): "I",
    frozenset({"F_pp", "F_ac"}): "II",
    frozenset({"F_ac", "K_pp"}): "III",
    frozenset({"K_pp", "F_0"}): "IVa",
    frozenset({"K_pp", "F_pp"}): "IVb",
}


def phase_name(best: Optimum) -> str:
    """Name a region as the paper does, from the terms that balance in it.

    F_pp and F_0 balance in Phase I, F_pp and F_ac in II, F_ac and K_pp in III, K_pp and F_0 in IVa, K_pp
    and F_pp in IVb. Phase I is Ia where the rate is constant (2 alpha > 1); where the rate falls with d it is
    Ib or Ic as the target's tail (2 beta < 1) or its head (2 beta > 1) sets F_0.
    """
    terms = {term.name: term for term in best.balance}
    numeral = _NUMERALS[frozenset(terms)]
    if numeral != "I":
        return numeral
    if 2 * ALPHA - 1 in terms["F_pp"].when:
        return "Ia"
    return "Ib" if 1 - 2 * BETA in terms["F_0"].when else "Ic"


@cache
def derive() -> diagram.Diagram:
    """Derive the phase diagram of SGD from the spectra; some seconds, once.

    Examples
    --------
    >>> print(derive()["II"].optimum.loss_exponent)
    (2*alpha + 2*beta - 1)/(2*(alpha + beta))
    """
    return diagram.phase_diagram(sgd_terms(), _PLANE, region=STUDIED, name=phase_name)


def _optimum(region: diagram.Region) -> Optimum:
    if region.optimum is None:
        raise AssertionError(f"{region.text}: {region.reason}")
    return region.optimum


def _never_positive(expression: sp.Expr, where: tuple[sp.Expr, ...]) -> bool:
    """Prove that a rational function is nowhere positive where all of `where` are positive."""
    conditions = tuple(dict.fromkeys((*where, *STUDIED)))
    factors = cells.irreducible((expression, *map(_rational, conditions)), _PLANE)
    points = [dict(zip(_PLANE, cell.point, strict=True)) for cell in cells.open_cells(factors, _PLANE)]
    inside = [point for point in points if all(condition.subs(point) > 0 for condition in conditions)]
    return all(expression.subs(point) <= 0 for point in inside)


def _rational(condition: sp.Expr) -> sp.Expr:
    """Give a polynomial with rational coefficients that vanishes where a bound, symbol - root, does."""
    if all(term.is_rational for term in sp.Add.make_args(condition) if term.is_number):
        return condition
    (symbol,) = condition.free_symbols
    return sp.minimal_polynomial(sp.solve(condition, symbol)[0], symbol)


def certify(derived: diagram.Diagram) -> int:
    """Prove the side conditions of the derivation and return how many were proved.

    - every case left out of the terms stays below its host over the whole time range 1 <= T <= d^(2 alpha);
    - in every region the optimum lies in that range: t = T/gamma <= d^(2 alpha + max(0, 1 - 2 alpha));
    - at every region's optimum no other term exceeds the balanced two;
    - the loss exponent is continuous across every boundary.

    Raises
    ------
    AssertionError
        With the first statement that fails.
    """
    claims: list[tuple[str, bool]] = []
    for case in absorbed():
        where = (*case.term.when, *case.host.when)
        held = all(_never_positive(end, where) for end in (case.at_start, case.at_end))
        claims.append((f"{case.term} stays below {case.host}", held))
    for region in derived.regions:
        for way in region.ways:
            where = tuple(sp.expand(atom.sign * atom.expression) for atom in way)
            claims += _claims(region.name, _optimum(region), where)
    claims += [(f"loss continuous across {b.between}", b.loss_continuous) for b in derived.boundaries]
    for claim, held in claims:
        if not held:
            raise AssertionError(claim)
    return len(claims)


def _claims(name: str, best: Optimum, where: tuple[sp.Expr, ...]) -> Iterator[tuple[str, bool]]:
    for power in (2 * ALPHA, sp.Integer(1)):  # 2 alpha + max(0, 1 - 2 alpha) is the larger of the two
        side = (2 * ALPHA - 1) * (1 if power == 2 * ALPHA else -1)
        held = _never_positive(best.tradeoff_exponent - power, (*where, side))
        yield f"{name}: the optimum comes before the edge of the spectrum", held
    for other, gap in best.gaps.items():
        yield f"{name}: {other} does not lead", _never_positive(-gap, where)


def _rate_exponent(region: diagram.Region) -> sp.Expr:
    """Give e in gamma ~ d^e, from the stable rate that holds at the region's sample."""
    point = dict(zip(_PLANE, region.cells[0].point, strict=True))
    (rate,) = [r for r in asymptotics.stable_rate() if all(w.subs(point) > 0 for w in r.when)]
    size = asymptotics.SIZE
    return sp.factor(sp.simplify(size * sp.diff(rate.value, size) / rate.value))


def document(derived: diagram.Diagram) -> str:
    """Write a diagram as the text of `phases.toml`.

    Expressions are in a form that Python, NumPy and sympy read alike. A phase's `sides` has one entry for
    each of `walls`: the sign that wall must have, 0 for either.
    """
    ways = {region.name: _only(region.ways) for region in derived.regions}
    walls = list(dict.fromkeys(atom.expression for way in ways.values() for atom in way))
    blocks = ["# Written by `python -m scalinglaws.symbolic.derivation`; do not edit."]
    blocks.append(_table(version=version("scalinglaws"), studied=[sp.expand(limit) for limit in STUDIED], walls=walls))
    for region in sorted(derived.regions, key=lambda r: _order(r.name)):
        best = _optimum(region)
        signs = {atom.expression: atom.sign for atom in ways[region.name]}
        entry = _table(
            name=region.name,
            region=region.text,
            sides=[signs.get(wall, 0) for wall in walls],
            dominant=[term.name for term in best.balance],
            size_exponent=best.size_exponent,
            loss_exponent=best.loss_exponent,
            tradeoff_exponent=best.tradeoff_exponent,
            rate_exponent=_rate_exponent(region),
            latex=_latex(best),
            others=list(best.gaps),
            gaps=list(best.gaps.values()),
        )
        blocks.append(f"\n[[phase]]\n{entry}")
    for boundary in derived.boundaries:
        entry = _table(
            between=sorted(boundary.between, key=_order),
            curve=boundary.curve,
            loss_continuous=boundary.loss_continuous,
            size_continuous=boundary.size_continuous,
        )
        blocks.append(f"\n[[boundary]]\n{entry}")
    return "\n".join(blocks) + "\n"


def _order(name: str) -> tuple[int, str]:
    return list(_NUMERALS.values()).index(name if name.startswith("IV") else name.rstrip("abc")), name


def _only(ways: tuple[tuple[cells.Atom, ...], ...]) -> tuple[cells.Atom, ...]:
    (way,) = ways  # every phase is described by one conjunction; another law might need alternatives
    return way


def _table(**entries: object) -> str:
    """Write key = value lines in the part of JSON that is also TOML; expressions become text."""
    return "\n".join(f"{key} = {json.dumps(value, default=str)}" for key, value in entries.items())


def _latex(best: Optimum) -> str:
    size, loss = sp.latex(best.size_exponent), sp.latex(sp.Mul(-1, best.loss_exponent))
    return rf"d_\star \asymp f^{{{size}}}, \quad \mathcal{{P}}_\star \asymp f^{{{loss}}}"


if __name__ == "__main__":
    fresh = derive()
    certify(fresh)
    write_text(DATA, document(fresh))
