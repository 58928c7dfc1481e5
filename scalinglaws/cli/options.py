"""What several commands take, declared once: the input, how it is read, what is fitted, how certain to be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scalinglaws.errors import require

__all__ = ["Columns", "Flops", "Input", "Json", "Options", "Workers", "pairs", "takes_options"]

Input = Annotated[
    Path, typer.Argument(help="Runs or a table of end points: .nc, .csv, .tsv, .parquet, .json, a folder.")
]
Columns = Annotated[
    list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Name a column: loss=val_loss. Repeatable.")
]
Flops = Annotated[list[float] | None, typer.Option(metavar="FLOP", help="A compute budget. Repeatable.")]
Workers = Annotated[int, typer.Option(help="Runs trained at once; 0 for one per core.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the input is read and fitted; every field is an option of the commands marked `takes_options`."""

    law: Annotated[str, typer.Option(help="The law to fit.")] = "chinchilla"
    estimator: Annotated[str, typer.Option(help="huber, l1, log-l2 or l2.")] = "huber"
    params: Annotated[str, typer.Option(help="How N is counted: total, non_embedding or body.")] = "total"
    drop_highest: Annotated[int, typer.Option(help="Leave out this many runs of the highest loss.")] = 0
    bootstrap: Annotated[int, typer.Option(help="Bootstrap refits behind the intervals.")] = 2000
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0
    column: Columns = None
    kind: Annotated[str, typer.Option("--as", help="What DATA holds: curves, table, or auto to find out.")] = "auto"


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Show typer the fields of `Options` as options of `command`, and hand them to it as its argument `options`."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    fields = inspect.signature(Options, eval_str=True).parameters
    shown = [p for p in own if p.name != "options"] + list(fields.values())

    @functools.wraps(command)
    def call(**given: Any) -> None:
        command(options=Options(**{name: given.pop(name) for name in fields}), **given)

    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown]
    call.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in shown}
    return call


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Take NAME=VALUE items apart.

    Examples
    --------
    >>> pairs("--column", ["loss=val_loss"])
    {'loss': 'val_loss'}
    """
    items = [item.partition("=") for item in given or []]
    for key, sign, value in items:
        require(bool(key and value), option, f"{key}{sign}{value}", "must be NAME=VALUE, for example loss=val_loss")
    return {key: value for key, _, value in items}
