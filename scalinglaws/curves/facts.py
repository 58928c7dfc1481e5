"""What is known of a run as a whole: from its file, its name, a run table or keywords, checked.

Later sources win: the file itself, the named groups of `pattern` on the run's name, the row of `run_table`,
the keywords `params`, `batch`, `seq_len`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scalinglaws.curves.columns import SPELLINGS, find_columns, normalise, one_line
from scalinglaws.curves.raw import FACTS, Options, RawRun
from scalinglaws.curves.schema import STATUSES
from scalinglaws.curves.tabular import Table
from scalinglaws.errors import InputError

__all__ = ["facts_of_runs", "number"]

Facts = Mapping[str, float | str]
_SUFFIX = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}
_POSITIVE = ("params", "batch", "seq_len", "width", "depth")
_ENDED_EARLY = frozenset({"partial", "crashed", "failed", "killed", "running", "preempted"})


def facts_of_runs(runs: Iterable[RawRun], options: Options) -> list[dict[str, Any]]:
    """Collect the metadata of every run as checked keyword arguments of `Run`.

    Raises
    ------
    InputError
        When `pattern` does not match a name or is no pattern, a run is not in `run_table`, or a value breaks
        its rule.
    """
    runs = list(runs)
    pattern = _compiled(options.pattern)
    by_run = {} if options.run_table is None else _run_table(options.run_table)
    collected = []
    for run in runs:
        facts = {**run.facts, **_from_name(pattern, run.name)}
        if by_run:
            if run.name not in by_run:
                raise InputError(f"run_table: has no row for run {run.name}")
            facts |= by_run[run.name]
        facts |= _constants(options, run.name)
        collected.append(_checked(facts, run.source))
    return collected


def number(value: float | str, name: str) -> float:
    """Read a number that may carry a size suffix, as file names do.

    Examples
    --------
    >>> number("25M", "params"), number("1.5e3", "params")
    (25000000.0, 1500.0)
    """
    if not isinstance(value, str):
        return float(value)
    match = re.fullmatch(r"\s*([-+0-9.]+(?:[eE][-+]?\d+)?|nan|inf)\s*([kKmMbBgG]?)\s*", value)
    try:
        return float(match[1]) * _SUFFIX[match[2].lower()] if match else float(value)
    except ValueError:
        raise InputError(f"{name} = {value[:60]!r}: must be a number, such as 2.5e7 or 25M") from None


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"pattern = {pattern!r}: is not a regular expression ({error})") from error
    known = {s for fact in FACTS for s in (fact, *SPELLINGS[fact])} | {"lr"}
    unknown = sorted(set(compiled.groupindex) - known)
    if unknown or not compiled.groupindex:
        raise InputError(
            f"pattern = {pattern!r}: needs named groups (?P<name>...) among {', '.join(FACTS)}"
            + (f", and {unknown[0]} is none of them" if unknown else "")
        )
    return compiled


def _from_name(pattern: re.Pattern[str] | None, name: str) -> dict[str, float | str]:
    if pattern is None:
        return {}
    match = pattern.search(name)
    if match is None:
        raise InputError(f"pattern = {pattern.pattern!r}: does not match the name of run {name}")
    return {_fact(group): value for group, value in match.groupdict().items() if value is not None}


def _fact(spelling: str) -> str:
    """Return the quantity a group of a pattern names; `lr` of a whole run is its peak."""
    if spelling in FACTS:
        return spelling
    return next((f for f in FACTS if normalise(spelling) in SPELLINGS[f]), "peak_lr")


def _run_table(data: Any) -> dict[str, dict[str, float | str]]:
    table = Table.read(data)
    found = find_columns(
        list(table.columns), ("run", *FACTS, "lr"), required=("run",), source=f"run_table {table.source}"
    ).names
    fact_columns = {("peak_lr" if q == "lr" else q): c for q, c in found.items() if q != "run"}
    texts = {fact: table.text(column).tolist() for fact, column in fact_columns.items()}
    names = table.text(found["run"]).tolist()
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"run_table {table.source}: run {twice[0]} has more than one row")
    return {name: {f: column[i] for f, column in texts.items() if column[i]} for i, name in enumerate(names)}


def _constants(options: Options, name: str) -> dict[str, float | str]:
    params = options.params
    if isinstance(params, Mapping):
        if name not in params:
            raise InputError(f"params: names no value for run {name}")
        params = params[name]
    given = {"params": params, "batch": options.batch, "seq_len": options.seq_len}
    return {fact: value for fact, value in given.items() if value is not None}


def _checked(facts: Facts, source: str) -> dict[str, Any]:
    checked: dict[str, Any] = {"params": {}}
    for fact, value in facts.items():
        if fact == "schedule":
            checked[fact] = one_line(str(value))
        elif fact == "status":
            checked[fact] = _status(str(value), source)
        else:
            read = number(value, f"{source}: {fact}")
            if math.isnan(read):
                continue
            if math.isinf(read) or (fact in _POSITIVE and read <= 0) or (fact == "peak_lr" and read < 0):
                raise InputError(f"{source}: {fact} = {read:g}: must be a positive finite number")
            checked[fact] = {"unspecified": read} if fact == "params" else read
    return checked


def _status(text: str, source: str) -> str:
    word = text.strip().lower()
    if word in _ENDED_EARLY:
        return "partial"
    if word not in STATUSES:
        raise InputError(f"{source}: status = {text[:60]!r}: must be one of {', '.join(STATUSES)}")
    return word
