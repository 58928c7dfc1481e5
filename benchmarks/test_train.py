"""Training throughput beside a plain hand-written loop of the same model, and what measurements cost.

Run with `pytest benchmarks/test_train.py --benchmark-enable --benchmark-only --benchmark-json=out.json`;
the ratios are in its `extra_info`. One core: OMP_NUM_THREADS=1.

Both loops alternate in one process, and the ratio is that of the medians over the rounds, so that a slow phase of a
shared machine meets both. The plain loop knows nothing of the package but the numbers: blocks, optimizer, batches and
clipping are written out here as one would in a script.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from scalinglaws.training import TrainConfig, load_corpus, train

WIDTHS = (64, 256)
UPDATES, BATCH, LENGTH, DEPTH, HEAD = 40, 8, 128, 3, 16


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(functional.rms_norm(x, (c,))).view(b, t, 3, c // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        q, k = (torch.cat((p * cos - r * sin, p * sin + r * cos), -1) for p, r in (q.chunk(2, -1), k.chunk(2, -1)))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(functional.gelu(self.up(functional.rms_norm(x, (c,)))))


class Plain(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(256, width), nn.Linear(width, 256, bias=False)
        self.blocks = nn.ModuleList(Block(width) for _ in range(DEPTH))
        angle = torch.outer(torch.arange(LENGTH), 10_000.0 ** (-torch.arange(0, HEAD, 2) / HEAD))
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.head(functional.rms_norm(x, (x.shape[-1],)))


def plain_loop(width: int, tokens: np.ndarray) -> float:
    """Seconds of the updates of a hand-written script."""
    torch.manual_seed(0)
    model = Plain(width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    order = np.random.default_rng(0).permutation((len(tokens) - 1) // LENGTH)
    begin = time.perf_counter()
    for step in range(UPDATES):
        rows = [tokens[w * LENGTH : (w + 1) * LENGTH + 1] for w in order[step * BATCH : (step + 1) * BATCH]]
        batch = torch.from_numpy(np.stack(rows).astype(np.int64))
        loss = functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        _ = loss.item()  # every script logs its loss
    return time.perf_counter() - begin


def config(width: int, **values: Any) -> TrainConfig:
    own = {"width": width, "depth": DEPTH, "batch": BATCH, "seq_len": LENGTH, "tokens": UPDATES * BATCH * LENGTH}
    few = {"eval_tokens": LENGTH, "eval_linear": 1, "eval_log": 0}
    return TrainConfig(**{**own, **few, **values})


def our_loop(width: int) -> float:
    """Seconds of the whole run but for evaluations: reports, checkpoints' clock and batches included."""
    begin = time.perf_counter()
    ds = train(config(width))
    return time.perf_counter() - begin - float(ds.evaluation_seconds[0])


@pytest.mark.parametrize("width", WIDTHS)
def test_throughput_against_a_plain_loop(benchmark: Any, width: int) -> None:
    torch.set_num_threads(1)
    tokens = load_corpus("python-stdlib").train
    ours: list[float] = []
    plain: list[float] = []

    def both() -> None:
        plain.append(plain_loop(width, tokens))
        ours.append(our_loop(width))

    benchmark.pedantic(both, rounds=3, warmup_rounds=1)
    benchmark.extra_info["throughput_over_plain"] = median(plain[1:]) / median(ours[1:])


DEMO = {"batch": 4, "eval_tokens": 32_768, "eval_linear": 6, "eval_log": 5}
RUNS = {
    "demo, shortest": {"width": 32, "tokens": 250_000, **DEMO},
    "demo, largest": {"width": 128, "tokens": 1_500_000, **DEMO},
    "default, width 64": {"width": 64, "batch": 4, "tokens": 2_000_000, "eval_tokens": 65_536, "eval_linear": 10,
                          "eval_log": 6},
}  # fmt: skip


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", RUNS)
def test_cost_of_measurements(benchmark: Any, name: str, every: int) -> None:
    run = TrainConfig(measure_batches=8, measure_every=every, **RUNS[name])
    once: Callable[[], Any] = lambda: train(run)  # noqa: E731
    ds = benchmark.pedantic(once, rounds=1)
    spent = {kind: float(ds[f"{kind}_seconds"][0]) for kind in ("update", "evaluation", "measurement")}
    share = spent["measurement"] / (spent["update"] + spent["evaluation"])
    benchmark.extra_info.update(spent, cost=share)
