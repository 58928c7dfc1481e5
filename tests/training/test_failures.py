"""What can go wrong on the way is one sentence, and the finished runs are safe."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, loop, train, train_ladder
from tests.training.conftest import untimed


@contextmanager
def full_disk(most):
    """No file may grow beyond so many bytes, as on a disk with as little room: writing fails halfway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def pair(tiny):
    return Ladder(name="pair", runs=(replace(tiny, name="small"), replace(tiny, name="large", width=32)))


def finished(folder):
    return sorted(path.name for path in folder.glob("*.nc"))


def test_a_disk_too_full_for_a_checkpoint(tiny, tmp_path):
    with full_disk(4000), pytest.raises(InputError, match=r"tiny\.ckpt: cannot be written .* checkpoint is safe"):
        train(tiny, out=tmp_path, checkpoint_every=0.0)
    assert list(tmp_path.iterdir()) == []
    assert untimed(train(tiny, out=tmp_path)).identical(untimed(train(tiny)))


def test_a_disk_that_fills_up_keeps_the_last_checkpoint_and_the_finished_runs(pair, tmp_path):
    stored = []

    def stop(progress):
        if progress.item == 2 and (tmp_path / "large.ckpt").exists() and not stored:
            stored.append((tmp_path / "large.ckpt").read_bytes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ladder(pair, tmp_path, report=stop, checkpoint_every=0.0)
    with full_disk(4000), pytest.raises(InputError, match=r"1 of 2 runs failed.*large \(.*large\.ckpt: cannot be"):
        train_ladder(pair, tmp_path, checkpoint_every=0.0)
    assert (tmp_path / "large.ckpt").read_bytes() == stored[0]
    assert finished(tmp_path) == ["small.nc"]
    assert untimed(train_ladder(pair, tmp_path)).identical(untimed(train_ladder(pair, tmp_path / "anew")))


def test_a_disk_too_full_for_the_curve(tiny, tmp_path):
    with full_disk(4000), pytest.raises(InputError, match=r"tiny\.nc: cannot be written"):
        train(tiny, out=tmp_path, checkpoint_every=1e9)
    assert list(tmp_path.iterdir()) == []
    assert train(tiny, out=tmp_path).status.values.tolist() == ["finished"]


def test_a_damaged_checkpoint_costs_its_own_run_alone(pair, tmp_path):
    (tmp_path / "small.ckpt").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"small \(.*small\.ckpt: is not a readable checkpoint; delete it") as error:
        train_ladder(pair, tmp_path)
    assert "\n" not in str(error.value)
    assert finished(tmp_path) == ["large.nc"]
    (tmp_path / "small.ckpt").unlink()
    train_ladder(pair, tmp_path)
    assert finished(tmp_path) == ["large.nc", "small.nc"]


def test_a_diverging_run_is_a_part_of_the_family(pair, tiny, tmp_path):
    wild = replace(tiny, name="wild", parameterization="standard", peak_lr=1e30, warmup=0.0, clip=1e30)
    ds = train_ladder(Ladder(name="with", runs=(wild, *pair.runs)), tmp_path)
    assert ds.status.values.tolist() == ["diverged", "finished", "finished"]
    assert np.all(np.isfinite(ds.loss))


def test_a_corpus_too_small_is_said_before_anything_starts(pair, tiny, tmp_path):
    longer = replace(tiny, name="longer", tokens=10**9)
    with pytest.raises(InputError, match="run longer: asks for 1000000000 training tokens"):
        train_ladder(Ladder(name="long", runs=(*pair.runs, longer)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


HUNGRY = """
import json, resource, sys
import torch
from scalinglaws.training import Ladder, TrainConfig, train, train_ladder
runs = [TrainConfig.from_dict(values) for values in json.loads(sys.argv[1])]
train(runs[0])  # whatever the first updates allocate is there
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, resource.RLIM_INFINITY))
try:
    train_ladder(Ladder(name="hungry", runs=tuple(runs)), sys.argv[2])
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks up its size in /proc")
def test_too_little_memory_is_a_sentence_with_the_remedy(tiny, tmp_path):
    large = replace(tiny, name="large", batch=4096, vocab=4096, tokens=4096 * 16, eval_tokens=16)
    parts = replace(large, name="parts", microbatch=8)
    runs = [replace(tiny, name="small", vocab=4096), large, parts]
    command = [sys.executable, "-c", HUNGRY, json.dumps([run.to_dict() for run in runs]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1 of 3 runs failed" in done.stdout
    assert "large (run large: the memory of cpu is too small for 4096 sequences at once; set microbatch" in done.stdout
    assert finished(tmp_path) == ["parts.nc", "small.nc"]


def test_out_of_memory_of_a_gpu_is_the_same_sentence(tiny, tmp_path, monkeypatch):
    def exhausted(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(loop, "update", exhausted)
    with pytest.raises(InputError, match="run tiny: the memory of cpu is too small for 4 sequences at once; set micro"):
        train(tiny, out=tmp_path)
    with pytest.raises(InputError, match="choose a smaller model"):
        train(replace(tiny, microbatch=1))


def test_another_error_keeps_its_traceback(tiny, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(loop, "update", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        train(tiny)


def test_finished_runs_are_whole_whatever_happened(pair, tmp_path):
    (tmp_path / "large.ckpt").write_bytes(b"")
    with pytest.raises(InputError):
        train_ladder(pair, tmp_path)
    alone = train(pair.runs[0])
    assert untimed(load_curves(tmp_path / "small.nc")).identical(untimed(alone))
