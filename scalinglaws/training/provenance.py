"""Where curves come from: written into every family, read back to recognise a run that is already there."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from scalinglaws.curves import from_runs, iter_runs, load_curves
from scalinglaws.errors import InputError
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.tasks import TASKS, Data

__all__ = ["configs_of", "describe", "join_runs", "read_ended"]


def describe(configs: Iterable[TrainConfig], corpus: Data) -> dict[str, str]:
    """Return the attributes of a family trained on one corpus.

    The configurations are kept as what all runs share and what each changes, because NetCDF limits the size of an
    attribute.
    """
    values = {config.name: config.to_dict() for config in configs}
    first = next(iter(values.values()))
    common = {k: v for k, v in first.items() if all(other[k] == v for other in values.values())}
    own = {name: {k: v for k, v in one.items() if k not in common} for name, one in values.items()}
    return {
        "source": "scalinglaws.training",
        "config_common": json.dumps(common, sort_keys=True),
        "config_runs": json.dumps(own, sort_keys=True),
        **TASKS[first["task"]].describe(corpus),
        "python": platform.python_version(),
        "torch": version("torch"),
        "processor": platform.machine(),
    }


def configs_of(ds: xr.Dataset) -> dict[str, TrainConfig]:
    """Return the configurations of a trained family, by run.

    Raises
    ------
    InputError
        If the family was not trained by this package.
    """
    try:
        common, runs = json.loads(ds.attrs["config_common"]), json.loads(ds.attrs["config_runs"])
    except (KeyError, ValueError) as error:
        raise InputError("dataset: holds no training configuration, so it was not trained by this package") from error
    return {name: TrainConfig.from_dict({**common, **own, "name": name}) for name, own in runs.items()}


def read_ended(config: TrainConfig, corpus: Data, folder: Path) -> xr.Dataset | None:
    """Read the run from its file in `folder`; None if it has not ended yet.

    Raises
    ------
    InputError
        If the file cannot be read, or holds another run of this name or on another text.
    """
    where = folder / f"{config.name}.nc"
    if not where.exists():
        return None
    ds = load_curves(where)
    stored = configs_of(ds).get(config.name)
    if stored is None:
        raise InputError(f"{where}: holds no run named {config.name}; choose another name or folder")
    wanted, found = config.to_dict(), stored.to_dict()
    if stored != config:
        changed = [f"{k} = {found[k]!r}, not {wanted[k]!r}" for k in wanted if wanted[k] != found[k]]
        raise InputError(
            f"{where}: holds another run of this name ({'; '.join(changed)}); choose another name or folder"
        )
    if ds.attrs.get("corpus_fingerprint") != corpus.fingerprint:
        raise InputError(
            f"{where}: was trained on another text than the corpus {corpus.label} holds now; choose another folder"
        )
    return ds


def join_runs(families: Mapping[str, xr.Dataset], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Join families of one run each, in the order given, under common attributes."""
    return from_runs((run for ds in families.values() for run in iter_runs(ds)), attrs)
