"""What is measured along training, from the definitions: plain loops over lists of numbers."""

from __future__ import annotations

import math


def trace_of_covariance(vectors):
    """Trace of the covariance of a vector that is any of these with equal probability."""
    total = 0.0
    for i in range(len(vectors[0])):
        mean = sum(x[i] for x in vectors) / len(vectors)
        total += sum((x[i] - mean) ** 2 for x in vectors) / len(vectors)
    return total


def precondition(gradient, moments, rates, *, updates, beta2, eps):
    """P^(-1/2) g with P^-1 = eta0 / (sqrt(v / (1 - beta2^updates)) + eps)."""
    out = []
    for g, v, rate in zip(gradient, moments, rates, strict=True):
        corrected = v / (1 - beta2**updates)
        out.append(math.sqrt(rate / (math.sqrt(corrected) + eps)) * g)
    return out


def adapt(gradient, moments, rates, *, updates, beta2, eps):
    """The same after the moments have taken the gradient in."""
    after = [beta2 * v + (1 - beta2) * g * g for v, g in zip(moments, gradient, strict=True)]
    return precondition(gradient, after, rates, updates=updates + 1, beta2=beta2, eps=eps)


def norm_of_change(before, after):
    """Euclidean norm of the difference of two vectors."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(after, before, strict=True)))


def gaussian_regression_trace(matrix, target, theta, batch):
    """Tr Cov of the gradient of the mean over a batch of (z . (M theta - b))^2, z standard normal (Isserlis)."""
    away = [sum(m * w for m, w in zip(row, theta, strict=True)) - b for row, b in zip(matrix, target, strict=True)]
    trace = sum(m * m for row in matrix for m in row)
    mean = [sum(row[i] * a for row, a in zip(matrix, away, strict=True)) for i in range(len(theta))]
    return 4 * (sum(a * a for a in away) * trace + sum(x * x for x in mean)) / batch
