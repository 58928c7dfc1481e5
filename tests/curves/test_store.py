from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from scalinglaws.curves import Run, from_runs, iter_runs, load_curves, read_any, read_curves, save_curves
from scalinglaws.curves.family import select
from scalinglaws.curves.store import FAMILY_FILE, _sealed
from scalinglaws.errors import InputError
from tests.curves import samples


@pytest.fixture
def family():
    rich = Run(
        name="größe 1",
        step=np.array([0, 3, 2**40]),
        loss=np.array([5.5, 4.25, 1 / 3]),
        params={"embedding": 1e3, "mlp": 2e3},
        flops_per_token={"mlp": 6e3, "scores": 7.0},
        tokens=np.array([0.0, 1.0, np.nan]),
        lr=np.array([0.1, np.nan, 0.0]),
        batch=4,
        seed=3,
        schedule=json.dumps({"shape": "cosine"}),
        status="diverged",
    )
    bare = Run(name="b", step=np.array([7]), loss=np.array([2.0]), params={})
    return from_runs([rich, bare], {"notes": ["one", "two"], "source": "", "trials": 3, "weight": 0.5})


@pytest.fixture(scope="module")
def family_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("bytes") / "f.nc"
    samples.family_file(path)
    return path, path.read_bytes()


def test_a_family_comes_back_identical(family, tmp_path):
    path = tmp_path / "deep" / "family.nc"
    save_curves(family, path)
    back = load_curves(path)
    assert back.identical(family)
    assert read_curves(path).identical(family)
    for name in family.variables:
        assert back[name].dtype == family[name].dtype, name
    assert {k: type(v) for k, v in back.attrs.items()} == {k: type(v) for k, v in family.attrs.items()}
    assert [p.name for p in path.parent.iterdir()] == ["family.nc"]


def test_unknown_parameters_stay_unknown(family, tmp_path):
    save_curves(family, tmp_path / "f.nc")
    rich, bare = iter_runs(load_curves(tmp_path / "f.nc"))
    assert rich.params == {"embedding": 1e3, "mlp": 2e3}
    assert bare.params == {}


def test_the_file_is_plain_netcdf_with_schema_and_version(family, tmp_path):
    save_curves(family, tmp_path / "f.nc")
    with xr.open_dataset(tmp_path / "f.nc", engine="h5netcdf") as ds:
        assert ds.attrs["schema"] == 1
        assert ds.attrs["version"]
        assert ds.attrs["featureType"] == "trajectory"
        assert ds["row_size"].attrs["sample_dimension"] == "obs"


def test_a_failed_write_leaves_the_old_file(family, tmp_path):
    path = tmp_path / "f.nc"
    save_curves(family, path)
    with pytest.raises(InputError, match="attrs: bad is a object"):
        save_curves(family.assign_attrs(bad=object()), path)
    assert load_curves(path).identical(family)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(family, tmp_path, keep):
    path = tmp_path / "f.nc"
    save_curves(family, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError, match=r"f\.nc: (is not a NetCDF-4 file|.*truncated|.*damaged)"):
        load_curves(path)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_changed_byte_never_changes_a_curve(family_file, at, byte):
    path, whole = family_file
    index = int(at * len(whole))
    path.with_name("g.nc").write_bytes(whole[:index] + bytes([byte]) + whole[index + 1 :])
    if whole[index] == byte:
        assert load_curves(path.with_name("g.nc")).identical(load_curves(path))
    else:
        with pytest.raises(InputError, match=r"g\.nc: "):
            load_curves(path.with_name("g.nc"))


def test_a_family_that_another_tool_wrote_is_read(family, tmp_path):
    ours, other = tmp_path / "f.nc", tmp_path / "g.nc"
    save_curves(family, ours)
    with xr.open_dataset(ours, engine="h5netcdf") as ds:
        ds.load().assign_attrs(comment="annotated").to_netcdf(other, engine="h5netcdf")
    assert load_curves(other).identical(family.assign_attrs(comment="annotated"))


def test_a_family_that_another_tool_spoiled_is_refused(family, tmp_path):
    path = tmp_path / "g.nc"
    family.assign(step=("obs", family.step.values[::-1].copy())).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=r"g\.nc: run .*must increase strictly"):
        load_curves(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"g\.nc: cannot be read as NetCDF-4"):
        load_curves(path)


def test_foreign_files_are_refused(tmp_path):
    text, foreign, absent = (tmp_path / name for name in ("t.nc", "h.nc", "no.nc"))
    text.write_text("step,loss\n1,2\n")
    with h5py.File(foreign, "w") as file:
        file["weights"] = np.zeros(3)
    for path, sentence in [
        (text, "is not a NetCDF-4 file"),
        (foreign, "truncated, damaged or foreign"),
        (absent, "there is no such file"),
        (tmp_path, "there is no such file"),
    ]:
        with pytest.raises(InputError, match=sentence):
            load_curves(path)


def test_another_schema_is_refused(family, tmp_path):
    path = tmp_path / "f.nc"
    family.assign_attrs(schema=99).to_netcdf(path, engine="h5netcdf")
    path.write_bytes(_sealed(path.read_bytes()))
    with pytest.raises(InputError, match="has schema 99, and this version reads schema 1"):
        load_curves(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda ds: ds.drop_vars("loss"), "the variable loss .* is missing"),
        (lambda ds: ds.assign(row_size=("run", np.array([1, 1]))), "row_size must be positive and add up"),
        (lambda ds: ds.assign(loss=ds.loss.assign_attrs(units="bits")), "must be in nats/token"),
        (lambda ds: ds.assign(step=("obs", np.array([3, 1, 2, 7]))), "must increase strictly"),
        (lambda ds: ds.assign(status=("run", np.array(["odd", "finished"]))), "status = 'odd': must be one of"),
    ],
)
def test_what_is_not_a_family_is_not_saved(family, tmp_path, change, sentence):
    with pytest.raises(InputError, match=sentence):
        save_curves(change(family), tmp_path / "f.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_a_number_is_refused(family, tmp_path):
    save_curves(family.assign(loss=family.loss.where(family.loss > 1)), tmp_path / "f.nc")
    with pytest.raises(InputError, match="loss must be positive and finite"):
        read_curves(tmp_path / "f.nc")


def test_keywords_do_not_apply_to_the_own_file(family, tmp_path):
    save_curves(family, tmp_path / "f.nc")
    with pytest.raises(InputError, match="read as it is"):
        read_curves(tmp_path / "f.nc", params=1e6)


def test_a_folder_of_trained_runs_is_read_as_its_family(family, tmp_path):
    save_curves(family, tmp_path / FAMILY_FILE)
    save_curves(select(family, [str(family["run"].values[0])]), tmp_path / "one-run.nc")
    assert read_curves(tmp_path).identical(family)
    assert read_any(tmp_path).identical(family)
