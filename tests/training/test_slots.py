"""Runs on several devices; "cpu:0" and "cpu:1" stand for two of them, and are the same one."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, places_for, single, train_ladder, worker_pool
from scalinglaws.training.slots import Slots
from tests.processes import descendants
from tests.training.conftest import untimed


@pytest.fixture
def ladder(tiny):
    common = {k: v for k, v in tiny.to_dict().items() if k not in ("name", "width", "tokens")}
    return {"name": "small", "common": common, "grid": [{"width": [24, 16], "tokens": [640, 1280, 2560]}]}


def test_a_place_is_held_by_one_run_at_a_time():
    slots = Slots(["a", "b"])
    assert {slots.take("one"), slots.take("two")} == {"a", "b"}
    with pytest.raises(IndexError):
        slots.take("three")
    slots.give_back("two")
    assert (slots.free, slots.take("three")) == (1, "b")
    with pytest.raises(KeyError):
        slots.give_back("two")


@pytest.mark.parametrize(
    ("devices", "said"),
    [("cuda:0", "described for cpu"), ("", "one device or more"), (["cpu", "cuda:1"], "described for cpu")],
)
def test_wrong_devices_are_a_sentence(ladder, devices, said):
    with pytest.raises(InputError, match=said):
        places_for(Ladder.from_dict(ladder).runs, devices)


def test_two_runs_never_share_a_device(ladder, tmp_path, monkeypatch):
    held, most, lock, original = [], [], threading.Lock(), single.train

    def watched(config, *, device, **options):
        with lock:
            assert device not in held
            held.append(device)
            most.append(len(held))
        time.sleep(0.05)
        try:
            return original(config, device=device, **options)
        finally:
            with lock:
                held.remove(device)

    monkeypatch.setattr(single, "train", watched)
    with ThreadPoolExecutor(5) as pool:
        spread = train_ladder(ladder, tmp_path / "spread", executor=pool, devices="cpu:0,cpu:1")
    assert (len(most), max(most)) == (6, 2)
    monkeypatch.setattr(single, "train", original)
    assert untimed(spread).identical(untimed(train_ladder(ladder, tmp_path / "alone")))


class _Dying(Executor):
    """Runs tasks at once, and dies with one of them."""

    def __init__(self, victim):
        self.victim, self.places = victim, []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        config, place = args[0], args[-1]
        self.places.append((config.name, place))
        if config.name == self.victim:
            future.set_exception(BrokenExecutor("died"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_dead_worker_frees_its_device_and_stops_no_other_run(ladder, tmp_path):
    executor = _Dying("width24-tokens1280")
    with pytest.raises(InputError, match=r"1 of 6 runs failed.*width24-tokens1280 \(its worker process died"):
        train_ladder(ladder, tmp_path, executor=executor, devices=["cpu:0"])
    assert {place for _, place in executor.places} == {"cpu:0"}
    assert len(list(tmp_path.glob("*.nc"))) == 5


def _workers():
    pids = descendants(os.getpid())
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow  # on a busy machine the run may end before it is seen to be killed
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the worker in /proc")
def test_a_worker_killed_in_the_middle_costs_no_other_run_and_no_finished_update(ladder, tmp_path):
    ladder["grid"].append({"width": 32, "tokens": 64 * 2000})
    name = "width32-tokens128k"  # the dearest: it goes first
    others = set(_workers())  # of tests that ran before in this process
    killed = []

    def kill(progress):
        if not killed and (tmp_path / f"{name}.ckpt").exists():
            killed.extend(pid for pid in _workers() if pid not in others)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(InputError, match=rf"1 of 7 runs failed.*{name} \(its worker"), worker_pool(1) as pool:
        train_ladder(ladder, tmp_path, executor=pool, report=kill, checkpoint_every=0.05)
    assert len(killed) == 1
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.nc")}
    assert len(kept) == 6
    told = []
    assert train_ladder(ladder, tmp_path, report=told.append).status.values.tolist() == ["finished"] * 7
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.nc")}.items()
    assert len(told) < 2001  # from its checkpoint
