r"""The functional scaling law for families: forcing, and a memory of the gradient noise of every update before.

    L = E + A N^-a + B f(T) + sum over updates u of c eta_u^2 / batch (C0 + C1 f(T_u)) K(T - T_u),
    f(T) = (1 + c T)^-s,    K(T) = (1 + c T)^-k

T is gradient-flow time, the sum of the rates; the kernel counts with its mean over each update. The paper ties
k = 2 - 1/beta, a = s beta, and C1 / C0 to the label noise; here all are free. A fall of the rate is followed by a fall
of the loss, at the pace of the kernel's memory.

K is a sum of exponentials of fixed decay rates y with weights that depend on (c, k) alone,

    K(T) = 1/Gamma(k) int (y/c)^k e^(-y/c) e^(-y T) dlog y   (trapezoidal rule),

so that what each exponential remembers of the rates is computed once per schedule; an evaluation is one linear
recursion over stretches of the path, driven by f, and its derivatives by all shapes are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gamma

from scalinglaws.comparison.family_laws.base import FamilyLaw
from scalinglaws.comparison.family_laws.curves import FamilyCurves
from scalinglaws.comparison.family_laws.remembered import once_per_group
from scalinglaws.comparison.family_laws.stretches import Stretches
from scalinglaws.comparison.path import Path
from scalinglaws.comparison.separable.law import Shape
from scalinglaws.kernels.rate_memory import exponentials, recall

__all__ = ["FUNCTIONAL"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_C = Shape(name="c", low=1e-5, high=1e8)
_K = Shape(name="k", low=1.0, high=3.0)
"""The theory's k lies between 1 and 2; beyond 3 the kernel is hardly told from an exponential."""

_STEP = 0.4
"""Spacing of the decay rates in their logarithm: the rule is then right to about exp(-pi^2 / 0.4) = 2e-11."""
_SLOWEST, _FASTEST = 1e-9, 40.0 * _C.high
"""Decay rates: slower ones stand still over any run, faster ones have no weight."""
_RATES = np.exp(np.arange(np.log(_SLOWEST), np.log(_FASTEST) + _STEP, _STEP))
_STILL = np.exp(np.log(_SLOWEST) - _STEP * np.arange(250, 0, -1))
"""The rule goes on below the slowest one; what it adds there remembers everything."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Memory:
    """What the exponentials remember of one path.

    Parameters
    ----------
    stretches
        The path.
    left, gain
        See `kernels.rate_memory.exponentials`.
    plain
        Memories of a drive of one at the records, shape (records, modes).
    """

    stretches: Stretches
    left: Array
    gain: Array
    plain: Array


def _remember(path: Path, steps: Index) -> _Memory:
    cut = Stretches.of(path, steps)
    left, gain = exponentials(cut.rate, cut.count, cut.basis, cut.stop, np.append(0.0, _RATES))
    plain = recall(left, gain, np.ones((1, *cut.nodes.shape)))[cut.record, 0]
    return _Memory(stretches=cut, left=left, gain=gain, plain=plain)


_memories: Callable[[FamilyCurves], list[_Memory]] = once_per_group(_remember)


def _kernel(c: float, k: float) -> Array:
    """Weights of the exponentials, the standing one first, and their derivatives by c and k: shape (3, modes)."""
    scaled = np.append(_STILL, _RATES) / c
    weight = _STEP * np.exp(k * np.log(scaled) - scaled) / gamma(k)
    three = np.stack([weight, weight * (scaled - k) / c, weight * (np.log(scaled) - digamma(k))])
    still = three[:, : _STILL.size].sum(axis=1, keepdims=True)
    return np.concatenate([still, three[:, _STILL.size :]], axis=1)


def _forcing(tau: Array, s: float, c: float) -> Array:
    """Values of f and its derivatives by s and c, shape (3, ...)."""
    grown = np.log1p(c * tau)
    value = np.exp(-s * grown)
    return np.stack([value, -grown * value, -s * value * tau / (1.0 + c * tau)])


def _noise(memory: _Memory, s: float, c: float, k: float) -> tuple[Array, Array]:
    """Both memories at the records of one group, times c: values (records, 2), derivatives by s, c, k (..., 3)."""
    weight, by_c, by_k = c * _kernel(c, k)
    by_c = by_c + weight / c
    cut = memory.stretches
    signal, signal_s, signal_c = np.moveaxis(
        recall(memory.left, memory.gain, _forcing(cut.nodes, s, c))[cut.record], 1, 0
    )
    plain = memory.plain
    values = np.stack([plain @ weight, signal @ weight], axis=1)
    slopes = np.zeros((*values.shape, 3))
    slopes[:, 1, 0] = signal_s @ weight
    slopes[:, 0, 1], slopes[:, 1, 1] = plain @ by_c, signal @ by_c + signal_c @ weight
    slopes[:, 0, 2], slopes[:, 1, 2] = plain @ by_k, signal @ by_k
    return values, slopes


def _features(shapes: Array, curves: FamilyCurves) -> tuple[Array, Array]:
    a, s, c, k = shapes
    parts = [_noise(memory, s, c, k) for memory in _memories(curves)]
    place, batch = curves.distinct.place, curves.batch[curves.run][:, None]
    noise = np.concatenate([values for values, _ in parts])[place] / batch
    noise_slopes = np.concatenate([slopes for _, slopes in parts])[place] / batch[:, :, None]
    log_size, forcing = np.log(curves.N), _forcing(curves.tau, s, c)
    power = np.exp(-a * log_size)
    features = np.column_stack([np.ones(power.size), power, forcing[0], noise])
    slopes = np.zeros((*features.shape, 4))
    slopes[:, 1, 0] = -log_size * power
    slopes[:, 2, 1:3] = forcing[1:].T
    slopes[:, 3:, 1:] = noise_slopes
    return features, slopes


def _starts(curves: FamilyCurves) -> Array:
    reach = float(np.median([path.tau[-1] for path in curves.paths]))
    return np.array(
        [
            (a, s, 1.0 / (share * reach), k)
            for share in (1e-2, 1e-3, 1e-1)
            for a, s, k in ((0.3, 0.5, 1.6), (0.6, 0.5, 1.2), (0.3, 0.3, 1.3))
        ]
    )


FUNCTIONAL = FamilyLaw(
    name="functional",
    formula=(
        "L = E + A N^-a + B f(T) + sum_u c eta_u^2/batch (C0 + C1 f(T_u)) (1 + c (T - T_u))^-k, f(T) = (1 + c T)^-s"
    ),
    source="Li, Chen, Huang, Wang, Wu, arXiv 2509.19189",
    amplitudes=("E", "A", "B", "C0", "C1"),
    shapes=(Shape(name="a", low=0.01, high=3.0), Shape(name="s", low=0.01, high=5.0), _C, _K),
    features=_features,
    starts=_starts,
)
"""T: gradient-flow time, the sum of the rates. c: its scale. C0, C1: noise that is constant and noise in proportion to
the forcing, as loss over rate and batch."""
