from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scalinglaws.fitting import Table

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
