r"""Regression on a power-law Fourier series by a residual MLP, on fresh samples; the loss is a mean squared error.

The target of arXiv 2507.02119 (section on the MLP ladder): with x uniform on $[-1/2, 1/2]^n$,

$$\phi(x) = \sum_{i=1}^{M} w_i \sqrt{2} \cos(2\pi\, k_i \cdot x + b_i), \qquad
k_i = \mathrm{round}\big((1 - u_i)^{-1/2} e_i\big),$$

$e_i$ uniform on the sphere, $u_i$ uniform on [0, 1), $b_i$ 0 or $\pi/2$, $w$ standard normal and then of unit norm
(the distribution of $w$ before it is normalised is our choice). Rounding leaves many $k_i$ equal, and some zero,
so that E $\phi^2$ is close to 1 but not 1.

The defaults are the published ones: five blocks ("seven layers"), batch 4096, rate 1e-3 at width 128, and Adam
(0.9, 0.95, eps 1e-20) without warm-up, weight decay or clipping.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import require
from scalinglaws.training.streams import HELDOUT, SAMPLES, TARGET, generator_at
from scalinglaws.training.tasks.options import NO_TEXT, SQUARED_ERROR, read_options
from scalinglaws.training.tasks.protocol import Size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from scalinglaws.training.config import TrainConfig
    from scalinglaws.training.network import Network
    from scalinglaws.training.planning import Plan
    from scalinglaws.training.tasks.protocol import Examples

__all__ = ["Fourier", "FourierOptions", "FourierSeries", "draw_series"]

_BLOCK = 2**17
"""Samples times modes evaluated together: 1 MiB, which stays in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierOptions:
    """The target.

    Parameters
    ----------
    modes
        Terms M of the series.
    dimension
        Dimension n of x.
    tail
        Exponent of 1/(1 - u): frequencies beyond r have the probability r^(-1/tail).
    target
        Seed of the series and of the held-out samples.
    """

    modes: int = 10_000
    dimension: int = 8
    tail: float = 0.5
    target: int = 42

    def check(self) -> None:
        """Raise an `InputError` for a value out of its range."""
        for key, least in (("modes", 1), ("dimension", 1), ("target", 0)):
            require(getattr(self, key) >= least, key, getattr(self, key), f"must be at least {least}")
        require(0 < self.tail <= 4, "tail", self.tail, "must lie in (0, 4]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FourierSeries:
    """A Fourier series with integer frequencies.

    Attributes
    ----------
    frequencies
        Shape (modes, dimension).
    phases, weights
        Shape (modes,).
    label
        What it is, in words.
    fingerprint
        The options it was drawn from: they determine it.
    """

    frequencies: NDArray[np.float64]
    phases: NDArray[np.float64]
    weights: NDArray[np.float64]
    label: str
    fingerprint: str

    @property
    def power(self) -> float:
        """E phi^2, which is the loss of predicting zero; exact when no two frequencies are equal up to sign."""
        constant = np.all(self.frequencies == 0, axis=1)
        return float(np.sum(self.weights**2 * np.where(constant, 2 * np.cos(self.phases) ** 2, 1.0)))

    def merged(self) -> FourierSeries:
        """Return the same function with one term for each frequency up to sign."""
        first = np.argmax(self.frequencies != 0, axis=1)
        sign = np.where(np.take_along_axis(self.frequencies, first[:, None], axis=1)[:, 0] < 0, -1.0, 1.0)
        frequencies, place = np.unique(sign[:, None] * self.frequencies, axis=0, return_inverse=True)
        size = len(frequencies)
        real, imaginary = (
            np.bincount(place, self.weights * part, size) for part in (np.cos(self.phases), np.sin(sign * self.phases))
        )
        phases, weights = np.arctan2(imaginary, real), np.hypot(real, imaginary)
        return replace(self, frequencies=frequencies, phases=phases, weights=weights)

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluate at the rows of `x`, in double precision; shape (samples,)."""
        import torch  # its cosine is ten times faster than NumPy's

        turns, phases, weights = (torch.from_numpy(a) for a in (self.frequencies.T, self.phases, self.weights))
        rows = max(_BLOCK // weights.numel(), 1)
        parts = [torch.addmm(phases, part, 2 * np.pi * turns).cos_() @ weights for part in torch.split(x, rows)]
        return torch.cat(parts) * 2**0.5


def draw_series(options: FourierOptions) -> FourierSeries:
    """Draw the target from its seed.

    Examples
    --------
    >>> series = draw_series(FourierOptions(modes=50))
    >>> series.frequencies.shape, round(float(series.weights @ series.weights), 12)
    ((50, 8), 1.0)
    """
    rng = generator_at(options.target, TARGET)
    direction = rng.standard_normal((options.modes, options.dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = (1.0 - rng.random(options.modes)) ** -options.tail
    phases = np.asarray(np.pi / 2 * rng.integers(2, size=options.modes), dtype=np.float64)
    weights = rng.standard_normal(options.modes)
    return FourierSeries(
        frequencies=np.rint(length[:, None] * direction) + 0.0,  # + 0.0: no negative zeros
        phases=phases,
        weights=weights / np.linalg.norm(weights),
        label=f"power-law Fourier series ({options.modes} modes in {options.dimension} dimensions)",
        fingerprint=json.dumps(asdict(options), sort_keys=True),
    )


class Fourier:
    """See `Task`."""

    name = "fourier"
    defaults: Mapping[str, Any] = {
        "depth": 5, "batch": 4096, "base_width": 128, "peak_lr": 1e-3, "warmup": 0.0, "eps": 1e-20,
        "weight_decay": 0.0, "clip": None, "embedding_rate": 1.0, "head_rate": 1.0,
    }  # fmt: skip
    fixed: Mapping[str, Any] = NO_TEXT

    def check(self, config: TrainConfig) -> None:
        """Check the options of the target."""
        self._options(config)

    def load(self, config: TrainConfig) -> FourierSeries:
        """Draw the target, and merge its terms: a third of the published ones is left, and as little work."""
        return draw_series(self._options(config)).merged()

    def check_horizon(self, config: TrainConfig, data: FourierSeries, tokens: int) -> None:
        """Accept any horizon: samples are fresh."""

    def size(self, config: TrainConfig, data: FourierSeries) -> Size:
        """Count the MLP; no gradient is formed for its input, so the embedding costs two passes, not three."""
        inputs, width = data.frequencies.shape[1], config.width
        products = {"embedding": inputs * width, "mlp": config.depth * width**2, "head": width}
        passes = {"embedding": 2, "mlp": 3, "head": 3}
        return Size(
            params=products | {"embedding": (inputs + 1) * width},
            flops_per_token={group: 2.0 * passes[group] * count for group, count in products.items()},
            evaluation_flops=config.eval_tokens * 2.0 * sum(products.values()),
        )

    def describe(self, data: FourierSeries) -> dict[str, str]:
        """Say which target."""
        power = {"target_power": repr(data.power)}
        return {"corpus": data.label, "corpus_fingerprint": data.fingerprint, **power, **SQUARED_ERROR}

    def build(self, config: TrainConfig, plan: Plan) -> tuple[Network, torch.optim.Optimizer]:  # noqa: ARG002
        """Build a residual MLP under AdamW."""
        from scalinglaws.training.optimizer import adamw
        from scalinglaws.training.parameterization import initialize, rules
        from scalinglaws.training.regressors import ResidualMLP

        table = rules(config)
        model = ResidualMLP(
            inputs=self._options(config).dimension,
            width=config.width,
            depth=config.depth,
            output_scale=table["head"].forward,
        )
        initialize(model, table, config.seed)
        return model, adamw(model, config, table)

    def batches(self, config: TrainConfig, data: FourierSeries) -> Callable[[int], Examples]:
        """Draw fresh samples at every step."""
        draw = self.sampler(config, data)
        return lambda step: draw(generator_at(config.seed, SAMPLES, step))

    def sampler(self, config: TrainConfig, data: FourierSeries) -> Callable[[np.random.Generator], Examples]:
        """Draw fresh samples."""
        return lambda rng: _examples(data, rng, config.batch)

    def heldout(self, config: TrainConfig, data: FourierSeries) -> Examples:
        """Draw the same samples for every run on this target."""
        return _examples(data, generator_at(self._options(config).target, HELDOUT), config.eval_tokens)

    @staticmethod
    def _options(config: TrainConfig) -> FourierOptions:
        options = read_options(FourierOptions, config)
        options.check()
        return options


def _examples(series: FourierSeries, rng: np.random.Generator, samples: int) -> Examples:
    import torch

    # targets of the float32 inputs the network sees, not of others that round to them
    x = rng.random((samples, series.frequencies.shape[1]), dtype=np.float32) - np.float32(0.5)
    inputs = torch.from_numpy(x)
    return inputs, series(inputs.double()).float()
