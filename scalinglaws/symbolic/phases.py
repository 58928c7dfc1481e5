"""The compute-optimal phase of one point (alpha, beta): which terms of the risk balance, and the exponents.

`phase` evaluates expressions that `scalinglaws.symbolic.derivation` derived once and keeps in
`phases.toml`; nothing is tabulated by hand. It takes some microseconds and needs no sympy; `Phase.symbolic`
gives the exact expressions.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from scalinglaws.errors import InputError, require

if TYPE_CHECKING:
    import sympy as sp

__all__ = ["Phase", "SymbolicPhase", "boundaries", "known_phase", "names", "phase"]

_TOLERANCE = 1e-12  # relative distance to a wall below which a point is on it: decimal input is not exact

_LARGEST = 1e6  # beyond it the distances to the walls lose their digits


@dataclass(frozen=True, slots=True)
class _Derived:
    """One entry of the data: text, and the same expressions compiled."""

    name: str
    region: str
    sides: tuple[tuple[int, int], ...]  # (wall, sign) that must hold
    dominant: tuple[str, str]
    others: tuple[str, ...]
    rate: str
    tradeoff: str
    latex: str
    texts: dict[str, str]
    gap_texts: tuple[str, ...]
    evaluate: Callable[[float, float], tuple[float, ...]]  # size, loss, trade-off, gaps...


@dataclass(frozen=True, slots=True)
class _Data:
    studied: tuple[str, ...]
    wall_texts: tuple[str, ...]
    limits: Callable[[float, float], tuple[float, ...]]
    walls: Callable[[float, float], tuple[float, ...]]
    phases: tuple[_Derived, ...]
    boundaries: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolicPhase:
    """Exact expressions in the symbols `alpha` and `beta` (plain `sympy.symbols("alpha beta")`).

    Parameters
    ----------
    size_exponent, loss_exponent, tradeoff_exponent
        As in `Phase`, valid in the whole region.
    conditions
        The inequalities of the region, the studied part included.
    gaps
        Powers of f by which the other terms are smaller at the optimum.
    """

    size_exponent: sp.Expr
    loss_exponent: sp.Expr
    tradeoff_exponent: sp.Expr
    conditions: sp.Basic
    gaps: dict[str, sp.Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is compute-optimal for one-pass SGD on power-law random features at (alpha, beta).

    Parameters
    ----------
    alpha, beta
        Data and target complexity.
    name
        Ia, Ib, Ic, II, III, IVa or IVb; on a boundary "II/III boundary", where three or more meet
        "Ib/IVa/IVb corner".
    size_exponent
        xi in d* ~ f^xi, with f = d * steps * batch.
    loss_exponent
        eta in risk ~ f^(-eta).
    tradeoff_exponent
        x in steps ~ d^x along the optimum.
    dominant
        The terms of the risk that balance there: first the one that falls with size at fixed f.
    gaps
        (term, power of f by which it is smaller) for the other terms of the risk.
    tradeoff, rate
        steps against size, and the stable learning rate against size, in words.
    region
        The inequalities of the phase inside alpha > 0, 2(alpha + beta) > 1; on a boundary those of each side.
    latex
        Both power laws in LaTeX.
    sides
        On a boundary or corner, each phase that meets there, evaluated at the point; else empty.
    note
        On a boundary, what happens to the exponents across it; else empty.

    Notes
    -----
    The loss exponent is continuous everywhere. The size exponent jumps across IVa/IVb, where a range of
    sizes gives the same loss exponent; the smallest is reported there.
    """

    alpha: float
    beta: float
    name: str
    size_exponent: float
    loss_exponent: float
    tradeoff_exponent: float
    dominant: tuple[str, ...]
    gaps: tuple[tuple[str, float], ...]
    tradeoff: str
    rate: str
    region: str
    latex: str
    sides: tuple[Phase, ...] = ()
    note: str = ""

    @property
    def symbolic(self) -> SymbolicPhase:
        """The exact expressions; on a boundary, those of the side whose exponents are reported."""
        reported = min(self.sides, key=lambda side: side.size_exponent) if self.sides else self
        return _symbolic(reported.name)

    def __str__(self) -> str:
        where = f"{self.name} at" if self.sides else f"Phase {self.name} ({self.region}) at"
        lines = [
            f"{where} alpha = {self.alpha:g}, beta = {self.beta:g}",
            f"d* ~ f^{self.size_exponent:.6g}, risk ~ f^-{self.loss_exponent:.6g}",
            f"{self.tradeoff}, {self.rate}",
            f"balanced: {' = '.join(self.dominant)}"
            + "".join(f"; {term} smaller by f^-{gap:.4g}" for term, gap in self.gaps),
        ]
        return "\n".join([*lines, self.note] if self.note else lines)


