"""How far a ladder is: the sum over its runs, their speed, and those that failed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from scalinglaws._progress import Progress, Report
from scalinglaws.errors import InputError
from scalinglaws.training.config import TrainConfig

__all__ = ["Board"]


class Board:
    """Adds up how far the runs are and reports the sum.

    Parameters
    ----------
    cost
        FLOPs of each run, by name.
    report
        Whom to tell.
    """

    def __init__(self, cost: Mapping[str, float], report: Report) -> None:
        self.cost = dict(cost)
        self._report = report
        self._done = dict.fromkeys(self.cost, 0.0)
        self._speed: dict[str, tuple[float, float]] = {}
        self._ended: set[str] = set()
        self._failed: dict[str, str] = {}

    def put(self, progress: Progress) -> None:
        """Note what a run said of itself."""
        self._done[progress.label] = progress.done
        self._speed[progress.label] = (progress.tokens_per_second, progress.utilization)

    def end(self, name: str) -> None:
        """Note that a run has ended."""
        self._ended.add(name)
        self._done[name] = self.cost[name]
        self._speed.pop(name, None)

    def fail(self, name: str, sentence: str) -> None:
        """Note that a run could not go on, and why."""
        self._failed[name] = sentence
        self._speed.pop(name, None)

    def waiting(self, runs: Iterable[TrainConfig]) -> list[TrainConfig]:
        """Return the runs that have not ended."""
        return [run for run in runs if run.name not in self._ended]

    def tell(self, label: str) -> None:
        """Report the sum under a label."""
        speeds = [(speed, share) for speed, share in self._speed.values() if math.isfinite(speed)]
        self._report(
            Progress(
                label=label,
                item=min(len(self._ended) + 1, len(self.cost)),
                items=len(self.cost),
                done=sum(self._done.values()),
                total=sum(self.cost.values()),
                tokens_per_second=sum(speed for speed, _ in speeds) if speeds else math.nan,
                utilization=sum(share for _, share in speeds) / len(speeds) if speeds else math.nan,
            )
        )

    def close(self, kept: str) -> None:
        """End with a sentence that names the runs that failed, if any did.

        Raises
        ------
        InputError
            For example "1 of 9 runs failed, and the others are kept in runs: width64 (...)".
        """
        if self._failed:
            reasons = dict.fromkeys(self._failed.values())
            named = "; ".join(
                f"{', '.join(name for name, why in self._failed.items() if why == reason)} ({reason})"
                for reason in reasons
            )
            count = f"{len(self._failed)} of {len(self.cost)} runs failed, and the others are kept in {kept}"
            raise InputError(f"{count}: {named}")
