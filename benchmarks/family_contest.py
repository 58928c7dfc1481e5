"""Let every family law predict left-out runs of every family: the shipped ones, files of runs, and a folder of data.

    python benchmarks/family_contest.py OUT [RUNS_OR_DATA ...] [--workers N] [--laws A,B] [--only NAME]

OUT receives one JSON file for each family as it finishes (those that are there already are not done again), a figure
beside it, and at the end `contest.md`, the table over all of them, which is also printed. RUNS_OR_DATA are files that
`read_curves` reads, or a folder with the layout of `FOLDERS` below; sets that are not there are left out in silence.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import scalinglaws as sl
from scalinglaws._files import atomic_path, write_text
from scalinglaws._progress import Progress
from scalinglaws._workers import worker_pool
from scalinglaws.comparison.family_laws import FAMILY_LAWS, FamilyContest
from scalinglaws.comparison.path import Path as Rates
from scalinglaws.curves import Run, from_runs, iter_runs, join, read_curves, select
from scalinglaws.curves.family import prefixed
from scalinglaws.errors import InputError
from scalinglaws.plotting import styled
from scalinglaws.plotting.family_contest import draw_family_contest

Family = tuple[xr.Dataset, dict[str, Any], str]
"""Runs, further arguments of the contest, and what was assumed."""

UPDATES = 20_000
"""Updates of the longest run where tokens are known and neither rates nor batches: one update is so many tokens."""
COSTLY, MANY = ("plrf",), 60
"""Laws that solve a model for each size and schedule: not tried on tables of more end points than this."""
UNKNOWN = "rates unknown, taken for constant; an update is a fixed number of tokens"


def shipped() -> Iterator[tuple[str, Callable[[], Family]]]:
    """Give the shipped families, and their union where it is one study: same text, muP, rate and batch."""
    for name in ("ladder", "standard", "schedules", "horizons"):
        yield name, lambda name=name: (sl.datasets.load(name), {}, "")
    yield "ladder+schedules+horizons", lambda: (sl.datasets.load("ladder", "schedules", "horizons"), {}, "")
    for kind in ("mup", "standard"):
        yield f"rates-{kind}", lambda kind=kind: (_rates(kind), {"leave_out": ["size"]}, "peak rates differ")


def _rates(kind: str) -> xr.Dataset:
    runs = sl.datasets.load("rates")
    return select(runs, [r.name for r in iter_runs(runs) if r.parameterization == kind])


def end_points(
    table: pd.DataFrame, *, n: str, tokens: str, loss: str, batch_tokens: float | None = None, name: str = ""
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Turn a table of final losses into runs of one record each, under a constant rate.

    Parameters
    ----------
    n, tokens, loss
        Columns.
    batch_tokens
        Tokens of an update; by default what makes the longest run `UPDATES` updates long.
    """
    good = table[[n, tokens, loss]].notna().all(axis=1) & (table[loss] > 0)
    table = table[good].reset_index(drop=True)
    unit = float(table[tokens].max() / UPDATES) if batch_tokens is None else batch_tokens
    runs, paths = [], {}
    for i, row in table.iterrows():
        steps = max(round(float(row[tokens]) / unit), 1)
        label = f"{name}{i}"
        paths[label] = Rates(rate=np.ones(steps))
        runs.append(
            Run(
                name=label,
                step=np.array([steps]),
                loss=np.array([float(row[loss])]),
                tokens=np.array([float(row[tokens])]),
                params={"unspecified": float(row[n])},
                schedule="unknown",
            )
        )
    return from_runs(runs), {"paths": paths, "without": COSTLY if len(runs) > MANY else ()}


def _supercollapse(folder: Path, name: str) -> Family:
    return read_curves(folder / "supercollapse" / f"{name}.csv.gz", scale={"flops": 1e15}), {}, ""


def _multipowerlaw(folder: Path) -> Family:
    sizes = {"25M": 25e6, "100M": 100e6}
    parts = [
        prefixed(
            read_curves(
                folder / "multipowerlaw" / f"csv_{name[:-1]}",
                params=size,
                batch=128,
                seq_len=4096,
                pattern=r"(?P<schedule>[a-z]+)_",
            ),
            name,
        )
        for name, size in sizes.items()
    ]
    return join(parts), {}, "sizes by the names of the folders; warm-up not in the files"


def _owt2(folder: Path) -> Family:
    return read_curves(folder / "lr_scheduling_owt2"), {}, "the peak rates of cosine are twice those of WSD"


