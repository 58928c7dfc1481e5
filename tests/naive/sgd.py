"""Slow oracles for one-pass SGD on Gaussian data, from the definitions; imports nothing from the package."""

import numpy as np


def expected_risk(eigenvalues, rho, irreducible, rates, batches, steps):
    """E P(t) at `steps` from the second moments m_i = E rho_i^2 (gradient summed over the batch).

    m <- m (1 - 2 lr B lambda + lr^2 B(B+1) lambda^2) + lr^2 B lambda^2 P.
    """
    m = [float(r) ** 2 for r in rho]
    wanted, out = set(steps), []
    for t in range(max(steps) + 1):
        risk = sum(m) + irreducible
        if t in wanted:
            out.append(risk)
        if t < max(steps):
            lr, batch = rates[t], batches[t]
            for i, lam in enumerate(eigenvalues):
                gain = 1 - 2 * lr * batch * lam + lr**2 * batch * (batch + 1) * lam**2
                m[i] = gain * m[i] + lr**2 * batch * lam**2 * risk
    return np.array(out)


def expected_risk_from_features(w, alpha, beta, rates, batches, steps):
    """E P(t) from W itself: the whole matrix E (theta - theta*)(theta - theta*)^T, no eigenbasis.

    E X^T X A X^T X = B(B+1) K A K + B tr(K A) K for B Gaussian rows with covariance K, A symmetric.
    """
    j = np.arange(1.0, w.shape[0] + 1)
    root = j**-alpha
    features, target = root[:, None] * w, root * j**-beta
    k = features.T @ features
    best, *_ = np.linalg.lstsq(features, target, rcond=None)
    floor = float(np.sum((features @ best - target) ** 2))
    second, out = np.outer(best, best), []
    for t in range(max(steps) + 1):
        excess = float(np.trace(k @ second))
        if t in steps:
            out.append(excess + floor)
        if t < max(steps):
            lr, b = rates[t], batches[t]
            drift = lr * b * (k @ second + second @ k)
            second = second - drift + lr**2 * (b * (b + 1) * k @ second @ k + b * (excess + floor) * k)
    return np.array(out)


def minibatch_sum(rho, irreducible, batch, rng):
    """Sum over a batch of e_i w_i, every sample drawn: w_i ~ N(0, I_d) and e_i = w_i . rho + noise."""
    total = np.zeros(len(rho))
    for _ in range(batch):
        w = rng.standard_normal(len(rho))
        total += (w @ rho + np.sqrt(irreducible) * rng.standard_normal()) * w
    return total


def minibatch_moments(rho, irreducible, batch):
    """Mean and covariance of `minibatch_sum`: B rho and B (P I + rho rho^T), by Isserlis' theorem."""
    risk = float(rho @ rho) + irreducible
    return batch * rho, batch * (risk * np.eye(len(rho)) + np.outer(rho, rho))


def philox4x32(counter, key):
    """Philox4x32-10 on Python integers (Salmon et al., SC'11)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c
