from __future__ import annotations

import numpy as np
import pytest
import torch

from scalinglaws.training import TrainConfig, plan
from scalinglaws.training.loop import update
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.sharpness import sharpness, top_eigenvalue
from scalinglaws.training.state import start
from scalinglaws.training.tasks import task_of


def symmetric(seed, size=60):
    matrix = torch.from_numpy(np.random.default_rng(seed).normal(size=(size, size)))
    return matrix + matrix.T


@pytest.mark.parametrize("seed", range(5))
def test_random_matrices(seed):
    matrix = symmetric(seed)
    expected = torch.linalg.eigvalsh(matrix)[-1].item()
    found = top_eigenvalue(lambda x: matrix @ x, torch.ones(60, dtype=torch.float64))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shift", [-100.0, 100.0])
def test_largest_not_largest_in_size(shift):
    matrix = symmetric(7) + shift * torch.eye(60, dtype=torch.float64)
    expected = torch.linalg.eigvalsh(matrix)[-1].item()
    found = top_eigenvalue(lambda x: matrix @ x, torch.ones(60, dtype=torch.float64))
    assert found == pytest.approx(expected, rel=1e-6)


def test_repeated_eigenvalue_and_zero_matrix():
    ones = torch.linspace(1, 2, 9, dtype=torch.float64)
    assert top_eigenvalue(lambda x: 3.0 * x, ones) == pytest.approx(3.0, rel=1e-12)
    assert top_eigenvalue(lambda x: 0.0 * x, ones) == 0.0


def test_what_has_not_converged_is_not_a_number():
    matrix, ones = symmetric(1), torch.ones(60, dtype=torch.float64)
    assert np.isnan(top_eigenvalue(lambda x: matrix @ x, ones, most=3))
    assert np.isnan(top_eigenvalue(lambda x: x * torch.nan, ones))


def dense(model, batch):
    """Largest eigenvalue of the Hessian formed whole, by central differences of the gradient in double precision."""
    model.double()
    weights = list(model.parameters())

    def slope():
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(model.loss(*batch), weights)])

    columns, h = [], 1e-5
    entries = [(p.detach().reshape(-1), i) for p in weights for i in range(p.numel())]
    for vector, i in entries:
        there = vector[i].item()
        ends = []
        for side in (h, -h):
            vector[i] = there + side
            ends.append(slope())
        vector[i] = there
        columns.append((ends[0] - ends[1]) / (2 * h))
    matrix = torch.stack(columns)
    assert torch.allclose(matrix, matrix.T, atol=1e-7)
    return torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1].item()


CASES = {
    "language": {"width": 8, "head_dim": 4, "depth": 1, "mlp_ratio": 1, "seq_len": 8, "batch": 2, "vocab": 8},
    "learned": {"width": 8, "head_dim": 4, "depth": 2, "mlp_ratio": 1, "seq_len": 4, "positions": "learned",
                "qk_norm": True, "parameterization": "standard", "vocab": 8},
    "fourier": {"task": "fourier", "width": 8, "depth": 2, "batch": 16, "task_options": {"modes": 9}},
    "plrf": {"task": "plrf", "width": 7, "batch": 3},
}  # fmt: skip


@pytest.mark.parametrize("updates", [0, 5])
@pytest.mark.parametrize("case", CASES)
def test_against_the_dense_hessian(case, updates, token_file):
    values = {"peak_lr": 0.02, "warmup": 0.0, **CASES[case]}
    if "task" not in values:
        values["corpus"] = str(token_file)
    values["tokens"] = 6 * values.get("batch", 4) * values.get("seq_len", 1)
    config = TrainConfig.from_dict(values)
    task = task_of(config)
    data = task.load(config)
    todo = plan(config, data)
    state, batches = start(config, todo), task.batches(config, data)
    for step in range(updates):
        set_rate(state.optimizer, float(todo.schedule(step)))
        update(state, *batches(step), clip=config.clip)
    before = [p.detach().clone() for p in state.model.parameters()]
    inputs, targets = batches(updates)
    found = sharpness(state.model, inputs, targets)
    assert all(torch.equal(p, b) for p, b in zip(state.model.parameters(), before, strict=True))
    batch = (inputs.double(), targets.double()) if inputs.is_floating_point() else (inputs, targets)
    assert found == pytest.approx(dense(state.model, batch), rel=1e-6)
    assert found > 0
