from __future__ import annotations

import json
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from scalinglaws import PLRF, SGD, relative_lr
from scalinglaws.errors import InputError
from scalinglaws.prediction.atlas import atlas
from scalinglaws.sweep import Failure, grid, open_executor, running, specs, sweep
from tests.sweep import cells

SQUARE = grid(alpha=np.linspace(0.1, 0.9, 5), beta=[0.2, 0.7])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


MODELS = grid(model=[PLRF(alpha=a, beta=0.7, d=50) for a in (0.4, 1.0)], opt=[SGD(lr=relative_lr(0.25))])


def test_grid_is_a_product_in_order():
    assert grid(a=[1, 2], b=("x", None), c=0.5) == [
        {"a": 1, "b": "x", "c": 0.5}, {"a": 1, "b": None, "c": 0.5},
        {"a": 2, "b": "x", "c": 0.5}, {"a": 2, "b": None, "c": 0.5},
    ]  # fmt: skip
    assert [type(cell["n"]) for cell in grid(n=np.arange(2))] == [int, int]
    with pytest.raises(InputError, match=r"grid: a = .*one value or more"):
        grid(a=[])
    with pytest.raises(InputError, match="one dimension"):
        grid(a=np.eye(2))


def test_values_are_those_of_plain_calls():
    results = sweep(cells.quick, SQUARE)
    for cell, spec in zip(results, SQUARE, strict=True):
        assert cell.spec == spec
        expected = cells.quick(**spec)
        assert cell.value == {"risk": expected["risk"], "edges": [spec["alpha"] * spec["beta"], math.inf],
                              "size": float(np.float32(0.1))}  # fmt: skip
    assert [cell.spec for cell in results[2:4]] == SQUARE[2:4]
    assert results[-1].spec == SQUARE[-1]
    with pytest.raises(IndexError):
        results[len(SQUARE)]


def test_datasets_come_back_whole(tmp_path):
    given = grid(alpha=[0.5, 1.5])
    for store in (None, tmp_path):
        results = sweep(cells.curve, given, store=store)
        assert all(cell.value.identical(cells.curve(**cell.spec)) for cell in results)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".nc"] * 2
    assert sweep(cells.curve, given, store=tmp_path).computed == 0


def test_specs_may_be_models_and_optimizers(tmp_path):
    results = sweep(cells.risk_at, MODELS, store=tmp_path)
    for cell in results:
        assert np.array_equal(cell.value.risk, cells.risk_at(**cell.spec).risk)
    again = grid(model=[PLRF(alpha=a, beta=0.7, d=50, v=200) for a in (1.0, 0.4)], opt=[SGD(lr=relative_lr(0.25))])
    assert sweep(cells.risk_at, again, store=tmp_path).computed == 0


@pytest.mark.parametrize("where", ["threads", "processes", "cluster"])
def test_bytes_do_not_depend_on_the_executor(where, tmp_path, request):
    serial, spread = tmp_path / "serial", tmp_path / "spread"
    draws = grid(index=range(8))
    sweep(cells.risk_at, MODELS, store=serial)
    sweep(cells.random, draws, store=serial)
    if where == "threads":
        opened = ThreadPoolExecutor(3)
    elif where == "processes":
        opened = open_executor(workers=2)
    else:
        opened = open_executor(scheduler=request.getfixturevalue("cluster").scheduler_address)
    with opened as executor:
        sweep(cells.random, draws[::-1], store=spread, executor=executor, in_flight=3)
        sweep(cells.risk_at, MODELS, store=spread, executor=executor)
    assert files(spread) == files(serial)
    assert len(files(spread)) == len(MODELS) + len(draws)


def test_any_executor_will_do():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert sweep(cells.deadly, grid(x=[1, 2]), executor=pool).values() == [1, 4]


