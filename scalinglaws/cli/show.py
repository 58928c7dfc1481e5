"""What the terminal sees: tables, one JSON object, and a bar that says which run of how many and how long still."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import typer

from scalinglaws._progress import Progress, Report

__all__ = ["progress_bar", "say", "say_json", "say_table"]


def say(text: str = "") -> None:
    """Print a line to standard output."""
    typer.echo(text)


def say_json(value: Any) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(value, indent=2))


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        typer.echo("  ".join(cells).rstrip())


@contextmanager
def progress_bar(item: str = "run") -> Iterator[Report]:
    """Show progress on standard error while the block runs: a bar on a terminal, a line per change of run elsewhere.

    Parameters
    ----------
    item
        What is counted. Only runs are worth a line each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)
        last = ""

        def report(progress: Progress, /) -> None:
            nonlocal last
            label = f"{item} {progress.item} of {progress.items}: {progress.label}"
            bar.update(task, completed=progress.done, total=progress.total, description=label + _speed(progress))
            if item == "run" and not console.is_terminal and label != last:
                share = f"{100 * progress.done / progress.total:.0f} % of the compute done"
                typer.echo(f"{label} ({share}{_speed(progress)})", err=True)
            last = label

        yield report


def _speed(progress: Progress) -> str:
    if not isfinite(progress.tokens_per_second):
        return ""
    return f", {progress.tokens_per_second:,.0f} tokens/s, MFU {100 * progress.utilization:.0f} %"
