"""A ladder: many runs described at once, each with a distinct name.

In TOML, `[common]` holds what all runs share and every `[[grid]]` adds the product of its lists:

    name = "widths"
    [common]
    batch = 8
    [[grid]]
    width = [32, 64]
    tokens = [500_000, 1_000_000]
    [[grid]]
    width = 96
    tokens = 2_000_000

gives the five runs width32-tokens500k, width32-tokens1M, ..., width96-tokens2M. Widths and horizons that vary
independently are what identifies a law in both; a ladder with one ratio of tokens to parameters cannot.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalinglaws.datasets import recipe, recipes
from scalinglaws.errors import InputError, require
from scalinglaws.training.config import TrainConfig, read_toml

__all__ = ["Ladder", "demo_ladder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Runs to train together.

    Parameters
    ----------
    name
        Name of the family.
    runs
        One or more configurations with distinct names, on one task and corpus.

    Examples
    --------
    >>> ladder = Ladder.from_dict({"name": "two", "grid": [{"width": [32, 64], "tokens": 250_000}]})
    >>> [run.name for run in ladder.runs]
    ['width32-tokens250k', 'width64-tokens250k']
    """

    name: str
    runs: tuple[TrainConfig, ...]

    def __post_init__(self) -> None:
        require(len(self.runs) > 0, "ladder", self.name, "must hold one run or more")
        names = [run.name for run in self.runs]
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, f"ladder {self.name}: runs", twice, "occur more than once")
        tasks = sorted({f"{run.task} {run.task_options}" for run in self.runs})
        require(len(tasks) == 1, f"ladder {self.name}: tasks", tasks, "must be the same for all runs")
        corpora = sorted({str((run.corpus, run.token_dtype, run.vocab)) for run in self.runs})
        require(len(corpora) == 1, f"ladder {self.name}: corpora", corpora, "must be the same for all runs")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Ladder:
        """Build a ladder from the entries of a TOML file: `name`, `common`, and a list of `grid`s.

        Raises
        ------
        InputError
            Naming the entry that is unknown, of the wrong kind, or breaks a rule of `TrainConfig`.
        """
        unknown = sorted(set(values) - {"name", "common", "grid"})
        require(not unknown, "ladder", unknown, "not known; a ladder has name, [common] and [[grid]]")
        common, grids = values.get("common", {}), values.get("grid", [])
        require(isinstance(common, Mapping), "ladder: common", common, "must be a table")
        is_tables = isinstance(grids, list) and all(isinstance(grid, Mapping) for grid in grids)
        require(is_tables and len(grids) > 0, "ladder: grid", grids, "must be one [[grid]] table or more")
        keys = list(dict.fromkeys(key for grid in grids for key in grid if key != "name"))
        runs = []
        for grid in grids:
            for choice in _product(grid):
                name = "-".join(f"{key}{_short(choice[key])}" for key in keys if key in choice)
                runs.append(TrainConfig.from_dict({"name": name, **common, **choice}))
        return cls(name=str(values.get("name", "ladder")), runs=tuple(runs))

    @classmethod
    def coerce(cls, given: Ladder | Mapping[str, Any] | str | os.PathLike[str]) -> Ladder:
        """Turn a ladder, a mapping, the path of a TOML file, or the name of a shipped ladder into a ladder.

        A file goes before a shipped ladder of the same name.
        """
        if isinstance(given, Ladder):
            return given
        if isinstance(given, Mapping):
            return cls.from_dict(given)
        path = Path(given)
        if not path.exists() and os.fspath(given) in recipes():
            path = recipe(os.fspath(given))
        return cls.from_dict({"name": path.stem, **read_toml(path)})


def demo_ladder() -> Ladder:
    """Return the ladder of the demonstration: a few minutes on two cores, on the standard library's sources.

    Examples
    --------
    >>> len(demo_ladder().runs) >= 14
    True
    """
    return Ladder.coerce(Path(__file__).with_name("demo.toml"))


def _product(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = [value if isinstance(value, list) else [value] for value in grid.values()]
    empty = [key for key, column in zip(grid, columns, strict=True) if not column]
    if empty:
        raise InputError(f"ladder: grid: {', '.join(empty)} = []: must hold one value or more")
    return [dict(zip(grid, choice, strict=True)) for choice in itertools.product(*columns)]


def _short(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        for unit, size in (("M", 1_000_000), ("k", 1000)):
            if value >= size and value % (size // 10) == 0:
                return f"{value / size:g}{unit}"
    return "".join(c if c.isalnum() or c in "._+-" else "_" for c in str(value))
