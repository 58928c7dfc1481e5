r"""The power-law random-feature model trained by torch SGD; the loss is the exact risk.

The width is the number d of parameters, the model starts at zero, and `peak_lr` is `SGD(lr)`: the rate of the
gradient *summed* over the batch of 1/2 (prediction - target)^2. Update t draws its samples as
`simulation.explicit.update` does, from the generator `streams.generator_at(seed, SAMPLES, t)`, so that the two can
be compared step by step; `solve(method="instance", rng=instance)` is the mean of this over samples.

The held-out set is no sample. The points $z = \sqrt{v}\, e_j$, $j = 1, \ldots, v$, each with the label noise
$+\sigma$ and $-\sigma$, have the second moments of N(0, I_v) and of the noise, and a mean squared error depends on
nothing else: over them it is the risk, exactly.

An unstable run is "diverged" when its loss is no longer finite, later than in `simulate`, which stops at 1e50 times
the first risk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.models import PLRF
from scalinglaws.training.streams import SAMPLES, generator_at
from scalinglaws.training.tasks.options import NO_TEXT, SQUARED_ERROR, read_options
from scalinglaws.training.tasks.protocol import Size

if TYPE_CHECKING:
    import torch

    from scalinglaws.training.config import TrainConfig
    from scalinglaws.training.network import Network
    from scalinglaws.training.planning import Plan
    from scalinglaws.training.tasks.protocol import Examples

__all__ = ["PLRFOptions", "PowerLaw"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PLRFOptions:
    """The model of `scalinglaws.models.PLRF` but for d, which is the width.

    Parameters
    ----------
    alpha, beta, v, label_noise
        As in `PLRF`; v by default 4 d.
    instance
        Seed of the random features: `rng` of `PLRF.features`, `solve` and `simulate`.
    """

    alpha: float = 1.0
    beta: float = 0.7
    v: int | None = None
    label_noise: float = 0.0
    instance: int = 0

    @property
    def label(self) -> str:
        """The options in words."""
        return f"power-law random features (alpha {self.alpha:g}, beta {self.beta:g})"

    @property
    def fingerprint(self) -> str:
        """The options: they determine everything."""
        return json.dumps(asdict(self), sort_keys=True)

    def model(self, d: int) -> PLRF:
        """Return the model with `d` parameters."""
        return PLRF(alpha=self.alpha, beta=self.beta, d=d, v=self.v, label_noise=self.label_noise)


class PowerLaw:
    """See `Task`."""

    name = "plrf"
    defaults: Mapping[str, Any] = {"batch": 1, "peak_lr": 0.1, "schedule": "constant", "warmup": 0.0}
    fixed: Mapping[str, Any] = {
        **NO_TEXT, "depth": 1, "parameterization": "standard", "base_width": 1, "embedding_rate": 1.0,
        "head_rate": 1.0, "beta1": 0.0, "beta2": 0.0, "eps": 1e-8, "weight_decay": 0.0, "clip": None, "eval_tokens": 1,
        "precision": "float32",  # in fact double: autocast would leave it alone
    }  # fmt: skip

    def check(self, config: TrainConfig) -> None:
        """Check the options of the model."""
        options = self.load(config)
        require(options.instance >= 0, "task_options: instance", options.instance, "must be at least 0")
        options.model(config.width)

    def load(self, config: TrainConfig) -> PLRFOptions:
        """Read the options; the features of each width are drawn when they are needed."""
        return read_options(PLRFOptions, config)

    def check_horizon(self, config: TrainConfig, data: PLRFOptions, tokens: int) -> None:
        """Accept any horizon: samples are fresh."""

    def size(self, config: TrainConfig, data: PLRFOptions) -> Size:
        """Count a forward and a backward product with d features; forming the features is not training."""
        d = config.width
        return Size(
            params={"head": d},
            flops_per_token={"head": 4.0 * d},
            evaluation_flops=2.0 * d * _points(data.model(d)),
        )

    def describe(self, data: PLRFOptions) -> dict[str, str]:
        """Say which model."""
        return {"corpus": data.label, "corpus_fingerprint": data.fingerprint, **SQUARED_ERROR}

    def build(self, config: TrainConfig, plan: Plan) -> tuple[Network, torch.optim.Optimizer]:  # noqa: ARG002
        """Build a linear model at zero under plain SGD.

        The loss is the mean of (prediction - target)^2 and the rate that of the sum of half of it; B/2 makes up for
        both, and is exact in floating point where the batch B is a power of two.
        """
        from torch.optim import SGD

        from scalinglaws.training.regressors import LinearModel

        model = LinearModel(config.width)
        groups = [{"params": [model.theta], "name": "head", "scale": config.batch / 2.0}]
        return model, SGD(groups, lr=0.0)

    def batches(self, config: TrainConfig, data: PLRFOptions) -> Callable[[int], Examples]:
        """Draw fresh samples at every step."""
        draw = self.sampler(config, data)
        return lambda step: draw(generator_at(config.seed, SAMPLES, step))

    def sampler(self, config: TrainConfig, data: PLRFOptions) -> Callable[[np.random.Generator], Examples]:
        """Draw fresh samples."""
        matrix, target = _features(data, config.width)
        return lambda rng: _sample(matrix, target, data.label_noise, config.batch, rng)

    def heldout(self, config: TrainConfig, data: PLRFOptions) -> Examples:
        """Return the points over which the mean squared error is the risk."""
        matrix, target = _features(data, config.width)
        scale = np.sqrt(len(target))
        if data.label_noise == 0:
            return _tensors(scale * matrix, scale * target)
        noise = np.sqrt(data.label_noise)
        return _tensors(
            scale * np.concatenate([matrix, matrix]), np.concatenate([scale * target + noise, scale * target - noise])
        )


def _points(model: PLRF) -> int:
    return int(model.data_dimension) * (2 if model.label_noise > 0 else 1)


def _features(options: PLRFOptions, d: int) -> tuple[Floats, Floats]:
    """D^(1/2) W and D^(1/2) b, the same that simulation and theory draw for `rng=instance`."""
    model = options.model(d)
    j = np.arange(1.0, model.data_dimension + 1.0)
    return j[:, None] ** -model.alpha * model.features(options.instance), j ** -(model.alpha + model.beta)


def _sample(matrix: Floats, target: Floats, label_noise: float, batch: int, rng: np.random.Generator) -> Examples:
    z = rng.standard_normal((batch, target.size))
    y = z @ target
    if label_noise > 0:
        y -= np.sqrt(label_noise) * rng.standard_normal(batch)
    return _tensors(z @ matrix, y)


def _tensors(inputs: Floats, targets: Floats) -> Examples:
    import torch

    return torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(targets)
