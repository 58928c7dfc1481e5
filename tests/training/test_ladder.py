from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, demo_ladder, plan, train, train_ladder, worker_pool
from scalinglaws.training.provenance import configs_of
from tests.processes import descendants, is_alive, wait_until
from tests.training.conftest import untimed


@pytest.fixture
def ladder(tiny):
    common = {k: v for k, v in tiny.to_dict().items() if k not in ("name", "width", "tokens")}
    return {"name": "small", "common": common, "grid": [{"width": [24, 16], "tokens": [1280, 2560]}]}


def test_product_and_names():
    ladder = Ladder.from_dict(
        {"grid": [{"width": [32, 64], "tokens": [250_000, 1_500_000]}, {"width": 96, "seed": [0, 1], "tokens": 2000}]}
    )
    assert [run.name for run in ladder.runs] == [
        "width32-tokens250k", "width32-tokens1.5M", "width64-tokens250k", "width64-tokens1.5M",
        "width96-tokens2k-seed0", "width96-tokens2k-seed1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grids": []}, "not known"),
        ({"grid": []}, "one [[grid]] table or more"),
        ({"grid": {"width": 32}}, "one [[grid]] table or more"),
        ({"common": [1], "grid": [{"width": 32}]}, "must be a table"),
        ({"grid": [{"width": []}]}, "one value or more"),
        ({"grid": [{"width": [33]}]}, "multiple of head_dim"),
        ({"grid": [{"widht": [32]}]}, "not known"),
        ({"grid": [{"width": 32}, {"width": 32}]}, "more than once"),
        ({"grid": [{"width": [16, 32], "name": "a"}]}, "more than once"),
        ({"grid": [{"corpus": ["python-stdlib", "other"]}]}, "must be the same"),
    ],
)
def test_wrong_ladders_get_a_sentence(values, said):
    with pytest.raises(InputError) as error:
        Ladder.from_dict(values)
    assert said in str(error.value)


def test_no_run_starts_when_one_is_wrong(ladder, tmp_path):
    ladder["grid"].append({"width": 16, "tokens": 10**9})
    with pytest.raises(InputError, match="asks for"):
        train_ladder(ladder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_family_keeps_the_order_and_says_where_it_comes_from(ladder, tmp_path):
    ds = train_ladder(ladder, tmp_path)
    runs = Ladder.from_dict(ladder).runs
    assert ds.run.values.tolist() == [run.name for run in runs]
    assert configs_of(ds) == {run.name: run for run in runs}
    assert ds.attrs["ladder"] == "small"
    alone = train(runs[2])
    ends = np.cumsum(ds.row_size.values)
    assert np.array_equal(ds.loss[ends[1] : ends[2]], alone.loss)


def test_progress_over_the_ladder(ladder, tmp_path):
    told = []
    train_ladder(ladder, tmp_path, report=told.append)
    done = [p.done for p in told]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(told[-1].total)
    assert next(p.item for p in told if p.label == "width16-tokens1280") == 1  # the cheapest goes first
    assert {p.items for p in told} == {4}


def test_interrupted_ladder_repeats_nothing(ladder, tmp_path):
    whole = train_ladder(ladder, tmp_path / "whole")

    def stop(progress):
        if progress.item == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ladder(ladder, tmp_path / "cut", report=stop, checkpoint_every=0.0)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").glob("*.nc")}
    assert len(kept) == 2
    assert untimed(train_ladder(ladder, tmp_path / "cut")).identical(untimed(whole))
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_curves_do_not_depend_on_the_executor(ladder, tmp_path):
    alone = train_ladder(ladder, tmp_path / "alone")
    told = []
    with worker_pool(2) as pool:
        spread = train_ladder(ladder, tmp_path / "pool", executor=pool, report=told.append)
    assert untimed(spread).identical(untimed(alone))
    assert told[-1].done == pytest.approx(told[-1].total)
    assert sorted(path.suffix for path in (tmp_path / "pool").iterdir()) == [".nc"] * 4
    with ThreadPoolExecutor(1) as pool:
        threaded = train_ladder(ladder, tmp_path / "thread", executor=pool)
    assert untimed(threaded).identical(untimed(alone))


def test_error_in_a_worker_reaches_the_caller(ladder, tmp_path):
    (tmp_path / "width24-tokens1280.nc").write_text("not a curve")
    with pytest.raises(InputError, match=r"width24-tokens1280\.nc"), worker_pool(1) as pool:
        train_ladder(ladder, tmp_path, executor=pool)


SCRIPT = """
import sys, json
from scalinglaws.training import train_ladder, worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool:
        train_ladder(json.loads(sys.argv[1]), sys.argv[2], executor=pool, checkpoint_every=0.02)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the children in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_their_parent(ladder, tmp_path, how):
    ladder["grid"] = [{"width": [16, 24], "tokens": 64 * 5000}]
    (tmp_path / "go.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "go.py"), json.dumps(ladder), str(tmp_path / "out")]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: len(list((tmp_path / "out").glob("*.ckpt"))) == 2, 60)
        children = descendants(parent.pid)
        assert len(children) >= 2
    finally:
        os.kill(parent.pid, how)
        parent.communicate()
    wait_until(lambda: not any(is_alive(pid) for pid in children), 10)
    assert not list((tmp_path / "out").glob("*.nc"))
    assert len(list((tmp_path / "out").glob("*.ckpt"))) == 2


def test_demo_can_identify_a_law():
    """Sizes and horizons vary independently, and the largest run is far beyond the others."""
    plans = [plan(run) for run in demo_ladder().runs]
    flops = sorted(p.training_flops for p in plans)
    assert 14 <= len(plans) <= 20
    assert flops[-1] >= 3 * flops[-2]
    sizes = sorted({sum(p.params.values()) for p in plans})
    assert len(sizes) >= 5
    fitted = [p for p in plans if p.training_flops < flops[-1]]
    for size in sizes[:-1]:
        horizons = [p.tokens for p in fitted if sum(p.params.values()) == size]
        assert max(horizons) >= 1.99 * min(horizons)  # tokens are rounded to whole batches
    ratios = [p.tokens / sum(p.params.values()) for p in fitted]
    assert max(ratios) >= 8 * min(ratios)
    corr = np.corrcoef(np.log([sum(p.params.values()) for p in fitted]), np.log([p.tokens for p in fitted]))[0, 1]
    assert abs(corr) < 0.5


def test_without_torch_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"torch is not installed.*scalinglaws\[train\]"):
        train_ladder({"grid": [{"width": 16, "tokens": 2048}]}, tmp_path)
