"""Find the shipped files: one NetCDF file for a family's runs, one TOML file for the ladder they were trained from."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from scalinglaws.curves import join, load_curves
from scalinglaws.curves.family import prefixed
from scalinglaws.errors import InputError, require

__all__ = ["describe", "load", "names", "recipe", "recipes"]

_HERE = Path(__file__).parent


def names() -> list[str]:
    """List the families that can be loaded.

    Examples
    --------
    >>> names()
    ['horizons', 'ladder', 'rates', 'schedules', 'standard']
    """
    return sorted(path.stem for path in _HERE.glob("*.nc"))


def load(*families: str) -> xr.Dataset:
    """Load one shipped family of runs, or several as one.

    Parameters
    ----------
    families
        Of `names()`; several make sense together that are one study, such as "ladder", "schedules" and "horizons"
        (one text, parameterization, batch and peak rate).

    Returns
    -------
    xr.Dataset
        Runs labelled as in `scalinglaws.curves`: losses in nats per token (one token is one byte), parameters and
        FLOPs by group. The attributes say what was trained, on which text (its fingerprint), by which command,
        versions and hardware. Of several families, runs have the family's name in front, and the attributes are those
        that all share.

    Raises
    ------
    InputError
        For another name.

    Examples
    --------
    >>> runs = load("ladder")
    >>> runs.sizes["run"], runs.attrs["corpus"]
    (40, 'python-stdlib')
    >>> study = load("ladder", "schedules", "horizons")
    >>> study.sizes["run"], str(study["run"].values[0])
    (76, 'ladder/width16-seed0')
    """
    for name in families:
        if name not in names():
            raise InputError(f"dataset = {name!r}: must be one of {', '.join(names())}")
    require(len(set(families)) == len(families) > 0, "families", families, "must be one name or more, each once")
    loaded = [load_curves(_HERE / f"{name}.nc") for name in families]
    if len(loaded) == 1:
        return loaded[0]
    study = join([prefixed(ds, name) for name, ds in zip(families, loaded, strict=True)])
    shared = {key: value for key, value in study.attrs.items() if all(ds.attrs.get(key) == value for ds in loaded)}
    study.attrs = shared
    return study


def recipes() -> list[str]:
    """List the ladders that ship: one for each family, and those of the same study for a GPU.

    Examples
    --------
    >>> set(names()) < set(recipes())
    True
    """
    return sorted(path.stem for path in _HERE.glob("*.toml"))


def recipe(name: str) -> Path:
    """Return the path of a shipped ladder; `scalinglaws train` takes its name too.

    Raises
    ------
    InputError
        For a name that is not one of `recipes()`.

    Examples
    --------
    >>> recipe("ladder").name
    'ladder.toml'
    """
    path = _HERE / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"recipe = {name!r}: must be one of {', '.join(recipes())}")
    return path


def describe(name: str) -> str:
    """Say what a family is: the comment at the head of its ladder, as one line.

    Examples
    --------
    >>> describe("rates")
    'Peak learning rates over widths under both parameterizations: does the best rate stay where it is?'
    """
    lines = recipe(name).read_text(encoding="utf-8").splitlines()
    head = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    return " ".join(line.removeprefix("#").strip() for line in head)
