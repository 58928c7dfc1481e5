"""The rules for measured curves, cell by cell with plain loops, straight from their wording."""

from __future__ import annotations

import math

BLANK = ("", "na", "n/a", "none", "null", "<na>", "nat", "-")


class RefusedError(Exception):
    """The rules call for an error."""


def clean_cells(rows: list[tuple[str, str]]) -> tuple[list[int], list[float], str]:
    """Apply the rules to one run given as the cells (step, loss) of its rows, in file order."""
    latest: dict[int, float] = {}
    for step_cell, loss_cell in rows:
        step = _number(step_cell)
        if loss_cell.strip().lower() in BLANK:
            continue
        loss = _number(loss_cell)
        if not (0 <= step <= 2**53) or step != math.floor(step):
            raise RefusedError
        latest[int(step)] = loss
    points = sorted(latest.items())
    status = "finished"
    while points and not math.isfinite(points[-1][1]):
        points.pop()
        status = "diverged"
    points = [(step, loss) for step, loss in points if math.isfinite(loss)]
    if not points or any(loss <= 0 for _, loss in points):
        raise RefusedError
    return [step for step, _ in points], [loss for _, loss in points], status


def _number(cell: str) -> float:
    if cell.strip().lower() in BLANK:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        raise RefusedError from None


def to_nats(loss: float, unit: str, bytes_per_token: float = math.nan) -> float:
    """One loss in nats per token: a perplexity is e^loss, a bit is ln 2 nats."""
    if unit == "perplexity":
        return math.log(loss)
    if unit == "bits/token":
        return loss * math.log(2)
    if unit == "bits/byte":
        return loss * math.log(2) * bytes_per_token
    return loss


def count(groups: dict[str, float], leave_out: tuple[str, ...]) -> float:
    """Parameters of every group but those left out."""
    total = 0.0
    for group, number in groups.items():
        if group not in leave_out:
            total += number
    return total


def last_points(runs: list[dict]) -> list[tuple[str, float, float, float, float]]:
    """(name, N, D, C = 6ND, loss) of every finished run, from its last observation."""
    rows = []
    for run in runs:
        if run["status"] != "finished":
            continue
        n = sum(run["params"].values())
        d = run["tokens"][-1] if "tokens" in run else run["step"][-1] * run["batch"] * run["seq_len"]
        rows.append((run["name"], n, d, 6 * n * d, run["loss"][-1]))
    return rows
