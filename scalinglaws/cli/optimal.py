"""The command that says what a compute budget should buy, and how far to trust that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalinglaws.cli.commands import app, points, read_source, say_fit
from scalinglaws.cli.options import Flops, Input, Json, Options, takes_options
from scalinglaws.cli.show import say, say_json, say_table
from scalinglaws.errors import require

if TYPE_CHECKING:
    from scalinglaws.prediction.advising import Advice

__all__ = ["optimal"]


@app.command()
@takes_options
def optimal(
    data: Input,
    flops: Flops = None,
    out: Annotated[Path | None, typer.Option(help="A page (.html) with figures; numbers beside it as .json.")] = None,
    as_json: Json = False,
    *,
    options: Options,
) -> None:
    """Say which model size, how many tokens and what loss a compute budget should buy, and how far to trust it.

    With --law all, the law that stands up best gives the answer.

    \b
    Example:
      scalinglaws optimal runs.csv --flops 1e21 --law all
    """  # noqa: D301
    from scalinglaws.prediction.advising import advise
    from scalinglaws.report.layout import check_page
    from scalinglaws.report.optimal import write_advice

    require(bool(flops), "--flops", flops, "give one compute budget or more, for example --flops 1e21")
    if out is not None:
        check_page(out)
    source = read_source(data, options)
    if options.drop_highest:
        source = points(source, options)
    advice = advise(
        source,
        flops or [],
        laws=options.law,
        estimator=options.estimator,
        params=options.params,
        level=options.level,
        replicates=options.bootstrap,
        rng=options.seed,
    )
    if out is not None:
        write_advice(advice, out)
    if as_json:
        say_json(advice.to_dict() | ({"page": os.fspath(out)} if out is not None else {}))
        return
    _say(advice)
    if out is not None:
        say()
        say(f"{out}, numbers in {out.with_suffix('.json')}")


def _say(advice: Advice) -> None:
    from scalinglaws.report.evidence import evidence

    say(advice.summary())
    for grid in evidence(advice):
        say()
        say(f"{grid.title}. {grid.note}")
        say_table(grid.header, grid.rows)
    say()
    say_fit(advice.fit, advice.level)
