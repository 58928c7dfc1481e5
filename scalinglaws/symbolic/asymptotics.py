r"""What one-pass SGD on power-law random features adds up to: asymptotic sums, derived from the two spectra.

Given s_j = j^(-2 alpha), weights w_j = j^(-2 alpha - 2 beta), d features of v = R d coordinates, summed
gradients of a batch B at rate gamma, and the deterministic equivalent m(z) = 1/(1 + (1/d) sum_j s_j/(s_j m
- z)), the risk solves P = F + K * P with (T = 2 gamma B t):

- `irreducible`   F_0, the residue at z = 0: sum_j w_j/(1 + tau s_j) with sum_j tau s_j/(1 + tau s_j) = d;
- `pure_point`    F_pp = sum_j w_j exp(-T s_j), the eigenvalues that stay near s_j;
- `continuous`    F_ac, from Im m = -(pi/d) lambda sum_j delta(s_j - lambda): its density at lambda is
  (1/d) (sum_{s_i > lambda} i^(-2 beta)) lambda sum_j delta(s_j - lambda), so
  F_ac = (1/d) sum_j s_j exp(-T s_j) sum_{i < j} i^(-2 beta);
- `kernel`        K_pp = gamma^2 B sum_j s_j^2 exp(-T s_j);
- `noise`         what SGD's own noise adds: K convolved with F. Two power laws convolved are dominated by
  the ends, K(t) int F + F(t) int K; the second is a part of F, the first is K_pp(t) sum F where sum F
  converges, and t K_pp(t) F_pp(t) where it does not.

Each is a power-law sum (`scalinglaws.symbolic.mellin`), whose Mellin strips give the constants and the
conditions. Stability, gamma/2 sum_j s_j < 1, fixes the rate: constant where the sum converges (2 alpha >
1), else gamma ~ d^(2 alpha - 1) (`stable_rate`). A sum without a bulk is dominated by its edge at lambda ~
d^(-2 alpha). `scalinglaws.symbolic.terms` turns these into power laws of d and t.

Source: Paquette, Paquette, Xiao, Pennington, "4+3 Phases of Compute-Optimal Neural Scaling Laws", arXiv
2405.15074. The constants hold for small rates (continuous time), t -> infinity below the edge T << d^(2
alpha).
"""

from __future__ import annotations

import sympy as sp

from scalinglaws.symbolic.mellin import Asymptote, power_law_sum, power_sum

__all__ = [
    "ALPHA",
    "BATCH",
    "BETA",
    "KAPPA",
    "RATE",
    "RATIO",
    "SHARE",
    "SIZE",
    "STUDIED",
    "TIME",
    "continuous",
    "irreducible",
    "kappa_equation",
    "kappa_unbounded",
    "kernel",
    "left_edge",
    "noise",
    "pure_point",
    "stable_rate",
]

ALPHA = sp.Symbol("alpha", positive=True)  # data complexity
BETA = sp.Symbol("beta", real=True)  # target complexity
SIZE, TIME, BATCH = sp.symbols("d t B", positive=True)
RATIO = sp.Symbol("R", positive=True)  # v/d
RATE = sp.Symbol("gamma", positive=True)  # of summed gradients
SHARE = sp.Symbol("theta", positive=True)  # the kernel's sum |K|, the rate as a share of the critical one
KAPPA = sp.Symbol("kappa", positive=True)  # tau = kappa d^(2 alpha), see kappa_equation

STUDIED = (
    ALPHA,
    2 * ALPHA + 2 * BETA - 1,
)  # both positive: elsewhere the risk is infinite, or next to nothing is learned

_U = sp.Symbol("u", positive=True)
_X = sp.Symbol("x", positive=True)
_EFFECTIVE_TIME = 2 * RATE * BATCH * TIME


def _decaying_sum(sigma: sp.Expr) -> tuple[Asymptote, ...]:
    """Sum j^(-sigma) exp(-T s_j) over the modes above the spectrum's edge, j <= d."""
    return power_law_sum(sigma, 2 * ALPHA, sp.exp(-_U), _EFFECTIVE_TIME, SIZE)


def _scaled(factor: Asymptote | sp.Expr, cases: tuple[Asymptote, ...]) -> tuple[Asymptote, ...]:
    value, when = (factor.value, factor.when) if isinstance(factor, Asymptote) else (factor, ())
    return tuple(
        Asymptote(value=value * case.value, when=tuple(dict.fromkeys((*when, *case.when))), part=case.part)
        for case in cases
    )


def kappa_equation(ratio: sp.Expr = RATIO) -> sp.Eq:
    """Give the equation of kappa in tau = kappa d^(2 alpha): the defining sum with x = j/d.

    Examples
    --------
    >>> kappa_equation()
    Eq(Integral(kappa/(kappa + x**(2*alpha)), (x, 0, R)), 1)
    """
    return sp.Eq(sp.Integral(KAPPA / (KAPPA + _X ** (2 * ALPHA)), (_X, 0, ratio)), 1)


def kappa_unbounded() -> Asymptote:
    """Give kappa for v/d -> infinity, which exists where the Mellin strip allows it: 2 alpha > 1.

    Examples
    --------
    >>> kappa_unbounded().when
    (2*alpha - 1,)
    >>> sp.simplify(kappa_unbounded().value.subs(ALPHA, 1))
    4/pi**2
    """
    tau = sp.Symbol("tau", positive=True)
    bulk, *_ = power_law_sum(sp.Integer(0), 2 * ALPHA, _U / (1 + _U), tau, RATIO * SIZE)
    amplitude = sp.simplify(bulk.value / tau ** (1 / (2 * ALPHA)))  # bulk = amplitude tau^(1/(2 alpha)) = d
    return Asymptote(value=amplitude ** (-2 * ALPHA), when=bulk.when, part="bulk")


