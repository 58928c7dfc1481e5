"""The atlas as a page or a picture, with its numbers beside it."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from scalinglaws._files import atomic_path, netcdf_bytes, write_text
from scalinglaws.errors import require
from scalinglaws.plotting.style import data_uri, scientific, styled
from scalinglaws.report.layout import fill

__all__ = ["Agreement", "agreement_by_phase", "check_out", "write_diagram"]

SUFFIXES = (".html", ".png", ".svg")
_OPTIONS = ("flops", "ratio", "scale", "batch")

_CAPTION = (
    "Left: the exponents that the theory gives in the limit of large compute, derived symbolically. Middle: local "
    "exponents measured on the compute-optimal frontier. Right: their difference, which is the finite size of the "
    "models: it is largest where two phases meet and fades with compute."
)
_HEADER = ["phase", "cells", "largest loss difference", "median", "largest size difference", "median", "largest error"]


class Agreement(NamedTuple):
    """How far measured exponents are from derived ones in one phase; absolute differences over its cells."""

    phase: str
    cells: int
    loss_largest: float
    loss_median: float
    size_largest: float
    size_median: float
    error_largest: float


def check_out(path: str | os.PathLike[str]) -> Path:
    """Return where to write, after checking that the suffix says how.

    Raises
    ------
    InputError
        For another suffix than .html, .png or .svg.
    """
    out = Path(path)
    require(out.suffix in SUFFIXES, "out", os.fspath(out), f"must end in {', '.join(SUFFIXES)}")
    return out


def write_diagram(atlas: xr.Dataset, path: str | os.PathLike[str], *, title: str = "Phase diagram") -> None:
    """Draw an atlas to `path` (.html, .png or .svg), and write its numbers beside it as NetCDF, each atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    from scalinglaws.plotting.phases import draw_atlas

    out = check_out(path)
    with styled():
        figure = draw_atlas(atlas)
        if out.suffix == ".html":
            write_text(out, _page(atlas, data_uri(figure), title))
        else:
            with atomic_path(out) as temporary:
                figure.savefig(temporary, format=out.suffix[1:])
    with atomic_path(out.with_suffix(".nc")) as temporary:
        temporary.write_bytes(netcdf_bytes(atlas))


def agreement_by_phase(atlas: xr.Dataset) -> list[Agreement]:
    """Compare measured and derived exponents phase by phase, boundaries apart.

    Examples
    --------
    >>> from scalinglaws.prediction.atlas import atlas
    >>> (row,) = agreement_by_phase(atlas([0.9], [0.6], flops=1e12))
    >>> row.phase, row.cells, row.loss_largest < 0.01
    ('II', 1, True)
    """
    rows = []
    done = atlas["status"].values == "finished"
    for name in sorted(set(atlas["phase"].values[done].tolist())):
        mask = done & (atlas["phase"].values == name)
        loss, size = (
            abs(atlas[key].values - atlas[f"{key}_derived"].values)[mask] for key in ("loss_exponent", "size_exponent")
        )
        rows.append(
            Agreement(
                phase=name,
                cells=int(mask.sum()),
                loss_largest=float(loss.max()),
                loss_median=float(np.median(loss)),
                size_largest=float(size.max()),
                size_median=float(np.median(size)),
                error_largest=max(float(atlas[f"{key}_exponent_error"].values[mask].max()) for key in ("loss", "size")),
            )
        )
    return rows


def _page(atlas: xr.Dataset, uri: str, title: str) -> str:
    rows = agreement_by_phase(atlas)
    done, total = sum(row.cells for row in rows), atlas["status"].size
    return fill(
        "diagram.html.j2",
        title=title,
        paragraph=(
            "Compute-optimal exponents of one-pass SGD on power-law random features over data complexity alpha and "
            f"target complexity beta, derived and measured at {scientific(float(atlas.attrs['flops']))} flops in "
            f"{done} cells of {total}."
        ),
        uri=uri,
        caption=_CAPTION,
        header=_HEADER,
        rows=[[row.phase, str(row.cells), *(f"{v:.4f}" for v in row[2:6]), f"{row.error_largest:.1e}"] for row in rows],
        notes=[
            "The largest error is that of discretisation; it says nothing about the distance to the limit.",
            "Model: PLRF, SGD with a constant rate; " + ", ".join(f"{k} = {atlas.attrs[k]:g}" for k in _OPTIONS) + ".",
            f"scalinglaws {version('scalinglaws')}",
        ],
    )
