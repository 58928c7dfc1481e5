"""The one table of column spellings, and how a quantity finds its column.

A quantity is looked up by the spellings below (case, spaces and punctuation do not matter; earlier ones win) and
can always be named instead: `columns={"loss": "c4_val"}`; `columns={"flops": None}` leaves a quantity out.
The loss is held-out loss, and is never chosen silently among several: a column that says so plainly (`val_loss`,
`eval_loss`, `loss_c4_val`) goes before a bare `loss`, that before bits per byte or perplexity, and a training
loss comes last; two columns of the best kind are an error that lists them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scalinglaws.errors import InputError

__all__ = ["SPELLINGS", "Columns", "check_scale", "find_columns", "normalise", "one_line", "shown"]

SPELLINGS: dict[str, tuple[str, ...]] = {
    "run": ("run", "run_name", "run_id", "runs", "name", "experiment", "exp", "id"),
    "step": (
        "step", "steps", "global_step", "trainer_global_step", "train_step", "training_step", "num_steps",
        "iter", "iters", "iteration", "iterations", "update", "updates", "k",
    ),
    "tokens": (
        "tokens", "n_tokens", "num_tokens", "tokens_seen", "train_tokens", "training_tokens", "total_tokens",
        "consumed_tokens", "num_input_tokens_seen", "ntokens", "d",
    ),
    "flops": (
        "flops", "flop", "training_flops", "training_flop", "train_flops", "total_flops", "total_flos",
        "compute", "c",
    ),
    "params": (
        "params", "n_params", "num_params", "nparams", "parameters", "n_parameters", "num_parameters",
        "total_params", "model_params", "param_count", "model_size", "n", "p",
    ),
    "unique_tokens": ("unique_tokens", "n_unique_tokens", "num_unique_tokens", "unique_data"),
    "epochs": ("epochs", "n_epochs", "num_epochs"),
    "error": ("error", "error_rate", "err", "err_avg"),
    "lr": ("lr", "learning_rate", "train_lr", "train_learning_rate"),
    "peak_lr": ("peak_lr", "max_lr", "peak_learning_rate", "max_learning_rate", "base_lr"),
    "batch": ("batch", "batch_size", "global_batch_size", "train_batch_size", "bs", "b"),
    "seq_len": (
        "seq_len", "seq_length", "sequence_length", "context_length", "context_len", "ctx_len", "block_size",
    ),
    "seed": ("seed", "random_seed", "rng_seed"),
    "width": ("width", "d_model", "hidden_size", "hidden_dim", "n_embd", "d"),
    "depth": ("depth", "n_layers", "num_layers", "n_layer", "layers", "num_hidden_layers"),
    "schedule": ("schedule", "lr_schedule", "sched", "scheduler", "lr_scheduler", "lr_scheduler_type"),
    "status": ("status", "state"),
    "noise_trace": ("noise_trace", "gradient_noise_trace", "grad_noise_trace", "buvar"),
    "loss_unit": ("loss_unit", "unit", "units"),
}  # fmt: skip
"""Spellings of every quantity but the loss, normalised, the most telling first."""

_HELD_OUT = frozenset({"val", "valid", "validation", "eval", "evaluation", "test", "heldout", "dev"})
_LOSS = frozenset({"loss", "nll", "xent", "crossentropy"})
_OTHER_UNIT = frozenset({"bpb", "bpt", "ppl", "perplexity"})
_TRAIN = frozenset({"train", "training"})
_NOT_A_VALUE = frozenset(
    {"lo", "hi", "lo95", "hi95", "lower", "upper", "std", "stderr", "sem", "var", "min", "max", "scale", "unit",
     "best", "aux", "weight"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds which quantity, and sentences on what was guessed."""

    names: Mapping[str, str]
    notes: tuple[str, ...]


def normalise(name: str) -> str:
    """Reduce a column name to lower-case words joined by underscores.

    Examples
    --------
    >>> normalise(" Model Size"), normalise("_step"), normalise("val/loss")
    ('model_size', 'step', 'val_loss')
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def one_line(text: str) -> str:
    r"""Put text that a file brought along on one line, without characters that cannot be printed.

    Examples
    --------
    >>> one_line("run\n a")
    'run a'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def check_scale(scale: Mapping[str, float] | None, known: Sequence[str]) -> None:
    """Check the caller's factors to plain units: positive numbers by known quantity."""
    for quantity, factor in (scale or {}).items():
        if quantity not in known:
            raise InputError(f"scale: {quantity!r} is none of {', '.join(known)}")
        if not (isinstance(factor, int | float) and math.isfinite(factor) and factor > 0):
            raise InputError(f"scale: the factor of {quantity} is {factor!r}, and must be a positive number")


