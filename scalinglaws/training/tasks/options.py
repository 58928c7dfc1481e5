"""What regression tasks share: options of their own, in `TrainConfig.task_options`, and the meaning of their loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from scalinglaws.errors import require
from scalinglaws.training.checks import check_type, json_object

if TYPE_CHECKING:
    from scalinglaws.training.config import TrainConfig

__all__ = ["NO_TEXT", "SQUARED_ERROR", "read_options"]

NO_TEXT: Mapping[str, Any] = {
    "corpus": "", "token_dtype": "uint16", "vocab": None, "seq_len": 1, "head_dim": 16, "mlp_ratio": 4,
    "positions": "rotary", "qk_norm": False,
}  # fmt: skip
"""Values of the options that say nothing to a task without text: one sample is one sequence of one token."""

SQUARED_ERROR: Mapping[str, str] = {
    "loss_unit": "1",
    "loss_kind": "mean squared error, without a factor 1/2",
    "token": "one sample",
}
"""Attributes of a family whose loss is a mean squared error."""

O = TypeVar("O")  # noqa: E741


def read_options(kind: type[O], config: TrainConfig) -> O:
    """Read a task's own options into their dataclass.

    Raises
    ------
    InputError
        Naming the option that is unknown or of the wrong type.
    """
    given = json_object("task_options", config.task_options)
    annotations = {entry.name: str(entry.type) for entry in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(annotations))
    rule = f"not what the task {config.task} takes; its options are {', '.join(annotations)}"
    require(not unknown, "task_options", unknown, rule)
    for name, value in given.items():
        check_type(f"task_options: {name}", value, annotations[name])
    return kind(**given)
