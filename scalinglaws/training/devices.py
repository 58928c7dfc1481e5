"""Where a run computes and how precisely: the one module that knows of devices, autocast and compilation.

Only the updates follow `precision` and `compile`. Evaluations and measurements always use the float32 weights in
float32 and are never compiled, so that losses and gradient noise of runs of different precision are those of the same
function; what bfloat16 costs is then seen in where the weights went, not in how the loss was read off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from scalinglaws.errors import InputError, require
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.network import Network

__all__ = ["Device", "Loss", "all_devices", "is_out_of_memory", "open_device", "using_threads"]

Loss = Callable[[Tensor, Tensor], Tensor]

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "Cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Device:
    """A device as one run uses it.

    Parameters
    ----------
    where
        The device of torch.
    precision
        "float32", or "bfloat16" for autocast over weights kept in float32.
    compiled
        Whether updates go through `torch.compile`.

    Examples
    --------
    >>> inputs, targets = Device(torch.device("cpu")).put((torch.zeros(2), torch.ones(2)))
    >>> targets.device.type
    'cpu'
    """

    where: torch.device
    precision: str = "float32"
    compiled: bool = False

    def put(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return inputs and targets on this device."""
        inputs, targets = batch
        return inputs.to(self.where, non_blocking=True), targets.to(self.where, non_blocking=True)

    def training_loss(self, model: Network) -> Loss:
        """Return the mean loss of a batch as updates compute it."""
        loss: Loss = torch.compile(model.loss, dynamic=False) if self.compiled else model.loss
        if self.precision == "float32":
            return loss

        def cast(inputs: Tensor, targets: Tensor) -> Tensor:
            with torch.autocast(self.where.type, dtype=torch.bfloat16):
                return loss(inputs, targets)

        return cast

    def warm_up(self, model: Network, loss: Loss, batch: tuple[Tensor, Tensor]) -> None:
        """Compile the forward and the backward pass before the clock runs; without `compile`, do nothing.

        Raises
        ------
        InputError
            If torch cannot compile here: no C++ compiler, no Triton, or an interpreter it does not support.
        """
        if not self.compiled:
            return
        try:
            loss(*batch).backward()  # type: ignore[no-untyped-call]
        except Exception as error:  # each backend of torch.compile has kinds of its own
            if is_out_of_memory(error):
                raise
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"compile = True: torch.compile does not work on this {self.where.type} ({why})"
            ) from error
        model.zero_grad(set_to_none=True)

    def synchronize(self) -> None:
        """Wait until the device has done all it was asked to."""
        if self.where.type == "cuda":
            torch.cuda.synchronize(self.where)

    def dtype(self, model: Network) -> torch.dtype:
        """Type in which the matrix products of updates are formed."""
        return torch.bfloat16 if self.precision == "bfloat16" else next(model.parameters()).dtype


def open_device(config: TrainConfig, place: str | None = None) -> Device:
    """Return the device of a run.

    Parameters
    ----------
    config
        The run; its `device` is a kind.
    place
        Which of the devices of that kind, for example "cuda:1"; by default torch's current one.

    Raises
    ------
    InputError
        If there is no such device here, `place` is of another kind, or the device knows no bfloat16.

    Examples
    --------
    >>> open_device(TrainConfig(precision="bfloat16"))
    Device(where=device(type='cpu'), precision='bfloat16', compiled=False)
    """
    where = _parse(place or config.device)
    rule = f"run {config.name} is described for {config.device}"
    require(where.type == config.device, "devices", place, rule)
    if where.type == "cuda":
        _check_cuda(where, config.precision)
    return Device(where, config.precision, config.compile)


def _parse(place: str) -> torch.device:
    try:
        return torch.device(place)
    except RuntimeError as error:
        raise InputError(f"devices = {place!r}: must be cpu, cuda, or cuda: and a number") from error


def _check_cuda(where: torch.device, precision: str) -> None:
    if not torch.cuda.is_available():
        build = "was built without CUDA" if torch.version.cuda is None else "finds none"
        raise InputError(f'device = "cuda": there is no CUDA device here (torch {torch.__version__} {build})')
    number = torch.cuda.device_count()
    require((where.index or 0) < number, "devices", str(where), f"there are {number} CUDA devices here, from cuda:0")
    if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f'precision = "bfloat16": {torch.cuda.get_device_name(where)} does not compute in it')


def all_devices(kind: str) -> list[str]:
    """Return the names of all devices of a kind here; none of "cuda" where there is none.

    Examples
    --------
    >>> all_devices("cpu")
    ['cpu']
    """
    return ["cpu"] if kind == "cpu" else [f"{kind}:{index}" for index in range(torch.cuda.device_count())]


@contextmanager
def using_threads(number: int) -> Iterator[None]:
    """Compute on so many CPU threads inside the block.

    Examples
    --------
    >>> with using_threads(2):
    ...     torch.get_num_threads()
    2
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether torch, the CUDA driver or the interpreter ran out of memory.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."))
    True
    >>> is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _OUT_OF_MEMORY)
