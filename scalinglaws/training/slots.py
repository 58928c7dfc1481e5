"""Which run gets which device: each run holds one place while it goes on, and gives it back however it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from scalinglaws.errors import InputError, require
from scalinglaws.training.config import TrainConfig

__all__ = ["Slots", "places_for"]


class Slots:
    """Places handed out one at a time.

    Parameters
    ----------
    places
        Names of devices; one that occurs twice is held by two runs at once. None stands for torch's own choice.

    Examples
    --------
    >>> slots = Slots(["cuda:0", "cuda:1"])
    >>> slots.take("a"), slots.take("b"), slots.free
    ('cuda:0', 'cuda:1', 0)
    >>> slots.give_back("a")
    >>> slots.take("c")
    'cuda:0'
    """

    def __init__(self, places: Iterable[str | None]) -> None:
        self._free = deque(places)
        self._held: dict[str, str | None] = {}

    @property
    def free(self) -> int:
        """Places that no run holds."""
        return len(self._free)

    def take(self, run: str) -> str | None:
        """Give a free place to a run; there must be one."""
        self._held[run] = self._free.popleft()
        return self._held[run]

    def give_back(self, run: str) -> None:
        """Take the place back from a run that has ended, failed or died."""
        self._free.appendleft(self._held.pop(run))


def places_for(runs: Sequence[TrainConfig], devices: str | Sequence[str] | None) -> list[str] | None:
    """Read which devices the runs may use.

    Parameters
    ----------
    runs
        Their `device` is a kind, and must be that of all places.
    devices
        Names, "cuda:0,cuda:1" or a list of them; "all" for all of the kind that are here; None to leave it open.

    Raises
    ------
    InputError
        If the runs are described for more than one kind or another kind, or "all" finds none.

    Examples
    --------
    >>> places_for([TrainConfig(device="cuda")], "cuda:0,cuda:3")
    ['cuda:0', 'cuda:3']
    >>> places_for([TrainConfig()], "cuda:0")
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: devices = ['cuda:0']: the runs are described for cpu
    """
    if devices is None:
        return None
    kinds = sorted({run.device for run in runs})
    require(len(kinds) == 1, "devices", devices, f"cannot be assigned to runs described for {' and '.join(kinds)}")
    if devices == "all":
        from scalinglaws.training.devices import all_devices  # torch is not needed to read a list

        places = all_devices(kinds[0])
        if not places:
            raise InputError(f'devices = "all": there is no {kinds[0]} device here')
        return places
    names = devices.split(",") if isinstance(devices, str) else list(devices)
    places = [name.strip() for name in names if name.strip()]
    require(len(places) > 0, "devices", devices, "must name one device or more")
    require(
        all(p.split(":")[0] == kinds[0] for p in places), "devices", places, f"the runs are described for {kinds[0]}"
    )
    return places
