"""What a run reads: a stream of tokens to train on, and another from other files to evaluate on.

- "python-stdlib": the sources of the running interpreter's standard library, on every machine and offline. Left
  out are third-party packages, tests, modules some distributions omit or later versions dropped, and the generated
  tables of `encodings` and `pydoc_data`, which are not prose or code anyone wrote.
- A folder: every file below it, hidden ones excepted, as bytes.
- A file: uint8 or uint16 tokens, memory-mapped. `.npy` says its type itself; the last tenth is held out.

Files are split by a hash of their relative path, one in ten held out, so no text is on both sides and a new
file moves no other. Each file ends with a zero byte.
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalinglaws.errors import InputError, require

__all__ = ["Corpus", "Tokens", "count_windows", "is_heldout", "load_corpus"]

_HELD_OUT_ONE_IN = 10
_THIRD_PARTY = ("site-packages", "dist-packages")
_TESTS = ("test", "tests", "idle_test")
_NOT_EVERYWHERE = ("distutils", "ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo")
_GENERATED = ("encodings", "pydoc_data", "__pycache__")
_NOT_CORPUS = frozenset((*_THIRD_PARTY, *_TESTS, *_NOT_EVERYWHERE, *_GENERATED))
_CHUNK = 1 << 24

Tokens = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """Two token streams that share no file.

    Attributes
    ----------
    label
        What the user called it.
    train, heldout
        Tokens, one-dimensional, uint8 or uint16.
    vocab
        Size of the vocabulary.
    fingerprint
        SHA-256 of all tokens, those of training first.
    files
        Files on each side.
    """

    label: str
    train: Tokens
    heldout: Tokens
    vocab: int
    fingerprint: str
    files: tuple[int, int]


def count_windows(tokens: Tokens, seq_len: int) -> int:
    """Count the windows of `seq_len` inputs and their targets; neighbours share one token.

    Examples
    --------
    >>> count_windows(np.zeros(9, dtype=np.uint8), seq_len=4)
    2
    """
    return max((tokens.size - 1) // seq_len, 0)


def load_corpus(name: str, token_dtype: str = "uint16", vocab: int | None = None) -> Corpus:
    """Load a corpus.

    Parameters
    ----------
    name
        "python-stdlib", a folder, or a token file.
    token_dtype
        Type of the entries of a raw token file, "uint8" or "uint16".
    vocab
        Vocabulary of a token file; by default its largest token + 1.

    Raises
    ------
    InputError
        If it does not exist, is empty, or leaves nothing to hold out.

    Examples
    --------
    >>> corpus = load_corpus("python-stdlib")
    >>> corpus.vocab, len(corpus.train) > 3_000_000, len(corpus.fingerprint)
    (256, True, 64)
    """
    if name == "python-stdlib":
        return _standard_library()
    path = Path(name)
    if path.is_dir():
        hidden = (p for p in path.rglob("*") if p.is_file() and not _is_hidden(p.relative_to(path)))
        return _from_files(name, path, sorted(hidden))
    if path.is_file():
        return _from_token_file(path, token_dtype, vocab)
    raise InputError(f"corpus = {name!r}: must be python-stdlib, a folder of text files, or a token file")


@cache  # the interpreter's own sources stay as they are while it runs; other texts may not
def _standard_library() -> Corpus:
    root = Path(sysconfig.get_path("stdlib"))
    return _from_files("python-stdlib", root, sorted(_sources(root)))


def _sources(root: Path) -> Iterable[Path]:
    for folder, inside, files in os.walk(root):
        inside[:] = [d for d in inside if d not in _NOT_CORPUS and not d.startswith(("config-", "."))]
        yield from (Path(folder, f) for f in files if f.endswith(".py") and not f.startswith("_sysconfigdata"))


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def is_heldout(relative: str) -> bool:
    """Decide by its path relative to the corpus, "/" between parts, whether a file is held out.

    Examples
    --------
    >>> sum(is_heldout(f"{i}.py") for i in range(1000))
    116
    """
    digest = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_ONE_IN == 0


def _from_files(label: str, root: Path, paths: list[Path]) -> Corpus:
    sides: dict[bool, list[bytes]] = {False: [], True: []}
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"corpus: {path} cannot be read ({error.strerror})") from error
        if content:
            sides[is_heldout(path.relative_to(root).as_posix())] += [content, b"\0"]
    for side, heldout in (("train on", False), ("hold out", True)):
        rule = f"no text to {side} among its {len(paths)} files; one file in {_HELD_OUT_ONE_IN} is held out by name"
        require(bool(sides[heldout]), "corpus", label, rule)
    train, held = (np.frombuffer(b"".join(sides[heldout]), dtype=np.uint8) for heldout in (False, True))
    return Corpus(
        label=label,
        train=train,
        heldout=held,
        vocab=256,
        fingerprint=_fingerprint(train, held),
        files=(len(sides[False]) // 2, len(sides[True]) // 2),
    )


def _from_token_file(path: Path, dtype: str, vocab: int | None) -> Corpus:
    tokens = _map_tokens(path, dtype)
    cut = tokens.size - tokens.size // _HELD_OUT_ONE_IN
    require(0 < cut < tokens.size, "corpus", str(path), f"holds {tokens.size} tokens, too few to hold a tenth out")
    largest = max(int(tokens[i : i + _CHUNK].max()) for i in range(0, tokens.size, _CHUNK))
    size = largest + 1 if vocab is None else vocab
    require(largest < size, "vocab", vocab, f"must exceed the largest token in {path}, {largest}")
    return Corpus(
        label=str(path),
        train=tokens[:cut],
        heldout=tokens[cut:],
        vocab=max(size, 2),
        fingerprint=_fingerprint(tokens),
        files=(1, 1),
    )


def _map_tokens(path: Path, dtype: str) -> Tokens:
    try:
        if path.suffix == ".npy":
            tokens: Any = np.load(path, mmap_mode="r")
        else:
            rule = f"is no whole number of {dtype} tokens"
            require(path.stat().st_size % np.dtype(dtype).itemsize == 0, "corpus", str(path), rule)
            tokens = np.memmap(path, dtype=dtype, mode="r")
    except InputError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"corpus = {str(path)!r}: is not a readable token file ({error})") from error
    stream: Tokens = tokens
    is_stream = tokens.ndim == 1 and tokens.dtype in (np.uint8, np.uint16)
    require(is_stream, "corpus", str(path), f"must hold one row of uint8 or uint16, not {tokens.dtype}")
    return stream


def _fingerprint(*streams: Tokens) -> str:
    digest = hashlib.sha256()
    for stream in streams:
        for start in range(0, stream.size, _CHUNK):
            digest.update(np.ascontiguousarray(stream[start : start + _CHUNK]).tobytes())
    return digest.hexdigest()
