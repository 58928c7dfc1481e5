"""The description of one training run: one dial, `width`, from which the rest follows unless it is given.

heads = width / head_dim, MLP width = mlp_ratio * width, and the horizon is a power of N, the parameters that work
per token (all but the input embedding): `tokens_per_param` * N at `base_width`, and from there in proportion to
N**`horizon_exponent`. Depth stays fixed, because the learning rate transfers over width and not over depth.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from scalinglaws.errors import InputError, require
from scalinglaws.schedules import Schedule
from scalinglaws.schedules import names as schedule_names
from scalinglaws.training.checks import check_type, json_object
from scalinglaws.training.counting import ModelShape
from scalinglaws.training.tasks import TASKS, check_task, with_defaults

__all__ = ["TrainConfig", "read_toml"]

_CHOICES = {
    "task": tuple(TASKS),
    "parameterization": ("mup", "standard"),
    "positions": ("rotary", "learned"),
    "token_dtype": ("uint8", "uint16"),
    "device": ("cpu", "cuda"),
    "precision": ("float32", "bfloat16"),
}
_AT_LEAST: dict[str, float] = {
    "width": 1, "depth": 1, "head_dim": 2, "mlp_ratio": 1, "seq_len": 1, "batch": 1, "tokens": 1,
    "seed": 0, "base_width": 1, "vocab": 2, "eval_tokens": 1, "eval_linear": 1, "eval_log": 0, "threads": 1,
    "measure_batches": 0, "sharpness_points": 0, "measure_every": 1, "microbatch": 1,
}  # fmt: skip
_POSITIVE = ("tokens_per_param", "peak_lr", "embedding_rate", "head_rate", "eps")
_JSON = ("schedule_options", "task_options")
_FRACTIONS = ("warmup", "floor", "beta1", "beta2")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run, complete: equal descriptions give bit-identical curves on the CPU of one machine.

    Parameters
    ----------
    name
        Name of the run, distinct within its family; also its file name.
    task, task_options
        "language", "fourier" or "plrf" (`scalinglaws.training.tasks`), and the options of its own as JSON text.
        The declared defaults are those of "language"; `from_dict` fills in those of another task.
    width
        The dial: size of the residual stream, a multiple of `head_dim`; the number of parameters for "plrf".
    depth, head_dim, mlp_ratio
        Blocks, size of one attention head, and width of the MLP over `width`.
    positions
        "rotary", or "learned" vectors added to the embedding.
    qk_norm
        Normalise queries and keys (without gains, so attention logits are bounded by sqrt(head_dim)).
    tokens_per_param, horizon_exponent
        Horizon over the non-embedding parameters at `base_width`, and how the horizon grows with them: 1 keeps tokens
        per parameter the same at every width. Not used when `tokens` is given.
    tokens
        Horizon in tokens, rounded to whole updates; one sample of a regression is one token.
    corpus
        "python-stdlib", a folder of text files, or a token file.
    token_dtype, vocab
        For a raw token file: type of its entries, and its vocabulary if not the largest token + 1.
    seq_len, batch
        Tokens per sequence and sequences per update.
    parameterization
        "mup" (rates transfer over width) or "standard".
    base_width
        Width at which "mup" and "standard" use the same learning rates.
    embedding_rate, head_rate
        Factors on the learning rate of the embedding and of the read-out, the same at every width.
    schedule, schedule_options, floor
        Shape name of `scalinglaws.schedules`, its options as JSON text, final rate over the peak.
    peak_lr
        Peak learning rate at `base_width`.
    warmup
        Linear warm-up as a fraction of the updates.
    beta1, beta2, eps, weight_decay, clip
        AdamW (arXiv 1711.05101), and the largest gradient norm let through; None lets through any.
    seed
        Fixes the initial weights and the order of the data.
    eval_tokens
        Size of the fixed held-out set.
    eval_linear, eval_log
        Evaluations spaced evenly and evenly in the logarithm of the step; their union is used, with the
        steps 0, 1 and the last.
    measure_batches
        Independent mini-batches behind the measurements of every evaluation (the trace of the gradient's
        covariance, gradient norm, update size, largest attention logit, scale of the output logits), each as
        costly as an update and a half; 0 measures the loss alone.
    sharpness_points
        Evaluations at which the largest eigenvalue of the Hessian is measured, near 1/n, 2/n, ... 1 of the run;
        one costs as much as 30 to 100 updates.
    threads
        CPU threads. Part of the description, because sums are rounded differently on another number.
    measure_every
        Of the evaluations, every how many-th has the measurements of `measure_batches`, counted from the last one.
    microbatch
        Sequences per forward pass, a divisor of `batch`: their gradients are accumulated, so an update is that of the
        whole batch up to rounding, in the memory of a part. None for all at once.
    device
        "cpu" or "cuda". Which of several CUDA devices is no part of the description (see `train_ladder`).
    precision
        Of the updates: "float32", or "bfloat16" by autocast, with weights and moments in float32. Evaluations and
        measurements are in float32 either way.
    compile
        Whether updates go through `torch.compile`: faster on a GPU after up to a minute of compilation.

    Raises
    ------
    InputError
        Naming the value and the rule it breaks.

    Examples
    --------
    >>> config = TrainConfig(width=64, schedule="wsd", schedule_options='{"decay": 0.3}')
    >>> TrainConfig.from_dict(config.to_dict()) == config
    True
    >>> TrainConfig(width=50)
    Traceback (most recent call last):
        ...
    scalinglaws.errors.InputError: width = 50: must be a multiple of head_dim = 16
    """

    name: str = "run"
    task: str = "language"
    task_options: str = "{}"
    width: int = 64
    depth: int = 3
    head_dim: int = 16
    mlp_ratio: int = 4
    positions: str = "rotary"
    qk_norm: bool = False
    tokens_per_param: float = 20.0
    horizon_exponent: float = 1.0
    tokens: int | None = None
    corpus: str = "python-stdlib"
    token_dtype: str = "uint16"
    vocab: int | None = None
    seq_len: int = 128
    batch: int = 4
    parameterization: str = "mup"
    base_width: int = 64
    embedding_rate: float = 2.0
    head_rate: float = 5.0
    schedule: str = "linear"
    schedule_options: str = "{}"
    floor: float = 0.0
    peak_lr: float = 0.007
    warmup: float = 0.15
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip: float | None = 1.0
    seed: int = 0
    eval_tokens: int = 65_536
    eval_linear: int = 10
    eval_log: int = 6
    measure_batches: int = 0
    sharpness_points: int = 0
    threads: int = 1
    measure_every: int = 1
    microbatch: int | None = None
    device: str = "cpu"
    precision: str = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        for entry in fields(self):
            check_type(entry.name, getattr(self, entry.name), str(entry.type))
        for key, allowed in _CHOICES.items():
            require(getattr(self, key) in allowed, key, getattr(self, key), f"must be {' or '.join(allowed)}")
        for key, least in _AT_LEAST.items():
            value = getattr(self, key)
            require(value is None or value >= least, key, value, f"must be at least {least:g}")
        for key in _POSITIVE:
            require(0 < getattr(self, key) < float("inf"), key, getattr(self, key), "must be positive and finite")
        unclipped = self.clip is None or 0 < self.clip < float("inf")
        require(unclipped, "clip", self.clip, "must be positive and finite, or None")
        for key in _FRACTIONS:
            require(0 <= getattr(self, key) < 1, key, getattr(self, key), "must lie in [0, 1)")
        require(self.measure_batches != 1, "measure_batches", 1, "must be 0, or 2 or more: one has no covariance")
        require(0 <= self.horizon_exponent <= 4, "horizon_exponent", self.horizon_exponent, "must lie in [0, 4]")
        divides = self.microbatch is None or self.batch % self.microbatch == 0
        require(divides, "microbatch", self.microbatch, f"must divide batch = {self.batch}")
        require(0 <= self.weight_decay < float("inf"), "weight_decay", self.weight_decay, "must be finite and >= 0")
        require(
            self.name != "" and self.name.isprintable() and not set(self.name) & set('/\\:*?"<>|'),
            "name",
            self.name,
            "must be a file name",
        )
        require(not self.name.startswith("."), "name", self.name, "must not start with a dot")
        require(self.schedule in schedule_names(), "schedule", self.schedule, f"one of {', '.join(schedule_names())}")
        self.schedule_for(steps=1000)
        check_task(self)

    def shape(self, vocab: int) -> ModelShape:
        """Shape of the model over `vocab` tokens."""
        return ModelShape(
            vocab=vocab,
            width=self.width,
            depth=self.depth,
            head_dim=self.head_dim,
            mlp_width=self.mlp_ratio * self.width,
            seq_len=self.seq_len,
            positions=self.positions,
            qk_norm=self.qk_norm,
        )

    def schedule_for(self, steps: int) -> Schedule:
        """Schedule of a run of `steps` updates, at the base width."""
        options = json_object("schedule_options", self.schedule_options)
        own = {"shape": self.schedule, "peak": self.peak_lr, "steps": steps, "floor": self.floor}
        return Schedule.from_dict({**options, **own, "warmup": int(self.warmup * steps)})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; options that are not set are None."""
        return asdict(self) | {key: json_object(key, getattr(self, key)) for key in _JSON}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Rebuild a run from `to_dict`, or from the entries of a TOML file.

        Examples
        --------
        >>> TrainConfig.from_dict({"width": 32, "schedule": "wsd", "schedule_options": {"decay": 0.5}}).width
        32
        >>> TrainConfig.from_dict({"task": "fourier", "width": 384}).batch
        4096
        """
        known = [entry.name for entry in fields(cls)]
        unknown = sorted(set(values) - set(known))
        require(not unknown, "training options", unknown, f"not known; the options are {', '.join(known)}")
        given = with_defaults(values)
        for key in _JSON:
            if isinstance(given.get(key), Mapping):
                given[key] = json.dumps(given[key], sort_keys=True)
        return cls(**given)

    @classmethod
    def coerce(cls, given: TrainConfig | Mapping[str, Any] | str | os.PathLike[str]) -> TrainConfig:
        """Turn a configuration, a mapping, or the path of a TOML file into a configuration.

        Examples
        --------
        >>> TrainConfig.coerce({"width": 32}).width
        32
        """
        if isinstance(given, TrainConfig):
            return given
        if isinstance(given, Mapping):
            return cls.from_dict(given)
        path = Path(given)
        return cls.from_dict({"name": path.stem, **read_toml(path)})

    def named(self, name: str) -> TrainConfig:
        """Return the same run under another name."""
        return replace(self, name=name)


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file; one that is missing or malformed is an `InputError`."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise InputError(f"{path}: is not TOML ({error})") from error
