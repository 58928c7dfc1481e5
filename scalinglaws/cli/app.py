"""The commands. Each is thin: read the input, call the library, print the answer first and the evidence after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalinglaws.cli.show import progress_bar, say, say_json, say_table
from scalinglaws.errors import InputError, require

if TYPE_CHECKING:
    import xarray as xr

    from scalinglaws.fitting import Fit
    from scalinglaws.training import Ladder

__all__ = ["app", "main"]

app = typer.Typer(
    name="scalinglaws",
    help="Measured loss curves in, validated predictions out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Input = Annotated[
    Path, typer.Argument(help="Runs or a table of end points: .nc, .csv, .tsv, .parquet, .json, a folder.")
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="Name a column, e.g. --column loss=val_loss. Repeatable.")
]
Estimator = Annotated[str, typer.Option(help="huber, l1, log-l2 or l2.")]
Law = Annotated[str, typer.Option(help="The law to fit.")]
Params = Annotated[str, typer.Option(help="How N is counted: total, non_embedding or body.")]
Flops = Annotated[list[float] | None, typer.Option(help="A compute budget in FLOP. Repeatable.")]
Level = Annotated[float, typer.Option(help="Level of the intervals.")]
Bootstrap = Annotated[int, typer.Option(help="Bootstrap refits behind the intervals.")]
Drop = Annotated[int, typer.Option(help="Leave out this many runs of the highest loss.")]
Seed = Annotated[int, typer.Option(help="Seed of the bootstrap.")]
Workers = Annotated[int, typer.Option(help="Runs trained at once; 0 for one per core.")]
Kind = Annotated[str, typer.Option("--as", help="What DATA holds: curves, table, or auto to find out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def train(
    ladder: Annotated[Path, typer.Argument(help="A TOML file: sizes, horizons, seeds and what they share.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs; started again, it resumes.")] = Path("runs"),
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train a ladder of transformers and keep their loss curves.

    \b
    Example:
      scalinglaws train ladder.toml --out runs
    """
    from scalinglaws.training import Ladder

    family = _train(Ladder.coerce(ladder), out, workers)
    if as_json:
        say_json({"family": os.fspath(out / "family.nc"), "runs": [str(r) for r in family["run"].values]})
        return
    say(f"{family.sizes['run']} runs in {out / 'family.nc'}")
    _say_ends(family)


@app.command()
def fit(
    data: Input,
    law: Law = "chinchilla",
    estimator: Estimator = "huber",
    params: Params = "total",
    drop_highest: Drop = 0,
    bootstrap: Bootstrap = 2000,
    level: Level = 0.9,
    seed: Seed = 0,
    column: Columns = None,
    kind: Kind = "auto",
    as_json: Json = False,
) -> None:
    """Fit a scaling law to the final losses and say how well it is determined.

    \b
    Example:
      scalinglaws fit runs.csv --estimator huber --drop-highest 1
    """
    fitted = _fit(_table(data, kind, column, params, drop_highest), law, estimator, bootstrap, seed)
    if as_json:
        intervals = {k: list(fitted.interval(k, level=level)) for k in fitted.params}
        say_json({**fitted.to_dict(), "intervals": intervals, "level": level})
        return
    _say_fit(fitted, level)


@app.command()
def optimal(
    data: Input,
    flops: Flops = None,
    law: Law = "chinchilla",
    estimator: Estimator = "huber",
    params: Params = "total",
    drop_highest: Drop = 0,
    bootstrap: Bootstrap = 2000,
    level: Level = 0.9,
    seed: Seed = 0,
    column: Columns = None,
    kind: Kind = "auto",
    as_json: Json = False,
) -> None:
    """Say which model size, how many tokens and what loss a compute budget should buy.

    \b
    Example:
      scalinglaws optimal runs.csv --flops 1e21 --flops 1e22
    """
    from scalinglaws.prediction import optimal as optimum

    require(bool(flops), "--flops", flops, "give one compute budget or more, for example --flops 1e21")
    fitted = _fit(_table(data, kind, column, params, drop_highest), law, estimator, bootstrap, seed)
    best = optimum(fitted, flops or [], level=level)
    if as_json:
        say_json({"optimum": {str(k): v.values.tolist() for k, v in best.variables.items()}, "fit": fitted.to_dict()})
        return
    _say_optimum(best, fitted, level)
    say()
    _say_fit(fitted, level)