def irreducible(ratio: sp.Expr = RATIO) -> tuple[Asymptote, ...]:
    """Give F_0 in its cases, with kappa as a symbol.

    Parameters
    ----------
    ratio
        v/d; `sympy.oo` gives the closed form, valid for 2 alpha > 1.

    Examples
    --------
    >>> [(case.part, case.when) for case in irreducible()]
    [('bulk', (2*alpha + 2*beta - 1, 1 - 2*beta)), ('head', (2*beta - 1,))]
    >>> irreducible()[1].value
    zeta(2*beta)/(d**(2*alpha)*kappa)
    """
    sigma = 2 * ALPHA + 2 * BETA
    cases = power_law_sum(sigma, 2 * ALPHA, 1 / (1 + _U), KAPPA * SIZE ** (2 * ALPHA), RATIO * SIZE)
    bulk, head = (case for case in cases if case.part != "edge")  # the edge case is 2(alpha + beta) < 1
    if ratio != sp.oo:  # the same bulk with a largest x = j/d
        integral = sp.Integral(_X ** (-2 * BETA) / (KAPPA + _X ** (2 * ALPHA)), (_X, 0, ratio))
        bulk = Asymptote(value=integral * SIZE ** (1 - sigma), when=bulk.when, part="bulk")
    return (bulk, Asymptote(value=sp.powsimp(sp.expand_power_base(head.value)), when=head.when, part="head"))


def pure_point() -> Asymptote:
    """Give F_pp; its condition is the studied region itself."""
    return next(case for case in _decaying_sum(2 * ALPHA + 2 * BETA) if case.part == "bulk")


def continuous() -> tuple[Asymptote, ...]:
    """Give F_ac in its four cases: the target's sum converges or not, the decaying sum has a bulk or not."""
    converged, growing = power_sum(2 * BETA, SIZE)
    partial = Asymptote(value=1 / (SIZE * (1 - 2 * BETA)), when=growing.when, part="edge")
    return (
        *_scaled(
            Asymptote(value=converged.value / SIZE, when=converged.when, part="head"),
            _decaying_sum(2 * ALPHA),
        ),
        *_scaled(partial, _decaying_sum(2 * ALPHA + 2 * BETA - 1)),  # sum_{i<j} i^(-2 beta) ~ j^(1 - 2 beta)
    )


def kernel() -> tuple[Asymptote, ...]:
    """Give K_pp: a bulk for alpha > 1/4, else constant up to the edge of the spectrum."""
    return _scaled(RATE**2 * BATCH, _decaying_sum(4 * ALPHA))


def noise() -> tuple[Asymptote, ...]:
    """Give K_pp(t) times the sum of F up to t: F sums to sum_j w_j/(2 gamma B s_j) where that converges."""
    converged, growing = power_sum(2 * BETA, SIZE)
    total = Asymptote(value=converged.value / (2 * RATE * BATCH), when=converged.when, part="head")
    so_far = Asymptote(value=TIME * pure_point().value, when=growing.when, part="bulk")
    return (*_scaled(total, kernel()), *_scaled(so_far, kernel()))


def stable_rate() -> tuple[Asymptote, ...]:
    """Give the rate that makes |K| = gamma/2 sum_j s_j equal theta, on both sides of 2 alpha = 1.

    Examples
    --------
    >>> [(case.value, case.when) for case in stable_rate()]
    [(2*theta/zeta(2*alpha), (2*alpha - 1,)), (2*theta*(R*d)**(2*alpha - 1)*(1 - 2*alpha), (1 - 2*alpha,))]
    """
    return tuple(
        Asymptote(value=sp.powsimp(2 * SHARE / case.value), when=case.when, part=case.part)
        for case in power_sum(2 * ALPHA, RATIO * SIZE)
    )


def left_edge() -> sp.Expr:
    """Give the smallest eigenvalue's constant, lambda_min d^(2 alpha), for v/d -> infinity and 2 alpha > 1.

    On the negative axis u = m/z = -U the equation for m reads z(U) = -1/U + c U^(1/(2 alpha) - 1)/d, c from
    the same bulk as kappa; the edge is its maximum. It ends the time range of the other terms:
    T <~ d^(2 alpha).

    Examples
    --------
    >>> sp.simplify(left_edge().subs(ALPHA, 1))
    pi**2/16
    """
    y, c, g = sp.symbols("y c g", positive=True)  # y = U d^(-2 alpha), g = 1 - 1/(2 alpha)
    z = -1 / y + c * y ** (-g)
    (stationary,) = sp.solve(sp.diff(z, y), c)  # linear in c: c = y^(g - 1)/g, so y = (c g)^(1/(g - 1))
    edge = sp.simplify(z.subs(c, stationary))  # in terms of y alone
    power = 1 - 1 / (2 * ALPHA)
    amplitude = kappa_unbounded().value ** (-1 / (2 * ALPHA))
    return sp.simplify(edge.subs({g: power, y: (amplitude * power) ** (-2 * ALPHA)}))
