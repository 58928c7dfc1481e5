"""Processes die, at any moment: the sweep that is left, or the next one, ends with every cell once and right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.sweep import Failure, grid, open_executor, sweep
from tests.processes import descendants, is_alive, wait_until
from tests.sweep import cells

linux = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the children in /proc")


def died(times):
    return Failure("WorkerDied", f"the worker process died {times} times with this cell")


def test_a_deadly_cell_is_retried_and_recorded(tmp_path):
    given = grid(x=range(12))
    with open_executor(workers=2) as executor:
        results = sweep(cells.deadly, given, store=tmp_path, executor=executor)
        assert [cell.value for cell in results] == [x * x if x != 3 else None for x in range(12)]
        assert results[3].failure == died(2)
        assert sweep(cells.deadly, given, store=tmp_path, executor=executor).computed == 0
        again = sweep(cells.deadly, given, store=tmp_path, executor=executor, retry_failed=True, retries=0)
    assert again.computed == 1
    assert again[3].failure == died(1)


def test_a_death_by_accident_costs_a_retry(tmp_path):
    given = grid(x=range(6), folder=str(tmp_path))
    with open_executor(workers=1) as executor:
        assert sweep(cells.deadly_once, given, executor=executor).values() == [x * x for x in range(6)]


def test_suspects_run_alone(tmp_path):
    given = grid(x=range(4), folder=str(tmp_path))
    with open_executor(workers=2) as executor:
        assert sweep(cells.dies_if_crowded, given, executor=executor).values() == [0, 1, 2, 3]


def test_a_deadly_cell_on_a_cluster(cluster):
    with open_executor(scheduler=cluster.scheduler_address) as executor:
        results = sweep(cells.deadly, grid(x=range(12)), executor=executor)
    assert [cell.value for cell in results] == [x * x if x != 3 else None for x in range(12)]
    assert results[3].failure == died(2)


def test_a_plain_pool_that_broke_gets_a_sentence(tmp_path):
    given = grid(x=range(40))
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with pool, pytest.raises(InputError, match=r"starts no other; use .*open_executor\(workers="):
        sweep(cells.deadly, given, store=tmp_path, executor=pool, in_flight=2)
    assert 1 <= len(list(tmp_path.iterdir())) <= 3
    with open_executor(workers=1) as executor:
        results = sweep(cells.deadly, given, store=tmp_path, executor=executor)
    assert len(results.failed()) == 1
    assert results.computed >= 37


def test_what_no_worker_can_load_stops_the_sweep(tmp_path):
    with open_executor(workers=1) as executor:
        for given, said in ((cells.Unloadable(), "no module named study"), (cells.Local(), "executor cannot run it")):
            with pytest.raises(InputError, match=said):
                sweep(cells.unloadable, [given], store=tmp_path, executor=executor)
    assert list(tmp_path.iterdir()) == []


def test_a_script_without_a_guard_gets_a_sentence(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        "from scalinglaws import _workers\n"
        "from scalinglaws.sweep import open_executor, sweep\n"
        "_workers._STARTS = 1\n"
        "with open_executor(workers=1) as executor:\n"
        "    sweep(abs, [1, 2], executor=executor)\n"
    )
    out = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert out.returncode == 1
    assert "InputError: workers: a process ends while it starts" in out.stderr


def test_no_scheduler_no_dask(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("scalinglaws.sweep.executors._PATIENCE", 0.2)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(InputError, match="no Dask scheduler answers there"), open_executor(scheduler=address):
            pass
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        pytest.raises(InputError, match=r"distributed is not installed.*scalinglaws\[distributed\]"),
        open_executor(scheduler="tcp://127.0.0.1:1"),
    ):
        pass


def start(store, count, where):
    command = [sys.executable, "-m", "tests.sweep.drive", str(store), str(count), where]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def finished(store):
    return {path: path.stat().st_mtime_ns for path in store.glob("*.json")}


def workers_of(process):
    """Worker processes of a sweep, without multiprocessing's own helper."""
    found = descendants(process.pid)
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def kill_a_worker(rng, process):
    os.kill(int(rng.choice(workers_of(process))), signal.SIGKILL)


def disturb(rng, store, count, where, *, until, harm):
    """Run a sweep until `until` cells are finished and a moment longer; then harm it."""
    process = start(store, count, where)
    try:
        wait_until(lambda: len(finished(store)) >= until or process.poll() is not None, 120)
        assert process.poll() is None, process.communicate()[1].decode()[-2000:]
        time.sleep(rng.uniform(0, 0.02))
        harm(process)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process


def killed(process):
    workers = descendants(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(is_alive(pid) for pid in workers), 20)


def ends_well(process):
    said = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 0, said[-2000:]


def assert_same(store, calm):
    """Every cell once, with the bytes of the undisturbed run; temporary files of the killed start with a dot."""
    names = sorted(path.name for path in store.iterdir() if not path.name.startswith("."))
    assert names == sorted(path.name for path in calm.iterdir())
    assert all((store / name).read_bytes() == (calm / name).read_bytes() for name in names)


@linux
def test_killed_and_restarted(tmp_path):
    """Three kills of the whole, in this process's way and with workers, then one of a worker."""
    rng = np.random.default_rng(4)
    count, store, calm = 60, tmp_path / "store", tmp_path / "calm"
    sweep(cells.drowsy, grid(index=range(count)), store=calm)
    kept = {}
    for where, until in zip(("serial", "2", "serial"), np.sort(rng.integers(1, 45, 3)), strict=True):
        killed(disturb(rng, store, count, where, until=until, harm=lambda process: None))
        now = finished(store)
        assert until <= len(now) < count
        assert kept.items() <= now.items()  # what was there was neither lost nor written again
        kept = now
    last = disturb(rng, store, count, "2", until=len(kept) + 2, harm=lambda process: kill_a_worker(rng, process))
    ends_well(last)
    assert kept.items() <= finished(store).items()
    assert_same(store, calm)


@linux
@pytest.mark.slow
def test_twenty_kills_and_a_cluster_that_loses_workers(tmp_path, cluster):
    """500 cells: the sweep killed at 20 random moments, workers of a Dask cluster at 5."""
    rng = np.random.default_rng(20)
    count, store, calm = 500, tmp_path / "store", tmp_path / "calm"
    sweep(cells.drowsy, grid(index=range(count)), store=calm)
    address, kept = cluster.scheduler_address, {}
    places = ["serial"] * 6 + ["2"] * 7 + [address] * 7
    rng.shuffle(places)
    for where, until in zip(places, np.sort(rng.integers(0, 350, 20)), strict=True):
        killed(disturb(rng, store, count, where, until=until, harm=lambda process: None))
        now = finished(store)
        assert kept.items() <= now.items()
        kept = now
    assert len(kept) < 400
    process = start(store, count, address)
    for until in np.sort(rng.integers(len(kept) + 1, count - 60, 5)):
        wait_until(lambda until=until: len(finished(store)) >= until or process.poll() is not None, 120)
        assert process.poll() is None
        kill_a_cluster_worker(rng, cluster)
    ends_well(process)
    assert kept.items() <= finished(store).items()
    assert_same(store, calm)


def kill_a_cluster_worker(rng, cluster):
    wait_until(lambda: running_workers(cluster), 60)  # those killed before may not have started again yet
    pid = int(rng.choice(running_workers(cluster)))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 20)


def running_workers(cluster):
    pids = [nanny.pid for nanny in cluster.workers.values()]
    return [pid for pid in pids if pid is not None and is_alive(pid)]
