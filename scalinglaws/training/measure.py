"""What is measured along training besides the loss, and when; training is bit for bit the same without it.

- At every evaluation, or every `measure_every`-th, if `measure_batches` is 2 or more: the names of
  `measure_gradient` and `measure_logits`, over that many mini-batches of the run's own size, and `update_size`, the
  norm of the change of all weights by the last update (NaN at step 0).
- At a few evaluations, if `sharpness_points` is 1 or more: `sharpness`, on one mini-batch, the same at every point.

A mini-batch is distributed as that of an update (of text: `batch` distinct windows of the training stream, all
choices equally likely); mini-batches are independent of each other and of the order of the data. They come from
random numbers of their own, found by the seed and the step, so nothing of them needs to be kept for a resumed run.

With 8 mini-batches an evaluation costs about as much as 12 updates, and sharpness as 30 to 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from scalinglaws.training.config import TrainConfig
from scalinglaws.training.measure_gradient import measure_gradient, second_moments
from scalinglaws.training.measure_logits import watch_logits
from scalinglaws.training.planning import Plan
from scalinglaws.training.sharpness import sharpness
from scalinglaws.training.state import State
from scalinglaws.training.streams import CURVATURE, MEASURED, generator_at
from scalinglaws.training.tasks import task_of

__all__ = ["Probe"]


class Probe:
    """The measurements of one run.

    Parameters
    ----------
    config, plan
        The run.
    corpus
        What its task learns from.
    """

    def __init__(self, config: TrainConfig, corpus: Any, plan: Plan) -> None:
        self._config, self._draw = config, task_of(config).sampler(config, corpus)
        self._due = frozenset(plan.evaluations[::-1][:: config.measure_every] if config.measure_batches else ())
        self._left_out = frozenset(plan.evaluations) - self._due
        self._sharp = _spread(plan, config.sharpness_points)
        self._before: list[Tensor] | None = None

    def before_update(self, state: State) -> None:
        """Keep the weights if the next update is one to measure."""
        if state.step + 1 in self._due:
            self._before = [p.detach().clone() for p in state.model.parameters()]

    def __call__(self, state: State) -> dict[str, float]:
        """Measure what is due at this evaluation."""
        found: dict[str, float] = {}
        if self._config.measure_batches and state.step not in self._left_out:
            moments = second_moments(state.optimizer, state.model, self._config.peak_lr)
            with watch_logits(state.model) as logits:
                found |= measure_gradient(state.model, self._batches(state), moments)
            found |= logits.measured() | {"update_size": self._update_size(state)}
        if state.step in self._sharp:
            batch = self._draw(generator_at(self._config.seed, CURVATURE))
            found["sharpness"] = sharpness(state.model, *state.device.put(batch))
        return found

    def _update_size(self, state: State) -> float:
        before, self._before = self._before, None
        if before is None:
            return math.nan
        pairs = zip(state.model.parameters(), before, strict=True)
        return math.sqrt(sum(float((p.detach().double() - b).square().sum()) for p, b in pairs))

    def _batches(self, state: State) -> Iterator[tuple[Tensor, Tensor]]:
        rng = generator_at(self._config.seed, MEASURED, state.step)
        return (state.device.put(self._draw(rng)) for _ in range(self._config.measure_batches))


def _spread(plan: Plan, points: int) -> frozenset[int]:
    """Return the evaluations nearest to the fractions 1/points, ..., 1 of the run."""
    wanted = [plan.steps * i / points for i in range(1, points + 1)]
    return frozenset(min(plan.evaluations, key=lambda step: abs(step - at)) for at in wanted)
