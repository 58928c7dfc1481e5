from __future__ import annotations

import hashlib

import numpy as np
import pytest

from scalinglaws.errors import InputError
from scalinglaws.training import TrainConfig, load_corpus, plan
from scalinglaws.training.batches import Batches, heldout_windows
from scalinglaws.training.corpus import count_windows, is_heldout


@pytest.fixture
def folder(tmp_path):
    """Sixty files whose every byte says which side it belongs to: lower case trained on, upper case held out."""
    for i in range(60):
        path = tmp_path / "text" / f"part{i % 3}" / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        letter = "U" if is_heldout(path.relative_to(tmp_path / "text").as_posix()) else "l"
        path.write_text(letter * (50 + i))
    (tmp_path / "text" / ".hidden").write_text("HIDDEN and lower")
    return tmp_path / "text"


def test_split_is_by_file_and_disjoint(folder):
    corpus = load_corpus(str(folder))
    assert set(corpus.train.tobytes()) == {ord("l"), 0}
    assert set(corpus.heldout.tobytes()) == {ord("U"), 0}
    assert sum(corpus.files) == 60
    assert corpus.train.size + corpus.heldout.size == sum(50 + i + 1 for i in range(60))


def test_fingerprint_is_that_of_the_bytes(folder):
    corpus = load_corpus(str(folder))
    assert corpus.fingerprint == hashlib.sha256(corpus.train.tobytes() + corpus.heldout.tobytes()).hexdigest()
    (folder / "part0" / "0.txt").write_text("changed")
    assert load_corpus(str(folder)).fingerprint != corpus.fingerprint


def test_no_text_of_the_standard_library_is_on_both_sides():
    corpus = load_corpus("python-stdlib")
    long = [text for text in corpus.heldout.tobytes().split(b"\0") if len(text) > 2000]
    train = corpus.train.tobytes()
    assert len(long) > 10
    assert not any(text in train for text in long)


def test_no_held_out_window_is_a_training_window():
    corpus = load_corpus("python-stdlib")
    held, _ = heldout_windows(corpus, seq_len=128, tokens=65_536)
    train = corpus.train.tobytes()
    common = sum(row.numpy().astype(np.uint8).tobytes() in train for row in held[::8])
    assert common == 0


def test_each_window_is_visited_once_and_targets_are_the_next_tokens():
    tokens = np.arange(1000, dtype=np.uint16)
    batches = Batches(tokens, seq_len=7, batch=4, seed=1)
    steps = count_windows(tokens, 7) // 4
    inputs, targets = zip(*(batches(step) for step in range(steps)), strict=True)
    seen = np.concatenate([y.numpy().ravel() for y in targets])
    assert len(set(seen.tolist())) == seen.size == steps * 4 * 7
    assert all(np.array_equal(x.numpy() + 1, y.numpy()) for x, y in zip(inputs, targets, strict=True))


def test_order_follows_the_seed():
    tokens = np.arange(1000, dtype=np.uint16)
    first, same, other = (Batches(tokens, seq_len=7, batch=4, seed=s).windows(3).tolist() for s in (1, 1, 2))
    assert first == same
    assert first != other


def test_held_out_set_is_fixed_and_spread_over_the_stream():
    corpus = load_corpus("python-stdlib")
    x, y = heldout_windows(corpus, seq_len=128, tokens=12_800)
    assert x.shape == y.shape == (100, 128)
    assert np.array_equal(x[:, 1:], y[:, :-1])
    last = corpus.heldout.tobytes().rindex(x[-1].numpy().astype(np.uint8).tobytes())
    assert last > 0.9 * corpus.heldout.size


@pytest.mark.parametrize("kind", ["uint8", "uint16", "npy"])
def test_token_files_are_mapped(tmp_path, kind):
    tokens = np.random.default_rng(0).integers(200, size=5000).astype("uint8" if kind == "npy" else kind)
    path = tmp_path / ("tokens.npy" if kind == "npy" else "tokens.bin")
    np.save(path, tokens) if kind == "npy" else tokens.tofile(path)
    corpus = load_corpus(str(path), token_dtype="uint16" if kind == "npy" else kind)
    assert isinstance(corpus.train, np.memmap)
    assert np.array_equal(np.concatenate([corpus.train, corpus.heldout]), tokens)
    assert corpus.heldout.size == 500
    assert corpus.vocab == tokens.max() + 1
    assert corpus.fingerprint == hashlib.sha256(tokens.tobytes()).hexdigest()


def test_horizon_beyond_the_corpus_states_both_numbers(token_file):
    with pytest.raises(InputError, match=r"asks for 500000 training tokens.*holds 360000|holds 359984") as error:
        plan(TrainConfig(corpus=str(token_file), seq_len=16, batch=5, tokens=500_000))
    assert "\n" not in str(error.value)


def test_wrong_corpora_get_a_sentence(tmp_path):
    with pytest.raises(InputError, match="must be python-stdlib, a folder"):
        load_corpus(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="no text to train on"):
        load_corpus(str(tmp_path))
    (tmp_path / "odd.bin").write_bytes(b"abc")
    with pytest.raises(InputError, match="no whole number of uint16"):
        load_corpus(str(tmp_path / "odd.bin"))
    (tmp_path / "empty.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty\.bin"):
        load_corpus(str(tmp_path / "empty.bin"))
    (tmp_path / "bad.npy").write_bytes(b"not numpy")
    with pytest.raises(InputError, match="not a readable token file"):
        load_corpus(str(tmp_path / "bad.npy"))
    np.save(tmp_path / "float.npy", np.zeros(100))
    with pytest.raises(InputError, match="uint8 or uint16"):
        load_corpus(str(tmp_path / "float.npy"))
    np.full(100, 9, dtype=np.uint8).tofile(tmp_path / "nine.bin")
    with pytest.raises(InputError, match="vocab = 5"):
        load_corpus(str(tmp_path / "nine.bin"), token_dtype="uint8", vocab=5)


def test_held_out_part_shorter_than_a_sequence(tmp_path):
    np.zeros(200, dtype=np.uint8).tofile(tmp_path / "short.bin")
    with pytest.raises(InputError, match="held-out part"):
        plan(TrainConfig(corpus=str(tmp_path / "short.bin"), token_dtype="uint8", seq_len=30, batch=1, tokens=30))
