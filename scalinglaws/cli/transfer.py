"""The command that judges whether the best learning rate transfers over widths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scalinglaws.cli.commands import app
from scalinglaws.cli.options import Columns, Json, pairs
from scalinglaws.cli.show import say, say_json

__all__ = ["transfer"]


@app.command()
def transfer(
    runs: Annotated[Path, typer.Argument(help="Loss curves that differ in width and peak learning rate.")],
    out: Annotated[Path | None, typer.Option(help="A picture (.png, .svg).")] = None,
    column: Columns = None,
    as_json: Json = False,
) -> None:
    """Say whether the best learning rate stays where it is as the model widens, and what keeping it costs.

    \b
    Example:
      scalinglaws train rates --out rates
      scalinglaws transfer rates/family.nc --out transfer.png
    """  # noqa: D301
    from scalinglaws.comparison import rate_transfer
    from scalinglaws.curves import read_curves
    from scalinglaws.report.transfer import check_picture, write_transfer

    if out is not None:
        check_picture(out)
    found = rate_transfer(read_curves(runs, columns=pairs("--column", column) or None))
    if out is not None:
        write_transfer(found, out)
    if as_json:
        say_json(found.to_dict() | ({"picture": os.fspath(out)} if out is not None else {}))
        return
    say(found.verdict)
    if out is not None:
        say(os.fspath(out))
