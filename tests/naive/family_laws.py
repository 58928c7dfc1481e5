"""Laws of whole families by slow, plain arithmetic, update by update: nothing here is shared with the package.

A run is given by its rates, its size and its batch; `steps` are the updates after which the loss is wanted.
"""

from __future__ import annotations

import numpy as np
from scipy.special import zeta


def functional(v, rates, size, batch, steps):
    """Forcing, and for each update of the past the integral of the kernel over that update."""
    tau, c, k = np.append(0.0, np.cumsum(rates)), v["c"], v["k"]
    middle, out = 0.5 * (tau[1:] + tau[:-1]), []
    for n in steps:
        grown = (1 + c * (tau[n] - tau[: n + 1])) ** (1 - k)
        kernel = (grown[:-1] - grown[1:]) / (1 - k)
        driven = kernel * rates[:n] / batch * (v["C0"] + v["C1"] * (1 + c * middle[:n]) ** -v["s"])
        out.append(v["E"] + v["A"] * size ** -v["a"] + v["B"] * (1 + c * tau[n]) ** -v["s"] + driven.sum())
    return np.array(out)


def nqs(v, rates, size, batch, steps):
    """Every direction, every update."""
    n, wanted, out = np.arange(1.0, size + 1.0), set(np.asarray(steps).tolist()), []
    curvature = v["Q"] * n ** -v["q"]
    error, noise = 0.5 * v["P"] * n ** -v["p"], np.zeros(n.size)
    floor = v["e_irr"] + 0.5 * v["P"] * zeta(v["p"], size + 1.0)
    for t, rate in enumerate(rates):
        left = (1.0 - rate * curvature) ** 2
        error, noise = left * error, left * noise + 0.5 * v["R"] * curvature * n ** -v["r"] * rate**2 / batch
        if t + 1 in wanted:
            out.append(floor + error.sum() + noise.sum())
    return np.array(out)
