from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scalinglaws.curves import Run, end_points, from_runs, read_table
from scalinglaws.errors import InputError
from tests.naive import curves as naive

N, D, C, L = [1e6, 2e6], [2e7, 5e7], [1.2e14, 6e14], [3.5, 3.1]


def notes(table):
    return json.loads(table.attrs["notes"])


def test_end_points_against_plain_loops():
    fields = [
        {"name": "a", "params": {"mlp": 5.0, "head": 2.0}, "batch": 4.0, "seq_len": 8.0, "status": "finished"},
        {"name": "b", "params": {"unspecified": 9.0}, "tokens": np.array([8.0, 99.0]), "status": "finished"},
        {"name": "c", "params": {"unspecified": 9.0}, "tokens": np.array([8.0, 98.0]), "status": "diverged"},
        {"name": "d", "params": {}, "status": "partial"},
    ]
    curve = {"step": np.array([1, 7]), "loss": np.array([3.0, 2.0])}
    table = end_points(from_runs([Run(**f, **curve) for f in fields]))
    got = [
        (str(r), n, d, c, y)
        for r, n, d, c, y in zip(
            *(table[k].values.tolist() for k in ("run", "params", "tokens", "flops", "loss")), strict=True
        )
    ]
    assert got == naive.last_points([{**f, **curve} for f in fields])
    assert notes(table) == ["run c is diverged and was left out", "run d is partial and was left out"]


def test_end_points_under_conventions():
    run = Run(
        name="a",
        step=np.array([1, 7]),
        loss=np.array([3.0, 2.0]),
        params={"embedding": 100.0, "mlp": 10.0},
        flops=np.array([1.0, 7e3]),
        tokens=np.array([1.0, 70.0]),
    )
    table = end_points(from_runs([run]), params="non_embedding", flops="recorded")
    assert (table.params.item(), table.flops.item()) == (10.0, 7e3)
    assert (table.attrs["params_convention"], table.attrs["flops_convention"]) == ("non_embedding", "recorded")
    assert end_points(from_runs([run]), params="non_embedding").flops.item() == 6 * 10 * 70


def test_end_points_need_tokens_and_a_finished_run():
    run = {"step": np.array([1]), "loss": np.array([3.0]), "params": {"unspecified": 5.0}}
    with pytest.raises(InputError, match="tokens: unknown for run a and 1 more; give a tokens column"):
        end_points(from_runs([Run(name="a", **run), Run(name="b", **run)]))
    with pytest.raises(InputError, match="none of the family is finished"):
        end_points(from_runs([Run(name="a", status="diverged", **run)]))


@pytest.mark.parametrize(
    "columns",
    [
        {"N": N, "D": D, "loss": L},
        {"Model Size": N, "Training FLOP": C, "loss": L},
        {"params": N, "tokens": D, "val_loss": L},
        {"n": N, "flops": C, "tokens": D, "c4_loss_ma5": L},
    ],
)
def test_two_of_three_make_the_third(columns, tmp_path):
    frame = pd.DataFrame(columns)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "t.csv.gz")
    frame.to_parquet(tmp_path / "t.parquet")
    for data in (columns, frame, *(tmp_path / name for name in ("t.csv", "t.tsv", "t.csv.gz", "t.parquet"))):
        table = read_table(data)
        for name, expected in (("params", N), ("tokens", D), ("flops", C), ("loss", L)):
            np.testing.assert_allclose(table[name].values, expected, rtol=1e-15)


def test_recorded_flops_are_kept_and_foreign_units_left_out():
    exact = read_table({"N": N, "D": D, "flops": [1.5e14, 7e14], "loss": L})
    assert exact.flops.values.tolist() == [1.5e14, 7e14]
    giga = {"N": N, "D": D, "C": [1.2e5, 6e5], "loss": L}
    left_out = read_table(giga)
    np.testing.assert_allclose(left_out.flops, C)
    assert "FLOPs are about 1e-9 of 6ND" in notes(left_out)[0]
    np.testing.assert_allclose(read_table(giga, scale={"flops": 1e9}).flops, C)
    with pytest.raises(InputError, match="falls below one token, so FLOPs are in another unit"):
        read_table({"N": N, "C": [1.2e-1, 6e-1], "loss": L})


