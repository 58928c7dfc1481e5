"""Recovery study: families simulated with seeds and SGD noise at one point of each phase, placed on the diagram.

    python -m benchmarks.recovery OUT [REPETITIONS]

Each family is five sizes by five seeds, with all seven parameters of the law free, fitted by least squares of the log
losses (the scatter of single runs is several percent, far beyond Huber's default threshold). Rows are added to OUT
(JSON lines) as they are finished; started again, the study goes on. Printed: how often the 90 % region holds the true
(alpha, beta), and which phases were named.
"""

from __future__ import annotations

import json
import sys
import time
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
SIZES, SEEDS, PEAK, BATCH = [128, 256, 512, 1024, 2048], 5, 0.25, 8


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


def row(name: str, repetition: int) -> dict[str, Any]:
    """Place one family and say whether the truth is inside."""
    alpha, beta = POINTS[name]
    start = time.perf_counter()
    fit = sl.fit_family(family(alpha, beta, repetition), "plrf", skip=0.02, estimator="log-l2")
    fitted = time.perf_counter()
    placed = sl.place(fit=fit)
    near = placed.region.sel(alpha=alpha, beta=beta, method="nearest")
    grid = placed.region
    on_grid = grid.alpha.min() <= alpha <= grid.alpha.max() and grid.beta.min() <= beta <= grid.beta.max()
    return {
        "point": name,
        "repetition": repetition,
        "inside": bool(near["inside"]) and bool(on_grid),
        "distance": float(near["distance"]) if on_grid else None,
        "phase": placed.phase,
        "alpha": placed.alpha,
        "beta": placed.beta,
        "probabilities": placed.probabilities,
        "params": dict(fit.params),
        "at_bounds": list(fit.at_bounds),
        "seconds": [fitted - start, time.perf_counter() - fitted],
    }


def main(out: Path, repetitions: int) -> None:
    """Do what is missing, then print the table."""
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    known = {(r["point"], r["repetition"]) for r in done}
    for repetition in range(repetitions):
        for name in POINTS:
            if (name, repetition) not in known:
                done.append(row(name, repetition))
                with out.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
    for name, truth in POINTS.items():
        rows = [r for r in done if r["point"] == name]
        inside = np.mean([r["inside"] for r in rows])
        phases = {p: sum(r["phase"] == p for r in rows) for p in sorted({r["phase"] for r in rows})}
        means = [np.mean([r[k] for r in rows]) for k in ("alpha", "beta")]
        sys.stdout.write(f"{name:12s} {truth} {len(rows)} families: inside {inside:.2f}, mean {means}, {phases}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 50)
