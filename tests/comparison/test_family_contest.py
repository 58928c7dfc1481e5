"""The contest of family laws: what is left out, who predicts it, what the intervals hold, what is said."""

from __future__ import annotations

import importlib.util
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import scalinglaws as sl
from scalinglaws import schedules
from scalinglaws.comparison.family_laws import FamilyCurves, FamilyRecords, find_family_law
from scalinglaws.comparison.family_laws.judge import judge, pooled_seed_spread
from scalinglaws.comparison.family_laws.splits import Split, schedule_labels, splits_of
from scalinglaws.comparison.path import Path as Rates
from scalinglaws.curves import Run, from_runs
from scalinglaws.errors import InputError
from scalinglaws.plotting import draw_family_contest

SIZES = (1e3, 2e3, 4e3, 8e3)
TRUTH = {"E": 1.0, "A": 5.0, "B": 2.0, "C0": 2.0, "C1": 1.0, "a": 0.4, "s": 0.5, "c": 0.7, "k": 1.6}
SHAPES = ("linear", "wsd", "constant")
FAST = ["chinchilla", "functional"]


def measured(size, shape, steps=300, seed=0, noise=0.0, law="functional", values=TRUTH, stored=True, **facts):
    """A run that obeys a law, its log loss shifted as a whole by its seed."""
    schedule = schedules.parse(shape, peak=0.3, steps=steps)
    at = np.unique(np.geomspace(3, steps, 25).astype(int)) if stored else np.arange(1, steps + 1)
    path = Rates.of_schedule(schedule, steps)
    curves = FamilyCurves.of([path], [size], [at], batch=4.0, tokens=[at * 512.0])
    known = {"schedule": json.dumps(schedule.to_dict())} if stored else {"lr": path.rate[at - 1]}
    return Run(
        name=f"{size:g}-{shape}-{steps}-{seed}",
        step=at,
        loss=find_family_law(law).predict(values, curves) * np.exp(noise),
        tokens=at * 512.0,
        **({"params": {"mlp": size}, "batch": 4.0, "seed": seed} | known | facts),
    )


def family(seeds=1, noise=0.0, rng=0, shapes=("linear",), steps=(300,), sizes=SIZES, **facts):
    draw = np.random.default_rng(rng)
    plan = [(n, shape, t, seed) for n in sizes for shape in shapes for t in steps for seed in range(seeds)]
    return [measured(n, shape, t, seed, noise * draw.standard_normal(), **facts) for n, shape, t, seed in plan]


def split_names(runs, leave_out=("size", "horizon", "schedule")):
    labelled = from_runs(runs)
    records = FamilyRecords.of(labelled)
    splits, refused = splits_of(records, schedule_labels(records, labelled), leave_out)
    return {s.name: [records.curves.names[i] for i in s.held] for s in splits}, refused


def test_what_is_left_out():
    held, refused = split_names(family(shapes=SHAPES, steps=(100, 300), sizes=SIZES[:3]))
    assert refused == {}
    assert list(held) == ["size", "horizon", "schedule: linear", "schedule: wsd", "schedule: constant"]
    assert all(name.startswith("4000-") for name in held["size"])
    assert len(held["size"]) == 6
    assert sorted(held["horizon"]) == sorted(f"{n:g}-{s}-300-0" for n in SIZES[:3] for s in SHAPES)
    assert all("-wsd-" in name for name in held["schedule: wsd"])


def test_a_quarter_of_many_sizes_is_left_out():
    held, _ = split_names(family(sizes=[1e3 * 2**i for i in range(8)]), ["size"])
    assert held["size"] == ["64000-linear-300-0", "128000-linear-300-0"]


@pytest.mark.parametrize(
    ("runs", "kind", "why"),
    [
        (family(sizes=SIZES[:1]), "size", "all runs have one size"),
        (family(sizes=SIZES[:2]), "size", "of two sizes one would be left"),
        (family(), "horizon", "every size was trained for one horizon"),
        (family(), "schedule", "all runs follow one schedule (linear)"),
        (family(), "schedule: wsd", "no run follows the schedule wsd; known are linear"),
        (
            [measured(1e3, "linear"), measured(2e3, "wsd")],
            "schedule",
            "every size was trained under one schedule only",
        ),
    ],
)
def test_what_a_family_does_not_allow_is_a_sentence(runs, kind, why):
    held, refused = split_names(runs, [kind])
    assert held == {}
    assert refused[kind].startswith(why)


def test_schedules_without_a_name_are_told_by_their_rates():
    runs = from_runs(family(shapes=SHAPES, steps=(300, 900), sizes=[1e3], stored=False))
    first, second = "that of run 1000-linear-300-0", "that of run 1000-wsd-300-0"
    assert schedule_labels(FamilyRecords.of(runs), runs) == [first] * 2 + [second] * 2 + ["constant"] * 2


