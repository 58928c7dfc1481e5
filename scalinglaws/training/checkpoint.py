"""Where a run stands, on disk: everything that the next update depends on, written whole or not at all.

Weights, the optimizer's moments, the step, the curve and what was measured so far are all of it: nothing random
happens after the initial weights are drawn, and the position in the data follows from the step. The seconds spent are
kept besides. Tensors are stored as those of a CPU, so a run may go on on another device of its kind.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch

from scalinglaws._files import atomic_path
from scalinglaws.errors import InputError
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.state import State
from scalinglaws.training.throughput import Clock

__all__ = ["Checkpoint"]


class Checkpoint:
    """One checkpoint file of one run, rewritten as the run goes.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    config, fingerprint
        The run and the data it learns from; a file left by another run, or on other data, is refused.
    every
        Seconds between writes.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, *, config: TrainConfig, fingerprint: str, every: float
    ) -> None:
        self._path = None if path is None else Path(path)
        self._config, self._fingerprint, self._every = config, fingerprint, every
        self._last = time.monotonic()

    def restore(self, state: State) -> None:
        """Put the saved state into `state`, if there is one."""
        if self._path is None or not self._path.exists():
            return
        found = self._read(self._path)
        if not self._is_of_this_run(found.get("identity")):
            raise InputError(f"{self._path}: belongs to another run of this name; choose another name or folder")
        state.model.load_state_dict(found["model"])
        state.optimizer.load_state_dict(found["optimizer"])
        state.step, state.curve = found["step"], [(int(at), float(loss)) for at, loss in found["curve"]]
        state.measured, state.clock = found["measured"], Clock(found.get("seconds"))

    def keep(self, state: State) -> None:
        """Write `state` if enough time has passed since the last write; an `InputError` if it cannot be."""
        if self._path is None or time.monotonic() - self._last < self._every:
            return
        values = {
            "identity": json.dumps([self._config.to_dict(), self._fingerprint], sort_keys=True),
            "model": state.model.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "step": state.step,
            "curve": state.curve,
            "measured": state.measured,
            "seconds": state.clock.seconds,
        }
        try:
            with atomic_path(self._path) as temporary:
                torch.save(values, temporary)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            raise InputError(f"{self._path}: cannot be written ({error}); the last checkpoint is safe") from error
        self._last = time.monotonic()

    def discard(self) -> None:
        """Remove the file: the run is finished and stored."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _is_of_this_run(self, identity: Any) -> bool:
        # rebuilt and not compared as text: options that did not exist when the file was written have their defaults
        try:
            values, fingerprint = json.loads(identity)
            return fingerprint == self._fingerprint and TrainConfig.from_dict(values) == self._config
        except (TypeError, ValueError):  # an InputError is a ValueError
            return False

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged archive raises many kinds, none of them the user's words
            raise InputError(f"{path}: is not a readable checkpoint; delete it to train from the start") from error
        if not isinstance(found, dict):
            raise InputError(f"{path}: is not a readable checkpoint; delete it to train from the start")
        return found
