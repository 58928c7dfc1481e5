"""Recovery study: families simulated with seeds and SGD noise at one point of each phase, placed on the diagram.

    python -m benchmarks.recovery OUT [REPETITIONS [WORKERS]]

Each family is five sizes by five seeds, each with its own features, fitted twice by generalised least squares of the
log losses (the scatter of single runs is several percent, far beyond Huber's default threshold): with the scales of
time, size and noise known, as they are for the model itself, and with all seven parameters free, as for measured runs.
Rows are added to OUT (JSON lines) as they are finished; started again, the study goes on. Printed: how often the 90 %
region holds the true (alpha, beta) and the 90 % intervals each quantity, and which phases were named.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import scalinglaws as sl
from scalinglaws import schedules

POINTS = {
    "Ia": (0.9, 0.25),
    "Ib": (0.4, 0.3),
    "Ic": (0.18, 0.9),
    "II": (1.2, 0.8),
    "III": (0.65, 1.1),
    "IVa": (0.42, 0.9),
    "IVb": (0.265, 0.9),
    "near II/III": (0.8, 0.78),
    "near Ia/Ib": (0.51, 0.3),
}
SIZES, SEEDS, PEAK, BATCH = [64, 128, 256, 512, 1024], 5, 0.25, 8
SCALES = {"known": {"s": 1.0, "n0": 1.0, "g": 1.0}, "free": {}}


def family(alpha: float, beta: float, repetition: int) -> Any:
    """Simulate one family; repetitions differ in all seeds."""
    shape = schedules.linear(PEAK, 2000)
    return sl.model_family(
        alpha,
        beta,
        sizes=SIZES,
        horizon=(2000, 0.8),
        schedule=shape,
        batch=BATCH,
        seeds=SEEDS,
        points=60,
        first_seed=SEEDS * repetition,
    )


def truth(name: str) -> dict[str, float]:
    """What a placement gives intervals of."""
    alpha, beta = POINTS[name]
    here = sl.phase(alpha, beta)
    return {
        "alpha": alpha,
        "beta": beta,
        "size_exponent": here.size_exponent,
        "loss_exponent": here.loss_exponent,
    }


def rows(name: str, repetition: int) -> list[dict[str, Any]]:
    """Place one family with scales known and free, and say whether the truth is inside."""
    alpha, beta = POINTS[name]
    start = time.perf_counter()
    runs = family(alpha, beta, repetition)
    simulated = time.perf_counter() - start
    found = []
    for scales, fixed in SCALES.items():
        start = time.perf_counter()
        fit = sl.fit_family(runs, "plrf", skip=0.05, estimator="log-l2", noise="levels", fixed=fixed)
        fitted = time.perf_counter() - start
        placed = sl.place(fit=fit)
        distance = placed.region["distance"].interp(alpha=alpha, beta=beta).item()  # NaN outside of the grid
        found.append(
            {
                "point": name,
                "repetition": repetition,
                "scales": scales,
                "intervals": {quantity: placed.interval(quantity) for quantity in truth(name)},
                "inside": distance <= placed.region.attrs["quantile"],
                "distance": distance if np.isfinite(distance) else None,
                "phase": placed.phase,
                "alpha": placed.alpha,
                "beta": placed.beta,
                "probabilities": placed.probabilities,
                "params": dict(fit.params),
                "at_bounds": list(fit.at_bounds),
                "seconds": [simulated, fitted, time.perf_counter() - start - fitted],
            }
        )
    return found


def read(out: Path) -> list[dict[str, Any]]:
    """Take the finished rows; a last line that was cut off is done again."""
    lines = out.read_text().splitlines(keepends=True) if out.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        out.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def main(out: Path, repetitions: int, workers: int) -> None:
    """Do what is missing, then print the table."""
    done = read(out)
    known = {(r["point"], r["repetition"]) for r in done}
    missing = [(name, i) for i in range(repetitions) for name in POINTS if (name, i) not in known]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for task in as_completed([pool.submit(rows, *one) for one in missing]):
            new = task.result()
            with out.open("a") as file:
                file.write("".join(json.dumps(row) + "\n" for row in new))
            done += new
    for scales in SCALES:
        sys.stdout.write(f"scales {scales}\n")
        for name in POINTS:
            sys.stdout.write(line(name, [r for r in done if r["point"] == name and r["scales"] == scales]) + "\n")


def line(name: str, mine: list[dict[str, Any]]) -> str:
    """Sum up one point."""
    inside = sum(r["inside"] for r in mine)
    phases = {p: sum(r["phase"] == p for r in mine) for p in sorted({r["phase"] for r in mine})}
    middle = ", ".join(f"{np.median([r[k] for r in mine]):.3f}" for k in ("alpha", "beta"))
    held = {
        quantity: sum(r["intervals"][quantity][0] <= value <= r["intervals"][quantity][1] for r in mine)
        for quantity, value in truth(name).items()
    }
    return (
        f"{name:12s} {POINTS[name]}: inside {inside} of {len(mine)}, in the intervals {held}, median ({middle}), "
        f"named {phases}"
    )


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[2:4]]
    main(Path(sys.argv[1]), *(counts + [50, 1][len(counts) :]))
