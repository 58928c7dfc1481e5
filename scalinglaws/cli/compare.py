"""The command that holds measured runs against the solvable model: which phase, and which law predicts the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scalinglaws.cli.commands import app
from scalinglaws.cli.options import Columns, Json, pairs
from scalinglaws.cli.show import progress_bar, say, say_json

__all__ = ["compare"]


@app.command()
def compare(
    runs: Annotated[Path, typer.Argument(help="Loss curves with learning rates: .nc, .csv, .tsv, .parquet, a folder.")],
    out: Annotated[Path | None, typer.Option(help="A page (.html); the numbers go beside it as .json.")] = None,
    law: Annotated[list[str] | None, typer.Option(help="A law of the contest. Repeatable.")] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="size, horizon or schedule. Repeatable; all that the runs allow if absent.")
    ] = None,
    params: Annotated[str, typer.Option(help="How N is counted: total, non_embedding or body.")] = "non_embedding",
    level: Annotated[float, typer.Option(help="Level of the region and of the intervals.")] = 0.9,
    column: Columns = None,
    as_json: Json = False,
) -> None:
    """Fit the solvable model to loss curves: which phase they are in, and whether theory predicts the next size.

    \b
    Example:
      scalinglaws compare runs.csv --out compare.html
    """  # noqa: D301
    from scalinglaws._workers import worker_pool
    from scalinglaws.curves import read_curves
    from scalinglaws.prediction.placing import place
    from scalinglaws.report.comparison import LAWS, write_comparison
    from scalinglaws.report.comparison import compare as hold_against
    from scalinglaws.report.layout import check_page

    if out is not None:
        check_page(out)
    family = read_curves(runs, columns=pairs("--column", column) or None)
    with progress_bar("fit") as show, worker_pool(1) as beside:
        found = hold_against(
            family,
            laws=law or LAWS,
            leave_out=leave_out or None,
            level=level,
            params=params,
            report=show,
            placing=beside.submit(place, family, level=level, params=params),
        )
    if out is not None:
        write_comparison(found, out)
    if as_json:
        say_json(found.to_dict() | ({"page": os.fspath(out)} if out is not None else {}))
        return
    say(found.placement.summary())
    say()
    say(found.contest.summary())
    if out is not None:
        say()
        say(f"{out}, numbers in {out.with_suffix('.json')}")
