"""Slow oracles for the regression tasks, from the definitions; imports nothing from the package."""

import math


def fourier_series(x, frequencies, phases, weights):
    """Sum of w sqrt(2) cos(2 pi k.x + b) at one point."""
    total = 0.0
    for k, b, w in zip(frequencies, phases, weights, strict=True):
        total += w * math.sqrt(2) * math.cos(2 * math.pi * sum(a * c for a, c in zip(k, x, strict=True)) + b)
    return total


def fourier_power(frequencies, phases, weights):
    """E phi(x)^2 for x uniform on the unit cube, exact: terms of the same frequency up to sign interfere.

    The coefficient of exp(2 pi i k.x) is the sum of w exp(i b)/sqrt(2) over terms at k and its conjugate over
    terms at -k; by Parseval the power is the sum of squared coefficients.
    """
    coefficients = {}
    for k, b, w in zip(frequencies, phases, weights, strict=True):
        key = tuple(int(c) for c in k)
        for sign in (1, -1):
            at = tuple(sign * c for c in key)
            value = w / math.sqrt(2) * complex(math.cos(b), sign * math.sin(b))
            coefficients[at] = coefficients.get(at, 0) + value
    return sum(abs(c) ** 2 for c in coefficients.values())


def mlp(weights, x, output_scale):
    """Prediction of the residual MLP for one input, by loops over its state dict as nested lists."""
    h = [
        sum(a * c for a, c in zip(row, x, strict=True)) + bias
        for row, bias in zip(weights["embedding.weight"], weights["embedding.bias"], strict=True)
    ]
    block = 0
    while f"blocks.{block}.weight" in weights:
        hidden = [z * (1 + math.erf(z / math.sqrt(2))) / 2 for z in _norm(h)]
        out = [sum(a * c for a, c in zip(row, hidden, strict=True)) for row in weights[f"blocks.{block}.weight"]]
        h = [a + c for a, c in zip(h, out, strict=True)]
        block += 1
    return output_scale * sum(a * c for a, c in zip(weights["head.weight"][0], _norm(h), strict=True))


def _norm(x):
    size = math.sqrt(sum(z * z for z in x) / len(x) + 1e-6)
    return [z / size for z in x]


def plrf_sgd(w, alpha, beta, samples, rates):
    """Risk before every update and after the last, of SGD on the power-law random-feature model.

    `samples` holds for each update a list of (z, noise): x_j = j^-alpha z_j, features W^T x, and target
    sum_j j^-beta x_j - noise. The update is theta - rate * sum of features * (prediction - target).
    """
    v, d = len(w), len(w[0])
    theta = [0.0] * d
    risks = [_risk(w, alpha, beta, theta)]
    for batch, rate in zip(samples, rates, strict=True):
        step = [0.0] * d
        for z, noise in batch:
            x = [(j + 1) ** -alpha * z[j] for j in range(v)]
            features = [sum(w[j][i] * x[j] for j in range(v)) for i in range(d)]
            target = sum((j + 1) ** -beta * x[j] for j in range(v)) - noise
            residual = sum(a * c for a, c in zip(features, theta, strict=True)) - target
            for i in range(d):
                step[i] += residual * features[i]
        theta = [a - rate * c for a, c in zip(theta, step, strict=True)]
        risks.append(_risk(w, alpha, beta, theta))
    return risks


def _risk(w, alpha, beta, theta):
    total = 0.0
    for j, row in enumerate(w, start=1):
        gap = sum(a * c for a, c in zip(row, theta, strict=True)) - j**-beta
        total += j ** (-2 * alpha) * gap**2
    return total
