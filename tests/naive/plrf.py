"""The power-law random-feature model by slow, plain arithmetic: nothing here is shared with the package.

- `moments`          the closed recursion of second moments, one Python loop over steps and one over modes;
- `deterministic`    the large-d limit in mpmath at 30 digits: self-consistent equation for m(z) solved by
Newton,
                     sums over j by an exact head and a midpoint Euler-Maclaurin tail, and the risk by
                     Talbot's contour in continuous p = log(1 + q) for large times or Cauchy's circle for
                     small ones;
- `worst_error`      a grid of those against any function of the same arguments (slow: minutes to hours).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import mpmath as mp
import numpy as np

HEAD = 200
ORDER = 16
PANEL = 0.5
TALBOT = 30
CIRCLE, RADIUS = 64, 0.6


def moments(
    eigenvalues: Sequence[float],
    second_moments: Sequence[float],
    irreducible: float,
    rates: Callable[[int], float],
    batches: Callable[[int], int],
    steps: Sequence[int],
) -> list[float]:
    """Risk after each of `steps` updates; second_moments are E rho_i^2, the contributions to the risk."""
    m, out = list(map(float, second_moments)), []
    for t in range(max(steps) + 1):
        risk = sum(m) + irreducible
        if t in steps:
            out.append(risk)
        lr, batch = rates(t), batches(t)
        for i, lam in enumerate(eigenvalues):
            g = 1 - 2 * lr * batch * lam + lr**2 * batch * (batch + 1) * lam**2
            m[i] = g * m[i] + lr**2 * batch * lam**2 * risk
    return out


def tail_nodes(v: float) -> list[tuple[mp.mpf, mp.mpf]]:
    """Nodes and weights for sum_{j = HEAD+1}^{v} f(j), f smooth: midpoint Euler-Maclaurin."""
    low, high = mp.log(mp.mpf(HEAD) + 0.5), mp.log(mp.mpf(v) + 0.5)
    panels = int(mp.ceil((high - low) / PANEL))
    x, w = np.polynomial.legendre.leggauss(ORDER)
    nodes = []
    roots = [mp.findroot(lambda t: mp.legendre(ORDER, t), float(t)) for t in x]
    slopes = [ORDER * (t * mp.legendre(ORDER, t) - mp.legendre(ORDER - 1, t)) / (t * t - 1) for t in roots]
    weights = [2 / ((1 - t * t) * slope**2) for t, slope in zip(roots, slopes, strict=True)]
    assert max(abs(float(a) - b) for a, b in zip(weights, w, strict=True)) < 1e-13
    half = (high - low) / panels / 2
    for panel in range(panels):
        centre = low + (2 * panel + 1) * half
        for root, weight in zip(roots, weights, strict=True):
            j = mp.exp(centre + half * root)
            nodes.append((j, half * weight * j))
    h = mp.mpf(1) / 64
    for x, sign in ((mp.mpf(HEAD) + 0.5, 1), (mp.mpf(v) + 0.5, -1)):
        # integral = sum - (1/24) f'(low) + (7/5760) f'''(low) + the same with the other sign at the upper end
        first = {-2: 1, -1: -8, 1: 8, 2: -1}
        third = {-2: -1, -1: 2, 1: -2, 2: 1}
        for k in first:
            weight = sign * (first[k] / (24 * 12 * h) - 7 * mp.mpf(third[k]) / (5760 * 2 * h**3))
            nodes.append((x + k * h, weight))
    return nodes


class Limit:
    """Large-d limit at `mp.mp.dps` digits for one spectrum and several target exponents beta."""

    def __init__(self, alpha: float, betas: Iterable[float], d: int, v: int) -> None:
        nodes = [(mp.mpf(j), mp.mpf(1)) for j in range(1, min(HEAD, v) + 1)]
        nodes += tail_nodes(v) if v > HEAD else []
        self.d = mp.mpf(d)
        self.s = [j ** (-2 * mp.mpf(str(alpha))) for j, _ in nodes]
        self.n = [w for _, w in nodes]
        self.energy = {
            beta: [w * s * j ** (-2 * mp.mpf(str(beta))) for (j, w), s in zip(nodes, self.s, strict=True)]
            for beta in betas
        }
        self.trace = mp.fsum(w * s for w, s in zip(self.n, self.s, strict=True))
        self._s = np.array([float(s) for s in self.s])
        self._n = np.array([float(w) for w in self.n])

    def guess(self, z: complex) -> complex:
        """u = m / z in double precision, by continuation from far away along a ray."""
        start = max(1.0, 1e6 / abs(z))
        u = 1 / (start * z)
        for factor in np.geomspace(start, 1.0, 10 + int(3 * np.log(start))):
            far = z * factor
            for _ in range(60):
                pole = self._s * u - 1
                residual = far * u + (self._n @ (self._s * u / pole)) / float(self.d) - 1
                change = residual / (far - (self._n @ (self._s / pole**2)) / float(self.d))
                u -= change
                if abs(change) < 1e-13 * abs(u):
                    break
        return complex(u)

    def resolvents(self, z: mp.mpc) -> tuple[mp.mpc, dict[float, mp.mpc]]:
        """Tr K (K - z)^-1 = d (1 - m) and the resolvents of the targets at z.

        m + (1/d) sum_j s_j m / (s_j m - z) = 1 is solved for u = m / z, which stays finite at z = 0.
        """
        u = mp.mpc(self.guess(complex(z)))
        for _ in range(2):
            poles = [s * u - 1 for s in self.s]
            total = mp.fsum(n * s / p for n, s, p in zip(self.n, self.s, poles, strict=True))
            square = mp.fsum(n * s / (p * p) for n, s, p in zip(self.n, self.s, poles, strict=True))
            change = (z * u + u * total / self.d - 1) / (z - square / self.d)
            u -= change
        assert abs(change) < mp.mpf("1e-18") * abs(u), (z, u, change)
        poles = [z * (s * u - 1) for s in self.s]
        target = {
            beta: mp.fsum(e / p for e, p in zip(energy, poles, strict=True)) for beta, energy in self.energy.items()
        }
        return self.d * (1 - z * u), target

    def transform(self, q: mp.mpc, lr: mp.mpf, batch: int) -> dict[float, mp.mpc]:
        """int dmu / (q + a(lambda)) / (1 - lr^2 B int lambda^2 dnu / (q + a(lambda)))."""
        c = lr**2 * batch * (batch + 1)
        root = mp.sqrt((lr * batch) ** 2 + c * q)  # q + 2 lr B z - c z^2 = 0
        z1, z2 = -q / (lr * batch + root), (lr * batch + root) / c
        (trace1, target1), (trace2, target2) = self.resolvents(z1), self.resolvents(z2)
        kernel = lr**2 * batch * (z1 * trace1 - z2 * trace2) / (c * (z2 - z1))
        return {b: (target1[b] - target2[b]) / (c * (z2 - z1)) / (1 - kernel) for b in self.energy}

    def early(self, steps: Sequence[int], lr: mp.mpf, batch: int) -> list[dict[float, mp.mpf]]:
        """Risk for every beta after a few updates: coefficients of the generating function, on a circle."""
        total = [dict.fromkeys(self.energy, mp.mpf(0)) for _ in steps]
        for k in range(CIRCLE // 2):
            x = RADIUS * mp.expjpi(mp.mpf(2 * k + 1) / CIRCLE)
            value = self.transform(1 / x - 1, lr, batch)
            for b, (step, sums) in itertools.product(self.energy, zip(steps, total, strict=True)):
                sums[b] += 2 * mp.re(value[b] / x ** (step + 1)) / CIRCLE
        return total

    def late(self, step: int, lr: mp.mpf, batch: int) -> dict[float, mp.mpf]:
        """Risk for every beta after at least TALBOT updates: Talbot's contour."""
        total = dict.fromkeys(self.energy, mp.mpf(0))
        scale = mp.mpf(2 * TALBOT) / (5 * step)
        for k in range(TALBOT):
            angle = mp.pi * (2 * k + 1) / (2 * TALBOT)  # midpoints: none on the real axis
            p = scale * angle * (mp.cot(angle) + 1j)
            slope = scale * (mp.cot(angle) - angle * mp.csc(angle) ** 2 + 1j)
            value = self.transform(mp.expm1(p), lr, batch)
            for b in total:
                total[b] += mp.im(value[b] * mp.exp(p * (step + 1)) * slope) / TALBOT
        return total


