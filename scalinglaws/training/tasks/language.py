"""Next-token prediction on a corpus by a decoder-only transformer; the loss is a cross-entropy in nats per token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scalinglaws.errors import InputError, require
from scalinglaws.training.corpus import Corpus, count_windows, load_corpus
from scalinglaws.training.counting import count_flops, count_params
from scalinglaws.training.tasks.protocol import Size

if TYPE_CHECKING:
    import numpy as np
    import torch

    from scalinglaws.training.config import TrainConfig
    from scalinglaws.training.network import Network
    from scalinglaws.training.planning import Plan
    from scalinglaws.training.tasks.protocol import Examples

__all__ = ["Language"]


class Language:
    """See `Task`."""

    name = "language"
    defaults: Mapping[str, Any] = {}
    fixed: Mapping[str, Any] = {"task_options": "{}"}

    def check(self, config: TrainConfig) -> None:
        """Require sequences of two tokens or more, and heads that divide the width."""
        require(config.seq_len >= 2, "seq_len", config.seq_len, "must be at least 2")
        require(config.head_dim % 2 == 0, "head_dim", config.head_dim, "must be even, for rotary positions")
        rule = f"must be a multiple of head_dim = {config.head_dim}"
        require(config.width % config.head_dim == 0, "width", config.width, rule)

    def load(self, config: TrainConfig) -> Corpus:
        """Load the corpus."""
        return load_corpus(config.corpus, config.token_dtype, config.vocab)

    def check_horizon(self, config: TrainConfig, data: Corpus, tokens: int) -> None:
        """Require whole sequences enough to read nothing twice, and one to hold out."""
        whole = count_windows(data.train, config.seq_len) * config.seq_len
        if tokens > whole:
            raise InputError(
                f"run {config.name}: asks for {tokens} training tokens, and the corpus {data.label} holds {whole} "
                "in whole sequences; nothing is read twice, so choose a shorter horizon or a larger corpus"
            )
        if count_windows(data.heldout, config.seq_len) == 0:
            raise InputError(
                f"run {config.name}: the held-out part of the corpus {data.label} holds {data.heldout.size} tokens, "
                f"fewer than one sequence of seq_len = {config.seq_len} and its target"
            )

    def size(self, config: TrainConfig, data: Corpus) -> Size:
        """Count the transformer."""
        shape = config.shape(data.vocab)
        flops = count_flops(shape)
        held = min(config.eval_tokens, data.heldout.size)
        return Size(
            params=count_params(shape),
            flops_per_token=flops,
            evaluation_flops=held * sum(flops.values()) / 3.0,  # forward only
            shape=shape,
        )

    def describe(self, data: Corpus) -> dict[str, str]:
        """Say which text."""
        return {
            "corpus": data.label,
            "corpus_fingerprint": data.fingerprint,
            "corpus_tokens": f"{data.train.size} train, {data.heldout.size} held out",
        }

    def build(self, config: TrainConfig, plan: Plan) -> tuple[Network, torch.optim.Optimizer]:
        """Build a transformer under AdamW."""
        from scalinglaws.training.model import Transformer
        from scalinglaws.training.optimizer import adamw
        from scalinglaws.training.parameterization import initialize, rules

        assert plan.shape is not None  # set by `size`
        table = rules(config)
        model = Transformer(plan.shape, output_scale=table["head"].forward)
        initialize(model, table, config.seed)
        return model, adamw(model, config, table)

    def batches(self, config: TrainConfig, data: Corpus) -> Callable[[int], Examples]:
        """Cut windows from the training stream in an order fixed by the seed."""
        from scalinglaws.training.batches import Batches

        return Batches(data.train, seq_len=config.seq_len, batch=config.batch, seed=config.seed)

    def sampler(self, config: TrainConfig, data: Corpus) -> Callable[[np.random.Generator], Examples]:
        """Choose distinct windows of the training stream, all choices equally likely."""
        from scalinglaws.training.batches import take

        windows = count_windows(data.train, config.seq_len)
        return lambda rng: take(data.train, rng.choice(windows, config.batch, replace=False), config.seq_len)

    def heldout(self, config: TrainConfig, data: Corpus) -> Examples:
        """Spread windows evenly over the held-out stream."""
        from scalinglaws.training.batches import heldout_windows

        return heldout_windows(data, seq_len=config.seq_len, tokens=config.eval_tokens)