def _nqs(folder: Path) -> Family:
    table = pd.read_csv(folder / "nqs" / "dataset.csv")
    runs, paths = [], {}
    for i, row in table.iterrows():
        steps, label = int(row["K"]), f"{row['type']}{i}"
        paths[label] = Rates(rate=np.ones(steps))
        runs.append(
            Run(
                name=label,
                step=np.array([steps]),
                loss=np.array([row["loss"]]),
                tokens=np.array([row["B"] * row["K"] * 128.0]),
                params={"unspecified": float(row["N"])},
                batch=float(row["B"]),
                seq_len=128.0,
                schedule="unknown",
            )
        )
    return from_runs(runs), {"paths": paths, "without": COSTLY}, "rates unknown, taken for constant; batches known"


def _gadre(folder: Path, which: str) -> Family:
    table = pd.read_csv(folder / "gadre2024" / "gadre_104.csv")
    table = table[table["train_dataset"] == which]
    runs, options = end_points(table, n="params_no_embed", tokens="tokens", loss="loss_c4_val", name=f"{which}-")
    return runs, options, UNKNOWN


def _porian(folder: Path, experiment: str) -> Family:
    table = pd.read_csv(folder / "porian2024" / "isoflop_points.csv")
    runs, options = end_points(table[table["experiment"] == experiment], n="n", tokens="tokens", loss="loss")
    return runs, options, "the rate is constant by name; batches unknown"


def _datablations(folder: Path) -> Family:
    table = pd.read_csv(folder / "datablations" / "muennighoff_182.csv")
    table = table[table["unique_tokens"] >= 0.99 * table["tokens"]]
    runs, options = end_points(table, n="params", tokens="tokens", loss="val_loss")
    return runs, options, f"{UNKNOWN}; only runs that repeat no data"


def _besiroglu(folder: Path) -> Family:
    table = pd.read_csv(folder / "besiroglu2024" / "svg_extracted_data.csv")
    table = table[table["loss"] < 3.44699543].assign(tokens=lambda t: t["Training FLOP"] / (6.0 * t["Model Size"]))
    runs, options = end_points(table, n="Model Size", tokens="tokens", loss="loss")
    return runs, options, f"{UNKNOWN}; read off a figure"


def _olmo(folder: Path) -> Family:
    table = pd.read_csv(folder / "olmo_ladder" / "c4_final_NDL.csv")
    runs, options = end_points(table, n="params", tokens="tokens", loss="c4_loss_ma5")
    return runs, options, UNKNOWN


FOLDERS: dict[str, tuple[str, Callable[[Path], Family]]] = {
    "c5m": ("supercollapse/c5m.csv.gz", lambda f: _supercollapse(f, "c5m")),
    "c5m_schedules": ("supercollapse/c5m_schedules.csv.gz", lambda f: _supercollapse(f, "c5m_schedules")),
    "multipowerlaw": ("multipowerlaw/csv_25", _multipowerlaw),
    "owt2": ("lr_scheduling_owt2", _owt2),
    "nqs": ("nqs/dataset.csv", _nqs),
    "gadre-c4": ("gadre2024/gadre_104.csv", lambda f: _gadre(f, "c4_original")),
    "gadre-rpj": ("gadre2024/gadre_104.csv", lambda f: _gadre(f, "rpj")),
    "porian-rw": ("porian2024/isoflop_points.csv", lambda f: _porian(f, "rw/tuned/short/const/standard/val")),
    "porian-owt2": ("porian2024/isoflop_points.csv", lambda f: _porian(f, "owt2/tuned/short/const/standard/val")),
    "datablations": ("datablations/muennighoff_182.csv", _datablations),
    "besiroglu": ("besiroglu2024/svg_extracted_data.csv", _besiroglu),
    "olmo": ("olmo_ladder/c4_final_NDL.csv", _olmo),
}
"""Sets of a data folder: the file that must be there, and how it becomes a family."""


def given(place: Path) -> Iterator[tuple[str, Callable[[], Family]]]:
    """Give the sets of a data folder, or the runs of a file or folder that is none."""
    known = [(name, make) for name, (file, make) in FOLDERS.items() if (place / file).exists()]
    for name, make in known:
        yield name, lambda make=make: make(place)
    if not known:
        yield place.stem, lambda: (read_curves(place), {}, "")


def one(name: str, make: Callable[[], Family], out: Path, laws: list[str], executor: Any) -> None:
    """Do one family and write what came of it; a family that cannot be used at all is a sentence."""
    target = out / f"{name}.json"
    if target.exists() and set(laws) <= set(json.loads(target.read_text())["laws"]):
        return
    told: dict[str, Any] = {"family": name, "laws": laws}
    try:
        runs, options, assumed = make()
        without = options.pop("without", ())
        tried = [law for law in laws if law not in without]
        told |= {"assumed": assumed, "runs": runs.sizes["run"], "without": [law for law in laws if law in without]}
        found = sl.contest_families(runs, tried, executor=executor, report=_tell(name), **options)
        told |= found.to_dict() | {"table": found.table(), "summary": found.summary(), "verdict": found.verdict}
        if found.errors.sizes["split"]:
            _draw(found, name, out / f"{name}.png")
    except InputError as error:
        told |= {"refusal": str(error)}
    write_text(target, json.dumps(told, indent=1, ensure_ascii=False))
    sys.stdout.write(f"\n{name}: {told.get('refusal', '')}\n{told.get('table', '')}\n")
    sys.stdout.flush()


