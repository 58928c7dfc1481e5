"""What a network can be trained on: one module for each task, one line for each in `TASKS`.

- "language": next tokens of a corpus, by a transformer.
- "fourier": a power-law Fourier series, by an MLP on fresh samples (arXiv 2507.02119).
- "plrf": the solvable model itself, by torch SGD; its curve is known exactly (arXiv 2405.15074).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scalinglaws.errors import require
from scalinglaws.training.tasks.fourier import Fourier
from scalinglaws.training.tasks.language import Language
from scalinglaws.training.tasks.plrf import PowerLaw
from scalinglaws.training.tasks.protocol import Data, Size, Task

if TYPE_CHECKING:
    from scalinglaws.training.config import TrainConfig

__all__ = ["TASKS", "Data", "Size", "Task", "check_task", "task_of", "with_defaults"]

TASKS: Mapping[str, Task[Any]] = {task.name: task for task in (Language(), Fourier(), PowerLaw())}


def task_of(config: TrainConfig) -> Task[Any]:
    """Return the task of a run."""
    return TASKS[config.task]


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the task named in a description prescribes where the description says nothing."""
    task = TASKS.get(str(values.get("task", "language")))
    own = {} if task is None else {**task.fixed, **task.defaults}
    return {**own, **values}


def check_task(config: TrainConfig) -> None:
    """Raise an `InputError` if an option does not fit the task."""
    task = task_of(config)
    for key, value in task.fixed.items():
        rule = f"must be {value!r} for the task {task.name} (TrainConfig.from_dict fills in what a task prescribes)"
        require(getattr(config, key) == value, key, getattr(config, key), rule)
    task.check(config)