@app.command()
def report(
    data: Input,
    out: Annotated[Path, typer.Option(help="The page; the numbers go beside it as .json.")] = Path("report.html"),
    hold_out: Annotated[list[str] | None, typer.Option(help="A run to predict blind; default the largest.")] = None,
    flops: Flops = None,
    law: Law = "chinchilla",
    estimator: Estimator = "huber",
    params: Params = "total",
    drop_highest: Drop = 0,
    bootstrap: Bootstrap = 2000,
    level: Level = 0.9,
    seed: Seed = 0,
    column: Columns = None,
    kind: Kind = "auto",
    as_json: Json = False,
) -> None:
    """Write a page with the family's health, the fit, a blind test and the optimum.

    \b
    Example:
      scalinglaws report runs.csv --out report.html
    """
    source = _read(data, kind, column)
    if drop_highest:
        source = _drop_highest(_points(source, params), drop_highest)
    options: dict[str, Any] = {"law": law, "estimator": estimator, "params": params, "level": level}
    _report(
        source, out, as_json, hold_out=hold_out or "largest", flops=flops, replicates=bootstrap, rng=seed, **options
    )


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the runs and the report; started again, it resumes.")] = Path(
        "demo"
    ),
    ladder: Annotated[Path | None, typer.Option(help="Another ladder than the one that ships.")] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train a small ladder, predict its largest run from the others, and write the report.

    \b
    Example:
      scalinglaws demo --ladder ladder.toml --out demo
    """
    from scalinglaws.training import Ladder, demo_ladder

    family = _train(Ladder.coerce(ladder) if ladder else demo_ladder(), out / "runs", workers)
    _report(family, out / "report.html", as_json, title="Scaling report of the demo ladder")


def _train(ladder: Ladder, out: Path, workers: int) -> xr.Dataset:
    from scalinglaws.curves import save_curves
    from scalinglaws.training import train_ladder, worker_pool

    require(workers >= 0, "--workers", workers, "must be 0 (one per core) or more")
    with progress_bar() as show, worker_pool(workers or None) as pool:
        family = train_ladder(ladder, out, executor=pool, report=show)
    save_curves(family, out / "family.nc")
    return family


def _read(path: Path, kind: str, column: list[str] | None) -> xr.Dataset:
    from scalinglaws.curves import read_any

    return read_any(path, kind=kind, columns=_pairs(column))


def _points(source: xr.Dataset, params: str) -> xr.Dataset:
    from scalinglaws.curves import end_points

    return end_points(source, params=params) if "row_size" in source else source


def _table(path: Path, kind: str, column: list[str] | None, params: str, drop: int) -> xr.Dataset:
    return _drop_highest(_points(_read(path, kind, column), params), drop)


def _drop_highest(table: xr.Dataset, count: int) -> xr.Dataset:
    require(0 <= count < table.sizes["run"], "--drop-highest", count, f"must lie in 0 to {table.sizes['run'] - 1}")
    return table.isel(run=table["loss"].argsort().values[: table.sizes["run"] - count])


def _pairs(column: list[str] | None) -> dict[str, str] | None:
    pairs = [item.partition("=") for item in column or []]
    for key, _, value in pairs:
        require(bool(key and value), "--column", f"{key}{_}{value}", "must be NAME=COLUMN, for example loss=val_loss")
    return {key: value for key, _, value in pairs} or None


def _fit(table: xr.Dataset, law: str, estimator: str, replicates: int, seed: int) -> Fit:
    from scalinglaws.fitting import fit as fit_law

    return fit_law(table, law=law, estimator=estimator).bootstrap(replicates=replicates, rng=seed)


def _report(source: xr.Dataset, out: Path, as_json: bool, *, title: str = "Scaling report", **options: Any) -> None:
    from scalinglaws.report import analyse, paragraph, write_report
    from scalinglaws.report import as_json as plain

    analysis = analyse(source, **options)
    write_report(analysis, out, title=title)
    if as_json:
        say_json({"report": os.fspath(out), **plain(analysis)})
        return
    say(paragraph(analysis))
    say()
    say(f"report: {out}")


def _say_ends(family: xr.Dataset) -> None:
    from scalinglaws.curves import end_points
    from scalinglaws.plotting.style import human

    table = end_points(family).sortby("flops")
    columns = [[human(v) for v in table[name].values] for name in ("params", "tokens", "flops")]
    losses = [f"{v:.4f}" for v in table["loss"].values]
    rows = [list(row) for row in zip(map(str, table["run"].values), *columns, losses, strict=True)]
    say_table(["run", "parameters", "tokens", "FLOP", "final loss"], rows)


def _say_optimum(best: xr.Dataset, fitted: Fit, level: float) -> None:
    from scalinglaws.plotting.style import human

    def span(row: xr.Dataset, name: str, form: str = "") -> str:
        values = [float(row[name + end]) for end in ("", "_low", "_high")]
        shown = [format(v, form) if form else human(v) for v in values]
        return f"{shown[0]} ({shown[1]} to {shown[2]})"

    reach = float(fitted.table.flops.max())
    for i in range(best.sizes["flops"]):
        row = best.isel(flops=i)
        c = float(row["flops"])
        say(
            f"At {human(c)} FLOP: {span(row, 'params')} parameters, {span(row, 'tokens')} tokens, "
            f"loss {span(row, 'loss', '.4f')}, {span(row, 'tokens_per_param', '.3g')} tokens per parameter."
        )
        where = "within the measured range" if c <= reach else f"{human(c / reach)} times the largest fitted run"
        say(f"  This is {where}; intervals are {100 * level:.0f} % (bootstrap over runs) and trust the law that far.")


def _say_fit(fitted: Fit, level: float) -> None:
    errors = fitted.standard_errors()
    rows = []
    for name, value in fitted.params.items():
        low, high = fitted.interval(name, level=level)
        rows.append([name, f"{value:.6g}", f"{errors[name]:.3g}", f"{low:.5g} to {high:.5g}"])
    say(fitted.summary())
    say()
    say_table(["parameter", "value", "standard error", f"{100 * level:.0f} % interval"], rows)


def main() -> None:
    """Run the command line; a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        typer.echo(f"scalinglaws: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        typer.echo(f"scalinglaws: {error.filename or 'file'}: {error.strerror or error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was finished is kept, run the same command to go on", err=True)
        sys.exit(130)
