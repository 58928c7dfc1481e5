from __future__ import annotations

import numpy as np
import pytest

from scalinglaws.curves import Run, flops_by, from_runs, params_by, tokens_by
from scalinglaws.errors import InputError
from tests.naive import curves as naive

GROUPS = {"embedding": 100.0, "attention": 30.0, "mlp": 60.0, "head": 10.0}


def run(name="a", params=None, **fields):
    return Run(
        name=name,
        step=np.array([1, 4]),
        loss=np.array([3.0, 2.0]),
        params=GROUPS if params is None else params,
        **fields,
    )


@pytest.mark.parametrize(
    ("convention", "left_out"), [("total", ()), ("non_embedding", ("embedding",)), ("body", ("embedding", "head"))]
)
def test_params_by_convention(convention, left_out):
    ds = from_runs([run(), run("b", {"attention": 5.0, "embedding": 7.0})])
    expected = [naive.count(GROUPS, left_out), naive.count({"attention": 5.0, "embedding": 7.0}, left_out)]
    assert params_by(ds, convention).values.tolist() == expected


def test_a_bare_total_has_no_composition():
    ds = from_runs([run(), run("bare", {"unspecified": 9.0})])
    assert params_by(ds).values.tolist() == [200.0, 9.0]
    for convention in ("non_embedding", "body"):
        with pytest.raises(InputError, match=f"the convention {convention} needs .* recorded for run bare"):
            params_by(ds, convention)


def test_unknown_parameters_and_conventions_are_refused():
    ds = from_runs([run("a", {}), run("b", {})])
    with pytest.raises(InputError, match="params: unknown for runs a, b"):
        params_by(ds)
    with pytest.raises(InputError, match="params = 'all': must be one of total"):
        params_by(ds, "all")
    with pytest.raises(InputError, match="flops = '2ND': must be one of 6ND"):
        flops_by(ds, "2ND")


def test_tokens_are_recorded_or_counted():
    recorded = run("a", tokens=np.array([7.0, 8.0]), batch=2, seq_len=3)
    counted, unknown = run("b", batch=2, seq_len=3), run("c")
    tokens = tokens_by(from_runs([recorded, counted, unknown])).values
    np.testing.assert_array_equal(tokens, [7, 8, 6, 24, np.nan, np.nan])


def test_flops_by_convention():
    ds = from_runs([run(batch=2, seq_len=3)])
    assert flops_by(ds).values.tolist() == [6 * 200 * 6, 6 * 200 * 24]
    assert flops_by(ds, params="body").values.tolist() == [6 * 90 * 6, 6 * 90 * 24]


def test_recorded_flops():
    exact = run("a", flops=np.array([10.0, 40.0]), flops_per_token={"mlp": 2.0}, batch=1, seq_len=1)
    per_token = run("b", flops_per_token={"mlp": 2.0, "scores": 1.0}, batch=1, seq_len=1)
    assert flops_by(from_runs([exact, per_token]), "recorded").values.tolist() == [10, 40, 3, 12]
    with pytest.raises(InputError, match="no exact count is recorded for run c"):
        flops_by(from_runs([exact, run("c", batch=1, seq_len=1)]), "recorded")
