"""What a design can tell, said before fitting; rows that a robust fit cannot explain, flagged and kept."""

from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.fitting.identifiability import check_design
from scalinglaws.fitting.outliers import outliers
from tests.fitting.conftest import TRUTH, ladder
from tests.naive import fitting as naive_fit
from tests.naive import uncertainty as naive


def grid(ratios: list[float]) -> dict[str, np.ndarray]:
    n = np.repeat(np.geomspace(1e7, 1e9, 6), len(ratios))
    return {"params": n, "tokens": n * np.tile(ratios, 6)}


def test_healthy_design() -> None:
    design = check_design(grid([5, 20, 80, 320]), at=TRUTH, flops=1e21)
    assert design.warnings == ()
    assert design.condition < 100
    assert design.collinear_power is None
    assert design.decades["params"] == pytest.approx(2)
    assert design.decades["tokens"] == pytest.approx(2 + np.log10(64))
    assert design.reach == pytest.approx(1e21 / (6 * 1e9 * 320e9))
    assert (design.rows, design.distinct) == (24, 24)


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize("power", [1.0, 0.7])
def test_collinear_designs_are_named(noise: float, power: float) -> None:
    """D = 20 N, and any other single power: N and D cannot be told apart, with losses or without."""
    n = np.geomspace(1e7, 1e9, 12)
    d = 20e8 * (n / 1e8) ** power
    loss = naive_fit.loss(TRUTH, n, d) * np.exp(noise * np.random.default_rng(0).standard_normal(12))
    for design in (
        check_design({"params": n, "tokens": d}, at=TRUTH),
        check_design({"params": n, "tokens": d, "loss": loss}),
    ):
        assert design.collinear_power == pytest.approx(power, abs=1e-6)
        assert design.condition > 1e3
        assert "collinear" in " ".join(design.warnings)
        assert design.unseen < 1e-4
        assert {"A", "B"} <= set(design.trading) or {"alpha", "A"} <= set(design.trading)


def test_direction_changes_no_loss() -> None:
    """Moving along the sloppiest direction changes the losses by as little as it says, and nothing else does less."""
    table = ladder(0.0)
    design = check_design(table)
    step = 0.05
    moved = {name: TRUTH[name] * np.exp(step * part) for name, part in design.sloppiest.items()}
    change = np.log(naive_fit.loss(moved, table.params, table.tokens) / table.loss)
    assert np.sqrt(np.mean(change**2)) == pytest.approx(step * design.unseen, rel=0.1)
    rng = np.random.default_rng(0)
    size = np.linalg.norm(list(design.sloppiest.values()))
    for _ in range(50):
        other = rng.standard_normal(5)
        other *= step * size / np.linalg.norm(other)
        moved = {name: TRUTH[name] * np.exp(v) for name, v in zip(TRUTH, other, strict=True)}
        change = np.log(naive_fit.loss(moved, table.params, table.tokens) / table.loss)
        assert np.sqrt(np.mean(change**2)) >= 0.9 * step * design.unseen
    assert all(name in design.direction() for name in design.trading)
    assert "trade off" in design.summary()


def test_narrow_alike_and_far() -> None:
    n = np.array([1.0e8, 1.0e8, 1.5e8, 1.5e8, 2e8, 2e8, 3e8, 3e8])
    design = check_design({"params": n, "tokens": n * np.tile([20.0, 30.0], 4)}, at=TRUTH, flops=1e24)
    words = " ".join(design.warnings)
    assert "N spans 0.48 decades" in words
    assert "Tokens per parameter vary by a factor of 1.5" in words
    assert "times the largest compute of the table" in words


def test_too_few_rows_are_a_finding() -> None:
    design = check_design({"params": [1e7, 1e8, 1e9], "tokens": [1e9, 1e10, 1e11]}, at=TRUTH)
    assert design.condition == np.inf
    assert "needs 6 or more" in design.warnings[0]
    assert design.direction() == ""
    assert design.to_dict()["condition"] is None


def test_other_laws() -> None:
    tied = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35}
    design = check_design(grid([5, 20, 80]), law="tied", at=tied)
    assert design.law == "tied"
    assert set(design.sloppiest) == set(tied)


@pytest.mark.parametrize(
    ("data", "options", "word"),
    [
        ({"params": [1e7], "tokens": [1e9]}, {}, "expected parameters"),
        (grid([5, 20]), {"at": {"E": 1.8}}, "must hold A"),
        (grid([5, 20]), {"at": TRUTH | {"A": -1.0}}, "positive"),
        (grid([5, 20]), {"at": TRUTH, "flops": [1e21, 1e22]}, "one number"),
        (grid([5, 20]), {"at": TRUTH, "law": "kepler"}, "chinchilla"),
        ({"params": [1e7, "x"], "tokens": [1e9, 1e9]}, {"at": TRUTH}, "number"),
    ],
)
def test_wrong_questions(data: object, options: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        check_design(data, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ["huber", "l1", "log-l2", "l2"])
def test_the_five_points_of_besiroglu_are_flagged(epoch245: Table, estimator: str) -> None:
    """The highest five losses, which the paper excluded, stand out from a robust fit whatever was fitted."""
    fitted = fit(epoch245, estimator=estimator)
    found = fitted.outliers()
    assert found.flags[np.argsort(epoch245.loss)[-5:]].all()
    assert found.flags.sum() < 15
    assert fitted.table.rows == 245
    assert "none was left out" in found.summary()


def test_rule_by_hand() -> None:
    table = ladder(0.003, seed=4)
    loss = table.loss.copy()
    loss[[3, 9]] *= [1.05, 0.95]
    fitted = fit(Table(params=table.params, tokens=table.tokens, loss=loss))
    for threshold in (3.5, 2.0, 1.0):
        expected = naive.flagged((-fitted.residuals()).tolist(), threshold)
        assert np.flatnonzero(outliers(fitted, threshold).flags).tolist() == expected
    found = outliers(fitted)
    assert set(found.to_dict()["flagged"]) == {"3", "9"}
    assert found.score[3] > 0 > found.score[9]


def test_exact_losses_have_no_outliers() -> None:
    found = outliers(fit(ladder(0.0)))
    assert not found.flags.any()
    assert "No row" in found.summary()
    with pytest.raises(InputError, match="positive"):
        outliers(fit(ladder(0.0)), 0.0)
