"""Whatever is given: one sentence, or a result that its own objective confirms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalinglaws.errors import InputError
from scalinglaws.fitting import Fit, Table, as_table, fit
from tests.fitting.conftest import ladder
from tests.naive import fitting as naive

NASTY = st.sampled_from([0.0, -1.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 1e9, 1.0, "x", None, True, 1j, [1.0]])
COLUMNS = ("params", "tokens", "loss")


def spoiled(draw: Any, columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Damage a table in one to three ways."""
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(COLUMNS))
        if name not in columns:
            continue
        match draw(st.integers(0, 5)):
            case 0 if len(columns[name]) > 0:
                columns[name][draw(st.integers(0, len(columns[name]) - 1))] = draw(NASTY)
            case 1:
                columns[name] = columns[name][: draw(st.integers(0, 14))]
            case 2:
                columns[name] = [draw(NASTY)] * len(columns[name])
            case 3:
                del columns[name]
            case 4:
                rows = draw(st.integers(0, 7))
                columns = {k: v[:rows] for k, v in columns.items()}
            case _:
                factor = draw(st.sampled_from([1e-200, 1e-6, 1e6, 1e200]))
                columns[name] = [v * factor if isinstance(v, float) else v for v in columns[name]]
    return columns


@st.composite
def tables(draw: Any) -> Any:
    table = ladder(0.003, draw(st.integers(0, 5)))
    columns = spoiled(draw, {name: getattr(table, name).tolist() for name in COLUMNS})
    kind = draw(st.sampled_from(["table", "mapping", "frame", "dataset"]))
    if kind == "mapping":
        return columns
    if kind == "table" and set(columns) == set(COLUMNS):
        return lambda: Table(**columns)
    try:
        frame = pd.DataFrame(columns)
        if kind == "frame":
            return frame
        return xr.Dataset({name: ("run", frame[name].to_numpy()) for name in frame})
    except ValueError:  # pandas itself refuses columns of unequal length
        return columns


def attempt(call: Callable[[], Fit]) -> Fit | InputError:
    try:
        return call()
    except InputError as error:
        return error


def sentence(error: InputError) -> bool:
    text = str(error)
    return bool(text) and "\n" not in text.strip() and len(text) < 600


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(["huber", "huber", "l1", "log-l2", "l2"]))
def test_a_sentence_or_a_confirmed_result(data: Any, name: str) -> None:
    fitted = attempt(lambda: fit(as_table(data() if callable(data) else data), estimator=name, starts=4))
    if isinstance(fitted, InputError):
        assert sentence(fitted)
        return
    table = fitted.table
    assert all(np.isfinite(v) and v >= 0 for v in fitted.params.values())
    assert fitted.converged or fitted.warnings
    plain = naive.objective(fitted.params, table.params, table.tokens, table.loss, name)
    assert fitted.objective == pytest.approx(plain, rel=1e-6, abs=1e-18)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.text(max_size=20).filter(lambda s: "\0" not in s),
        st.lists(st.floats(), max_size=4),
        st.dictionaries(st.text(max_size=5), st.lists(st.floats(), max_size=3), max_size=3),
    )
)
def test_things_that_are_no_table(data: Any) -> None:
    with pytest.raises(InputError):
        fit(data)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"law": "kepler"}, "chinchilla"),
        ({"estimator": "median"}, "huber"),
        ({"delta": 0.0}, "delta"),
        ({"delta": np.nan}, "delta"),
        ({"starts": 0}, "starts"),
        ({"starts": 2.5}, "starts"),
    ],
)
def test_wrong_options(options: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        fit(ladder(), **options)


def test_too_few_rows_and_one_size() -> None:
    with pytest.raises(InputError, match="needs 6 or more"):
        fit(ladder().take(np.arange(5)))
    d = np.geomspace(1e9, 1e11, 8)
    with pytest.raises(InputError, match="alpha"):
        fit(Table(params=np.full(8, 1e8), tokens=d, loss=2 + 100 / d**0.3))


@st.composite
def degenerate(draw: Any) -> Table:
    """Positive finite tables that a healthy ladder never gives."""
    rows = draw(st.integers(6, 16))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    few = rng.choice(rng.uniform(5, 9, draw(st.integers(2, 6))), rows)
    n = 10 ** (few if draw(st.booleans()) else rng.uniform(5, 9, rows))
    match draw(st.integers(0, 3)):
        case 0:
            d = 20.0 * n
        case 1:
            d = n ** rng.uniform(-1, 1) * 1e9
        case _:
            d = 10 ** rng.uniform(7, 12, rows)
    match draw(st.integers(0, 5)):
        case 0:
            loss = np.full(rows, 3.0)
        case 1:
            loss = 10 ** rng.uniform(-3, 3, rows)
        case 2:
            loss = n**0.1  # worse with size
        case 3:
            loss = 100 / n**0.5  # no floor, no data term
        case 4:
            loss = naive.loss(ladder_law(), n, d) * np.exp(0.3 * rng.standard_cauchy(rows).clip(-9, 9))
        case _:
            loss = np.exp(rng.uniform(-100, 100)) * (2 + 1e3 / d**0.4)
    return Table(params=n, tokens=d, loss=loss)


def ladder_law() -> dict[str, float]:
    return {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.348, "beta": 0.366}


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(degenerate(), st.sampled_from(["huber", "l1", "log-l2", "l2"]))
def test_degenerate_tables_are_fitted_or_flagged(table: Table, name: str) -> None:
    fitted = attempt(lambda: fit(table, estimator=name, starts=2))
    if isinstance(fitted, InputError):
        assert sentence(fitted)
        return
    assert all(np.isfinite(v) and v >= 0 for v in fitted.params.values())
    assert fitted.converged or fitted.warnings
    plain = naive.objective(fitted.params, table.params, table.tokens, table.loss, name)
    # Where the law passes through all points only rounding is left.
    rounding = 1e-14 if name == "l1" else 1e-15 * float(table.loss.max()) ** 2
    assert fitted.objective == pytest.approx(plain, rel=1e-6, abs=rounding)
