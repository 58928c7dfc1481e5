from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws.curves import iter_runs, read_curves
from scalinglaws.curves.readers import find_reader, reader_names
from scalinglaws.errors import InputError
from tests.curves import samples
from tests.curves.test_malformed import check_sentence


def notes(ds):
    return json.loads(ds.attrs["notes"])


def check_sample(ds):
    assert ds.run.values.tolist() == list(samples.RUNS)
    for run in iter_runs(ds):
        assert run.step.tolist() == list(samples.STEPS)
        assert run.loss.tolist() == [samples.loss_at(run.name, s) for s in samples.STEPS]


@pytest.mark.parametrize("name", ["r.csv", "r.tsv", "r.csv.gz", "r.parquet", "r.txt"])
def test_long_tables(tmp_path, name):
    path = tmp_path / name
    (tmp_path / "source.csv").write_text(samples.long_csv())
    frame = pd.read_csv(tmp_path / "source.csv")
    separator = "\t" if "tsv" in name else ";" if "txt" in name else ","
    frame.to_parquet(path) if "parquet" in name else frame.to_csv(path, index=False, sep=separator)
    assert find_reader(path).name == "long"
    ds = read_curves(path)
    check_sample(ds)
    assert ds.params.sum("group").values.tolist() == [1e6, 4e6]
    assert ds.tokens.values[:4].tolist() == [s * 512 for s in samples.STEPS]
    assert ds.lr.values[0] == 0.09


def test_in_a_table_of_numbers_interleaved_nan_means_not_measured(tmp_path):
    loss = [3.0, np.nan, 2.5, np.nan]
    pd.DataFrame({"step": [1, 2, 3, 4], "eval_loss": loss}).to_parquet(tmp_path / "mixed.parquet")
    mixed = read_curves(tmp_path / "mixed.parquet")
    assert (mixed.step.values.tolist(), mixed.status.item()) == ([1, 3], "finished")
    pd.DataFrame({"step": [1, 2, 3], "eval_loss": [3.0, 2.5, np.nan]}).to_parquet(tmp_path / "end.parquet")
    assert read_curves(tmp_path / "end.parquet").status.item() == "diverged"


def test_folder_with_pattern_and_run_table(tmp_path):
    for name in ("cosine_25M_s0", "wsd_100M_s1"):
        (tmp_path / f"{name}.csv").write_text("step,lr,loss\n1,0.1,3\n2,0.05,2.5\n")
    (tmp_path / "README.md").write_text("not a run")
    assert find_reader(tmp_path).name == "folder"
    ds = read_curves(tmp_path, pattern=r"(?P<schedule>[a-z]+)_(?P<params>\d+M)_s(?P<seed>\d)")
    assert ds.run.values.tolist() == ["cosine_25M_s0", "wsd_100M_s1"]
    assert ds.schedule.values.tolist() == ["cosine", "wsd"]
    assert ds.params.sum("group").values.tolist() == [25e6, 100e6]
    assert ds.seed.values.tolist() == [0, 1]
    assert "README.md: is of no known kind and was passed over" in notes(ds)
    table = {"run": ["wsd_100M_s1", "cosine_25M_s0"], "params": [2e8, 5e7], "lr": [0.1, 0.2], "seq_len": [8, 8]}
    ds = read_curves(tmp_path, run_table=table)
    assert ds.params.sum("group").values.tolist() == [5e7, 2e8]
    assert ds.peak_lr.values.tolist() == [0.2, 0.1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pattern": "(?P<seed>x)"}, "does not match the name of run a"),
        ({"pattern": "a"}, "needs named groups"),
        ({"pattern": "(?P<colour>a)"}, "and colour is none of them"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"pattern": "(?P<params>a)"}, "params = 'a': must be a number, such as 2.5e7 or 25M"),
        ({"run_table": {"run": ["b"], "params": [1]}}, "run_table: has no row for run a"),
        ({"run_table": {"run": ["a", "a"], "params": [1, 2]}}, "run a has more than one row"),
        ({"run_table": {"params": [1]}}, "run_table table: no column for run"),
        ({"reader": "excel"}, "reader = 'excel': must be auto, netcdf"),
        ({"reader": "huggingface"}, "holds no trainer_state.json"),
        ({"reader": "tensorboard"}, "holds no event file"),
        ({"reader": "training_logs"}, "holds no .json file"),
    ],
)
def test_refusals_for_a_folder(tmp_path, options, sentence):
    (tmp_path / "a.csv").write_text("step,loss\n1,3\n")
    with pytest.raises(InputError) as error:
        read_curves(tmp_path, **options)
    assert sentence in str(error.value)


def test_folders_and_files_of_no_known_kind(tmp_path):
    with pytest.raises(InputError, match="holds no file of a known kind"):
        read_curves(tmp_path)
    (tmp_path / "run.log").write_text("step,loss\n1,3\n")
    with pytest.raises(InputError, match=r"run\.log: its format is not recognised; say which with reader="):
        read_curves(tmp_path / "run.log")
    assert read_curves(tmp_path / "run.log", reader="long").loss.item() == 3
    with pytest.raises(InputError, match="there is no such file or folder"):
        read_curves(tmp_path / "absent.csv")