def test_a_schedule_is_judged_only_where_its_size_was_fitted():
    runs = [*family(shapes=("linear", "wsd"), sizes=SIZES[:2]), measured(8e3, "wsd")]
    held, _ = split_names(runs, ["schedule: wsd"])
    assert held["schedule: wsd"] == ["1000-wsd-300-0", "2000-wsd-300-0"]


@pytest.fixture(scope="module")
def found():
    """Runs that obey the functional law, seeds apart by 0.2 %."""
    return sl.contest_families(from_runs(family(seeds=2, noise=2e-3, shapes=SHAPES, steps=(120, 300))), FAST)


def test_the_law_that_the_runs_obey_wins(found):
    errors = found.errors
    assert errors["failure"].values.tolist() == [["", ""]] * 5
    good = errors.sel(law="functional")
    assert float(good["end_error"].max()) < 0.006
    assert float(good["curve_error"].max()) < 0.006
    assert (errors["end_error"].sel(law="chinchilla") > 4 * good["end_error"]).all()
    assert {found.best(str(name)) for name in errors["split"].values} == {"functional"}
    assert found.best("size", theory=False) == "chinchilla"


def test_errors_by_hand(found):
    rows = found.ends.isel(row=(found.ends["split"].values == "size") & (found.ends["law"].values == "chinchilla"))
    log = np.log(rows["predicted"].values) - np.log(rows["measured"].values)
    inside = (rows["low"].values < rows["measured"].values) & (rows["measured"].values < rows["high"].values)
    cell = found.errors.sel(split="size", law="chinchilla")
    assert float(cell["end_error"]) == pytest.approx(np.mean(np.abs(log)))
    assert float(cell["end_bias"]) == pytest.approx(np.mean(log))
    assert float(cell["coverage"]) == np.mean(inside)
    assert set(rows["N"].values) == {8e3}
    pairs = np.log(rows["measured"].values).reshape(-1, 2)
    spread = np.sqrt(np.mean(np.var(pairs, axis=1, ddof=1)))
    assert float(found.errors["seed_noise"].sel(split="size")) == pytest.approx(np.sqrt(2 / np.pi) * spread)


def test_words_and_numbers(found):
    table, summary = found.table(), found.summary()
    assert "size: the largest of 4 sizes (12 of 48 runs); a perfect law would miss by 0." in table
    assert "functional is closest at the end points" in summary
    assert "  no worse than chinchilla (" in summary
    assert "not what a law misses beyond the fitted runs (nominal 90 %)" in summary
    assert found.verdict.startswith(
        "Theory's best law predicts the end points no worse than chinchilla on 5 of 5 splits"
    )
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["errors"]["law"] == FAST
    assert len(read["ends"]["run"]) == int(found.errors["held"].sum()) * 2


def test_where_theory_loses_is_said():
    values = {"E": 1.0, "A": 5.0, "B": 20.0, "a": 0.4, "b": 0.5}
    runs = from_runs(family(shapes=("linear", "wsd"), law="chinchilla", values=values))
    found = sl.contest_families(runs, ["chinchilla", "plrf-terms"], ["size", "schedule: wsd"])
    assert "theory loses to chinchilla (0.00 %): plrf-terms (" in found.summary()
    assert "on 0 of 2 splits" in found.verdict


def test_the_same_with_an_executor_and_progress(found):
    runs = from_runs(family(seeds=2, noise=2e-3, shapes=SHAPES, steps=(120, 300)))
    told = []
    with ThreadPoolExecutor(2) as executor:
        again = sl.contest_families(runs, FAST, "size", executor=executor, report=told.append)
    assert again.errors["end_error"].values.tolist() == found.errors["end_error"].sel(split=["size"]).values.tolist()
    assert [(p.done, p.total) for p in told] == [(1, 2), (2, 2)]


def test_laws_travel_to_other_processes():
    for name in ("chinchilla", "monomials", "plrf-terms", "functional", "nqs"):
        assert pickle.loads(pickle.dumps(find_family_law(name))).name == name


def test_a_law_that_fails_is_a_sentence():
    """Three records for nine parameters, and a law that breaks inside NumPy."""
    runs = [replace(r, step=r.step[-1:], loss=r.loss[-1:], tokens=r.tokens[-1:]) for r in family()]
    few = sl.contest_families(from_runs(runs), FAST, "size")
    assert "must exceed the 9 parameters of functional" in few.errors["failure"].sel(law="functional").item()
    assert np.isnan(few.errors["end_error"].values).all()
    assert "no prediction: records = 3" in few.table()
    assert "no law gives a prediction" in few.summary()

    def broken(shapes, curves):
        raise np.linalg.LinAlgError("SVD did not converge")

    law = replace(find_family_law("monomials"), name="broken", features=broken)
    one = sl.contest_families(from_runs(family()), ["chinchilla", law], "size")
    assert one.errors["failure"].values.tolist() == [["", "SVD did not converge"]]
    assert one.best("size") == "chinchilla"
    assert "no prediction from broken" in one.summary()


