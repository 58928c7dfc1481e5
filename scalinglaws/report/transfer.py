"""A sweep of learning rates as a picture, with its numbers beside it as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scalinglaws._files import atomic_path, write_text
from scalinglaws.comparison.transfer import RateTransfer
from scalinglaws.errors import require
from scalinglaws.plotting.style import styled
from scalinglaws.plotting.transfer import draw_transfer

__all__ = ["check_picture", "write_transfer"]


def check_picture(path: str | os.PathLike[str]) -> Path:
    """Return where to write a picture; another suffix than .png or .svg is an `InputError`."""
    out = Path(path)
    require(out.suffix in (".png", ".svg"), "out", os.fspath(out), "must end in .png or .svg")
    return out


def write_transfer(found: RateTransfer, path: str | os.PathLike[str]) -> None:
    """Draw a sweep to `path` (.png or .svg) and write its numbers beside it as JSON, each atomically."""
    out = check_picture(path)
    with styled(), atomic_path(out) as temporary:
        draw_transfer(found).savefig(temporary, format=out.suffix[1:], dpi=150)
    write_text(out.with_suffix(".json"), json.dumps(found.to_dict(), indent=2) + "\n")