def _tell(name: str) -> Callable[[Progress], None]:
    def tell(progress: Progress, /) -> None:
        sys.stderr.write(f"{name}: {progress.label} ({progress.item} of {progress.items})\n")

    return tell


def _draw(found: FamilyContest, name: str, path: Path) -> None:
    with styled(), atomic_path(path) as temporary:
        figure = Figure(figsize=(7.0, 1.6 + 0.5 * found.errors.sizes["split"]), layout="constrained")
        draw_family_contest(found, ax=figure.subplots()).axes.set_title(name)
        figure.savefig(temporary, format="png", dpi=150)


def markdown(results: list[Mapping[str, Any]], laws: list[str]) -> str:
    """Return the table over all families: end errors in percent, the smallest of each row in bold."""
    head = ["family", "left out", "runs", *laws, "perfect law", "best theory no worse than chinchilla"]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    won: dict[str, list[bool]] = {}
    notes = []
    for result in results:
        name = result["family"]
        if "refusal" in result:
            notes.append(f"- {name}: {result['refusal']}")
            continue
        notes += [f"- {name}: {kind} not tried, {why}" for kind, why in result["refused"].items()]
        notes += [f"- {name}: {result['assumed']}"] if result.get("assumed") else []
        notes += [f"- {name}: {law} not tried, it would solve its model for every run" for law in result["without"]]
        errors = result["errors"]
        for i, split in enumerate(errors["split"]):
            row = dict(zip(errors["law"], errors["end_error"][i], strict=True))
            lines.append(_row(name, split, errors, i, row, laws))
            _count(won, row, dict(zip(errors["law"], errors["theory"], strict=True)))
        for split, law, why in _failures(errors):
            notes.append(f"- {name}, {split}: no prediction of {law}: {why}")
    score = [f"- {law}: no worse than chinchilla on {sum(each)} of {len(each)} splits" for law, each in won.items()]
    return "\n".join([*(f"| {line} |" for line in lines), "", *score, "", *notes, ""])


def _row(name: str, split: str, errors: Mapping[str, Any], i: int, row: Mapping[str, Any], laws: list[str]) -> str:
    known = [value for value in row.values() if value is not None]
    cells = []
    for law in laws:
        value = row.get(law)
        text = "-" if value is None else f"{100 * value:.2f}"
        cells.append(f"**{text}**" if value is not None and value == min(known) else text)
    noise = errors["seed_noise"][i]
    theory = [row[law] for law, is_so in zip(errors["law"], errors["theory"], strict=True) if is_so and row[law]]
    base = row.get("chinchilla")
    verdict = "?" if base is None or not theory else "yes" if min(theory) <= base else "no"
    many = f"{errors['held'][i]} of {errors['held'][i] + errors['fitted'][i]}"
    return " | ".join([name, split, many, *cells, "" if noise is None else f"{100 * noise:.2f}", verdict])


def _count(won: dict[str, list[bool]], row: Mapping[str, Any], theory: Mapping[str, bool]) -> None:
    base = row.get("chinchilla")
    if base is None:
        return
    for law, is_so in theory.items():
        if is_so and row[law] is not None:
            won.setdefault(law, []).append(row[law] <= base)
    best = [row[law] for law, is_so in theory.items() if is_so and row[law] is not None]
    if best:
        won.setdefault("the best of theory's laws", []).append(min(best) <= base)


def _failures(errors: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for split, row in zip(errors["split"], errors["failure"], strict=True):
        for law, why in zip(errors["law"], row, strict=True):
            if why:
                yield split, law, why


def main() -> None:
    """Run the contest on everything named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for this one alone")
    parser.add_argument("--laws", default=",".join(FAMILY_LAWS))
    parser.add_argument("--only", help="one family by name")
    asked = parser.parse_args()
    laws = asked.laws.split(",")
    families = [*shipped(), *(each for place in asked.data for each in given(place))]
    chosen = [(name, make) for name, make in families if asked.only in (None, name)]
    asked.out.mkdir(parents=True, exist_ok=True)
    with worker_pool(asked.workers) if asked.workers else nullcontext() as executor:
        for name, make in chosen:
            one(name, make, asked.out, laws, executor)
    results = [
        json.loads((asked.out / f"{name}.json").read_text())
        for name, _ in families
        if (asked.out / f"{name}.json").exists()
    ]
    table = markdown(results, laws)
    write_text(asked.out / "contest.md", table)
    sys.stdout.write(table)


if __name__ == "__main__":
    main()
