r"""Sharpness: the largest eigenvalue of the Hessian, by Lanczos over Hessian-vector products.

The products are exact (two passes of automatic differentiation) and in double precision, because single precision
would end the convergence at about $10^{-5}$. Plain three-term Lanczos, without reorthogonalisation, holds three
vectors whatever the number of iterations; lost orthogonality repeats extreme eigenvalues and does not move them
(C. C. Paige, Linear Algebra and its Applications 34 (1980) 235).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from scalinglaws.training.network import Network

__all__ = ["sharpness", "top_eigenvalue"]


def top_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, *, tolerance: float = 1e-6, most: int = 500
) -> float:
    r"""Largest eigenvalue of a symmetric matrix given by its products; NaN where it has not converged.

    With residual $r$ and distance $d$ to the next Ritz value, the error is at most about $\min(r, r^2 / d)$; the
    iteration ends when that is below `tolerance` of the eigenvalue, or after `most` products.

    Examples
    --------
    >>> matrix = torch.diag(torch.tensor([-9.0, 1.0, 4.0], dtype=torch.float64))
    >>> round(top_eigenvalue(lambda x: matrix @ x, torch.ones(3, dtype=torch.float64)), 9)
    4.0
    """
    vector, before, beta = start / start.norm(), torch.zeros_like(start), 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    while len(diagonal) < most:
        image = product(vector)
        alpha = float(image @ vector)
        image = image - alpha * vector - beta * before
        beta = float(image.norm())
        diagonal.append(alpha)
        if not math.isfinite(alpha + beta):
            return math.nan
        value, error = _ritz(diagonal, beside, beta)
        if error <= tolerance * abs(value):
            return value
        beside.append(beta)
        vector, before = image / beta, vector
    return math.nan


def _ritz(diagonal: list[float], beside: list[float], beta: float) -> tuple[float, float]:
    """Largest Ritz value and its error."""
    last = len(diagonal) - 1
    values, vectors = eigh_tridiagonal(
        np.array(diagonal), np.array(beside), select="i", select_range=(max(last - 1, 0), last)
    )
    residual = abs(beta * float(vectors[-1, -1]))
    gap = float(values[-1] - values[0])
    return float(values[-1]), residual * min(1.0, residual / gap) if gap > 0 else residual


def sharpness(model: Network, inputs: Tensor, targets: Tensor) -> float:
    """Largest eigenvalue of the Hessian of the mean loss of a batch; the model is left as it is."""
    twin = copy.deepcopy(model).double()
    weights = list(twin.parameters())
    batch = [x.double() if x.is_floating_point() else x for x in (inputs, targets)]
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot be differentiated twice
        parts = torch.autograd.grad(twin.loss(*batch), weights, create_graph=True)
        slope = torch.cat([part.reshape(-1) for part in parts])

        def product(x: Tensor) -> Tensor:
            found = torch.autograd.grad(slope, weights, x, retain_graph=True, materialize_grads=True)
            return torch.cat([part.reshape(-1) for part in found])

        generator = torch.Generator().manual_seed(0)
        start = torch.randn(slope.shape, generator=generator, dtype=torch.float64).to(slope.device)
        return top_eigenvalue(product, start)
