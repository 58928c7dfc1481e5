"""What a run will do and cost, worked out before it starts: horizon, schedule, evaluations, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalinglaws.curves.schema import PARAMS_CONVENTIONS
from scalinglaws.errors import InputError
from scalinglaws.schedules import Schedule
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.corpus import Corpus, count_windows, load_corpus
from scalinglaws.training.counting import ModelShape, count_flops, count_params

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The numbers a run follows.

    Attributes
    ----------
    shape
        Sizes of the model.
    params, flops_per_token
        Counts by group; FLOPs are for training.
    steps, tokens
        Updates, and tokens trained on.
    schedule
        Learning rate at the base width.
    evaluations
        Steps at which the held-out loss is measured, increasing, 0 and `steps` among them.
    evaluation_flops
        FLOPs of one evaluation.
    """

    shape: ModelShape
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

    def work(self, step: int) -> float:
        """FLOPs spent when `step` updates and the evaluations up to there are done."""
        done = sum(1 for at in self.evaluations if at <= step)
        return self.training_flops * step / self.steps + done * self.evaluation_flops


def plan(config: TrainConfig, corpus: Corpus | None = None) -> Plan:
    """Work out the horizon and the cost of a run.

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
    corpus = corpus or load_corpus(config.corpus, config.token_dtype, config.vocab)
    shape = config.shape(corpus.vocab)
    params, flops = count_params(shape), count_flops(shape)
    per_step = config.batch * config.seq_len
    counted = sum(params.get(group, 0) for group in PARAMS_CONVENTIONS["non_embedding"])
    horizon = config.tokens if config.tokens is not None else config.tokens_per_param * counted
    steps = max(round(horizon / per_step), 1)
    _check_corpus(config, corpus, steps * per_step)
    held = min(config.eval_tokens, corpus.heldout.size)
    return Plan(
        shape=shape,
        params=params,
        flops_per_token=flops,
        steps=steps,
        tokens=steps * per_step,
        schedule=config.schedule_for(steps),
        evaluations=_evaluations(steps, config.eval_linear, config.eval_log),
        evaluation_flops=held * sum(flops.values()) / 3.0,  # forward only
    )


def _check_corpus(config: TrainConfig, corpus: Corpus, tokens: int) -> None:
    whole = count_windows(corpus.train, config.seq_len) * config.seq_len
    if tokens > whole:
        raise InputError(
            f"run {config.name}: asks for {tokens} training tokens, and the corpus {corpus.label} holds {whole} "
            "in whole sequences; nothing is read twice, so choose a shorter horizon or a larger corpus"
        )
    if count_windows(corpus.heldout, config.seq_len) == 0:
        raise InputError(
            f"run {config.name}: the held-out part of the corpus {corpus.label} holds {corpus.heldout.size} tokens, "
            f"fewer than one sequence of seq_len = {config.seq_len} and its target"
        )


def _evaluations(steps: int, linear: int, logarithmic: int) -> tuple[int, ...]:
    even = np.linspace(0, steps, linear + 1)
    even_in_log = np.geomspace(1, steps, logarithmic) if logarithmic else np.empty(0)
    at = np.rint(np.concatenate([[0, min(1, steps), steps], even, even_in_log])).astype(int)
    return tuple(int(step) for step in np.unique(at))
