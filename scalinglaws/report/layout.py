"""What all pages are made of: cards, tables and pictures, and the templates they are filled into."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from scalinglaws._files import write_text
from scalinglaws.errors import require
from scalinglaws.plotting.style import data_uri, styled

__all__ = ["Card", "Grid", "Picture", "check_page", "fill", "picture", "write_page"]


class Card(NamedTuple):
    """One figure to see at a glance."""

    label: str
    value: str
    detail: str


class Grid(NamedTuple):
    """One table of the page."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str


class Picture(NamedTuple):
    """One figure of the page: its heading, its `data:` address and its caption."""

    title: str
    uri: str
    caption: str


def picture(
    title: str, caption: str, draw: Callable[[Figure], object], size: tuple[float, float] = (8.4, 4.4)
) -> Picture:
    """Draw on a new figure of `size` inches, in the style that holds, and keep it as an address."""
    figure = Figure(figsize=size)
    draw(figure)
    return Picture(title, data_uri(figure), caption)


def fill(template: str, **values: Any) -> str:
    """Return a self-contained HTML page: no script, no address outside itself."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scalinglaws", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(**values)


def check_page(path: str | os.PathLike[str]) -> Path:
    """Return where to write, after checking the suffix.

    Raises
    ------
    InputError
        For another suffix than .html.
    """
    out = Path(path)
    require(out.suffix == ".html", "out", os.fspath(out), "must end in .html")
    return out


def write_page(path: str | os.PathLike[str], page: Callable[[], str], numbers: Mapping[str, Any]) -> None:
    """Write a page, drawn in the package's style, to `path` (.html), and its numbers beside it as JSON, atomically.

    Raises
    ------
    InputError
        For another suffix.
    """
    out = check_page(path)
    with styled():
        write_text(out, page())
    write_text(out.with_suffix(".json"), json.dumps(numbers, indent=2) + "\n")
