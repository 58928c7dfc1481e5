from __future__ import annotations

import pytest

from scalinglaws.curves.columns import SPELLINGS, find_columns, normalise
from scalinglaws.errors import InputError


def found(*present, wanted=("params", "tokens", "flops", "step", "width", "loss"), given=None):
    return find_columns(present, wanted, required=(), given=given, source="t.csv")


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (("Model Size", "Training FLOP", "loss"), {"params": "Model Size", "flops": "Training FLOP", "loss": "loss"}),
        (("N", "D", "Loss"), {"params": "N", "tokens": "D", "loss": "Loss"}),
        (("P", "D", "test_loss"), {"params": "P", "width": "D", "loss": "test_loss"}),
        (("n", "tokens", "c4_loss_ma5"), {"params": "n", "tokens": "tokens", "loss": "c4_loss_ma5"}),
        (("_step", "eval/loss"), {"step": "_step", "loss": "eval/loss"}),
        (("trainer/global_step", "val bpb"), {"step": "trainer/global_step", "loss": "val bpb"}),
        (("params", "x", "y"), {"params": "params"}),
        (("iter", "val_loss", "loss_lo95", "loss_std"), {"step": "iter", "loss": "val_loss"}),
    ],
)  # fmt: skip
def test_common_spellings(present, expected):
    assert dict(found(*present).names) == expected


def test_spellings_are_normalised_and_serve_one_quantity_each():
    allowed_twice = {"d"}  # settled by the company it keeps
    seen: dict[str, str] = {}
    for quantity, spellings in SPELLINGS.items():
        for spelling in spellings:
            assert normalise(spelling) == spelling
            assert spelling in allowed_twice or spelling not in seen, (spelling, quantity, seen.get(spelling))
            seen[spelling] = quantity


@pytest.mark.parametrize(
    ("present", "chosen", "aside"),
    [
        (("train_loss", "val_loss"), "val_loss", "train_loss"),
        (("loss", "eval_loss"), "eval_loss", "loss"),
        (("val_ppl", "val_loss"), "val_loss", "val_ppl"),
        (("train_loss", "bpb"), "bpb", "train_loss"),
    ],
)
def test_the_held_out_loss_goes_first_and_the_rest_is_noted(present, chosen, aside):
    columns = found(*present)
    assert columns.names["loss"] == chosen
    assert columns.notes == (f"t.csv: loss is read from {chosen!r}; {aside!r} left aside",)


@pytest.mark.parametrize(
    "present", [("val_loss", "test_loss"), ("loss_c4_val", "loss_openlm"), ("val_loss", "c4_loss"), ("ppl", "bpb")]
)
def test_no_loss_is_chosen_among_several(present):
    with pytest.raises(InputError) as error:
        found(*present)
    message = str(error.value)
    assert all(repr(name) in message for name in present)
    assert f"columns={{'loss': {present[0]!r}}}" in message
    assert found(*present, given={"loss": present[1]}).names["loss"] == present[1]


def test_columns_named_by_the_caller():
    assert found("a", "b", given={"loss": "a"}).names == {"loss": "a"}
    assert "loss" not in found("loss", given={"loss": None}).names
    with pytest.raises(InputError, match=r"t\.csv: no column 'zz' for loss; there are 'a'"):
        found("a", given={"loss": "zz"})
    with pytest.raises(InputError, match="'colour' is not a quantity"):
        found("a", given={"colour": "a"})


def test_a_missing_column_lists_what_there_is():
    with pytest.raises(InputError, match=r"t\.csv: no column for loss among 'a', 'b'; name it with columns=\{'loss'"):
        find_columns(["a", "b"], ["loss"], required=["loss"], source="t.csv")
