"""The transformer, its counts and a Markov chain's entropy from their definitions: plain loops."""

from __future__ import annotations

import math


def count_params(vocab, width, depth, mlp_width, learned_positions):
    """Parameters by group, one matrix after another."""
    counts = {"embedding": 0, "attention": 0, "mlp": 0, "head": 0}
    counts["embedding"] += vocab * width
    for _ in range(learned_positions):
        counts["embedding"] += width
    for _ in range(depth):
        for _query_key_value_output in range(4):
            counts["attention"] += width * width
        counts["mlp"] += width * mlp_width
        counts["mlp"] += mlp_width * width
    counts["head"] += width * vocab
    return counts


def count_score_flops(width, depth, seq_len):
    """Forward FLOPs of one sequence in the causal attention matrix and its product with the values."""
    flops = 0
    for _ in range(depth):
        for position in range(seq_len):
            for _key in range(position + 1):
                flops += 2 * width  # one dot product per head, over all heads `width` multiply-adds
                flops += 2 * width  # its weight times the value
    return flops


def _norm(x):
    scale = math.sqrt(sum(v * v for v in x) / len(x) + 1e-6)
    return [v / scale for v in x]


def _apply(matrix, x):
    return [sum(w * v for w, v in zip(row, x, strict=True)) for row in matrix]


def _rotate(x, position):
    half = len(x) // 2
    out = [0.0] * len(x)
    for i in range(half):
        angle = position * 10000.0 ** (-2 * i / len(x))
        out[i] = x[i] * math.cos(angle) - x[half + i] * math.sin(angle)
        out[half + i] = x[i] * math.sin(angle) + x[half + i] * math.cos(angle)
    return out


def _gelu(v):
    return 0.5 * v * (1 + math.erf(v / math.sqrt(2)))


def forward(weights, tokens, *, heads, positions, qk_norm, output_scale, note=lambda logits: None):
    """Logits of one sequence; `weights` holds nested lists under the names of the module's parameters.

    `note` is told the attention logits of every query.
    """
    stream = [list(weights["embedding.weight"][token]) for token in tokens]
    if positions == "learned":
        stream = [[a + b for a, b in zip(x, weights["positions.weight"][t], strict=True)] for t, x in enumerate(stream)]
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    width = len(stream[0])
    size = width // heads
    for block in range(depth):
        pre = f"blocks.{block}."
        both = [_apply(weights[pre + "attention.inputs.weight"], _norm(x)) for x in stream]
        mixed = [[0.0] * width for _ in stream]
        for head in range(heads):
            cut = slice(head * size, (head + 1) * size)
            q = [x[:width][cut] for x in both]
            k = [x[width : 2 * width][cut] for x in both]
            v = [x[2 * width :][cut] for x in both]
            if positions == "rotary":
                q = [_rotate(x, t) for t, x in enumerate(q)]
                k = [_rotate(x, t) for t, x in enumerate(k)]
            if qk_norm:
                q, k = [_norm(x) for x in q], [_norm(x) for x in k]
            for t in range(len(tokens)):
                logits = [sum(a * b for a, b in zip(q[t], k[s], strict=True)) / math.sqrt(size) for s in range(t + 1)]
                note(logits)
                top = max(logits)
                share = [math.exp(z - top) for z in logits]
                for i in range(size):
                    mixed[t][head * size + i] = sum(p * v[s][i] for s, p in enumerate(share)) / sum(share)
        for t, x in enumerate(mixed):
            out = _apply(weights[pre + "attention.output.weight"], x)
            stream[t] = [a + b for a, b in zip(stream[t], out, strict=True)]
        for t, x in enumerate(stream):
            hidden = [_gelu(h) for h in _apply(weights[pre + "mlp.inputs.weight"], _norm(x))]
            out = _apply(weights[pre + "mlp.output.weight"], hidden)
            stream[t] = [a + b for a, b in zip(x, out, strict=True)]
    return [[output_scale * z for z in _apply(weights["head.weight"], _norm(x))] for x in stream]


def cross_entropy(logits, targets):
    """Mean of -log softmax at the targets."""
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        total += math.log(sum(math.exp(z) for z in row)) - row[target]
    return total / len(targets)


def adamw(weight, gradients, rates, *, beta1, beta2, eps, weight_decay):
    """One weight under AdamW (arXiv 1711.05101, Algorithm 2), gradient after gradient."""
    m = v = 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        step = (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
        weight = weight - rate * weight_decay * weight - rate * step
    return weight


def markov_entropy(transition, stationary):
    """Entropy rate of a Markov chain in nats per token."""
    total = 0.0
    for p, row in zip(stationary, transition, strict=True):
        for q in row:
            if q > 0:
                total -= p * q * math.log(q)
    return total