def test_wandb_export(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text(samples.wandb_csv())
    assert find_reader(path).name == "wandb"
    ds = read_curves(path, params={"small": 1e6, "large": 4e6})
    check_sample(ds)
    assert notes(ds) == ["chart.csv: 4 columns of ranges and steps (__MIN, __MAX, _step) were dropped"]


def test_wandb_runs_of_unequal_length_leave_blank_cells(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text('"_step","a - b - eval/loss","a - b - _step","c - eval/loss"\n1,3.5,1,3\n2,,2,2.5\n3,NaN,3,\n')
    ab, c = iter_runs(read_curves(path))
    assert (ab.name, ab.step.tolist(), ab.status) == ("a - b", [1], "diverged")
    assert (c.name, c.step.tolist(), c.status) == ("c", [1, 2], "finished")


def test_wandb_with_several_metrics(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text("Step,a - train/loss,a - val/loss,a - lr\n1,4,3.5,0.1\n2,3.9,3.4,0.2\n")
    ds = read_curves(path)
    assert (ds.loss.values.tolist(), ds.lr.values.tolist()) == ([3.5, 3.4], [0.1, 0.2])
    assert "loss is read from 'val/loss'; 'train/loss' left aside" in notes(ds)[0]
    assert read_curves(path, columns={"loss": "train/loss"}).loss.values.tolist() == [4, 3.9]
    path.write_text("Step,a\n1,4\n")
    with pytest.raises(InputError, match="no column is called '<run> - <metric>' among 'Step', 'a'"):
        read_curves(path, reader="wandb")


def test_trainer_state(tmp_path):
    path = tmp_path / "run-1" / "trainer_state.json"
    path.parent.mkdir()
    path.write_text(samples.trainer_state())
    for where in (path, path.parent, tmp_path):
        assert find_reader(where).name == "huggingface"
        (run,) = iter_runs(read_curves(where))
        assert run.name == "run-1"
        assert run.loss.tolist() == [samples.loss_at("small", s) for s in samples.STEPS]
        assert run.lr.tolist() == [1 / s for s in samples.STEPS]
        assert run.status == "finished"
    train = read_curves(path, columns={"loss": "loss"})
    np.testing.assert_allclose(train.loss - read_curves(path).loss, 0.1, rtol=1e-12)
    path.write_text(samples.trainer_state(max_steps=1000))
    assert read_curves(path).status.item() == "partial"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "holds no list log_history"),
        ("[1]", "holds no list log_history"),
        ('{"log_history": [1]}', "holds no list log_history"),
        ('{"log_history": []}', "its log_history is empty"),
        ('{"log_history": [{"step": 1, "eval_loss": [1]}]}', "is not a number"),
        ('{"log_history": [{"step": 1}]}', "no column for loss"),
        ('{"log_history": [{"step": 1, "eval_a_loss": 1, "eval_b_loss": 2}]}', "2 columns could be the loss"),
        ('{"log_history": [', "is not whole, valid JSON (line 1)"),
        ("[" * 100_000, "is not whole, valid JSON"),
        ("9" * 5000, "is not whole, valid JSON"),
        ('{"log_history": [{"step": 1' + "0" * 400 + ', "eval_loss": 3}]}', "must be a whole number"),
    ],
)
def test_refused_trainer_states(tmp_path, text, sentence):
    path = tmp_path / "trainer_state.json"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_curves(path)
    assert sentence in str(error.value)


def test_training_log(tmp_path):
    path = tmp_path / "log.json"
    path.write_text(samples.training_log(steps=(0, 200, 100, 200)))
    assert find_reader(path).name == "training_logs"
    (run,) = iter_runs(read_curves(path))
    assert run.step.tolist() == [0, 100, 200, 300]
    assert run.loss.tolist() == [5.0, 4.5, 4.0, 3.0]
    assert run.tokens.tolist() == [s * 5 * 2 * 2 * 16 for s in run.step]
    assert run.lr[:3].tolist() == [0.001] * 3
    assert np.isnan(run.lr[3])
    assert (run.params, run.batch, run.seq_len) == ({"unspecified": 1000.0}, 20, 16)
    assert (run.peak_lr, run.width, run.depth, run.schedule, run.status) == (0.001, 64, 2, "constant", "finished")


def test_a_cooldown_is_spliced_onto_its_stable_run(tmp_path):
    (tmp_path / "stable.json").write_text(samples.training_log("stable", (0, 100, 200, 300), end=400))
    (tmp_path / "ann.json").write_text(samples.training_log("ann", (200, 250), decay=0.2, shift=0.1))
    ds = read_curves(tmp_path)
    ann, stable = iter_runs(ds)
    assert ann.step.tolist() == [0, 100, 200, 250, 300]
    assert ann.loss.tolist() == [5.0, 4.5, 4.0 - 0.1, 3.75 - 0.1, 3.0 - 0.1]
    assert (ann.schedule, stable.schedule) == ("wsd", "constant")
    assert stable.step.tolist() == [0, 100, 200, 300, 400]
    assert "run ann is spliced onto stable at step 200" in notes(ds)
    (tmp_path / "stable.json").unlink()
    alone = read_curves(tmp_path)
    assert alone.step.values.tolist() == [200, 250, 300]
    assert "run ann starts at step 200 and its stable run is not in the folder" in notes(alone)


