"""Schedule laws from their definitions: loops over every update. `rates[i]` is the rate of update i, from 0.

The loss after t updates sees rates[0], ..., rates[t - 1]; before update 0 the rate is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def _before(rates: Sequence[float], k: int) -> float:
    return rates[k - 1] if k else 0.0


def multi_power(p: Mapping[str, float], rates: Sequence[float], t: int) -> float:
    total = sum(rates[:t])
    loss = p["L0"] + p["A"] * total ** -p["alpha"]
    since = 0.0
    for k in range(t - 1, -1, -1):
        since += rates[k]
        if since == 0.0:
            continue
        grown = float("inf") if rates[k] == 0.0 else 1.0 + p["C"] * rates[k] ** -p["gamma"] * since
        loss -= p["B"] * (_before(rates, k) - rates[k]) * (1.0 - grown ** -p["beta"])
    return loss


def momentum(p: Mapping[str, float], rates: Sequence[float], t: int, warmup: int) -> float:
    moment, area = 0.0, 0.0
    for k in range(t):
        change = _before(rates, k) - rates[k] if k > warmup else 0.0
        moment = (1.0 - p["forget"]) * moment + change
        area += moment
    return p["L0"] + p["A"] * sum(rates[:t]) ** -p["alpha"] - p["C"] * area


def functional(p: Mapping[str, float], rates: Sequence[float], t: int, warmup: int) -> float:
    total = sum(rates[:t])
    loss = p["L0"] + p["A"] * total ** -p["s"]
    for k in range(t):
        then = sum(rates[:k])
        gain = 1.0 - (1.0 + p["C"] * (total - then)) ** -p["gamma"]
        size = p["B0"] + (p["B1"] * then ** -p["s"] if k > warmup else 0.0)
        loss -= (_before(rates, k) - rates[k]) * size * gain
    return loss
