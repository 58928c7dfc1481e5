r"""What exponentials and quadratic modes remember of a run's learning rates: loops over blocks of updates of one rate.

A block is `count` updates of one rate; a stretch is some blocks in a row, cut wherever a result is wanted. Both loops
depend on the rates alone, never on a law's parameters, so a fit runs them once:

- `exponentials`  memories exp(-y (tau - u)) in gradient-flow time, for given decay rates y;
- `quadratic`     directions of curvature z under discrete updates, each of which multiplies the error by 1 - rate z.

`recall` is the one loop that a fit repeats: it lets a forcing that depends on the parameters drive the memories.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalinglaws.kernels._jit import kernel

__all__ = ["exponentials", "quadratic", "recall"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@kernel
def exponentials(rate: Array, count: Array, basis: Array, stop: Index, decay_rate: Array) -> tuple[Array, Array]:
    """Memories at the end of every stretch, of a drive that is given at the nodes of each stretch.

    Parameters
    ----------
    rate, count
        Of each block, shape (blocks,).
    basis
        The nodes' interpolating polynomials at each block, shape (blocks, nodes).
    stop
        Index of the first block after each stretch, shape (stretches,).
    decay_rate
        Shape (modes,), >= 0.

    Returns
    -------
    What a stretch leaves of each memory, shape (stretches, modes), and what the integral of rate times drive over it
    adds for a drive of one at each node, shape (stretches, nodes, modes).
    """
    modes, nodes = decay_rate.size, basis.shape[1]
    left = np.ones((stop.size, modes))
    gain = np.zeros((stop.size, nodes, modes))
    kept, grown = np.empty(modes), np.empty(modes)
    block, known_rate, known_count = 0, -1.0, -1.0
    for p in range(stop.size):
        while block < stop[p]:
            if rate[block] != known_rate or count[block] != known_count:
                known_rate, known_count = rate[block], count[block]
                length = known_rate * known_count
                for k in range(modes):
                    z = decay_rate[k] * length
                    kept[k] = np.exp(-z)
                    grown[k] = known_rate * length * (-np.expm1(-z) / z if z > 0.0 else 1.0)
            for k in range(modes):
                left[p, k] *= kept[k]
            for q in range(nodes):
                for k in range(modes):
                    gain[p, q, k] = gain[p, q, k] * kept[k] + basis[block, q] * grown[k]
            block += 1
    return left, gain


@kernel
def recall(left: Array, gain: Array, drive: Array) -> Array:
    """Memories at the end of every stretch, shape (stretches, drives, modes).

    Parameters
    ----------
    left, gain
        From `exponentials`.
    drive
        Several drives at the nodes of each stretch, shape (drives, stretches, nodes).
    """
    stretches, nodes, modes = gain.shape
    out = np.zeros((stretches, drive.shape[0], modes))
    for p in range(stretches):
        for i in range(drive.shape[0]):
            if p > 0:
                for k in range(modes):
                    out[p, i, k] = left[p, k] * out[p - 1, i, k]
            for q in range(nodes):
                for k in range(modes):
                    out[p, i, k] += gain[p, q, k] * drive[i, p, q]
    return out


@kernel
def quadratic(rate: Array, count: Array, stop: Index, curvature: Array) -> tuple[Array, Array]:
    """Energies of quadratic directions at the end of every stretch.

    Parameters
    ----------
    rate, count, stop
        As in `exponentials`.
    curvature
        Shape (modes,), positive, below 2 / rate for all rates.

    Returns
    -------
    What is left of an initial energy of one, the product of (1 - rate z)^2 over the updates; and the energy that noise
    of energy rate^2 an update has added. Shapes (stretches, modes).
    """
    modes = curvature.size
    left = np.ones((stop.size, modes))
    noise = np.zeros((stop.size, modes))
    energy, grown = np.ones(modes), np.zeros(modes)
    kept, added = np.empty(modes), np.empty(modes)
    block, known_rate, known_count = 0, -1.0, -1.0
    for p in range(stop.size):
        while block < stop[p]:
            if rate[block] != known_rate or count[block] != known_count:
                known_rate, known_count = rate[block], count[block]
                for k in range(modes):
                    y = known_rate * curvature[k]
                    kept[k] = np.exp(2.0 * known_count * np.log(max(abs(1.0 - y), 1e-150)))
                    added[k] = known_rate**2 * ((1.0 - kept[k]) / (y * (2.0 - y)) if y > 0.0 else known_count)
            for k in range(modes):
                energy[k] *= kept[k]
                grown[k] = grown[k] * kept[k] + added[k]
            block += 1
        for k in range(modes):
            left[p, k] = energy[k]
            noise[p, k] = grown[k]
    return left, noise
