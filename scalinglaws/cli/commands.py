"""The commands. Each is thin: read the input, call the library, print the answer first and the evidence after it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalinglaws.cli.options import Flops, Input, Json, Options, Workers, pairs, takes_options
from scalinglaws.cli.show import progress_bar, say, say_json, say_table
from scalinglaws.cli.training import say_cost, say_ends, say_ways
from scalinglaws.errors import require

if TYPE_CHECKING:
    import xarray as xr

    from scalinglaws.fitting import Fit
    from scalinglaws.training import Ladder

__all__ = ["app", "points", "read_source", "say_fit"]

app = typer.Typer(
    name="scalinglaws",
    help="Measured loss curves in, validated predictions out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def train(
    ladder: Annotated[Path, typer.Argument(help="A TOML file, or a ladder that ships: ladder, rates, gpu and others.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs; started again, it resumes.")] = Path("runs"),
    workers: Workers = 0,
    devices: Annotated[
        str | None, typer.Option(help="One run on each: cuda:0,cuda:1 or all (the default for a ladder on GPUs).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will cost, and write nothing.")] = False,
    flops_per_second: Annotated[
        float | None, typer.Option(metavar="FLOP/S", help="Speed of a run to assume in --dry-run; else measured here.")
    ] = None,
    tune: Annotated[bool, typer.Option("--tune", help="Time workers against threads, and train nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Train a ladder of transformers and keep their loss curves.

    \b
    Example:
      scalinglaws train ladder.toml --out runs
    """
    from scalinglaws.curves.store import FAMILY_FILE
    from scalinglaws.training import Ladder

    require(workers >= 0, "--workers", workers, "must be 0 (one per core) or more")
    described = Ladder.coerce(ladder)
    require(flops_per_second is None or dry_run, "--flops-per-second", flops_per_second, "is for --dry-run")
    if tune:
        say_ways(described, as_json)
        return
    if dry_run:
        say_cost(described, flops_per_second, max(workers, 1), as_json)
        return
    family = _train(described, out, workers, devices)
    if as_json:
        say_json({"family": os.fspath(out / FAMILY_FILE), "runs": [str(r) for r in family["run"].values]})
        return
    say(f"{family.sizes['run']} runs in {out / FAMILY_FILE}; read them with: scalinglaws report {out}")
    say_ends(family)


@app.command()
@takes_options
def fit(
    data: Input,
    as_json: Json = False,
    *,
    options: Options,
) -> None:
    """Fit a scaling law to the final losses and say how well it is determined.

    \b
    Example:
      scalinglaws fit runs.csv --estimator huber --drop-highest 1
    """
    fitted = _fit(data, options)
    if as_json:
        intervals = {k: list(fitted.interval(k, options.level)) for k in fitted.params}
        say_json({**fitted.to_dict(), "intervals": intervals, "level": options.level})
        return
    say_fit(fitted, options.level)


@app.command()
@takes_options
def report(
    data: Input,
    out: Annotated[Path, typer.Option(help="The page; the numbers go beside it as .json.")] = Path("report.html"),
    hold_out: Annotated[
        list[str] | None, typer.Option(help="A run to predict blind; default the largest and its seeds.")
    ] = None,
    flops: Flops = None,
    theory: Annotated[
        bool, typer.Option("--theory", help="Place the runs on the phase diagram too, which takes a minute or so.")
    ] = False,
    as_json: Json = False,
    *,
    options: Options,
) -> None:
    """Write a page with the family's health, the fit, a blind test and the optimum.

    \b
    Example:
      scalinglaws report runs.csv --out report.html
    """
    source = read_source(data, options)
    if options.drop_highest:
        source = points(source, options)
    _report(source, out, as_json, options, hold_out=hold_out or "largest", flops=flops, theory=theory)


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
    _report(family, out / "report.html", as_json, Options(), title="Scaling report of the demo ladder", theory=True)


def _train(ladder: Ladder, out: Path, workers: int, devices: str | None = None) -> xr.Dataset:
    from scalinglaws.curves.store import FAMILY_FILE, save_curves
    from scalinglaws.training import places_for, train_ladder, worker_pool

    require(workers >= 0, "--workers", workers, "must be 0 (one per core) or more")
    if devices is None and any(run.device != "cpu" for run in ladder.runs):
        devices = "all"  # many runs at once on one GPU would only wait for each other
    places = places_for(ladder.runs, devices)
    count = workers or (len(places) if places else None)
    try:
        with progress_bar() as show, worker_pool(count) as pool:
            family = train_ladder(ladder, out, executor=pool, report=show, devices=places)
    except KeyboardInterrupt:
        typer.echo("interrupted: what was done is kept, and the same command goes on from there", err=True)
        raise typer.Exit(130) from None
    save_curves(family, out / FAMILY_FILE)
    return family


def read_source(path: Path, options: Options) -> xr.Dataset:
    """Read curves or a table as the options say."""
    from scalinglaws.curves import read_any

    return read_any(path, kind=options.kind, columns=pairs("--column", options.column) or None)


def points(source: xr.Dataset, options: Options) -> xr.Dataset:
    """Take the end points of curves, without the runs of the highest loss."""
    from scalinglaws.curves import end_points

    table = end_points(source, params=options.params) if "row_size" in source else source
    runs, drop = table.sizes["run"], options.drop_highest
    require(0 <= drop < runs, "--drop-highest", drop, f"must lie in 0 to {runs - 1}")
    return table.isel(run=table["loss"].argsort().values[: runs - drop])


def _fit(data: Path, options: Options) -> Fit:
    from scalinglaws.fitting import fit as fit_law

    fitted = fit_law(points(read_source(data, options), options), law=options.law, estimator=options.estimator)
    return fitted.bootstrap(replicates=options.bootstrap, rng=options.seed)


def _report(
    source: xr.Dataset, out: Path, as_json: bool, options: Options, *, title: str = "Scaling report", **chosen: Any
) -> None:
    from scalinglaws._workers import worker_pool
    from scalinglaws.report import analyse, paragraph, write_report
    from scalinglaws.report import as_json as plain

    with worker_pool(1) if chosen.get("theory") else nullcontext() as beside:
        analysis = analyse(
            source,
            law=options.law,
            estimator=options.estimator,
            params=options.params,
            level=options.level,
            replicates=options.bootstrap,
            rng=options.seed,
            executor=beside,
            **chosen,
        )
    write_report(analysis, out, title=title)
    if as_json:
        say_json({"report": os.fspath(out), **plain(analysis)})
        return
    say(paragraph(analysis))
    say()
    say(f"report: {out}")


def say_fit(fitted: Fit, level: float) -> None:
    """Print a fit and its parameters with intervals."""
    from scalinglaws.report.words import parameter_table

    table = parameter_table(fitted, level)  # before anything is printed: a wrong level ends here
    say(fitted.summary())
    say()
    say_table(*table)
