"""Find the shipped files: one NetCDF file for a family's runs, one TOML file for the ladder they were trained from."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from scalinglaws.curves import load_curves
from scalinglaws.errors import InputError

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


def load(name: str) -> xr.Dataset:
    """Load a shipped family of runs.

    Parameters
    ----------
    name
        One of `names()`.

    Returns
    -------
    xr.Dataset
        Runs labelled as in `scalinglaws.curves`: losses in nats per token (one token is one byte), parameters and
        FLOPs by group. The attributes say what was trained, on which text (its fingerprint), by which command,
        versions and hardware.

    Raises
    ------
    InputError
        For another name.

    Examples
    --------
    >>> runs = load("ladder")
    >>> runs.sizes["run"], runs.attrs["corpus"]
    (40, 'python-stdlib')
    """
    if name not in names():
        raise InputError(f"dataset = {name!r}: must be one of {', '.join(names())}")
    return load_curves(_HERE / f"{name}.nc")


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
