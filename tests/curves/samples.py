"""Small valid files of every format, written as a program would write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scalinglaws.curves import Run, from_runs, save_curves

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
RUNS = {"small": (1e6, 4.0), "large": (4e6, 3.6)}
STEPS = (10, 20, 40, 80)


def loss_at(name: str, step: int) -> float:
    return round(RUNS[name][1] * step**-0.05, 6)


def long_csv(separator: str = ",") -> str:
    rows = [["run", "step", "tokens", "val_loss", "params", "lr"]]
    for name, (params, _) in RUNS.items():
        rows += [
            [name, str(s), str(s * 512), str(loss_at(name, s)), str(int(params)), str(round(0.1 - s / 1000, 4))]
            for s in STEPS
        ]
    return "\n".join(separator.join(row) for row in rows) + "\n"


def wandb_csv() -> str:
    metrics = [f"{run} - val/loss{suffix}" for run in RUNS for suffix in ("", "__MIN", "__MAX")]
    lines = [",".join(f'"{name}"' for name in ["Step", *metrics])]
    for s in STEPS:
        cells = [f'"{loss_at(run, s)}"' for run in RUNS for _ in range(3)]
        lines.append(",".join([f'"{s}"', *cells]))
    return "\n".join(lines) + "\n"


def trainer_state(**extra: object) -> str:
    log: list[dict[str, object]] = []
    for s in STEPS:
        log.append({"epoch": s / 100, "step": s, "loss": loss_at("small", s) + 0.1, "learning_rate": 1 / s})
        log.append({"epoch": s / 100, "step": s, "eval_loss": loss_at("small", s), "eval_runtime": 1.5})
    log.append({"epoch": 0.8, "step": 80, "total_flos": 1e15, "train_loss": 9.9, "train_runtime": 3.0})
    return json.dumps({"global_step": 80, "max_steps": 80, "log_history": log, **extra})


def training_log(
    name: str = "a", steps: tuple[int, ...] = (0, 100, 200), *, decay: float = 0.0, end: int = 300, shift: float = 0.0
) -> str:
    config = {
        "lr": 0.001, "seed": 0, "n_embd": 64, "n_layer": 2, "n_head": 2, "scheduler": "wsd", "iterations": end,
        "batch_size": 5, "acc_steps": 2, "world_size": 2, "sequence_length": 16, "warmup_steps": 10,
        "wsd_fract_decay": decay,
    }  # fmt: skip
    history = {
        "val": {"iter": list(steps), "val_loss": [5.0 - s / 200 - shift for s in steps], "val_acc": []},
        "train": {"iter": list(steps), "train_lr": [0.001 for _ in steps]},
        "final-val": {"iter": [end], "final_val_loss": [3.0 - shift]},
    }
    return json.dumps({"summary": {"parameters": 1000}, "config": config, "name": name, "history": history})


def family_file(path: Path) -> None:
    runs = [
        Run(
            name=name,
            step=np.array(STEPS),
            loss=np.array([loss_at(name, s) for s in STEPS]),
            params={"unspecified": params},
        )
        for name, (params, _) in RUNS.items()
    ]
    save_curves(from_runs(runs), path)
