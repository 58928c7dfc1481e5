import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.models import PLRF
from scalinglaws.optimizers import SGD
from scalinglaws.theory.solve import solve
from scalinglaws.theory.stability import critical_lr
from tests.theory.cases import PHASES, power_law

PUBLISHED = [
    ((1, 100), 1, 0.611809260349),
    ((1, 100), 8, 0.198459172667),
    ((0.7, 200), 4, 0.309340047064),
    ((0.4, 200), 1, 0.190841438147),
    ((0.4, 200), 64, 0.0302129873014),
]


@pytest.mark.parametrize(("case", "batch", "critical"), PUBLISHED)
def test_published_thresholds_and_behaviour_on_either_side(
    case: tuple[float, int], batch: int, critical: float
) -> None:
    model = power_law(case[0], 0.7, case[1])
    found = critical_lr(model, batch)
    assert found == pytest.approx(critical, rel=1e-9)
    stable = solve(model, SGD(0.99 * found, batch), [3000, 6000])
    assert stable["status"].item() == "finished"
    assert stable["risk"].values[1] < stable["risk"].values[0]
    unstable = solve(model, SGD(1.01 * found, batch), [100, 10**4, 10**5])
    assert unstable["status"].item() == "diverged"
    assert unstable["risk"].values[1] > unstable["risk"].values[0]
    assert "critical rate" in unstable.attrs["reason"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("batch", [1, 8, 512])
def test_both_conditions_hold_with_one_at_equality(phase: str, batch: int) -> None:
    model = PLRF(*PHASES[phase], d=200)
    eigenvalues = model.instance(0).eigenvalues
    lr = critical_lr(model, batch, method="instance", rng=0)
    norm = np.sum(lr * eigenvalues / (2 - lr * (batch + 1) * eigenvalues))
    assert norm == pytest.approx(1.0, rel=1e-9)
    assert lr * (batch + 1) * eigenvalues[0] < 2


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("batch", [1, 8, 512])
def test_limit_is_the_average_over_features(phase: str, batch: int) -> None:
    """Up to the width 2 / sqrt(d) of the band into which the limit spreads the top eigenvalue."""
    model = PLRF(*PHASES[phase], d=150)
    draws = np.array([critical_lr(model, batch, method="instance", rng=i) for i in range(8)])
    spread = draws.std(ddof=1)
    assert (
        abs(draws.mean() - critical_lr(model, batch)) < 4 * spread / np.sqrt(8) + 2.5 / np.sqrt(model.d) * draws.mean()
    )


@pytest.mark.parametrize(
    ("alpha", "v", "d", "mean", "spread", "limit"),
    [
        (1, 400, 100, 0.3163, 0.05, 0.3234239153),
        (0.7, 800, 200, 0.2693, 0.01, 0.2720942828),
        (0.4, 800, 200, 0.2514, 0.002, 0.2519879149),
    ],
)
def test_empirical_kernel_norm(alpha: float, v: int, d: int, mean: float, spread: float, limit: float) -> None:
    model = PLRF(alpha=alpha, beta=0.7, d=d, v=v)
    lr = 0.5 / model.trace
    draws = []
    for i in range(20):
        eigenvalues = model.instance(i).eigenvalues
        draws.append(float(np.sum(lr * eigenvalues / (2 - 2 * lr * eigenvalues))))
    assert np.mean(draws) == pytest.approx(mean, abs=4 * spread / np.sqrt(20) + 4 * spread / np.sqrt(40))
    assert np.mean(draws) == pytest.approx(limit, abs=4 * spread / np.sqrt(20) + 0.02 * limit)


def test_limit_threshold_is_sharp() -> None:
    model = PLRF(alpha=0.4, beta=1.0, d=10**6)
    lr = critical_lr(model, 4)
    for factor, status in ((0.999, "finished"), (1.001, "diverged")):
        assert solve(model, SGD(factor * lr, 4), [10])["status"].item() == status


def test_top_mode_alone_sets_the_threshold_of_large_batches() -> None:
    """Full-batch limit: lr B lambda_max < 2."""
    model = PLRF(alpha=1.0, beta=0.7, d=400)
    batch = 10**7
    top = model.instance(0).eigenvalues[0]
    assert critical_lr(model, batch, method="instance", rng=0) * batch * top == pytest.approx(2.0, rel=1e-5)


def test_refusals() -> None:
    model = PLRF(alpha=1.0, beta=0.7, d=10)
    with pytest.raises(InputError, match=r"batch = 1\.5: must be an integer >= 1"):
        critical_lr(model, 1.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="method = 'sample': must be one of deterministic, instance"):
        critical_lr(model, 1, method="sample")
