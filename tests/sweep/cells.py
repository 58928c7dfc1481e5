"""Functions that workers can import: quick ones, random ones, labelled ones, and ones that fail or die."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import numpy as np
import xarray as xr

from scalinglaws.errors import InputError


def quick(alpha, beta):
    return {"risk": math.exp(-alpha) / 3.0, "edges": (alpha * beta, math.inf), "size": np.float32(0.1)}


def random(index, rng):
    return rng.standard_normal(3)


def seeded(index, rng=None):
    return rng if isinstance(rng, int) else "a generator"


def drowsy(index, rng):
    time.sleep(0.01)
    return {"index": index, "draws": rng.standard_normal(4)}


def curve(alpha):
    step = np.arange(5)
    return xr.Dataset({"risk": ("step", np.exp(-alpha * step))}, {"step": step}, {"alpha": alpha, "method": "by hand"})


def risk_at(model, opt):
    from scalinglaws.theory.solve import solve  # the other cells need not wait for it

    return solve(model, opt, [0, 10, 1000])


def picky(x):
    if x == 1:
        raise InputError("x = 1: must not be 1")
    if x == 2:
        raise RuntimeError("two\n  lines")
    if x == 3:
        raise SystemExit(4)
    return {1, 2} if x == 4 else x


def deadly(x, at=3):
    if x == at:
        os._exit(1)
    return x * x


def deadly_once(x, folder):
    try:
        Path(folder, f"{x}.started").touch(exist_ok=False)
    except FileExistsError:
        return x * x
    if x % 4 == 3:
        os._exit(1)
    return x * x


def dies_if_crowded(x, folder):
    """Die unless this cell is the only one that runs."""
    mark = Path(folder, f"{x}.running")
    mark.touch()
    time.sleep(0.2)
    if len(list(Path(folder).glob("*.running"))) > 1:
        mark.unlink()
        os._exit(1)
    mark.unlink()
    return x


def unloadable(path):
    return path


class Unloadable:
    """A spec that pickles and does not unpickle."""

    def to_dict(self):
        return {"x": 1}

    def __reduce__(self):
        return (_refuse, ())


class Local:
    """A spec that does not pickle."""

    def to_dict(self):
        return {"x": 2}

    def __reduce__(self):
        raise TypeError("holds a lock")


def _refuse():
    raise ImportError("no module named study")
