"""Measured curves and tables as their authors published them; skipped where the data folder is absent."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scalinglaws.curves import end_points, iter_runs, params_by, read_curves, read_table, save_curves
from scalinglaws.errors import InputError
from tests.curves.samples import SHARED

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not here")

TABLES = {
    "besiroglu2024/svg_extracted_data.csv": (245, {}),
    "gadre2024/gadre_104.csv": (104, {"columns": {"loss": "loss_c4_val"}}),
    "datablations/muennighoff_182.csv": (182, {}),
    "datablations/muennighoff_all.csv": (296, {}),
    "nqs/dataset.csv": (137, {"seq_len": 128, "scale": {"flops": 1e9}}),
    "olmo_ladder/c4_final_NDL.csv": (18, {}),
    "porian2024/isoflop_points.csv": (1745, {}),
    "porian2024/optimal_pairs.csv": (
        173,  # of 177: four experiments have no loss at the optimum
        {"columns": {"params": "n_star", "tokens": "t_star", "loss": "loss_star"}},
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    rows, options = TABLES[name]
    table = read_table(SHARED / name, **options)
    assert table.sizes["run"] == rows
    for quantity in ("params", "tokens", "flops", "loss"):
        values = table[quantity].values
        assert np.isfinite(values).all()
        assert (values > 0).all()
    # Every one of these authors counts C = 6ND, some of them rounded.
    np.testing.assert_allclose(table.flops, 6 * table.params * table.tokens, rtol=0.35)


def test_besiroglu_tokens_and_loss():
    table = read_table(SHARED / "besiroglu2024" / "svg_extracted_data.csv")
    assert table.tokens.values[0] == pytest.approx(9.993852799709755e18 / (6 * 6795600349.289497), rel=1e-15)
    assert np.sort(table.loss.values)[-5] == pytest.approx(3.44699543, abs=1e-8)


def test_gadre_has_several_losses():
    with pytest.raises(InputError, match=r"8 columns could be the loss \('loss_openlm', 'loss_c4_val'"):
        read_table(SHARED / "gadre2024" / "gadre_104.csv")


def test_supercollapse_c5m():
    path = SHARED / "supercollapse" / "c5m.csv.gz"
    ds = read_curves(path)
    assert dict(ds.sizes)["run"] == 40
    assert ds.sizes["obs"] == 31180
    assert sorted(set(ds.width.values.tolist()))[0] == 768
    assert sorted(set(ds.seed.values.tolist())) == [0, 1, 2, 3, 4]
    assert any("give scale={'flops': 1e15} for PFLOP" in note for note in json.loads(ds.attrs["notes"]))
    scaled = read_curves(path, scale={"flops": 1e15})
    first = next(iter_runs(scaled))
    assert first.tokens[0] == pytest.approx(0.018564526e15 / (6 * 11803008), rel=1e-12)
    assert end_points(scaled).sizes["run"] == 40


def test_supercollapse_schedules():
    ds = read_curves(SHARED / "supercollapse" / "c5m_schedules.csv.gz", scale={"flops": 1e15})
    assert (ds.sizes["run"], ds.sizes["obs"]) == (45, 39585)
    first = next(iter_runs(ds))
    assert (first.tokens[0], first.noise_trace[0], first.batch, first.schedule) == (65536, 0.66636139, 512, "const")
    np.testing.assert_allclose(ds.flops, 6 * np.repeat(params_by(ds).values, ds.row_size) * ds.tokens, rtol=1e-5)


@pytest.mark.parametrize("size", [25, 100])
def test_multipowerlaw(size):
    folder = SHARED / "multipowerlaw" / f"csv_{size}"
    ds = read_curves(folder, params=size * 1e6, pattern="(?P<schedule>.+)", batch=128, seq_len=4096)
    assert ds.run.values.tolist() == sorted(f.stem for f in folder.glob("*.csv"))
    assert ds.schedule.values.tolist() == ds.run.values.tolist()
    assert ds.step.values[0] == 2176
    assert (end_points(ds).params == size * 1e6).all()
    with pytest.raises(InputError, match="params: unknown for runs constant_24000"):
        end_points(read_curves(folder, batch=128, seq_len=4096))


def test_lr_scheduling(tmp_path):
    folder = SHARED / "lr_scheduling_owt2"
    ds = read_curves(folder)
    assert ds.sizes["run"] == 21
    runs = {run.name: run for run in iter_runs(ds)}
    for run in runs.values():
        log = json.loads((folder / f"{run.name}.json").read_text())
        assert run.step[0] == 0
        assert run.step[-1] == log["config"]["iterations"]
        assert run.loss[-1] == pytest.approx(log["summary"]["final-val/loss"], rel=1e-14)
        assert run.params == {"unspecified": log["summary"]["parameters"]}
        np.testing.assert_array_equal(run.tokens, run.step * 50 * 2 * 2 * 512)
    stable = next(r for r in runs.values() if r.schedule == "constant" and r.depth == 10)
    cooled = next(r for r in runs.values() if r.schedule == "wsd" and r.depth == 10 and r.step[-1] == 12500)
    shared = cooled.step < 10000
    np.testing.assert_array_equal(cooled.loss[shared], stable.loss[: shared.sum()])
    assert cooled.loss[-1] < stable.loss[stable.step == 12400].item() - 0.1
    unsorted = json.loads(next(folder.glob("*nhead14*sched_cos*iter15000*")).read_text())["history"]["val"]
    assert unsorted["iter"] != sorted(unsorted["iter"])
    last = dict(zip(unsorted["iter"], unsorted["val_loss"], strict=True))  # the later record of a step wins
    (run,) = (
        r for r in runs.values() if r.depth == 12 and r.width == 896 and r.step[-1] == 15000 and r.schedule == "cosine"
    )
    assert run.loss[:-1].tolist() == [last[s] for s in sorted(last)]
    save_curves(ds, tmp_path / "f.nc")
    assert read_curves(tmp_path / "f.nc").identical(ds)
