"""Collapse of loss curves from its definitions, with plain loops (Qiu et al. 2025, Eqs. 1 to 4)."""

from __future__ import annotations

import math


def mean(values):
    return sum(values) / len(values)


def spread(values, ddof):
    middle = mean(values)
    return math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - ddof))


def interpolate(x, xs, ys):
    """Straight line between the two points around x; NaN before the first."""
    if x < xs[0]:
        return math.nan
    for i in range(len(xs) - 1):
        if xs[i] <= x <= xs[i + 1]:
            share = (x - xs[i]) / (xs[i + 1] - xs[i])
            return ys[i] + share * (ys[i + 1] - ys[i])
    return ys[-1]


def normalised(curves, x, floor):
    """ell of every curve at every x; a curve is (t, loss) and its horizon its last t."""
    rows = []
    for t, loss in curves:
        share = [value / t[-1] for value in t]
        rows.append([(interpolate(place, share, loss) - floor) / (loss[-1] - floor) for place in x])
    return rows


def deviation(rows, ddof):
    """Spread over all runs of ell over its mean, at every x."""
    return [spread(column, ddof) / mean(column) for column in zip(*rows, strict=True)]


def noise(curves, sizes, x, floor, ddof):
    """Spread over the seeds of a size of L - floor over its mean, averaged over sizes of two seeds or more."""
    answers = []
    for place in x:
        by_size = []
        for size in sorted(set(sizes)):
            found = []
            for (t, loss), own in zip(curves, sizes, strict=True):
                if own == size:
                    found.append(interpolate(place * t[-1], t, loss) - floor)
            if len(found) > 1:
                by_size.append(spread(found, ddof) / mean(found))
        answers.append(mean(by_size))
    return answers


def onset(x, delta, sigma):
    last = None
    for place, d, s in zip(x, delta, sigma, strict=True):
        if not math.isnan(d) and not math.isnan(s) and d >= s:
            last = place
    if last is None:
        last = next(p for p, d, s in zip(x, delta, sigma, strict=True) if not (math.isnan(d) or math.isnan(s)))
    return 1.0 - last


def split_variance(rows, sizes):
    """Variance between sizes and within them at every x, every run counting once."""
    between, within = [], []
    for column in zip(*rows, strict=True):
        middle = mean(column)
        means = {size: mean([v for v, s in zip(column, sizes, strict=True) if s == size]) for size in set(sizes)}
        between.append(mean([(means[s] - middle) ** 2 for s in sizes]))
        within.append(mean([(v - means[s]) ** 2 for v, s in zip(column, sizes, strict=True)]))
    return between, within


def frontier_exponent(curves, sizes, budgets):
    """gamma from the best size at each clock x size, ends of the family dropped; every switch must be seen."""
    points = []
    best = []
    for budget in budgets:
        losses = [
            interpolate(budget / n, t, loss) if t[0] <= budget / n <= t[-1] else math.inf
            for (t, loss), n in zip(curves, sizes, strict=True)
        ]
        best.append(losses.index(min(losses)))
    for budget, k in zip(budgets, best, strict=True):
        if 0 < k < len(sizes) - 1:
            points.append((math.log(sizes[k]), math.log(budget)))
    mx, my = mean([p[0] for p in points]), mean([p[1] for p in points])
    slope = sum((a - mx) * (b - my) for a, b in points) / sum((a - mx) ** 2 for a, _ in points)
    return slope - 1.0
