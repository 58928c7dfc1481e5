from __future__ import annotations

import subprocess
import sys

import pytest

from scalinglaws.errors import InputError
from scalinglaws.training import TrainConfig, plan


def test_round_trip_through_plain_values():
    config = TrainConfig(width=48, schedule="wsd", schedule_options='{"decay": 0.3}', tokens=10_000, qk_norm=True)
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_a_description_from_before_an_option_existed_is_the_same_run():
    newer = {"measure_every", "microbatch", "device", "precision", "compile"}
    values = {key: value for key, value in TrainConfig(width=32).to_dict().items() if key not in newer}
    assert TrainConfig.from_dict(values) == TrainConfig(width=32)


def test_one_dial_sets_the_rest():
    small, large = (plan(TrainConfig(width=w, tokens_per_param=1.0)) for w in (32, 64))
    assert (small.shape.heads, large.shape.heads) == (2, 4)
    assert (small.shape.mlp_width, large.shape.mlp_width) == (128, 256)
    for p in (small, large):
        counted = p.params["attention"] + p.params["mlp"] + p.params["head"]
        assert abs(p.tokens - counted) <= 4 * 128 / 2  # rounded to whole updates


def test_toml(tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text('width = 32\npeak_lr = 0.01\nschedule = "wsd"\nschedule_options = { decay = 0.5 }\n')
    config = TrainConfig.coerce(path)
    assert (config.name, config.width, config.schedule_for(10)(9)) == ("wide", 32, pytest.approx(0.01 / 4.5))


WRONG = [
    ({"width": 50}, "multiple of head_dim"),
    ({"width": 0}, "at least 1"),
    ({"width": 32.0}, "an integer"),
    ({"width": True}, "an integer"),
    ({"width": "32"}, "an integer"),
    ({"qk_norm": 1}, "true or false"),
    ({"name": 3}, "text"),
    ({"name": "a/b"}, "file name"),
    ({"name": ""}, "file name"),
    ({"name": "a\0b"}, "file name"),
    ({"name": ".hidden"}, "dot"),
    ({"head_dim": 3, "width": 3}, "even"),
    ({"positions": "sinusoidal"}, "rotary or learned"),
    ({"parameterization": "ntk"}, "mup or standard"),
    ({"token_dtype": "int64"}, "uint8 or uint16"),
    ({"schedule": "exp"}, "one of"),
    ({"schedule_options": "["}, "JSON object"),
    ({"schedule_options": "[1]"}, "JSON object"),
    ({"schedule_options": {"decay": 0.2}}, "not what a linear schedule takes"),
    ({"peak_lr": float("nan")}, "positive and finite"),
    ({"peak_lr": -0.1}, "positive and finite"),
    ({"peak_lr": "fast"}, "a number"),
    ({"warmup": 1.0}, "[0, 1)"),
    ({"floor": -0.1}, "[0, 1)"),
    ({"beta2": 1.0}, "[0, 1)"),
    ({"eps": 0.0}, "positive and finite"),
    ({"clip": float("inf")}, "positive and finite"),
    ({"weight_decay": float("inf")}, "finite and >= 0"),
    ({"tokens": 0}, "at least 1"),
    ({"tokens_per_param": 0.0}, "positive and finite"),
    ({"seed": -1}, "at least 0"),
    ({"eval_log": -1}, "at least 0"),
    ({"threads": 0}, "at least 1"),
    ({"microbatch": 0}, "at least 1"),
    ({"microbatch": 3}, "must divide batch = 4"),
    ({"measure_every": 0}, "at least 1"),
    ({"device": "cuda:1"}, "cpu or cuda"),
    ({"precision": "float16"}, "float32 or bfloat16"),
    ({"compile": 1}, "true or false"),
    ({"depht": 3}, "not known"),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=[str(values) for values, _ in WRONG])
def test_wrong_values_get_a_sentence(values, said):
    with pytest.raises(InputError) as error:
        TrainConfig.from_dict(values)
    assert said in str(error.value)
    assert next(iter(values)).removeprefix("schedule_") in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_toml(tmp_path):
    (tmp_path / "bad.toml").write_text("width = ")
    with pytest.raises(InputError, match="is not TOML"):
        TrainConfig.coerce(tmp_path / "bad.toml")
    with pytest.raises(InputError, match="cannot be read"):
        TrainConfig.coerce(tmp_path / "absent.toml")


def test_descriptions_do_not_import_torch():
    code = (
        "import sys, scalinglaws.training as t; t.plan(t.TrainConfig(tokens=4096)); t.demo_ladder(); t.train_ladder; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_horizon_grows_as_a_power_of_size():
    """tokens_per_param * N at the base width, N**exponent from there, N without the input embedding."""
    non_embedding = {w: 12 * 3 * w**2 + 256 * w for w in (32, 64, 128)}
    for exponent in (0.5, 0.82, 1.0):
        for width, n in non_embedding.items():
            config = TrainConfig(width=width, tokens_per_param=4.0, horizon_exponent=exponent)
            wanted = 4.0 * non_embedding[64] * (n / non_embedding[64]) ** exponent
            assert plan(config).tokens == 512 * round(wanted / 512)


def test_horizon_exponent_is_checked():
    with pytest.raises(InputError, match=r"horizon_exponent = -1: must lie in \[0, 4\]"):
        TrainConfig(horizon_exponent=-1)