def phase(alpha: float, beta: float) -> Phase:
    """Tell which compute-optimal phase (alpha, beta) is in, with its exponents.

    Parameters
    ----------
    alpha
        Data complexity: eigenvalues of the data fall as j^(-2 alpha).
    beta
        Target complexity: target coefficients fall as j^(-beta).

    Raises
    ------
    InputError
        Outside the studied region: a number that is not finite or beyond 1e6, alpha <= 0, or
        2(alpha + beta) <= 1, where the risk at the start diverges with the number of coordinates.

    References
    ----------
    Paquette, Paquette, Xiao, Pennington, "4+3 Phases of Compute-Optimal Neural Scaling Laws", arXiv
    2405.15074.

    Examples
    --------
    >>> here = phase(alpha=1.0, beta=0.7)
    >>> here.name, round(here.loss_exponent, 6), here.tradeoff
    ('II', 0.705882, 't ~ d^(alpha/beta)')
    >>> print(here.symbolic.loss_exponent)
    (2*alpha + 2*beta - 1)/(2*alpha + 2*beta)
    >>> phase(0.7, 0.7).name
    'II/III boundary'
    """
    alpha, beta = _number("alpha", alpha), _number("beta", beta)
    data = _data()
    slack = _TOLERANCE * (1.0 + abs(alpha) + abs(beta))
    if min(data.limits(alpha, beta)) <= slack:
        raise InputError(
            f"alpha, beta = {alpha:g}, {beta:g}: must satisfy alpha > 0 and 2 (alpha + beta) > 1, "
            "the region whose phases are known"
        )
    walls = data.walls(alpha, beta)
    touching = [p for p in data.phases if all(sign * walls[k] >= -slack for k, sign in p.sides)]
    if len(touching) == 1:
        return _evaluate(touching[0], alpha, beta)
    return _meeting([_evaluate(p, alpha, beta) for p in touching])


def known_phase(alpha: float, beta: float) -> Phase | None:
    """Return `phase(alpha, beta)`, or None outside the studied region.

    Examples
    --------
    >>> known_phase(1.0, 0.7).name, known_phase(0.2, 0.2)
    ('II', None)
    """
    try:
        return phase(alpha, beta)
    except InputError:
        return None


def names() -> tuple[str, ...]:
    """Names of the derived phases.

    Examples
    --------
    >>> names()
    ('Ia', 'Ib', 'Ic', 'II', 'III', 'IVa', 'IVb')
    """
    return tuple(entry.name for entry in _data().phases)


def boundaries() -> tuple[tuple[tuple[str, str], str], ...]:
    """Give the derived boundaries: the two phases and the polynomial that vanishes between them.

    Examples
    --------
    >>> dict(boundaries())["II", "III"]
    'alpha - beta'
    """
    return tuple(((b["between"][0], b["between"][1]), str(b["curve"])) for b in _data().boundaries)


