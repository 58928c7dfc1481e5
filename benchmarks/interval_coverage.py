"""Coverage of the 90 % intervals for N* and loss at ten times the largest budget, on simulated tables.

Run with `python -m benchmarks.interval_coverage [tables] [replicates]`; one line for each design, noise and kind of
bootstrap.
The figures are recorded in `README.md` here; a small version is among the tests.
"""

from __future__ import annotations

import sys
import time

from tests.coverage import DESIGNS, NOISES, study


def main() -> None:
    tables, replicates = (int(word) for word in (sys.argv[1:] + ["400", "400"][len(sys.argv) - 1 :])[:2])
    for design in DESIGNS:
        for noise in NOISES:
            for kind in ("residual", "wild", "pairs"):
                start = time.perf_counter()
                hits = study(design, noise, kind, tables, replicates, seed=20)
                seconds = time.perf_counter() - start
                print(f"{design:10} {noise:7} {kind:8} {hits}  {seconds:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