def test_random_numbers_belong_to_the_cell():
    whole = [cell.value for cell in sweep(cells.random, grid(index=range(6)))]
    part = [cell.value for cell in sweep(cells.random, grid(index=[5, 2]))]
    assert part == [whole[5], whole[2]]
    assert len({tuple(draws) for draws in whole}) == 6
    assert sweep(cells.seeded, grid(index=0))[0].value == "a generator"
    assert sweep(cells.seeded, grid(index=0, rng=7))[0].value == 7
    assert sweep(partial(cells.seeded, rng=8), grid(index=0))[0].value == 8


def test_interrupted_sweep_repeats_nothing(tmp_path):
    def stop(progress):
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(cells.quick, SQUARE, store=tmp_path, report=stop)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == 4
    results = sweep(cells.quick, SQUARE, store=tmp_path)
    assert results.computed == 6
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert results.values() == sweep(cells.quick, SQUARE).values()


@pytest.mark.parametrize("function", [cells.quick, cells.curve])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "swap", "edit"])
def test_a_damaged_file_is_computed_again(function, damage, tmp_path):
    given = SQUARE[:3] if function is cells.quick else grid(alpha=[0.5, 1.0, 1.5])
    before = sweep(function, given, store=tmp_path)
    whole = files(tmp_path)
    first, second = sorted(tmp_path.iterdir())[:2]
    content = first.read_bytes()
    if damage == "swap":
        content = second.read_bytes()
    elif damage == "flip":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    elif damage == "edit":
        content = content.replace(b"0.1.0", b"0.1.1")
    else:
        content = content[: len(content) // 2] if damage == "truncate" else b""
    first.write_bytes(content)
    with pytest.raises(InputError, match="gone or damaged"):
        before.values()
    after = sweep(function, given, store=tmp_path)
    assert after.computed == 1
    assert files(tmp_path) == whole


def test_results_of_other_functions_and_versions_are_never_mixed(tmp_path, monkeypatch):
    given = grid(x=[5, 6])
    assert sweep(cells.deadly, given, store=tmp_path).values() == [25, 36]
    assert sweep(cells.picky, given, store=tmp_path).values() == [5, 6]
    assert sweep(partial(cells.deadly, at=7), given, store=tmp_path).computed == 2
    assert sweep(partial(cells.deadly, at=8), given, store=tmp_path).computed == 2
    assert sweep(partial(cells.deadly, at=8), given, store=tmp_path).computed == 0
    monkeypatch.setattr(specs, "VERSION", "99.0")
    assert sweep(cells.deadly, given, store=tmp_path).computed == 2
    assert len(files(tmp_path)) == 10


def test_equal_cells_are_computed_once(tmp_path):
    told = []
    results = sweep(cells.deadly, [{"x": 2}, {"x": 4}, {"x": np.int64(2)}], store=tmp_path, report=told.append)
    assert results.values() == [4, 16, 4]
    assert results.computed == len(files(tmp_path)) == 2
    assert [p.done for p in told] == [0, 2, 3]


@pytest.mark.parametrize("spread", [False, True])
def test_a_cell_that_fails_is_recorded_and_the_rest_go_on(spread, tmp_path):
    given = grid(x=range(6))
    with open_executor(workers=1 if spread else None) as executor:
        results = sweep(cells.picky, given, store=tmp_path, executor=executor)
    assert [cell.value for cell in results] == [0, None, None, None, None, 5]
    assert [cell.failure for cell in results[1:4]] == [
        Failure("InputError", "x = 1: must not be 1"),
        Failure("RuntimeError", "two lines"),
        Failure("SystemExit", "4"),
    ]
    assert results[4].failure.error == "InputError"
    assert "result = {1, 2}: is a set" in results[4].failure.sentence
    assert [cell.spec["x"] for cell in results.failed()] == [1, 2, 3, 4]
    with pytest.raises(InputError, match=r"4 of 6 cells failed, the first at \{'x': 1\}: InputError: x = 1: must not"):
        results.values()
    assert sweep(cells.picky, given, store=tmp_path).computed == 0
    assert sweep(cells.picky, given, store=tmp_path, retry_failed=True).computed == 4


def test_a_failure_gives_way_to_a_dataset(tmp_path):
    """A cell killed between writing its dataset and removing its old failure has two files and one value."""
    given = grid(alpha=[0.5])
    sweep(cells.curve, given, store=tmp_path)
    (dataset,) = tmp_path.iterdir()
    whole = dataset.read_bytes()
    dataset.write_bytes(b"damaged")
    head = specs.header(cells.curve)
    job = running.Job.of(given[0], head)
    failed = running.encode_failure(job.about, Failure("WorkerDied", "it died"))
    dataset.with_suffix(".json").write_bytes(failed.content)
    assert sweep(cells.curve, given, store=tmp_path)[0].failure == Failure("WorkerDied", "it died")
    assert sweep(cells.curve, given, store=tmp_path, retry_failed=True)[0].failure is None
    assert files(tmp_path) == {dataset.name: whole}


def test_progress_counts_cells(tmp_path):
    told = []
    sweep(cells.quick, SQUARE[:4], store=tmp_path)
    with ThreadPoolExecutor(2) as pool:
        sweep(cells.quick, SQUARE, store=tmp_path, executor=pool, report=told.append)
    assert [p.done for p in told] == list(range(4, 11))
    assert {p.total for p in told} == {10}
    assert told[0].label == "tests.sweep.cells.quick"
    assert [p.item for p in told] == [5, 6, 7, 8, 9, 10, 10]


def test_few_cells_are_in_flight():
    class Counting(ThreadPoolExecutor):
        most = 0

        def submit(self, *args):
            future = super().submit(*args)
            waiting.append(future)
            self.most = max(self.most, sum(not f.done() for f in waiting))
            return future

    waiting = []
    with Counting(2) as pool:
        sweep(cells.drowsy, grid(index=range(20)), executor=pool, in_flight=3)
        assert 1 <= pool.most <= 3
    assert len(waiting) == 20


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sweep(lambda x: x, grid(x=1)), "function = .*top of a module"),
        (lambda: sweep([].append, [1]), "function = .*top of a module"),
        (lambda: sweep(cells.quick, [{"x": object()}]), "spec: x = .*is a object; must be made of"),
        (lambda: sweep(cells.quick, [{1: 2}]), "spec: key = 1: must be text"),
        (lambda: sweep(partial(cells.quick, alpha={1}), [{}]), "function: partial: alpha = {1}"),
        (lambda: sweep(cells.quick, [], retries=-1), "retries = -1"),
        (lambda: sweep(cells.quick, [], in_flight=0), "in_flight = 0"),
        (lambda: sweep(cells.quick, [], store=__file__), "store = .*must be a folder"),
        (lambda: open_executor(workers=-1).__enter__(), "workers = -1"),
        (lambda: open_executor(workers=2, scheduler="tcp://127.0.0.1:1").__enter__(), "together"),
    ],
)
def test_mistakes_get_a_sentence(call, said):
    with pytest.raises(InputError, match=said) as error:
        call()
    assert "\n" not in str(error.value)


def test_files_say_what_they_are(tmp_path):
    sweep(cells.quick, SQUARE[:1], store=tmp_path)
    (path,) = tmp_path.iterdir()
    body = json.loads(path.read_text())
    assert body["spec"] == SQUARE[0]
    assert body["function"] == "tests.sweep.cells.quick"
    assert set(body) == {"schema", "version", "function", "bound", "spec", "value", "sha256"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_atlas_is_bit_identical_on_every_executor(cluster, tmp_path):
    axes = ([0.3, 0.6, 1.0], [0.1, 0.4, 0.8])
    alone = atlas(*axes, flops=1e8)
    for options in ({"workers": 1}, {"workers": 2}, {"scheduler": cluster.scheduler_address}):
        with open_executor(**options) as executor:
            made = atlas(*axes, flops=1e8, executor=executor)
        for name in alone.data_vars:
            assert made[name].values.tobytes() == alone[name].values.tobytes(), (options, name)
