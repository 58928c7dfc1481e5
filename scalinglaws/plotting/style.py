"""What all figures share: the style sheet, figures without global state, colours by size, readable numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from scalinglaws._numbers import human, in_unit, scientific

__all__ = [
    "MEASURED",
    "PREDICTED",
    "axes_of",
    "data_uri",
    "human",
    "in_unit",
    "label_log",
    "scientific",
    "size_colors",
    "styled",
]

STYLE = Path(__file__).with_name("scalinglaws.mplstyle")
MEASURED, PREDICTED = "#1a1a1a", "#c2410c"
"""Ink for what was measured and for what a law says; both survive greyscale and colour blindness."""


@contextmanager
def styled() -> Iterator[None]:
    """Apply the package's style inside the block, and only there."""
    with mpl.rc_context(fname=STYLE):
        yield


def axes_of(ax: Axes | None) -> Axes:
    """Return `ax`, or the current axes of pyplot when none is given."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.gca()


def size_colors(values: ArrayLike) -> ScalarMappable:
    """Map positive values to colours on a log scale; also what a colour bar needs."""
    finite = np.asarray(values, dtype=np.float64)
    low, high = float(finite.min()), float(finite.max())
    norm = LogNorm(low / 1.05, max(high, low * 1.1) * 1.4)  # the last colours of viridis vanish on white
    return ScalarMappable(norm, mpl.colormaps["viridis"])


def label_log(axis: Axis) -> None:
    """Label a logarithmic axis of few decades by counts (50k, 1M), so that labels neither vanish nor clash."""
    low, high = sorted(axis.get_view_interval())
    if high / low >= 1e4:
        return
    subs = (1.0, 2.0, 5.0) if high / low < 1e2 else (1.0, 3.0) if high / low < 1e3 else (1.0,)
    narrow = high / low < 4.0  # where 1, 2 and 5 may give one tick or none
    axis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=subs, numticks=12))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))


def _tick(value: float) -> str:
    if value < 1e3:
        return f"{value:.4g}"
    text = human(value)
    number, suffix = text.rstrip("kMBT"), text[len(text.rstrip("kMBT")) :]
    return (number.rstrip("0").rstrip(".") if "." in number else number) + suffix


def data_uri(figure: Figure, *, file_format: str = "svg") -> str:
    """Draw a figure into a `data:` address, so that a page can carry it inside itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=file_format, metadata={"Date": None} if file_format == "svg" else None)
    kind = "image/svg+xml" if file_format == "svg" else f"image/{file_format}"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