def test_tokens_from_steps():
    table = read_table({"N": N, "B": [4, 8], "K": [10, 20], "loss": L}, seq_len=16)
    assert table.tokens.values.tolist() == [640.0, 2560.0]
    assert table.batch.values.tolist() == [4.0, 8.0]
    with pytest.raises(InputError, match=r"neither tokens nor FLOPs.* or give steps, batch and seq_len"):
        read_table({"N": N, "B": [4, 8], "K": [10, 20], "loss": L})


def test_what_else_is_known_comes_along():
    table = read_table(
        {"name": ["x", "y"], "N": N, "D": D, "lr": [0.1, 0.2], "seed": [0, 1], "sched": ["a", "b"], "loss": L}
    )
    assert table.run.values.tolist() == ["x", "y"]
    assert table.peak_lr.values.tolist() == [0.1, 0.2]
    assert table.seed.values.tolist() == [0.0, 1.0]
    assert table.schedule.values.tolist() == ["a", "b"]


def test_rows_without_a_finite_loss_are_left_out_and_noted():
    table = read_table({"N": [*N, 3e6], "D": [*D, 1e8], "loss": [*L, np.nan]})
    assert table.run.values.tolist() == ["0", "1"]
    assert notes(table)[0] == "table: 1 rows without a finite loss were left out"


def test_checkpoints_are_no_independent_rows():
    curves = {"run": ["a", "a"], "step": [1, 2], "N": N, "D": D, "loss": L}
    with pytest.raises(InputError, match=r"column 'run' names runs that have several steps.* use read_curves"):
        read_table(curves)
    assert read_table({**curves, "run": ["a", "b"]}).sizes["run"] == 2


def test_units_of_the_loss():
    table = read_table({"N": N, "D": D, "bpb": [1.0, 0.9]}, bytes_per_token=4.0)
    np.testing.assert_allclose(table.loss, np.array([4.0, 3.6]) * np.log(2))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"N": N, "D": D}, "no column for loss among 'N', 'D'"),
        ({"D": D, "loss": L}, "no column for params"),
        ({"N": N, "loss": L}, "neither tokens nor FLOPs"),
        ({"N": [-1, 2], "D": D, "loss": L}, "column 'N' = -1: must be a positive finite number"),
        ({"N": N, "D": [1, 0], "loss": L}, "column 'D' = 0: must be a positive finite number"),
        ({"N": N, "D": [1, np.inf], "loss": L}, "column 'D' = inf"),
        ({"N": N, "D": D, "loss": [3, -1]}, "column 'loss' = -1: must be a positive finite number"),
        ({"N": N, "D": D, "loss": [np.nan, np.nan]}, "column 'loss': holds no finite loss"),
        ({"N": N, "D": D, "loss": ["a", "b"]}, "column 'loss', row 1: 'a' is not a number"),
        ({"N": N, "D": D, "loss": [3.0]}, "the columns differ in length (N 2, D 2, loss 1)"),
        ({"N": N, "D": D, "loss": 3.0}, "column 'loss': has shape ()"),
        ({"N": N, "D": D, "loss": [[1], [2, 3]]}, "column 'loss': must be a plain list of values"),
        ({"N": N, "D": D, "val_loss": L, "test_loss": L}, "2 columns could be the loss ('val_loss', 'test_loss')"),
        ({"N": [1e200, 1e200], "D": [1e200, 1e200], "loss": L}, "6ND = inf: must be a positive finite number"),
        ({"N": [], "D": [], "loss": []}, "holds a header and no rows"),
        ({}, "the first row holds numbers, and it must name the columns"),
        (3, "a int is not a path, a DataFrame or a mapping of columns"),
    ],
)
def test_refusals_are_one_sentence(data, sentence):
    with pytest.raises(InputError) as error:
        read_table(data)
    assert sentence in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_missing_values_of_pandas_are_understood():
    frame = pd.DataFrame(
        {"N": [1e6, 2e6, 3e6], "D": [1e7, 2e7, 3e7], "loss": pd.array([3.0, None, 2.5], dtype="Float64")}
    )
    assert read_table(frame).loss.values.tolist() == [3.0, 2.5]
