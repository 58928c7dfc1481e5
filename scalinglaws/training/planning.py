"""What a run will do and cost, worked out before it starts: horizon, schedule, evaluations, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scalinglaws.curves.schema import PARAMS_CONVENTIONS
from scalinglaws.schedules import Schedule
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.counting import ModelShape
from scalinglaws.training.tasks import Data, Size, task_of

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The numbers a run follows.

    Attributes
    ----------
    shape
        Sizes of the transformer; None for another network.
    params, flops_per_token
        Counts by group; FLOPs are for training.
    steps, tokens
        Updates, and tokens trained on.
    schedule
        Learning rate at the base width.
    evaluations
        Steps at which the held-out loss is measured, increasing, 0 and `steps` among them.
    evaluation_flops
        FLOPs of one evaluation, measurements on mini-batches included (sharpness is not).
    """

    shape: ModelShape | None
    params: dict[str, int]
    flops_per_token: dict[str, float]
    steps: int
    tokens: int
    schedule: Schedule
    evaluations: tuple[int, ...]
    evaluation_flops: float

    @property
    def training_flops(self) -> float:
        """FLOPs of all updates."""
        return self.tokens * sum(self.flops_per_token.values())

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one update."""
        return self.tokens // self.steps

    def work(self, step: int) -> float:
        """FLOPs spent when `step` updates and the evaluations up to there are done."""
        done = sum(1 for at in self.evaluations if at <= step)
        return self.training_flops * step / self.steps + done * self.evaluation_flops


def plan(config: TrainConfig, corpus: Data | None = None) -> Plan:
    """Work out the horizon and the cost of a run.

    Parameters
    ----------
    config
        The run.
    corpus
        What its task learns from, if it is loaded already.

    Raises
    ------
    InputError
        If the run asks for more tokens than the corpus can give without repetition.

    Examples
    --------
    >>> p = plan(TrainConfig(width=32, tokens=100_000))
    >>> p.steps, p.tokens, sum(p.params.values())
    (195, 99840, 53248)
    """
    task = task_of(config)
    corpus = corpus or task.load(config)
    size = task.size(config, corpus)
    per_step = config.batch * config.seq_len
    horizon = config.tokens if config.tokens is not None else _horizon(config, corpus, size)
    steps = max(round(horizon / per_step), 1)
    task.check_horizon(config, corpus, steps * per_step)
    measured = config.measure_batches * per_step * sum(size.flops_per_token.values())
    return Plan(
        shape=size.shape,
        params=size.params,
        flops_per_token=size.flops_per_token,
        steps=steps,
        tokens=steps * per_step,
        schedule=config.schedule_for(steps),
        evaluations=_evaluations(steps, config.eval_linear, config.eval_log),
        evaluation_flops=size.evaluation_flops + measured,
    )


def _horizon(config: TrainConfig, corpus: Data, size: Size) -> float:
    """Tokens by the rule of powers."""
    counted = _non_embedding(size)
    if config.horizon_exponent == 1.0:
        return config.tokens_per_param * counted
    base = _non_embedding(task_of(config).size(replace(config, width=config.base_width), corpus))
    return float(config.tokens_per_param * base * (counted / base) ** config.horizon_exponent)


def _non_embedding(size: Size) -> int:
    return sum(size.params.get(group, 0) for group in PARAMS_CONVENTIONS["non_embedding"])


def _evaluations(steps: int, linear: int, logarithmic: int) -> tuple[int, ...]:
    even = np.linspace(0, steps, linear + 1)
    even_in_log = np.geomspace(1, steps, logarithmic) if logarithmic else np.empty(0)
    at = np.rint(np.concatenate([[0, min(1, steps), steps], even, even_in_log])).astype(int)
    return tuple(int(step) for step in np.unique(at))
