from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scalinglaws.fitting import Table
from scalinglaws.fitting.laws import find_law

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.348, "beta": 0.366}


def ladder(noise: float = 0.0, seed: int = 0, truth: dict[str, float] = TRUTH) -> Table:
    """Five sizes by three horizons."""
    n = np.repeat(np.geomspace(1e6, 1e8, 5), 3)
    d = n * np.tile([5.0, 20.0, 80.0], 5)
    clean = truth["E"] + truth["A"] / n ** truth["alpha"] + truth["B"] / d ** truth["beta"]
    return Table(params=n, tokens=d, loss=clean * np.exp(noise * np.random.default_rng(seed).standard_normal(15)))


@pytest.fixture(scope="session")
def epoch245() -> Table:
    """Besiroglu et al. (2024), arXiv 2404.10102: all points read off Hoffmann et al.'s figure 4."""
    path = Path(__file__).parents[2] / ".." / "shared" / "data" / "besiroglu2024" / "svg_extracted_data.csv"
    if not path.exists():
        pytest.skip("the data of Besiroglu et al. are not beside the checkout")
    columns = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8", comments=None)
    n, c = columns["Model_Size"].astype(float), columns["Training_FLOP"].astype(float)
    return Table(params=n, tokens=c / (6 * n), loss=columns["loss"], flops=c)


@pytest.fixture(scope="session")
def epoch240(epoch245: Table) -> Table:
    """Without the five highest losses, as the paper."""
    return epoch245.take(epoch245.loss < np.sort(epoch245.loss)[-5])


def second_metric() -> Table:
    """A ladder whose error rates follow 0.87 - 2 exp(-0.7 L), with noise."""
    table = ladder()
    errors = (0.87 - 2.0 * np.exp(-0.7 * table.loss)) * np.exp(0.002 * np.random.default_rng(4).standard_normal(15))
    return Table(params=table.params, tokens=table.tokens, loss=table.loss, extra={"error": errors})


def seen_twice() -> Table:
    """60 runs over up to 30 epochs that follow the data-constrained law, with noise."""
    truth = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353, "beta": 0.353, "R_D": 15.4, "R_N": 5.3}
    rng = np.random.default_rng(3)
    n, unique = 10 ** rng.uniform(7, 10, 60), 10 ** rng.uniform(8, 10, 60)
    d = unique * 10 ** rng.uniform(0, 1.5, 60)
    loss = find_law("repetition").predict(truth, n, d, unique_tokens=unique) * np.exp(0.003 * rng.standard_normal(60))
    return Table(params=n, tokens=d, loss=loss, extra={"unique_tokens": unique})
