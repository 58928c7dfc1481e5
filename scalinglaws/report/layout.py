"""What all pages are made of: cards, tables and pictures, and the templates they are filled into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from scalinglaws.plotting.style import data_uri

__all__ = ["Card", "Grid", "Picture", "fill", "picture"]


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
