from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError
from scalinglaws.training import plan, train
from tests.processes import wait_until
from tests.training.conftest import untimed


class KilledError(Exception):
    pass


def _die_after(updates):
    def report(progress):
        nonlocal updates
        updates -= 1
        if updates == 0:
            raise KilledError

    return report


@pytest.mark.parametrize("moments", [(1,), (2,), (13,), (24,), (25,), (5, 5, 5)], ids=str)
def test_interrupted_run_goes_on_bit_for_bit(tiny, tmp_path, moments):
    whole = train(tiny)
    for updates in moments:
        with pytest.raises(KilledError):
            train(tiny, out=tmp_path, report=_die_after(updates), checkpoint_every=0.0)
    assert (tmp_path / "tiny.ckpt").exists()
    told = []
    again = train(tiny, out=tmp_path, report=told.append, checkpoint_every=0.0)
    assert untimed(again).identical(untimed(whole))
    first_step_again = told[0].done
    assert first_step_again == plan(tiny).work(min(sum(moments) - len(moments) + 1, 24))  # nothing was done twice
    assert not (tmp_path / "tiny.ckpt").exists()


def test_run_killed_between_checkpoints(tiny, tmp_path):
    with pytest.raises(KilledError):
        train(tiny, out=tmp_path, report=_die_after(9), checkpoint_every=1e9)
    assert untimed(train(tiny, out=tmp_path)).identical(untimed(train(tiny)))


def test_process_killed_at_any_moment(tiny, tmp_path):
    """SIGKILL leaves no half-written file, and the run goes on as if nothing had happened."""
    config = replace(tiny, tokens=1500 * 64, eval_linear=25, measure_batches=2, sharpness_points=3)
    code = (
        "import sys, json; from scalinglaws.training import train; "
        "train(json.loads(sys.argv[1]), out=sys.argv[2], checkpoint_every=0.02)"
    )
    (tmp_path / ".tiny.ckpt.k1ll3d_x").write_bytes(b"half a checkpoint")
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code, json.dumps(config.to_dict()), str(tmp_path)])
        stamp = _mtime(tmp_path / "tiny.ckpt")
        while _mtime(tmp_path / "tiny.ckpt") == stamp and process.poll() is None:
            time.sleep(0.005)
        time.sleep(0.03)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "tiny.nc").exists()
    assert untimed(train(config, out=tmp_path)).identical(untimed(train(config)))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.nc"]
    assert load_curves(tmp_path / "tiny.nc").status.values.tolist() == ["finished"]


@pytest.mark.slow
def test_process_killed_at_ten_random_moments(tiny, tmp_path):
    """Wherever SIGKILL strikes (loading, training, measuring, writing), the curve is bit for bit the one without it."""
    config = replace(tiny, batch=1, tokens=8000 * 16, eval_linear=80, measure_batches=2, sharpness_points=5)
    code = (
        "import sys, json; from scalinglaws.training import train; print('go', flush=True); "
        "train(json.loads(sys.argv[1]), out=sys.argv[2], checkpoint_every=0.02)"
    )
    command = [sys.executable, "-c", code, json.dumps(config.to_dict()), str(tmp_path)]
    moved = 0
    for turn, seconds in enumerate(np.random.default_rng(2024).uniform(0.0, 1.0, size=10)):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        stamp = _mtime(tmp_path / "tiny.ckpt")
        process.stdout.readline()
        if turn % 3:  # every third is killed while it loads
            wait_until(lambda stamp=stamp: _mtime(tmp_path / "tiny.ckpt") != stamp, 60)
        time.sleep(seconds)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        moved += _mtime(tmp_path / "tiny.ckpt") != stamp
    assert moved >= 6
    told = []
    resumed = train(config, out=tmp_path, report=told.append)
    assert len(told) < 8001
    assert untimed(resumed).identical(untimed(train(config)))


def _mtime(path):
    return path.stat().st_mtime_ns if path.exists() else 0


def test_checkpoint_of_another_run_is_refused(tiny, tmp_path):
    with pytest.raises(KilledError):
        train(tiny, out=tmp_path, report=_die_after(9), checkpoint_every=0.0)
    with pytest.raises(InputError, match="belongs to another run"):
        train(replace(tiny, seed=4), out=tmp_path)


def test_damaged_checkpoint_gets_a_sentence(tiny, tmp_path):
    with pytest.raises(KilledError):
        train(tiny, out=tmp_path, report=_die_after(9), checkpoint_every=0.0)
    content = (tmp_path / "tiny.ckpt").read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"text"):
        (tmp_path / "tiny.ckpt").write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable checkpoint"):
            train(tiny, out=tmp_path)