def shown(names: Iterable[object], most: int = 12) -> str:
    """List names for a sentence: quoted, shortened, on one line.

    Examples
    --------
    >>> shown(["a", "b"])
    "'a', 'b'"
    """
    texts = [repr(str(n)) if len(str(n)) <= 60 else repr(str(n)[:57] + "...") for n in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def find_columns(
    present: Sequence[str],
    wanted: Sequence[str],
    *,
    required: Sequence[str],
    given: Mapping[str, str | None] | None = None,
    source: str,
) -> Columns:
    """Find the column of every wanted quantity.

    Parameters
    ----------
    present
        Names of the columns there are.
    wanted, required
        Quantities to look for (keys of `SPELLINGS`, or "loss"), and those that must be found.
    given
        Columns named by the caller; None leaves a quantity out.
    source
        The file, for the sentences.

    Raises
    ------
    InputError
        When a required quantity has no column, a named column is absent, or several could be the loss.

    Examples
    --------
    >>> find_columns(["N", "Training FLOP", "loss"], ["params", "flops", "loss"], required=[], source="x").names
    {'params': 'N', 'flops': 'Training FLOP', 'loss': 'loss'}
    """
    given = given or {}
    _check_given(given, present, wanted, source)
    found: dict[str, str] = {}
    notes: list[str] = []
    for quantity in wanted:
        if quantity in given:
            if (named := given[quantity]) is not None:
                found[quantity] = named
            continue
        free = [c for c in present if c not in given.values()]
        matches = _loss_columns(free, source) if quantity == "loss" else _matches(free, quantity)
        if matches:
            found[quantity], *passed = matches
            if passed:
                notes.append(f"{source}: {quantity} is read from {found[quantity]!r}; {shown(passed)} left aside")
    for quantity in required:
        if quantity not in found:
            raise InputError(
                f"{source}: no column for {quantity} among {shown(present) or 'none at all'}; "
                f"name it with columns={{{quantity!r}: ...}}"
            )
    return Columns(names=found, notes=tuple(notes))


def _check_given(given: Mapping[str, str | None], present: Sequence[str], wanted: Sequence[str], source: str) -> None:
    for quantity, column in given.items():
        if quantity not in wanted:
            raise InputError(
                f"columns: {quantity!r} is not a quantity this reader knows; it is one of {', '.join(wanted)}"
            )
        if column is not None and column not in present:
            raise InputError(
                f"{source}: no column {column!r} for {quantity}; there are {shown(present) or 'none at all'}"
            )


def _matches(present: Sequence[str], quantity: str) -> list[str]:
    by_name = {normalise(c): c for c in present}
    # The letter D means tokens beside N, but the model width beside P (the papers that write P for parameters).
    absent = {"tokens": "d" if "p" in by_name else "", "width": "" if "p" in by_name else "d"}.get(quantity)
    return [by_name[s] for s in SPELLINGS[quantity] if s in by_name and s != absent]


def _loss_columns(present: Sequence[str], source: str) -> list[str]:
    kinds: dict[int, list[str]] = {}
    for column in present:
        kind = _loss_kind(normalise(column))
        if kind is not None:
            kinds.setdefault(kind, []).append(column)
    if not kinds:
        return []
    best = kinds[min(kinds)]
    if len(best) > 1:
        raise InputError(
            f"{source}: {len(best)} columns could be the loss ({shown(best)}); "
            f"say which with columns={{'loss': {best[0]!r}}}"
        )
    return best + [c for kind in sorted(kinds)[1:] for c in kinds[kind]]


def _loss_kind(name: str) -> int | None:
    """Rank a normalised name: 0 held-out loss, 1 bare loss, 2 another unit, 3 training loss, None no loss."""
    words = set(name.replace("cross_entropy", "crossentropy").replace("held_out", "heldout").split("_"))
    words = words | ({"bpb"} if "bits_per_byte" in name else {"bpt"} if "bits_per_token" in name else set())
    if words & _NOT_A_VALUE or not words & (_LOSS | _OTHER_UNIT):
        return None
    if words & _TRAIN:
        return 3
    if words & _OTHER_UNIT:
        return 2
    return 1 if words <= _LOSS else 0
