"""The noise model by its definitions, in plain loops: slow oracles that import nothing from the package."""

from __future__ import annotations

import math


def between(x: float, xs: list[float], ys: list[float]) -> float:
    """Linear interpolation; xs increase."""
    if x <= xs[0]:
        return ys[0]
    for i in range(1, len(xs)):
        if x <= xs[i]:
            return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])
    return ys[-1]


def times(rates: list[float]) -> list[float]:
    """Gradient-flow time after 0, 1, ... updates."""
    out = [0.0]
    for rate in rates:
        out.append(out[-1] + rate)
    return out


def pooled_alpha(reference: dict, targets: list[dict], model: str) -> tuple[float, float]:
    """Return alpha and the mean over targets of the mean relative error.

    A run is a dict of `rates` of every update, and `step`, `loss`, `trace` of its records; the reference never falls.
    """
    base = times(reference["rates"])
    tau = [base[s] for s in reference["step"]]
    peak = max(reference["rates"])
    rows = []
    for target in targets:
        clock, fallen = times(target["rates"]), False
        for step, loss, trace in zip(target["step"], target["loss"], target["trace"], strict=True):
            rate = target["rates"][step - 1] / peak
            fallen = fallen or rate < 0.99
            if not fallen:
                continue
            at = clock[step]
            x = (rate - 1.0) * trace
            if model == "eq15":
                x = rate * trace - between(at, tau, reference["trace"])
            if model == "constant":
                x = rate - 1.0
            rows.append((id(target), x, loss - between(at, tau, reference["loss"]), loss))
    alpha = sum(x * y for _, x, y, _ in rows) / sum(x * x for _, x, _, _ in rows)
    means = []
    for target in targets:
        errors = [abs(y - alpha * x) / loss for who, x, y, loss in rows if who == id(target)]
        means.append(sum(errors) / len(errors))
    return alpha, sum(means) / len(means)


def aged(rates: list[float], falls: list[float], pace: float, parts: int = 200) -> float:
    """Integrate dx / d ln tau = c (f - x) through every update by small implicit steps in tau."""
    x, tau = 0.0, 0.0
    for rate, fall in zip(rates, falls, strict=True):
        for _ in range(parts):
            move = rate / parts
            if move == 0.0:
                break
            grown = pace * move / (tau + move)
            x = (x + grown * fall) / (1.0 + grown)
            tau += move
    return x


def least_squares_sgd(
    spectrum: list[float], start: list[float], label: float, rates: list[float], batch: int, records: list[int]
) -> list[tuple[float, float]]:
    """Exact expected loss (half the risk) and trace of the mini-batch gradient covariance of SGD on Gaussian data.

    `start` are the expected squares of the residual in the eigenbasis, which add up to the risk without the label's
    noise; `rates` are those of the mean gradient of a batch.
    """
    m, out = list(start), []
    for t in range(max(records) + 1):
        risk = sum(m) + label
        if t in records:
            trace = risk * sum(spectrum) + sum(a * b for a, b in zip(spectrum, m, strict=True))
            out.append((0.5 * risk, trace / batch))
        if t == max(records):
            break
        g = rates[t] / batch
        m = [
            v * (1 - 2 * g * batch * h + g * g * batch * (batch + 1) * h * h) + g * g * batch * h * h * risk
            for v, h in zip(m, spectrum, strict=True)
        ]
    return out


def ageing_law(params: dict[str, float], rates: list[float], warmup: int, pace: float) -> float:
    """Loss after all updates by the ageing-noise law, one rate change at a time."""
    clock, peak = times(rates), max(rates)
    total = clock[-1]
    fall = answer = 0.0
    for k in range(1, len(rates)):
        if k <= warmup:
            continue
        drop = (rates[k - 1] - rates[k]) / peak
        fall += drop
        answer += drop * (1.0 - (clock[k] / total) ** pace)
    power = total ** -params["s"]
    removed = fall * math.exp(params["p"] * answer)
    return params["L0"] + params["A"] * power - (params["B0"] + params["B1"] * power) * removed
