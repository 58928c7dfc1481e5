"""Files as they go wrong in practice, hundreds of them: one sentence or a correct result, and nothing else.

`pytest` runs with warnings as errors, so a warning anywhere fails these tests too.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalinglaws.curves import end_points, iter_runs, read_curves, read_table
from scalinglaws.curves.schema import validate
from scalinglaws.errors import InputError
from tests.curves import samples

TABLE = "N,D,C,val_loss\n1e6,2e7,1.2e14,3.5\n2e6,4e7,4.8e14,3.1\n4e6,8e7,1.92e15,2.9\n"
CELLS = (
    "",
    "nan",
    "inf",
    "-1",
    "0",
    "1e308",
    "1e999",
    "-1e300",
    "99999999999999999999",
    "x",
    "1,5",
    "NA",
    '"',
    "\x07",
    "é",
)


@dataclass(frozen=True)
class Sample:
    name: str
    content: bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("malformed")


@pytest.fixture(scope="module")
def valid(folder):
    samples.family_file(folder / "whole.nc")
    (folder / "long.csv").write_text(samples.long_csv())
    pd.read_csv(folder / "long.csv").to_parquet(folder / "whole.parquet")
    texts = {
        "long.csv": samples.long_csv(),
        "long.tsv": samples.long_csv("\t"),
        "chart.csv": samples.wandb_csv(),
        "trainer_state.json": samples.trainer_state(),
        "log.json": samples.training_log(),
        "table.csv": TABLE,
    }
    files = {name: text.encode() for name, text in texts.items()}
    files["long.csv.gz"] = gzip.compress(files["long.csv"], mtime=0)
    files["whole.nc"] = (folder / "whole.nc").read_bytes()
    files["whole.parquet"] = (folder / "whole.parquet").read_bytes()
    return [Sample(name, content) for name, content in files.items()]


# Each damage takes the bytes of a file and a source of chance. Those on lines make sense for text only.
Damage = Callable[[bytes, random.Random], bytes]


def truncate(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def flip_bytes(raw: bytes, chance: random.Random) -> bytes:
    out = bytearray(raw)
    for _ in range(chance.choice([1, 3, 30]) if out else 0):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def insert_noise(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.randbytes(chance.randrange(1, 40)) + raw[at:]


def binary(raw: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(200))


def byte_order_mark(raw: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]) + raw


def other_encoding(raw: bytes, chance: random.Random) -> bytes:
    text = raw.decode("utf-8", errors="replace").replace("small", "größe")
    return text.encode(chance.choice(["utf-16", "utf-16-le", "latin-1", "utf-8"]), errors="replace")


def garbage_cell(raw: bytes, chance: random.Random) -> bytes:
    lines = [line.split(b",") for line in raw.split(b"\n")]
    line = chance.choice(lines)
    line[chance.randrange(len(line))] = chance.choice(CELLS).encode()
    return b"\n".join(b",".join(line) for line in lines)


def huge_numbers(raw: bytes, chance: random.Random) -> bytes:
    digits = [i for i, c in enumerate(raw) if chr(c).isdigit()]
    at = chance.choice(digits) if digits else 0
    return raw[:at] + chance.choice([b"9" * 30, b"1e300", b"9" * 400, b"-"]) + raw[at:]


def no_header(raw: bytes, chance: random.Random) -> bytes:
    return raw.partition(b"\n")[2]


def header_only(raw: bytes, chance: random.Random) -> bytes:
    return raw.partition(b"\n")[0] + chance.choice([b"", b"\n"])


def header_again(raw: bytes, chance: random.Random) -> bytes:
    return raw + raw


def change_rows(raw: bytes, chance: random.Random) -> bytes:
    head, *rows = raw.rstrip(b"\n").split(b"\n")
    rows += chance.choices(rows, k=chance.randrange(4)) if rows else []
    chance.shuffle(rows)
    return b"\n".join([head, *rows])


def swap_columns(raw: bytes, chance: random.Random) -> bytes:
    lines = [line.split(b",") for line in raw.split(b"\n")]
    a, b = chance.randrange(6), chance.randrange(6)
    for line in lines[chance.randrange(2) :]:  # with the header or without it
        if len(line) > max(a, b):
            line[a], line[b] = line[b], line[a]
    return b"\n".join(b",".join(line) for line in lines)


def mixed_separators(raw: bytes, chance: random.Random) -> bytes:
    return b"\n".join(line.replace(b",", chance.choice([b",", b";", b"\t", b", ", b",,"])) for line in raw.split(b"\n"))


def drop_a_word(raw: bytes, chance: random.Random) -> bytes:
    word = chance.choice([b"step", b"loss", b"Step", b"run", b"iter", b"log_history", b"config", b"N", b"D"])
    return raw.replace(word, b"q", chance.choice([1, -1]))


def null_values(raw: bytes, chance: random.Random) -> bytes:
    old, new = chance.choice([(b": [", b": {"), (b"1", b"null"), (b"4", b"NaN"), (b'"', b"'"), (b"3.", b"-3.")])
    return raw.replace(old, new, chance.choice([1, 3, -1]))


DAMAGES: tuple[Damage, ...] = (
    truncate, flip_bytes, insert_noise, binary, byte_order_mark, other_encoding, garbage_cell, huge_numbers,
    no_header, header_only, header_again, change_rows, swap_columns, mixed_separators, drop_a_word, null_values,
)  # fmt: skip


def check_sentence(error: InputError, name: str) -> None:
    message = str(error)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert 10 < len(message) < 900
    assert name in message, message


def check_family(ds) -> None:
    validate(ds)
    assert isinstance(json.loads(ds.attrs.get("notes", "[]")), list)
    for run in iter_runs(ds):  # a Run checks its own shapes
        assert np.isfinite(run.loss).all()
        assert (run.loss > 0).all()
        assert (np.diff(run.step) > 0).all()
        assert run.step[0] >= 0
        assert run.name
    try:
        table = end_points(ds)
    except InputError as error:
        check_sentence(error, ": ")
    else:
        check_table(table)


def check_table(table) -> None:
    for name in ("params", "tokens", "flops", "loss"):
        assert np.isfinite(table[name].values).all()
        assert (table[name].values > 0).all()


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    which=st.integers(0, 8),
    damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=2),
    seed=st.integers(0, 2**32),
)
def test_damaged_files_give_a_sentence_or_a_family(valid, folder, which, damages, seed):
    sample = valid[which]
    content, chance = sample.content, random.Random(seed)
    for damage in damages:
        content = damage(content, chance)
    path = folder / sample.name
    path.write_bytes(content)
    for read, check in ((read_curves, check_family), (read_table, check_table)):
        if read is read_table and sample.name.endswith((".json", ".nc")):
            continue
        try:
            result = read(path)
        except InputError as error:
            check_sentence(error, sample.name)
        else:
            check(result)


# Changes that do not change what a table says: the result must be the same, whatever the reader.
def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def blank_lines(text: str) -> str:
    return "\n\n" + text.replace("\n", "\n\n")


def reverse_rows(text: str) -> str:
    head, *rows = text.strip().split("\n")
    return "\n".join([head, *reversed(rows)])


def twice(text: str) -> str:
    head, *rows = text.strip().split("\n")
    return "\n".join([head, *rows, *rows])


def reverse_columns(text: str) -> str:
    return "\n".join(",".join(reversed(line.split(","))) for line in text.strip().split("\n"))


def spaced(text: str) -> str:
    return text.replace(",", " , ")


def with_index(text: str) -> str:
    return "\n".join(f"{i - 1 if i else ''},{line}" for i, line in enumerate(text.strip().split("\n")))


@pytest.mark.parametrize("change", [crlf, blank_lines, reverse_rows, twice, reverse_columns, spaced, with_index])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [samples.long_csv(), samples.wandb_csv().replace('"', "")], ids=["long", "wandb"])
def test_harmless_changes_do_not_change_the_curves(tmp_path, change, encoding, text):
    path = tmp_path / "r.csv"
    path.write_bytes(change(text).encode(encoding))
    runs = {run.name: run for run in iter_runs(read_curves(path))}
    assert set(runs) == set(samples.RUNS)
    for name, run in runs.items():
        assert run.step.tolist() == list(samples.STEPS)
        assert run.loss.tolist() == [samples.loss_at(name, s) for s in samples.STEPS]
