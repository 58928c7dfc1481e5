"""Fit below, predict above: published errors, the arithmetic, and what cannot be judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.fitting import Table, fit
from scalinglaws.prediction.rolling import rolling_origin
from tests.fitting.conftest import epoch240, epoch245, ladder  # noqa: F401


@pytest.mark.parametrize(
    ("estimator", "origin", "rows", "mape", "bias"),
    [
        ("huber", 1e21, 217, 1.051, -0.017),
        ("huber", 1e20, 136, 0.890, None),
        ("l2", 1e21, 217, 1.291, 0.555),
        ("l2", 1e20, 136, 1.156, None),
    ],
)
def test_besiroglu(
    epoch240: Table,  # noqa: F811
    estimator: str,
    origin: float,
    rows: int,
    mape: float,
    bias: float | None,
) -> None:
    (judged,) = rolling_origin(epoch240, origin, estimator=estimator, replicates=0).origins
    assert (judged.rows, len(judged.names)) == (rows, 240 - rows)
    assert judged.mape == pytest.approx(mape, abs=6e-4)
    if bias is not None:
        assert judged.bias == pytest.approx(bias, abs=6e-4)
    assert np.isnan(judged.coverage)


def test_each_row_by_hand() -> None:
    table = ladder(0.003)
    rolled = rolling_origin(table, [2e16, 1e17], replicates=100, rng=1)
    for origin in rolled.origins:
        below = table.flops < origin.flops
        fitted = fit(table.take(below))
        assert origin.rows == below.sum()
        assert origin.names == tuple(table.run[~below])
        assert origin.predicted == pytest.approx(fitted.predict(table.params[~below], table.tokens[~below]))
        errors = [p / m - 1 for p, m in zip(origin.predicted, table.loss[~below], strict=True)]
        assert origin.mape == pytest.approx(100 * sum(abs(e) for e in errors) / len(errors))
        assert origin.bias == pytest.approx(100 * sum(errors) / len(errors))
        assert (origin.low < origin.predicted).all()
        assert (origin.predicted < origin.high).all()
        inside = [a <= m <= b for a, m, b in zip(origin.low, origin.measured, origin.high, strict=True)]
        assert origin.covered.tolist() == inside
        assert origin.coverage == pytest.approx(sum(inside) / len(inside))
        assert origin.reach == pytest.approx(table.flops.max() / origin.flops)


def test_table_and_json() -> None:
    rolled = rolling_origin(ladder(0.003), [2e16, 1e17], replicates=50)
    frame = rolled.to_frame()
    assert list(frame.columns)[:3] == ["origin", "rows", "run"]
    assert len(frame) == sum(len(origin.names) for origin in rolled.origins)
    assert {"predicted", "measured", "error", "low", "high", "covered"} <= set(frame.columns)
    again = json.loads(json.dumps(rolled.to_dict()))
    assert again["origins"][0]["mape"] == pytest.approx(rolled.origins[0].mape)
    bare = rolling_origin(ladder(0.003), 2e16, replicates=0).to_dict()["origins"][0]
    assert bare["low"] is bare["covered"] is bare["coverage"] is None
    assert "mean error" in rolled.summary()


def test_default_origins_and_skipped_ones() -> None:
    rolled = rolling_origin(ladder(0.003), replicates=0)
    assert 1 <= len(rolled.origins) <= 4
    some = rolling_origin(ladder(0.003), [1.0, 1e14, 2e16, 1e30], replicates=0)
    assert [origin.flops for origin in some.origins] == [2e16]
    assert len(some.skipped) == 3
    assert "leaves nothing to fit" in some.skipped[0]
    assert "needs 6 or more" in some.skipped[1]
    assert "leaves nothing to predict" in some.skipped[2]


@pytest.mark.parametrize("origins", [-1.0, "many", [[1e16, 2e16]], [], np.nan])
def test_wrong_origins(origins: object) -> None:
    with pytest.raises(InputError, match="origins"):
        rolling_origin(ladder(0.003), origins)  # type: ignore[arg-type]


def test_nothing_can_be_judged() -> None:
    with pytest.raises(InputError, match="none can be judged"):
        rolling_origin(ladder(0.003), 1e30)
    with pytest.raises(InputError, match="replicates"):
        rolling_origin(ladder(0.003), 2e16, replicates=-1)
