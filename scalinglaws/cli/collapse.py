"""The command that judges a family of runs by the collapse of its loss curves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalinglaws.cli.commands import app
from scalinglaws.cli.options import Columns, Json, pairs
from scalinglaws.cli.show import say, say_json
from scalinglaws.errors import InputError, require

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["collapse"]


@app.command()
def collapse(
    runs: Annotated[Path, typer.Argument(help="Loss curves: .nc, .csv, .tsv, .parquet, .json, a folder.")],
    out: Annotated[
        Path | None, typer.Option(help="A page (.html) or a picture (.png, .svg); numbers beside it.")
    ] = None,
    irreducible: Annotated[
        float | None, typer.Option(help="Loss to subtract; fitted to the ends if not given.")
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(metavar="SCALE,EXPONENT", help="Cut runs at (N/SCALE)^EXPONENT tokens.")
    ] = None,
    grid: Annotated[int, typer.Option(help="Points of normalised compute.")] = 201,
    interpolation: Annotated[str, typer.Option(help="linear (in t) or log (in log t).")] = "linear",
    ddof: Annotated[int, typer.Option(help="0 for population variances, 1 for unbiased ones.")] = 0,
    params: Annotated[str, typer.Option(help="How N is counted: total, non_embedding or body.")] = "total",
    bootstrap: Annotated[int, typer.Option(help="Resamples of seeds behind the intervals.")] = 1000,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    schedule: Annotated[str | None, typer.Option(help="Take only the runs of this schedule.")] = None,
    column: Columns = None,
    scale: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FACTOR", help="Unit of a column: flops=1e15. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether loss curves of several sizes collapse below their seed noise, and which size is off.

    \b
    Example:
      scalinglaws collapse runs.csv --out collapse.html
    """  # noqa: D301
    from scalinglaws.comparison.collapsing.analysis import collapse as analyse
    from scalinglaws.curves import read_curves
    from scalinglaws.report.collapse import write_collapse
    from scalinglaws.report.diagram import check_out

    if out is not None:
        check_out(out)
    factors = {name: _number("--scale", text) for name, text in pairs("--scale", scale).items()}
    family = read_curves(runs, columns=pairs("--column", column) or None, scale=factors or None)
    if schedule is not None:
        family = _of_schedule(family, schedule)
    found = analyse(
        family,
        irreducible=irreducible,
        horizon=None if horizon is None else _horizon(horizon),
        grid=grid,
        interpolation=interpolation,
        ddof=ddof,
        params=params,
        level=level,
        replicates=bootstrap,
        rng=seed,
    )
    if out is not None:
        write_collapse(found, out)
    if as_json:
        say_json(found.to_dict() | ({"page": os.fspath(out)} if out is not None else {}))
        return
    say(found.summary())
    if out is not None:
        say()
        say(f"{out}, numbers in {out.with_suffix('.json')}")


def _of_schedule(family: xr.Dataset, schedule: str) -> xr.Dataset:
    from scalinglaws.curves import select

    names = family["schedule"].values
    known = ", ".join(sorted({str(name) for name in names})) or "none"
    require(bool((names == schedule).any()), "--schedule", schedule, f"must be one of those of the runs: {known}")
    return select(family, family["run"].values[names == schedule])


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} = {text!r}: must be a number") from None


def _horizon(text: str) -> tuple[float, float]:
    parts = text.split(",")
    require(len(parts) == 2, "--horizon", text, "must be SCALE,EXPONENT, for example 540003.7,1.05")
    return _number("--horizon", parts[0]), _number("--horizon", parts[1])
