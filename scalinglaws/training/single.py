"""Train one run and label its curve; with a folder, keep it there and resume from where it stopped."""

from __future__ import annotations

import glob
import json
import math
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scalinglaws._progress import Progress, Report, silent
from scalinglaws.curves import Run, from_runs, save_curves
from scalinglaws.errors import InputError
from scalinglaws.training.checkpoint import Checkpoint
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.devices import is_out_of_memory, open_device, using_threads
from scalinglaws.training.loop import run_loop
from scalinglaws.training.planning import Plan, plan
from scalinglaws.training.provenance import describe, read_ended
from scalinglaws.training.state import State
from scalinglaws.training.tasks import task_of
from scalinglaws.training.throughput import timings

__all__ = ["train"]


def train(
    config: TrainConfig | Mapping[str, Any] | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    report: Report = silent,
    checkpoint_every: float = 10.0,
    device: str | None = None,
) -> xr.Dataset:
    """Train one network, by default a decoder-only transformer, and return its curve as a family of one run.

    Parameters
    ----------
    config
        The run: a `TrainConfig`, a mapping of its fields, or the path of a TOML file of them.
    out
        Folder to keep it in: `<name>.nc` when it has ended, `<name>.ckpt` until then. A run that has ended is
        read, not repeated; one that was interrupted goes on, bit for bit as if it had not been.
    report
        Told after every update how many FLOPs of how many are done, evaluations included.
    checkpoint_every
        Seconds between checkpoints.
    device
        Which of the devices of the kind that the description names, for example "cuda:1".

    Returns
    -------
    xr.Dataset
        Held-out loss over steps, tokens and training FLOPs, labelled as in `scalinglaws.curves`; `status` is
        "finished", or "diverged" when the loss stopped being finite, with the curve up to there. The variables of
        `curves.schema.TIMINGS` say how fast it went; all others are the same whenever the run is done again (on a
        CPU).

    Raises
    ------
    InputError
        If the description is wrong, the corpus is too small, `out` holds another run of the same name or cannot be
        written to, there is no such device here, or its memory is too small.

    Examples
    --------
    >>> ds = train({"width": 16, "depth": 1, "tokens": 4096, "batch": 4, "eval_tokens": 1024})
    >>> ds.status.values.tolist(), ds.step.values.tolist()
    (['finished'], [0, 1, 2, 3, 4, 5, 6, 7, 8])
    >>> bool(ds.loss[-1] < ds.loss[0])
    True
    """
    config = TrainConfig.coerce(config)
    corpus = task_of(config).load(config)
    todo = plan(config, corpus)
    folder = None if out is None else _folder(out)
    checkpoint = Checkpoint(
        None if folder is None else folder / f"{config.name}.ckpt",
        config=config,
        fingerprint=corpus.fingerprint,
        every=checkpoint_every,
    )
    ds = None if folder is None else read_ended(config, corpus, folder)
    if ds is None:
        if folder is not None:
            _remove_leftovers(folder, config.name)
        used = open_device(config, device)
        with using_threads(config.threads), _memory_said(config):
            state = run_loop(config, corpus, todo, checkpoint, used, _teller(config.name, todo, report))
        ds = from_runs([_label(config, todo, state)], describe([config], corpus))
        if folder is not None:
            _save(ds, folder / f"{config.name}.nc")
    checkpoint.discard()  # last: until the curve is on disk, it is all there is
    return ds


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out = {str(out)!r}: cannot be made a folder ({error.strerror})") from error
    return folder


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove the half-written files of a process that was killed; their names end in eight random letters."""
    for suffix in ("ckpt", "nc"):
        for path in folder.glob(f".{glob.escape(name)}.{suffix}.????????"):
            path.unlink(missing_ok=True)


def _save(ds: xr.Dataset, path: Path) -> None:
    try:
        save_curves(ds, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}); the last checkpoint is safe") from error


@contextmanager
def _memory_said(config: TrainConfig) -> Iterator[None]:
    """Turn an exhausted memory into a sentence with the remedy."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        size = config.microbatch or config.batch
        remedy = (
            f"set microbatch to a divisor of batch = {config.batch} below {size}: the update stays the same"
            if size > 1
            else "choose a smaller model or shorter sequences"
        )
        traceback.clear_frames(error.__traceback__)  # they hold the tensors, and the next run needs the room
        raise InputError(
            f"run {config.name}: the memory of {config.device} is too small for {size} sequences at once; {remedy}"
        ) from None


def _teller(name: str, todo: Plan, report: Report) -> Callable[[State], None]:
    total = todo.work(todo.steps)

    def tell(state: State) -> None:
        found = timings(todo, state.step, state.clock.seconds, state.peak)
        report(
            Progress(
                label=name,
                item=1,
                items=1,
                done=todo.work(state.step),
                total=total,
                tokens_per_second=found.get("tokens_per_second", math.nan),
                utilization=found.get("model_flops_utilization", math.nan),
            )
        )

    return tell


def _columns(measured: list[dict[str, float]]) -> dict[str, NDArray[np.float64]]:
    """Return what was measured at least once over all evaluations, NaN where it was not."""
    names = sorted({name for at in measured for name in at})
    return {name: np.array([at.get(name, np.nan) for at in measured]) for name in names}


def _label(config: TrainConfig, todo: Plan, state: State) -> Run:
    step = np.array([at for at, _ in state.curve], dtype=np.int64)
    tokens = step.astype(np.float64) * todo.tokens_per_step
    return Run(
        name=config.name,
        step=step,
        loss=np.array([loss for _, loss in state.curve]),
        params={group: float(count) for group, count in todo.params.items()},
        flops_per_token=todo.flops_per_token,
        tokens=tokens,
        flops=tokens * sum(todo.flops_per_token.values()),
        lr=todo.schedule(step),
        **_columns(state.measured),
        batch=config.batch,
        seq_len=config.seq_len,
        peak_lr=config.peak_lr,
        seed=config.seed,
        width=config.width,
        depth=config.depth,
        schedule=json.dumps(todo.schedule.to_dict(), sort_keys=True),
        status=state.status,
        parameterization=config.parameterization,
        timings=timings(todo, state.step, state.clock.seconds, state.peak),
    )
