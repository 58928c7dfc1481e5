"""Every rule of `scalinglaws.curves.clean` and `read`, one by one, through a file as a user would meet it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws.curves import iter_runs, read_curves
from scalinglaws.errors import InputError
from tests.naive import curves as naive


@pytest.fixture
def read(tmp_path):
    def read(text, name="runs.csv", **options):
        path = tmp_path / name
        path.write_text(text)
        return read_curves(path, **options)

    return read


def notes(ds):
    return json.loads(ds.attrs["notes"])


def curve(ds):
    return ds.step.values.tolist(), ds.loss.values.tolist()


def test_blank_loss_was_not_measured(read):
    ds = read("step,loss\n1,3\n2,\n3,2.5\n4,NA\n")
    assert curve(ds) == ([1, 3], [3.0, 2.5])
    assert ds.status.item() == "finished"
    assert notes(ds) == ["rows without a loss were left out (run runs)"]


@pytest.mark.parametrize("bad", ["nan", "NaN", "inf", "-inf", "1e999"])
def test_a_loss_that_stops_being_finite_diverged(read, bad):
    ds = read(f"step,loss\n1,3\n2,2.5\n3,{bad}\n4,{bad}\n")
    assert curve(ds) == ([1, 2], [3.0, 2.5])
    assert ds.status.item() == "diverged"
    assert "diverged, and its curve is cut there (run runs)" in notes(ds)[0]


def test_a_loss_that_recovers_keeps_its_finite_part(read):
    ds = read("step,loss\n1,3\n2,nan\n3,2.5\n")
    assert curve(ds) == ([1, 3], [3.0, 2.5])
    assert ds.status.item() == "finished"
    assert notes(ds) == ["losses that are not finite, between finite ones, were left out (run runs)"]


def test_a_run_without_any_finite_loss_does_not_lose_the_others(read):
    ds = read("run,step,loss\na,1,nan\na,2,nan\nb,1,3\n")
    assert ds.run.values.tolist() == ["b"]
    assert notes(ds) == ["holds no finite loss, so it was left out (run a)"]
    with pytest.raises(InputError, match=r"runs\.csv: no run holds a finite loss"):
        read("step,loss\n1,nan\n")


@pytest.mark.parametrize("loss", ["0", "-2.5"])
def test_a_loss_that_is_not_positive_is_refused(read, loss):
    with pytest.raises(InputError, match=rf"runs\.csv: run runs: loss = {loss} at step 2: must be positive"):
        read(f"step,loss\n1,3\n2,{loss}\n")


def test_steps_out_of_order_are_sorted(read):
    ds = read("step,loss\n3,2\n1,4\n2,3\n")
    assert curve(ds) == ([1, 2, 3], [4.0, 3.0, 2.0])
    assert notes(ds) == ["steps were out of order and were sorted (run runs)"]


def test_a_step_recorded_twice(read):
    same = read("step,loss\n1,4\n2,3\n2,3\n")
    assert curve(same) == ([1, 2], [4.0, 3.0])
    assert notes(same) == ["steps are recorded twice with the same loss; one record was kept (run runs)"]
    other = read("step,loss\n1,4\n2,3\n3,2.9\n2,3.5\n")
    assert curve(other) == ([1, 2, 3], [4.0, 3.5, 2.9])
    assert "recorded twice with different losses; the later record was kept" in notes(other)[1]


@pytest.mark.parametrize(
    ("step", "shown"), [("-1", "-1"), ("1.5", "1.5"), ("", "blank"), ("inf", "inf"), ("1e17", "1e.17")]
)
def test_steps_count(read, step, shown):
    with pytest.raises(InputError, match=rf"runs\.csv: run runs: step = {shown}: must be a whole number"):
        read(f"step,loss\n{step},3\n2,2\n")


def test_steps_from_tokens(read):
    ds = read("tokens,loss,batch\n64,3\n".replace("3\n", "3,4\n") + "128,2.5,4\n", seq_len=8)
    assert curve(ds) == ([2, 4], [3.0, 2.5])
    with pytest.raises(InputError, match="holds no steps; name their column"):
        read("tokens,loss\n64,3\n")
    with pytest.raises(InputError, match=r"step = 2\.5: must be a whole number"):
        read("tokens,loss\n80,3\n", batch=4, seq_len=8)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("step,loss,tokens\n1,3,20\n2,2,10\n", "tokens goes from 20 to 10 between two steps: must not decrease"),
        ("step,loss,tokens\n1,3,20\n2,2,20\n", "tokens = 20 at every step, so it is a plan and no count"),
        ("step,loss,tokens\n1,3,-5\n2,2,20\n", "tokens must be finite and not negative"),
        ("step,loss,flops\n1,3,1\n2,2,inf\n", "flops must be finite and not negative"),
        ("step,loss,lr\n1,3,-0.1\n2,2,0.1\n", "lr = -0.1: must not be negative"),
        ("step,loss,lr\n1,3,inf\n2,2,0.1\n", "lr must be finite"),
        ("step,loss,noise_trace\n1,3,inf\n2,2,0.1\n", "noise_trace must be finite"),
        ("step,loss,params\n1,3,0\n2,2,0\n", "params = 0: must be a positive finite number"),
        ("run,step,loss,params\na,1,3,5\na,2,2,6\n", "run a: params changes along the run"),
        ("step,loss,status\n1,3,odd\n", "status = 'odd': must be one of finished, partial, diverged"),
        ("step,loss\n1,3\n2,x\n", "column 'loss', row 2: 'x' is not a number"),
        ("step,loss\n1,3\n2,2,1\n", "row 2 has 3 cells, and the header names 2 columns"),
        ("step,loss\n", "holds a header and no rows"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        (",,\n", "is empty"),
        ("1,3\n2,2\n", "the first row holds numbers, and it must name the columns"),
        ("a,b\n1,2\n", "no column for loss among 'a', 'b'"),
        ("step,loss,loss\n1,2,3\n", "more than one column is called 'loss'"),
        ('step,loss\n1,"2\n', "is not a row of a table"),
        ("run,step,loss\na,1,3\n,2,3\n", "column 'run' is blank in row 2"),
        ("step,loss,loss_unit\n1,3,nats\n2,2,ppl\n", "the loss mixes units"),
    ],
)
def test_refusals_name_the_file_and_the_rule(read, text, sentence):
    with pytest.raises(InputError) as error:
        read(text)
    assert sentence in str(error.value)
    assert "runs.csv" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_rate_below_zero_by_rounding_is_zero(read):
    ds = read("step,loss,lr\n1,3,0.1\n2,2,-1e-9\n")
    assert ds.lr.values.tolist() == [0.1, 0.0]
    assert notes(ds) == ["a learning rate below zero by rounding was set to zero (run runs)"]


def test_units_of_counts_are_never_guessed(read):
    text = "step,loss,tokens,compute,params\n1,3,1000,6e-6,1e6\n2,2,2000,12e-6,1e6\n"
    left_out = read(text)
    assert "flops" not in left_out
    assert "give scale={'flops': 1e15} to use them" in notes(left_out)[0]
    used = read(text, scale={"flops": 1e15})
    assert used.flops.values.tolist() == pytest.approx([6e9, 12e9], rel=1e-15)
    assert notes(used) == []
    with pytest.raises(InputError, match="scale: the factor of flops is -1"):
        read(text, scale={"flops": -1})
    with pytest.raises(InputError, match="scale: 'colour' is none of"):
        read(text, scale={"colour": 1})


def test_tokens_from_flops(read):
    text = "step,loss,flops,params\n1,3,6e9,1e6\n2,2,12e9,1e6\n"
    ds = read(text)
    assert ds.tokens.values.tolist() == [1000.0, 2000.0]
    assert notes(ds) == ["tokens are D = C/(6N) (run runs)"]
    unusable = read(text.replace("6e9", "6e-6").replace("12e9", "12e-6"))
    assert "tokens" not in unusable
    assert "FLOPs mean less than one token per update" in notes(unusable)[0]


@pytest.mark.parametrize(
    ("column", "value", "options"),
    [
        ("bpb", 1.0, {"bytes_per_token": 4.0}),
        ("bits_per_token", 4.0, {}),
        ("ppl", 16.0, {}),
        ("val_loss", 4.0, {"loss_unit": "bits/token"}),
    ],
)
def test_units_of_the_loss(read, column, value, options):
    ds = read(f"step,{column}\n1,{value}\n", **options)
    assert ds.loss.item() == pytest.approx(4 * np.log(2), rel=1e-15)
    assert ds.loss.attrs["units"] == "nats/token"
    assert "to nats/token" in notes(ds)[-1]


def test_a_unit_column(read):
    ds = read("step,loss,unit\n1,16,ppl\n2,8,ppl\n")
    assert ds.loss.values == pytest.approx(np.log([16, 8]))


def test_units_mixed_between_runs_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("step,val_loss\n1,3\n")
    (tmp_path / "b.csv").write_text("step,val_ppl\n1,20\n")
    with pytest.raises(InputError, match=r"mixes units between runs \(nats/token in run a, perplexity in run b\)"):
        read_curves(tmp_path)


def test_duplicates_are_reported_and_kept(read):
    head = "run,step,loss,params,seed\n"
    ds = read(head + "a,1,3,5,0\na,2,2,5,0\nb,1,3,5,0\nb,2,2,5,0\nc,1,3,5,1\nc,2,2,5,1\nd,1,3,5,0\nd,2,2.1,5,0\n")
    assert ds.sizes["run"] == 4
    assert notes(ds) == [
        "runs a and b hold the same curve, with the same params, lr, seed and schedule; both are kept",
        "runs a and c hold the same curve, though they differ in seed; both are kept",
    ]


def test_runs_without_a_name_are_told_apart_by_what_is_constant(read):
    ds = read("N,seed,step,loss\n1000,0,1,4\n1000,0,2,3\n2000,0,1,3.9\n2000,0,2,2.8\n")
    assert ds.run.values.tolist() == ["params=1000", "params=2000"]
    assert notes(ds) == ["runs.csv: names no run, so rows are grouped by params"]
    assert ds.params.sum("group").values.tolist() == [1000.0, 2000.0]
    assert ds.seed.values.tolist() == [0.0, 0.0]


def test_constants_by_keyword(read):
    text = "run,step,loss\na,1,3\nb,1,4\n"
    ds = read(text, params={"a": 5.0, "b": 7.0}, batch=2, seq_len=8)
    assert ds.params.sum("group").values.tolist() == [5.0, 7.0]
    assert (ds.batch.values.tolist(), ds.seq_len.values.tolist()) == ([2.0, 2.0], [8.0, 8.0])
    with pytest.raises(InputError, match="params: names no value for run b"):
        read(text, params={"a": 5.0})
    with pytest.raises(InputError, match="run a: batch = -1: must be a positive finite number"):
        read(text, batch=-1)


def test_statuses_of_trackers(read):
    ds = read("run,step,loss,state\na,1,3,crashed\nb,1,4,finished\n")
    assert ds.status.values.tolist() == ["partial", "finished"]


CELLS = st.sampled_from(["nan", "inf", "-inf", "", "NA", "0", "-1", "x", "1e400", " 2.5 ", "1_0", "None", "٣"])
STEP_CELLS = st.integers(0, 12).map(str)
ROWS = st.lists(
    st.tuples(
        st.one_of(*[STEP_CELLS] * 9, st.sampled_from(["-1", "1.5", "", "abc", "7.0", "1e3", "inf"])),
        st.one_of(*[st.floats(1e-3, 1e6).map(repr)] * 5, CELLS),
    ),
    max_size=10,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows=ROWS)
def test_the_rules_agree_with_plain_loops(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "r.csv"
    path.write_text("step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in rows), encoding="utf-8")
    try:
        expected = naive.clean_cells(rows)
    except naive.RefusedError:
        with pytest.raises(InputError):
            read_curves(path)
        return
    (run,) = iter_runs(read_curves(path))
    assert (run.step.tolist(), run.loss.tolist(), run.status) == expected
