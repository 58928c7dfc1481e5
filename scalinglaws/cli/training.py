"""What `train` says before it trains: the cost of a ladder, and how to use the cores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from scalinglaws.cli.show import say, say_json, say_table

if TYPE_CHECKING:
    import xarray as xr

    from scalinglaws.training import Ladder

__all__ = ["duration", "say_cost", "say_ends", "say_ways"]

_UNKNOWN = "-"


def duration(seconds: float | None) -> str:
    """Write a time in the unit that suits it.

    Examples
    --------
    >>> duration(0.5), duration(90), duration(5400), duration(2e6), duration(None)
    ('0.5 s', '1.5 min', '1.5 h', '23 d', '-')
    """
    if seconds is None:
        return _UNKNOWN
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"


def say_cost(ladder: Ladder, flops_per_second: float | None, workers: int, as_json: bool) -> None:
    """Print what every run of a ladder and all of them will cost."""
    from scalinglaws._numbers import human
    from scalinglaws.training import estimate_ladder

    cost = estimate_ladder(ladder, flops_per_second=flops_per_second, workers=workers)
    if as_json:
        say_json(cost.to_dict())
        return
    total = cost.totals
    time = f"; {duration(cost.elapsed)} with {workers} at once" if cost.elapsed else ""
    say(f"{len(cost.runs)} runs, {human(total['flops'])} FLOP, {human(total['tokens'])} tokens{time}")
    say(f"speed {cost.speed}")
    say()
    rows = [
        [
            run.name,
            human(run.params),
            human(run.tokens),
            human(run.flops),
            duration(run.seconds),
            _UNKNOWN if run.memory is None else f"{run.memory / 2**30:.2g} GiB",
        ]
        for run in cost.runs
    ]
    say_table(["run", "parameters", "tokens", "FLOP", "time", "memory"], rows)


def say_ways(ladder: Ladder, as_json: bool) -> None:
    """Print how fast each way to use the cores is, the best first."""
    from scalinglaws.training import tune_threads

    found = tune_threads(ladder)
    best = found[0]
    if as_json:
        say_json({"best": asdict(best), "ways": [asdict(way) for way in found]})
        return
    say(f"fastest here: threads = {best.threads} in [common], and --workers {best.workers}")
    say()
    rows = [[str(way.workers), str(way.threads), f"{way.tokens_per_second:,.0f}"] for way in found]
    say_table(["workers", "threads", "tokens/s"], rows)


def say_ends(family: xr.Dataset) -> None:
    """Print where each run ended and how fast it went."""
    from scalinglaws._numbers import human
    from scalinglaws.curves import end_points

    table = end_points(family).sortby("flops")
    speeds = family[["tokens_per_second", "model_flops_utilization"]].sel(run=table["run"].values)
    rows = [
        [
            str(name),
            *(human(float(table[column][i])) for column in ("params", "tokens", "flops")),
            f"{float(table['loss'][i]):.4f}",
            human(float(speeds["tokens_per_second"][i])),
            f"{100 * float(speeds['model_flops_utilization'][i]):.0f} %",
        ]
        for i, name in enumerate(table["run"].values)
    ]
    say_table(["run", "parameters", "tokens", "FLOP", "final loss", "tokens/s", "MFU"], rows)
