r"""How noisy the gradient of a mini-batch is: the trace of its covariance, raw and as AdamW scales it.

Let $g$ be the gradient of the mean loss of one mini-batch, before clipping, and $\Sigma$ its covariance over
mini-batches at fixed weights. From $K \ge 2$ independent mini-batches, with $\bar g$ their mean,

$$\frac{1}{K-1} \sum_k \lVert g_k - \bar g \rVert^2$$

has the expectation $\mathrm{Tr}\,\Sigma$ exactly, whatever the distribution and the number of weights. The same of
a function $x(g)$ is unbiased for the covariance of $x$:

- `noise_trace`: $x = g$.
- `noise_trace_preconditioned`: $x = P^{-1/2} g$, $P^{-1} = \mathrm{diag}(\eta_0 / (\sqrt{\hat v} + \epsilon))$ with
  the optimizer's bias-corrected second moments and each group's peak rate, so that the schedule in [0, 1] is what
  multiplies it (arXiv 2507.02119). Before the first update there are no moments: NaN. A token that has
  not been seen for about $2 / (1 - \beta_2)$ updates leaves $\hat v$ near zero at its weights; when it then turns up
  in a measured mini-batch, it outweighs all else. Batches that hold every token do not know this.
- `noise_trace_adaptive`: the same with $\hat v$ as it stands after $g$ itself has entered it, which is what AdamW
  divides $g$ by. No weight can then count for more than $\eta_0 |g| / \sqrt{1 - \beta_2}$; on dense gradients and
  for $\beta_2 \to 1$ it agrees with the one above.

The mean of $\lVert g_k \rVert^2$ has the expectation $\lVert \mathrm{E} g \rVert^2 + \mathrm{Tr}\,\Sigma$, so
`gradient_norm`**2 - `noise_trace` is an unbiased estimate of the squared norm of the full gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from scalinglaws.training.network import Network

__all__ = ["SecondMoments", "Spread", "gradient", "measure_gradient", "second_moments"]

Batch = tuple[Tensor, Tensor]


class Spread:
    """Running sums that give the trace of the covariance of vectors without keeping them.

    Examples
    --------
    >>> spread = Spread()
    >>> for x in ([1.0, 0.0], [3.0, 0.0], [2.0, 3.0]):
    ...     spread.add(torch.tensor(x, dtype=torch.float64))
    >>> spread.trace(), spread.mean_square()
    (4.0, 7.666666666666667)
    """

    def __init__(self) -> None:
        self._count, self._squares, self._deviations = 0, 0.0, 0.0
        self._mean: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Count one more vector."""
        self._count += 1
        self._squares += float(x @ x)
        if self._mean is None:
            self._mean = x.clone()
            return
        # Welford's sum: no difference of large numbers when the mean dwarfs the spread
        change = x - self._mean
        self._mean.add_(change, alpha=1.0 / self._count)
        self._deviations += float(change @ change) * (self._count - 1) / self._count

    def trace(self) -> float:
        """Return the unbiased trace of the covariance."""
        return self._deviations / (self._count - 1)

    def mean_square(self) -> float:
        """Return the mean of the squared norm."""
        return self._squares / self._count


class SecondMoments:
    """AdamW's second moments of all weights as one vector, in the order of `parameters`.

    Parameters
    ----------
    optimizer
        Groups carry `scale`, their factor on the peak rate, as `adamw` builds them.
    parameters
        The weights, all of them in the optimizer.
    peak
        Peak learning rate before the groups' factors.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor], peak: float) -> None:
        scales = {id(p): group["scale"] for group in optimizer.param_groups for p in group["params"]}
        moments, rates = [], []
        self._updates = 0
        for p in parameters:
            kept = optimizer.state.get(p, {})
            moments.append(_flat(kept.get("exp_avg_sq", torch.zeros_like(p))))
            rates.append(torch.full_like(moments[-1], peak * scales[id(p)]))
            self._updates = int(kept.get("step", 0))
        self._v, self._rate = torch.cat(moments), torch.cat(rates)
        self._beta, self._eps = float(optimizer.defaults["betas"][1]), float(optimizer.defaults["eps"])
        # before the first update this is 0 / 0: NaN, as it should be
        self._root = self._factor(self._v / (1.0 - self._beta**self._updates))

    def precondition(self, g: Tensor) -> Tensor:
        """Return P^-1/2 g with the moments as they are."""
        return g * self._root

    def adapt(self, g: Tensor) -> Tensor:
        """Return P^-1/2 g with the moments as they are after an update by g."""
        v = torch.lerp(g.square(), self._v, self._beta)
        return g * self._factor(v.div_(1.0 - self._beta ** (self._updates + 1)))

    def _factor(self, v: Tensor) -> Tensor:
        return torch.sqrt(self._rate / (v.sqrt() + self._eps))


def gradient(model: Network, batch: Batch) -> Tensor:
    """Return the gradient of the mean loss of a mini-batch as one vector of doubles; `.grad` is left alone."""
    return torch.cat([_flat(part) for part in torch.autograd.grad(model.loss(*batch), list(model.parameters()))])


def second_moments(optimizer: torch.optim.Optimizer, model: Network, peak: float) -> SecondMoments | None:
    """Return the second moments of the optimizer in the order of `gradient`; None for one that keeps none."""
    return SecondMoments(optimizer, model.parameters(), peak) if isinstance(optimizer, torch.optim.AdamW) else None


def measure_gradient(model: Network, batches: Iterable[Batch], moments: SecondMoments | None) -> dict[str, float]:
    """Estimate the traces and the root mean square norm of the gradient from independent mini-batches."""
    raw, preconditioned, adaptive = Spread(), Spread(), Spread()
    for batch in batches:
        g = gradient(model, batch)
        raw.add(g)
        if moments is not None:
            preconditioned.add(moments.precondition(g))
            adaptive.add(moments.adapt(g))
    found = {"noise_trace": raw.trace(), "gradient_norm": math.sqrt(raw.mean_square())}
    if moments is None:
        return found
    return found | {"noise_trace_preconditioned": preconditioned.trace(), "noise_trace_adaptive": adaptive.trace()}


def _flat(x: Tensor) -> Tensor:
    return x.detach().reshape(-1).double()