def _number(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    require(abs(number) <= _LARGEST, name, value, f"must be a number of size at most {_LARGEST:g}")
    return number


def _evaluate(entry: _Derived, alpha: float, beta: float) -> Phase:
    size, loss, tradeoff, *gaps = map(float, entry.evaluate(alpha, beta))
    return Phase(
        alpha=alpha,
        beta=beta,
        name=entry.name,
        size_exponent=size,
        loss_exponent=loss,
        tradeoff_exponent=tradeoff,
        dominant=entry.dominant,
        gaps=tuple(zip(entry.others, gaps, strict=True)),
        tradeoff=entry.tradeoff,
        rate=entry.rate,
        region=entry.region,
        latex=entry.latex,
    )


def _meeting(sides: list[Phase]) -> Phase:
    """Make the phase of a point where several meet; its exponents are those of the smallest optimal size."""
    best = min(sides, key=lambda side: side.size_exponent)
    largest = max(side.size_exponent for side in sides)
    dominant = tuple(dict.fromkeys(term for side in sides for term in side.dominant))
    note = "Both exponents are continuous here."
    if largest > best.size_exponent + 1e-9:
        sizes = f"any size exponent from {best.size_exponent:.6g} to {largest:.6g}"
        note = f"The loss exponent is continuous here; {sizes} gives it."
    return Phase(
        alpha=best.alpha,
        beta=best.beta,
        name="/".join(side.name for side in sides) + (" boundary" if len(sides) == 2 else " corner"),
        size_exponent=best.size_exponent,
        loss_exponent=best.loss_exponent,
        tradeoff_exponent=best.tradeoff_exponent,
        dominant=dominant,
        gaps=tuple((term, gap) for term, gap in best.gaps if term not in dominant),
        tradeoff=best.tradeoff,
        rate=best.rate,
        region=" | ".join(side.region for side in sides),
        latex=best.latex,
        sides=tuple(sides),
        note=note,
    )


@cache
def _data() -> _Data:
    raw = tomllib.loads(files("scalinglaws.symbolic").joinpath("phases.toml").read_text(encoding="utf-8"))
    return _Data(
        studied=tuple(raw["studied"]),
        wall_texts=tuple(raw["walls"]),
        limits=_compiled(raw["studied"]),
        walls=_compiled(raw["walls"]),
        phases=tuple(_entry(item) for item in raw["phase"]),
        boundaries=tuple(raw["boundary"]),
    )


def _entry(item: dict[str, Any]) -> _Derived:
    texts = {key: str(item[key]) for key in ("size_exponent", "loss_exponent", "tradeoff_exponent")}
    gaps = tuple(str(gap) for gap in item["gaps"])
    return _Derived(
        name=str(item["name"]),
        region=str(item["region"]),
        sides=tuple((k, sign) for k, sign in enumerate(item["sides"]) if sign),
        dominant=tuple(item["dominant"]),
        others=tuple(item["others"]),
        rate=_power_law("gamma", str(item["rate_exponent"])),
        tradeoff=_power_law("t", str(item["tradeoff_exponent"])),
        latex=str(item["latex"]),
        texts=texts,
        gap_texts=gaps,
        evaluate=_compiled((*texts.values(), *gaps)),
    )


def _power_law(left: str, exponent: str) -> str:
    if exponent in ("0", "1"):
        return f"{left} ~ {'1' if exponent == '0' else 'd'}"
    return f"{left} ~ d^({exponent})"


def _compiled(expressions: tuple[str, ...]) -> Callable[[float, float], tuple[float, ...]]:
    """Compile the package's own expressions, which were written by sympy, into one Python function."""
    source = f"lambda alpha, beta: ({', '.join(expressions)},)"
    names = {"__builtins__": {}, "sqrt": math.sqrt}
    function: Callable[[float, float], tuple[float, ...]] = eval(source, names)
    return function


@cache
def _symbolic(name: str) -> SymbolicPhase:
    import sympy as sp

    data = _data()
    entry = next(item for item in data.phases if item.name == name)
    symbols = {symbol: sp.Symbol(symbol) for symbol in ("alpha", "beta")}  # sympy's own `beta` is a function

    def exact(text: str) -> sp.Expr:
        return sp.sympify(text, locals=symbols)

    walls = [sign * exact(data.wall_texts[k]) for k, sign in entry.sides]
    return SymbolicPhase(
        **{key: exact(text) for key, text in entry.texts.items()},
        conditions=sp.And(*(positive > 0 for positive in (*map(exact, data.studied), *walls))),
        gaps={term: exact(gap) for term, gap in zip(entry.others, entry.gap_texts, strict=True)},
    )
