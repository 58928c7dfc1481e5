"""The command that forecasts the loss curve of a schedule nobody ran."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scalinglaws.cli.commands import app
from scalinglaws.cli.options import Json
from scalinglaws.cli.show import progress_bar, say, say_json, say_table

__all__ = ["schedule"]


@app.command()
def schedule(
    runs: Annotated[Path, typer.Argument(help="Measured curves with learning rates: .nc, .csv, .json, a folder.")],
    predict: Annotated[str, typer.Option(metavar="SCHEDULE", help="wsd:0.2, cosine:floor=0.1, linear, constant ...")],
    law: Annotated[str, typer.Option(help="The law behind the forecast.")] = "noise",
    fit: Annotated[list[str] | None, typer.Option(metavar="RUN", help="A run to fit; default all. Repeatable.")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of the schedule; default as the longest run.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Updates of warm-up that the files do not hold.")] = None,
    skip: Annotated[float, typer.Option(help="Fraction of each run to leave out at its start.")] = 0.0,
    level: Annotated[float, typer.Option(help="Level of the interval.")] = 0.9,
    bootstrap: Annotated[int, typer.Option(help="Refits behind the interval.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the refits.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A page (.html) or a picture (.png, .svg).")] = None,
    as_json: Json = False,
) -> None:
    """Forecast the loss curve of another learning-rate schedule from measured ones.

    \b
    Example:
      scalinglaws schedule runs.csv --predict wsd:0.2 --out forecast.html
    """  # noqa: D301
    from scalinglaws.comparison.schedule_laws import forecast_schedule
    from scalinglaws.curves import read_curves
    from scalinglaws.report.diagram import check_out
    from scalinglaws.report.forecast import HEADER, forecast_sentence, law_rows, plain_forecast, write_forecasts

    if out is not None:
        check_out(out)
    with progress_bar("fit") as show:
        forecasts = forecast_schedule(
            read_curves(runs),
            predict,
            law,
            fit_to=fit,
            steps=steps,
            level=level,
            replicates=bootstrap,
            rng=seed,
            report=show,
            warmup=warmup,
            skip=skip,
        )
    if out is not None:
        write_forecasts(forecasts, out)
    if as_json:
        figure = None if out is None else os.fspath(out)
        say_json({"figure": figure, "forecasts": [plain_forecast(forecast) for forecast in forecasts]})
        return
    for forecast in forecasts:
        say(forecast_sentence(forecast))
        for caution in forecast.cautions:
            say(f"  caution: {caution}")
    for forecast in forecasts:
        say()
        say_table(HEADER, law_rows(forecast))
        say()
        say(forecast.fit.summary().split("\nwarning")[0])
    if out is not None:
        say()
        say(f"figure: {out}")
