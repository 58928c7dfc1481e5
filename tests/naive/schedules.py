"""Schedules from their definitions, one step at a time."""

import math


def rate_by_hand(name, t, *, peak, steps, warmup, floor):
    if t < warmup:
        return peak * (t + 1) / warmup
    x = min((t - warmup) / (steps - warmup), 1.0)
    if name == "constant":
        return peak
    if name == "linear":
        shape = 1 - x
    elif name == "cosine":
        shape = (1 + math.cos(math.pi * x)) / 2
    elif x <= 0.7:
        shape = 1.0
    else:
        done = (x - 0.7) / 0.3
        shape = 1 - done if name == "wsd" else 1 - math.sqrt(min(done, 1.0))
    return peak * (floor + (1 - floor) * max(shape, 0.0))