def test_nothing_to_leave_out_is_no_error():
    alone = sl.contest_families(from_runs(family(sizes=SIZES[:1])), FAST)
    assert alone.errors.sizes["split"] == 0
    assert list(alone.refused) == ["size", "horizon", "schedule"]
    assert "no split of this family could be tried" in alone.summary()
    assert alone.verdict.startswith("This family allows no run to be left out")
    json.dumps(alone.to_dict(), allow_nan=False)


def test_diverged_runs_and_unknown_batches():
    runs = [*family(batch=np.nan), measured(8e3, "linear", seed=7, status="diverged", batch=np.nan)]
    found = sl.contest_families(from_runs(runs), ["chinchilla"])
    assert found.notes == ("8000-linear-300-7 diverged and took no part",)
    assert found.errors["failure"].item() == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"laws": "none"}, "law = 'none': must be one of"),
        ({"leave_out": "seed"}, "leave_out = 'seed': must be one of size, horizon, schedule"),
        ({"leave_out": "size: 3"}, "leave_out = 'size: 3'"),
        ({"level": 1.5}, "level = 1.5"),
    ],
)
def test_what_makes_no_contest_is_refused(options, said):
    with pytest.raises(InputError) as error:
        sl.contest_families(from_runs(family()), **options)
    assert said in str(error.value)


def test_intervals_hold_where_the_law_is_true():
    """Seeds apart as a whole by 1 %: 90 % intervals hold 82 to 97 % of 120 new end points of a size not fitted."""
    values, inside = {"E": 1.0, "A": 5.0, "B": 20.0, "a": 0.4, "b": 0.5}, []
    law = find_family_law("chinchilla")
    for rng in range(60):
        runs = from_runs(family(seeds=4, noise=0.01, rng=rng, law="chinchilla", values=values))
        records = FamilyRecords.of(runs, most=8)
        split = Split(name="size", said="", fitted=np.arange(12), held=np.array([12, 13]))
        verdict = judge(records, split, law, 0.9, {"starts": 1})
        ends = [records.loss[records.curves.slices[r].stop - 1] for r in (12, 13)]
        inside += [*(verdict.low < ends) & (ends < verdict.high)]
    assert 98 <= np.sum(inside) <= 116, np.sum(inside)


def test_seed_spread_by_hand():
    values, group = np.array([1.0, 3.0, 2.0, 2.5, 3.0, 9.0]), np.array([4, 4, 7, 7, 7, 1])
    expected = np.sqrt((1 + 1 + 0.25 + 0.0 + 0.25) / 3)
    assert pooled_seed_spread(values, group) == pytest.approx(expected)
    assert np.isnan(pooled_seed_spread(values[:2], np.array([0, 1])))


def test_the_figure_shows_the_errors(found):
    drawn = draw_family_contest(found, ax=Figure().subplots())
    assert list(drawn.points) == FAST
    shown = np.asarray(drawn.points["chinchilla"].get_offsets())
    assert shown[:, 0] == pytest.approx(100 * found.errors["end_error"].sel(law="chinchilla").values)
    assert [t.get_text().split("\n")[0] for t in drawn.axes.get_yticklabels()] == found.errors["split"].values.tolist()
    assert len(drawn.seeds.get_segments()) == 5
    assert drawn.axes.get_xlabel() == "mean error of held-out end points (%)"
    with pytest.raises(InputError, match="by = 'worst'"):
        draw_family_contest(found, by="worst", ax=Figure().subplots())


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).parents[2] / "benchmarks" / "family_contest.py"
    spec = importlib.util.spec_from_file_location("family_contest_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_resumes_and_tells_what_it_could_not_do(script, tmp_path):
    script.one("made", lambda: (from_runs(family()), {"leave_out": "size"}, "made up"), tmp_path, FAST, None)
    before = (tmp_path / "made.json").stat().st_mtime_ns
    script.one("made", lambda: pytest.fail("was done already"), tmp_path, FAST, None)
    script.one("odd", lambda: (from_runs([measured(1e3, "linear", params={})]), {}, ""), tmp_path, FAST, None)
    assert (tmp_path / "made.json").stat().st_mtime_ns == before
    assert (tmp_path / "made.png").stat().st_size > 1000
    results = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("made", "odd")]
    table = script.markdown(results, FAST)
    assert "| made | size | 1 of 4 | " in table
    assert "- functional: no worse than chinchilla on 1 of 1 splits" in table
    assert "- odd: run 1000-linear-300-0: neither parameters nor width are known" in table


def test_end_points_of_a_table_become_runs(script):
    import pandas as pd

    table = pd.DataFrame({"n": [1e6, 1e6, 4e6], "d": [1e9, 2e9, np.nan], "loss": [3.0, 2.9, 2.7]})
    runs, options = script.end_points(table, n="n", tokens="d", loss="loss")
    assert runs["tokens"].values.tolist() == [1e9, 2e9]
    assert [path.steps for path in options["paths"].values()] == [10_000, 20_000]
