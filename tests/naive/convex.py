"""The last-iterate bound and the remembered rate from their definitions: sums in plain loops."""

from __future__ import annotations


def convex_terms(rates: list[float], norms: list[float], distance: float) -> tuple[float, float, float]:
    """D^2/(2 sum eta), sum eta^2 G^2/(2 sum eta) and 1/2 sum_(k<T) (eta_k/alpha_k)(gamma_k/beta_k)."""
    last = len(rates)
    total = sum(rates)
    average = sum((eta * norm) ** 2 for eta, norm in zip(rates, norms, strict=True)) / (2 * total)
    cost = 0.0
    for k in range(last - 1):
        alpha = sum(rates[j] for j in range(k + 1, last))
        beta = alpha + rates[k]
        gamma = sum((rates[j] * norms[j]) ** 2 for j in range(k, last))
        cost += 0.5 * (rates[k] / alpha) * (gamma / beta)
    return distance**2 / (2 * total), average, cost


def remembered(rates: list[float], memory: float) -> list[float]:
    """The rate that each update's noise still shows: every change counts 1 - exp(-(updates since / memory)^(1/3)).

    The rise from zero before the first update is a change too.
    """
    shown = []
    for t in range(1, len(rates) + 1):
        value = 0.0
        for k in range(t):
            age = t - k
            before = rates[k - 1] if k else 0.0
            value += (rates[k] - before) * (1.0 - 2.718281828459045 ** -((age / memory) ** (1 / 3)))
        shown.append(value)
    return shown
