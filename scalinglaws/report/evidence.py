"""The evidence behind an optimum as tables, which the terminal and the page both show."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from scalinglaws._numbers import human, scientific, span
from scalinglaws.prediction.advising import Advice, Candidate
from scalinglaws.prediction.measured.differences import WORDS
from scalinglaws.report.layout import Grid

__all__ = ["evidence"]


def evidence(advice: Advice) -> list[Grid]:
    """List the tables at the largest budget: laws, approaches, larger runs predicted, published laws, counting."""
    grids = [_laws(advice), _approaches(advice), _rolling(advice), _published(advice), _counting(advice)]
    return [grid for grid in grids if grid is not None]


def _laws(advice: Advice) -> Grid:
    rows = [_law(advice, one) for one in advice.candidates]
    header = ["law", "N*", "D*", "loss", "AICc", "error on larger runs", ""]
    others = f" and {advice.replicates['laws']} for other laws" if len(rows) > 1 else ""
    note = (
        f"At {scientific(_budget(advice))} FLOP, {100 * advice.level:g} % intervals of {advice.replicates['answer']} "
        f"bootstrap refits for the answer{others}; AICc above the least, and the mean error of predicting larger runs "
        "from smaller ones."
    )
    return Grid("Laws side by side", header, rows, " ".join([note, *advice.left_out]))


def _law(advice: Advice, one: Candidate) -> list[str]:
    row = one.optimum.isel(flops=-1)
    if one.usable:
        said = [span(row, "params"), span(row, "tokens"), span(row, "loss", ".4f")]
    else:
        said = ["no optimum" if one.fit.converged else "not converged", "", ""]
    standing = "close" if one.name in advice.contenders else ""
    standing = "answer" if one is advice.chosen else standing
    return [one.name, *said, _shown(one.difference, ".1f"), _shown(one.error, ".2f", " %"), standing]


def _approaches(advice: Advice) -> Grid:
    found = advice.approaches
    header = ["approach", "N*", "D*", "exponent of N*"]
    if found is None:
        return Grid("Approaches 1, 2 and 3", header, [], advice.about_approaches[0])
    rows = []
    for name in found.table["approach"].values:
        row = found.table.sel(approach=name).isel(flops=-1)
        rows.append([WORDS[str(name)], span(row, "params"), span(row, "tokens"), span(row, "size_exponent", ".3f")])
    first, *others = advice.about_approaches
    refused = [note for note in others if "is not possible" in note]
    more = len(others) - len(refused)
    doubts = [f"{more} notes on single budgets and runs are in the JSON output."] if more else []
    return Grid("Approaches 1, 2 and 3", header, rows, " ".join([first, *refused, *doubts]))


def _rolling(advice: Advice) -> Grid | None:
    if advice.rolling is None:
        return None
    rows = [
        [
            scientific(origin.flops),
            str(origin.rows),
            str(len(origin.names)),
            f"{origin.reach:.3g}",
            f"{origin.mape:.2f} %",
            f"{origin.bias:+.2f} %",
            f"{int(origin.covered.sum())} of {len(origin.names)}",
        ]
        for origin in advice.rolling.origins
    ]
    header = ["fitted below", "runs", "predicted", "times compute", "mean error", "bias", "inside"]
    note = (
        f"The {advice.rolling.law} law fitted to the runs below each budget, and what it says of those above, with "
        f"{100 * advice.level:g} % prediction intervals."
    )
    return Grid("Larger runs predicted from smaller ones", header, rows, " ".join([note, *advice.rolling.skipped]))


def _published(advice: Advice) -> Grid:
    said = advice.published.isel(flops=-1)
    rows = []
    for name in said["name"].values:
        row = said.sel(name=name)
        sizes = [human(float(row["params"])), human(float(row["tokens"])), f"{float(row['tokens_per_param']):.3g}"]
        where = "yes" if bool(row["inside"]) else "no"
        rows.append([str(name), *sizes, f"{float(row['loss']):.3f}", str(row["counts"].item()), where])
    header = ["published law", "N*", "D*", "tokens/parameter", "loss", "N counts", "inside its data"]
    note = (
        f"What fits of the literature say of {scientific(_budget(advice))} FLOP; their losses are of other text and "
        "tokenizers."
    )
    return Grid("Published laws", header, rows, note)


def _counting(advice: Advice) -> Grid | None:
    if advice.counting is None:
        return None
    rows = []
    for name in advice.counting["convention"].values:
        row: xr.Dataset = advice.counting.sel(convention=name).isel(flops=-1)
        sizes = [human(float(row["params"])), human(float(row["tokens"]))]
        rows.append([str(name), *sizes, f"{float(row['loss']):.4f}", f"{float(row['size_exponent']):.3f}"])
    header = ["N counts, C counts", "N*", "D*", "loss", "exponent of N*"]
    notes = json.loads(advice.counting.attrs["notes"])
    note = " ".join(["The same runs, fitted with other ways to count.", *(f"{each}." for each in notes)])
    return Grid("Ways to count", header, rows, note)


def _budget(advice: Advice) -> float:
    return float(advice.optimum["flops"][-1])


def _shown(value: float, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if np.isfinite(value) else "-"
