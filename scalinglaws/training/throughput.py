r"""How fast a run goes: seconds by what they were spent on, tokens per second, and model-FLOPs utilisation (MFU).

MFU is as in arXiv 2204.02311 (appendix B): the FLOPs the model needs, by the exact counts of the plan, over the wall
time in updates and the peak of the device. The peak is no vendor's figure: it is the best rate of one large matrix
product, measured in this process on the run's own device, at its precision and on its threads, once for each
combination of them. What else the machine does while either is measured lowers it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache

import torch

from scalinglaws.training.planning import Plan

__all__ = ["Clock", "peak_flops", "timings"]

_PEAK_SECONDS = 0.1
_PEAK_SIZE = {"cpu": 768, "cuda": 8192}
"""Rows of the square matrices: large enough for full speed, small enough for a fraction of a second."""


class Clock:
    """Wall and CPU time by what it was spent on, added up over the parts of an interrupted run.

    Parameters
    ----------
    seconds
        What earlier parts of the run spent.

    Examples
    --------
    >>> clock = Clock({"update": 2.0})
    >>> clock.lap("evaluation")
    >>> sorted(clock.seconds), clock.seconds["update"]
    (['evaluation', 'evaluation_cpu', 'update'], 2.0)
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self.start()

    def start(self) -> None:
        """Forget the time since the last lap."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, kind: str) -> None:
        """Count the time since the last lap, or since the start, as spent on `kind`."""
        wall, cpu = self._wall, self._cpu
        self.start()
        self.seconds[kind] = self.seconds.get(kind, 0.0) + self._wall - wall
        self.seconds[f"{kind}_cpu"] = self.seconds.get(f"{kind}_cpu", 0.0) + self._cpu - cpu


@cache
def peak_flops(where: torch.device, dtype: torch.dtype, threads: int) -> float:  # noqa: ARG001  part of the key
    """Measure the rate of a large matrix product in FLOP/s; `threads` are those set now.

    Examples
    --------
    >>> peak_flops(torch.device("cpu"), torch.float32, torch.get_num_threads()) > 1e8
    True
    """
    size = _PEAK_SIZE[where.type]
    a = torch.ones(size, size, dtype=dtype, device=where)
    best, end = float("inf"), time.perf_counter() + _PEAK_SECONDS
    (a @ a)[0, 0].item()
    while best == float("inf") or time.perf_counter() < end:
        begin = time.perf_counter()
        (a @ a)[0, 0].item()  # reading an entry waits for the device
        best = min(best, time.perf_counter() - begin)
    return 2.0 * size**3 / best


def timings(plan: Plan, step: int, seconds: Mapping[str, float], peak: float) -> dict[str, float]:
    """Return the variables of `schema.TIMINGS` of a run that has done `step` updates.

    Examples
    --------
    >>> from scalinglaws.training import TrainConfig, plan
    >>> p = plan(TrainConfig(width=32, tokens=100_000))
    >>> spent = {"update": 2.0, "update_cpu": 1.9, "evaluation": 0.5}
    >>> found = timings(p, p.steps, spent, peak=1e11)
    >>> found["tokens_per_second"], found["model_flops_utilization"] == p.training_flops / 2e11
    (49920.0, True)
    """
    updating = seconds.get("update", 0.0)
    found = {
        "update_seconds": updating,
        "update_cpu_seconds": seconds.get("update_cpu", 0.0),
        "evaluation_seconds": seconds.get("evaluation", 0.0),
        "measurement_seconds": seconds.get("measurement", 0.0),
        "peak_flops": peak,
    }
    if step == 0 or updating == 0.0:
        return found
    speed = step * plan.tokens_per_step / updating
    utilization = speed * sum(plan.flops_per_token.values()) / peak
    return found | {"tokens_per_second": speed, "model_flops_utilization": utilization}
