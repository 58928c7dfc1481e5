"""Put trained families into the package: RUNS/<name>/family.nc of every shipped ladder, with command and hardware.

    python benchmarks/ship_families.py RUNS

Run it on the machine that trained them, since it is this machine's processor that is written down.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import replace
from pathlib import Path

from scalinglaws import datasets
from scalinglaws.curves import from_runs, iter_runs, load_curves, save_curves
from scalinglaws.curves.store import FAMILY_FILE
from scalinglaws.training import configs_of

HERE = Path(datasets.__file__).parent


def main(folder: Path) -> None:
    """Copy every family that was trained under `folder`."""
    for name in datasets.recipes():
        source = folder / name / FAMILY_FILE
        if not source.is_file():
            continue
        runs = load_curves(source)
        configs = configs_of(runs)
        named = (replace(run, parameterization=configs[run.name].parameterization) for run in iter_runs(runs))
        told = {"command": f"scalinglaws train {name}", "hardware": hardware()}
        target = HERE / f"{name}.nc"
        save_curves(from_runs(named, runs.attrs | told), target)
        sys.stdout.write(f"{name}: {runs.sizes['run']} runs, {target.stat().st_size / 1024:.0f} KiB\n")


def hardware() -> str:
    """Name the processor and count its cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