def test_a_training_log_cut_short_is_partial(tmp_path):
    log = json.loads(samples.training_log())
    del log["history"]["final-val"]
    (tmp_path / "a.json").write_text(json.dumps(log))
    assert read_curves(tmp_path / "a.json").status.item() == "partial"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda log: log["history"].pop("val"), "history holds no evaluations"),
        (lambda log: log["history"]["val"].update(iter=3), "iter is no list of steps"),
        (lambda log: log["history"]["val"].update(val_loss=[1.0]), "no column for loss"),
        (lambda log: log["config"].update(batch_size="many"), "batch_size = 'many': must be a finite number"),
        (lambda log: log["config"].update(lr=10**400), "must be a finite number"),
        (lambda log: log["history"]["train"].update(train_lr=[1.0]), "a.json: the columns differ in length"),
        (lambda log: log["history"]["val"].update(iter=[0, None, 200]), "step = blank"),
        (lambda log: log.update(history=[]), "holds no objects config and history"),
    ],
)
def test_refused_training_logs(tmp_path, change, sentence):
    log = json.loads(samples.training_log())
    change(log)
    (tmp_path / "a.json").write_text(json.dumps(log))
    with pytest.raises(InputError) as error:
        read_curves(tmp_path / "a.json", reader="training_logs")
    assert sentence in str(error.value)
    assert "a.json" in str(error.value)


def write_events(folder, tags, steps=(1, 2, 3)):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for step in steps:
        values = [Summary.Value(tag=tag, simple_value=value / step) for tag, value in tags.items()]
        writer.add_event(Event(step=step, wall_time=float(step), summary=Summary(value=values)))
    writer.close()


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    write_events(tmp_path / "a", {"val/loss": 4.0, "train/loss": 5.0})
    write_events(tmp_path / "b" / "c", {"val/loss": 2.0})
    assert find_reader(tmp_path).name == "tensorboard"
    a, c = iter_runs(read_curves(tmp_path))
    assert (a.name, c.name) == ("a", "b/c")
    assert a.step.tolist() == [1, 2, 3]
    np.testing.assert_allclose(a.loss, [4, 2, 4 / 3], rtol=1e-6)  # event files hold float32
    (file,) = (tmp_path / "a").iterdir()
    assert read_curves(file).run.values.tolist() == ["a"]


def test_a_resumed_tensorboard_run_keeps_the_later_record(tmp_path):
    pytest.importorskip("tensorboard")
    write_events(tmp_path, {"val/loss": 4.0}, steps=(1, 2, 4))
    write_events(tmp_path, {"val/loss": 8.0}, steps=(2, 8))
    ds = read_curves(tmp_path)
    assert ds.step.values.tolist() == [1, 2, 4, 8]
    assert ds.loss.values.tolist() == [4.0, 4.0, 1.0, 1.0]


def test_damaged_tensorboard_files(tmp_path):
    pytest.importorskip("tensorboard")
    write_events(tmp_path, {"val/loss": 4.0})
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3])
    cut = read_curves(file)
    assert cut.step.values.tolist() == [1, 2]
    assert any("is damaged or was still being written" in note for note in notes(cut))
    file.write_bytes(b"nothing like it")
    with pytest.raises(InputError, match="hold no scalars"):
        read_curves(file)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), keep=st.floats(0, 1))
def test_damaged_event_files_give_a_sentence_or_a_part(tmp_path_factory, at, byte, keep):
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("events")
    write_events(folder, {"val/loss": 4.0})
    (file,) = folder.iterdir()
    raw = bytearray(file.read_bytes())
    raw[int(at * len(raw))] = byte
    file.write_bytes(raw[: int(keep * len(raw)) + 1] if byte % 2 else raw)
    try:
        (run,) = iter_runs(read_curves(file))
    except InputError as error:
        check_sentence(error, file.name)
    else:
        assert run.loss.tolist() == np.float32([4, 2, 4 / 3])[: len(run.loss)].tolist()


def test_tensorboard_absent(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    with pytest.raises(InputError, match=r"need tensorboard; install it with pip install 'scalinglaws\[readers\]'"):
        read_curves(tmp_path)


def test_the_registry_names_its_modules():
    from importlib import import_module

    for name in reader_names():
        assert import_module(f"scalinglaws.curves.readers.{name}").READER.name == name


def test_names_of_files_cannot_break_a_line(tmp_path):
    (tmp_path / "r.csv").write_text('run,step,loss\n"a\nb",1,3\n"a\nb",2,-1\n')
    with pytest.raises(InputError, match="run a b: loss = -1"):
        read_curves(tmp_path / "r.csv")
