r"""The coordinate check: whether activations change by as much at every width after a few updates.

Under a parameterization that transfers, the change $x_t - x_0$ of every activation, root mean square over its entries,
keeps its size as the width grows (arXiv 2203.03466, appendix D.1); where it grows as a power of the width, a rate that
suits a narrow model is too large for a wide one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from scalinglaws.errors import require
from scalinglaws.training.config import TrainConfig
from scalinglaws.training.loop import update
from scalinglaws.training.model import Transformer
from scalinglaws.training.optimizer import set_rate
from scalinglaws.training.planning import plan
from scalinglaws.training.state import start
from scalinglaws.training.tasks import task_of

__all__ = ["coordinate_check"]

Array = NDArray[np.float64]

_PROBED = 4
"""Sequences on which activations are compared."""


def coordinate_check(
    config: TrainConfig | Mapping[str, Any] | str | os.PathLike[str],
    widths: Sequence[int],
    *,
    updates: int = 4,
    seeds: int = 3,
) -> xr.Dataset:
    """Train models of several widths for a few updates at the peak rate and measure how activations change.

    Parameters
    ----------
    config
        A run on the task "language"; its width, seed, horizon and schedule are not used.
    widths
        Two or more, multiples of `head_dim`.
    updates
        Updates to make.
    seeds
        Initialisations of every width.

    Returns
    -------
    xr.Dataset
        Over `width`, `seed`, `update` (1, ..., updates) and `layer`: `change`, the root mean square of
        x_t - x_0 over the entries of each layer's output on fixed held-out sequences, and `size`, that of x_t.
        Over `update` and `layer`: `slope` of log change over log width, by least squares on the mean over seeds; NaN
        where nothing changed, as after one update below a read-out that starts at zero.

    Raises
    ------
    InputError
        For a task without layers, fewer than two widths, or a width that breaks a rule.

    Examples
    --------
    >>> found = coordinate_check({"depth": 1, "head_dim": 8}, [16, 32], updates=2, seeds=1)
    >>> found.layer.values.tolist(), found.change.sizes["update"]
    (['embedding', 'attention 1', 'mlp 1', 'logits'], 2)
    """
    config = TrainConfig.coerce(config)
    require(config.task == "language", "task", config.task, "must be language: its layers are what is compared")
    require(len(widths) >= 2, "widths", list(widths), "must be two or more")
    require(updates >= 1, "updates", updates, "must be 1 or more")
    require(seeds >= 1, "seeds", seeds, "must be 1 or more")
    tokens = config.batch * config.seq_len * updates
    runs = [[replace(config, width=w, seed=s, tokens=tokens) for s in range(seeds)] for w in widths]
    measured = [[_follow(run, updates) for run in row] for row in runs]
    layers = list(measured[0][0])
    values = np.array([[[found[layer] for layer in layers] for found in row] for row in measured])
    change, size = np.moveaxis(values, 3, 2).transpose(4, 0, 1, 2, 3)
    ds = xr.Dataset(
        {
            "change": (("width", "seed", "update", "layer"), change),
            "size": (("width", "seed", "update", "layer"), size),
        },
        {"width": list(widths), "seed": np.arange(seeds), "update": np.arange(1, updates + 1), "layer": layers},
        {"parameterization": config.parameterization, "peak_lr": config.peak_lr},
    )
    ds["slope"] = (("update", "layer"), _slopes(np.asarray(widths), change.mean(axis=1)))
    return ds


def _slopes(widths: Array, change: Array) -> Array:
    """Least-squares slopes of log change; NaN where nothing changed, as below a read-out that starts at zero."""
    x = np.log(widths) - np.log(widths).mean()
    y = np.log(np.where(change > 0, change, np.nan))
    return np.asarray(np.tensordot(x, y, 1) / (x @ x))


def _follow(config: TrainConfig, updates: int) -> dict[str, list[tuple[float, float]]]:
    """Change and size of every layer's output after each update."""
    task = task_of(config)
    corpus = task.load(config)
    state = start(config, plan(config, corpus))
    batches, (probe, _) = task.batches(config, corpus), task.heldout(config, corpus)
    assert isinstance(state.model, Transformer)  # the task is "language"
    before = _outputs(state.model, probe[:_PROBED])
    found: dict[str, list[tuple[float, float]]] = {layer: [] for layer in before}
    set_rate(state.optimizer, config.peak_lr)
    for _ in range(updates):
        update(state, *batches(state.step), clip=config.clip)
        for layer, x in _outputs(state.model, probe[:_PROBED]).items():
            found[layer].append((_rms(x - before[layer]), _rms(x)))
    return found


def _outputs(model: Transformer, tokens: Tensor) -> dict[str, Tensor]:
    """Return what every layer puts out, in the order of the forward pass."""
    seen: dict[str, Tensor] = {}
    with _recorded(_layers(model), seen), torch.no_grad():
        seen["logits"] = model(tokens).double()
    return seen


def _layers(model: Transformer) -> dict[str, nn.Module]:
    blocks = {
        f"{kind} {number}": getattr(block, kind)
        for number, block in enumerate(model.blocks, 1)
        for kind in ("attention", "mlp")
    }
    return {"embedding": model.embedding, **blocks}


@contextmanager
def _recorded(layers: Mapping[str, nn.Module], seen: dict[str, Tensor]) -> Iterator[None]:
    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: seen.__setitem__(name, output.double())

    hooks = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())