def deterministic(
    alpha: float, betas: Sequence[float], d: int, v: int, relative: float, batch: int, steps: Sequence[int]
) -> dict[float, list[float]]:
    """Risk at `steps` for each beta, with lr = relative / (batch * sum_j j^(-2 alpha))."""
    with mp.workdps(30):
        limit = Limit(alpha, betas, d, v)
        lr = mp.mpf(str(relative)) / (batch * limit.trace)
        first = [step for step in steps if step < TALBOT]
        curves = limit.early(first, lr, batch) + [limit.late(t, lr, batch) for t in steps[len(first) :]]
        return {beta: [float(curve[beta]) for curve in curves] for beta in betas}


def worst_error(
    risk: Callable[..., Sequence[float]],
    alphas: Sequence[float],
    betas: Sequence[float],
    sizes: Sequence[int],
    ratios: Sequence[int],
    steps: Sequence[int],
    relative: float = 0.5,
    batch: int = 1,
) -> tuple[float, tuple[float, ...]]:
    """Largest relative error of risk(alpha, beta, d, v, relative, batch, steps) on a grid, and where."""
    worst: tuple[float, tuple[float, ...]] = (0.0, ())
    for alpha, d, ratio in itertools.product(alphas, sizes, ratios):
        reference = deterministic(alpha, betas, d, ratio * d, relative, batch, steps)
        for beta in betas:
            fast = risk(alpha, beta, d, ratio * d, relative, batch, steps)
            errors = [abs(a / b - 1) for a, b in zip(fast, reference[beta], strict=True)]
            at = int(np.argmax(errors))
            worst = max(worst, (errors[at], (alpha, beta, d, ratio, steps[at])))
    return worst
