from __future__ import annotations

import numpy as np
import pytest
import torch

from scalinglaws.curves.schema import TIMINGS
from scalinglaws.training import TrainConfig

VOCAB = 8


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)  # tests share the machine with one another


def markov_chain():
    """Transition matrix of a chain on 8 tokens that favours two successors of each, and its stationary law."""
    transition = np.full((VOCAB, VOCAB), 0.02)
    for token in range(VOCAB):
        transition[token, (3 * token + 1) % VOCAB] += 0.6
        transition[token, (5 * token + 2) % VOCAB] += 0.24
    law = np.full(VOCAB, 1 / VOCAB)
    for _ in range(1000):
        law = law @ transition
    return transition, law


@pytest.fixture(scope="session")
def token_file(tmp_path_factory):
    """A long sample of the chain as a raw uint16 file."""
    transition, _ = markov_chain()
    rng = np.random.default_rng(5)
    cumulative = transition.cumsum(axis=1)
    tokens = np.zeros(400_000, dtype=np.uint16)
    uniform = rng.random(tokens.size)
    for t in range(1, tokens.size):
        tokens[t] = min(np.searchsorted(cumulative[tokens[t - 1]], uniform[t]), VOCAB - 1)
    path = tmp_path_factory.mktemp("corpus") / "chain.bin"
    tokens.tofile(path)
    return path


@pytest.fixture
def tiny(token_file):
    """A run of 24 updates that takes a fraction of a second."""
    return TrainConfig(
        name="tiny",
        corpus=str(token_file),
        width=16,
        head_dim=8,
        depth=2,
        seq_len=16,
        batch=4,
        peak_lr=0.01,
        tokens=24 * 64,
        eval_tokens=512,
        eval_linear=6,
        eval_log=4,
    )


def untimed(ds):
    """A family without what differs when the same runs are done again: how fast they went."""
    return ds.drop_vars(TIMINGS, errors="ignore")
