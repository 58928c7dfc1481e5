"""Commands of the solvable model: the phase of one point and the diagram of all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalinglaws.cli.commands import app
from scalinglaws.cli.options import Json
from scalinglaws.cli.show import progress_bar, say, say_json, say_table
from scalinglaws.errors import require

if TYPE_CHECKING:
    from scalinglaws.symbolic import Phase

__all__ = ["diagram", "phase"]


@app.command(context_settings={"ignore_unknown_options": True})  # so that a negative beta is no option
def phase(
    alpha: Annotated[float, typer.Argument(help="Data complexity: eigenvalues fall as j^(-2 alpha).")],
    beta: Annotated[float, typer.Argument(help="Target complexity: coefficients fall as j^(-beta).")],
    as_json: Json = False,
) -> None:
    """Say which compute-optimal phase a point is in, and its exponents.

    \b
    Example:
      scalinglaws phase 1.0 0.7
    """  # noqa: D301
    from scalinglaws.symbolic import phase as find

    here = find(alpha, beta)
    if as_json:
        say_json(_plain(here))
        return
    exact = here.symbolic
    say(str(here))
    say(f"exactly: xi = {exact.size_exponent}, eta = {exact.loss_exponent}")


@app.command()
def diagram(
    out: Annotated[Path, typer.Option(help="A page (.html) or a picture (.png, .svg); numbers go beside it as .nc.")],
    points: Annotated[int, typer.Option(help="Cells along each axis.")] = 50,
    flops: Annotated[float, typer.Option(help="Budget at which the exponents are measured.")] = 1e15,
    alpha_max: Annotated[float, typer.Option(help="Upper end of the alpha axis.")] = 1.5,
    beta_max: Annotated[float, typer.Option(help="Upper end of the beta axis.")] = 1.5,
    store: Annotated[Path | None, typer.Option(help="Folder that keeps finished cells; with it a run resumes.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine; 0 for one per core.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler instead, tcp://host:port.")] = None,
    as_json: Json = False,
) -> None:
    """Draw the phase diagram: derived exponents, measured ones, and their difference.

    \b
    Example:
      scalinglaws diagram --points 5 --out diagram.html
    """  # noqa: D301
    import numpy as np

    from scalinglaws.prediction.atlas import atlas
    from scalinglaws.report.diagram import agreement_by_phase, check_out, write_diagram
    from scalinglaws.sweep import open_executor

    check_out(out)
    require(points >= 1, "--points", points, "must be at least 1")
    for name, end in (("--alpha-max", alpha_max), ("--beta-max", beta_max)):
        require(0 < end < np.inf, name, end, "must be > 0 and finite")
    centres = (np.arange(points) + 0.5) / points
    alpha, beta = centres * alpha_max, centres * beta_max
    with progress_bar("cell") as show, open_executor(workers if workers or scheduler else 0, scheduler) as executor:
        measured = atlas(alpha, beta, flops=flops, executor=executor, store=store, report=show)
    write_diagram(measured, out)
    rows = agreement_by_phase(measured)
    if as_json:
        say_json({"diagram": os.fspath(out), "phases": [row._asdict() for row in rows]})
        return
    say(f"{sum(row.cells for row in rows)} cells measured: {out}, numbers in {out.with_suffix('.nc')}")
    header = ["phase", "cells", "loss exponent: largest difference", "median", "size exponent: largest", "median"]
    say_table(header, [[row.phase, str(row.cells), *(f"{v:.4f}" for v in row[2:6])] for row in rows])


def _plain(here: Phase) -> dict[str, Any]:
    exact = here.symbolic
    return {
        "alpha": here.alpha,
        "beta": here.beta,
        "phase": here.name,
        "size_exponent": here.size_exponent,
        "loss_exponent": here.loss_exponent,
        "tradeoff": here.tradeoff,
        "rate": here.rate,
        "region": here.region,
        "dominant": list(here.dominant),
        "gaps": dict(here.gaps),
        "sides": [side.name for side in here.sides],
        "note": here.note,
        "latex": here.latex,
        "exact": {"size_exponent": str(exact.size_exponent), "loss_exponent": str(exact.loss_exponent)},
    }
