"""Schedules from their definitions, one step at a time."""

import math


def _decayed(name, x):
    """Rate over peak after the fraction x of the run."""
    if name == "constant":
        return 1.0
    if name == "linear":
        return 1 - x
    if name == "sqrt":
        return 1 - math.sqrt(x)
    if name == "cosine":
        return (1 + math.cos(math.pi * x)) / 2
    if name == "multicosine":
        return (1 + math.cos(3 * math.pi * x)) / 2
    if name == "quadratic":
        return (1 - x) * (1 + x)
    if name == "power":
        return (1 - x) ** 1.5
    if name == "exponential":
        return math.exp(x * math.log(0.05))
    raise AssertionError(name)


def rate_by_hand(name, t, *, peak, steps, warmup, floor):
    """`name` is a shape, or "wsd-" and the shape of a cooldown over the last 30 percent."""
    if t < warmup:
        return peak * (t + 1) / warmup
    x = min((t - warmup) / (steps - warmup), 1.0)
    if name.startswith("wsd-"):
        shape = 1.0 if x <= 0.7 else _decayed(name.removeprefix("wsd-"), min((x - 0.7) / 0.3, 1.0))
    elif name == "eight_one_one":
        shape = 1.0 if x < 0.8 else (1 / math.sqrt(10) if x < 0.9 else 0.1)
    else:
        shape = _decayed(name, x)
    return peak * (floor + (1 - floor) * max(shape, 0.0))
