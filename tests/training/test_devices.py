"""Where and how precisely: what can be said without a GPU, and the sentence where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from scalinglaws.errors import InputError
from scalinglaws.training import Ladder, TrainConfig, plan, train, train_ladder
from scalinglaws.training.devices import Device, open_device
from scalinglaws.training.state import start

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@without_cuda
def test_a_device_that_is_not_there_is_a_sentence(tiny, tmp_path):
    config = replace(tiny, device="cuda")
    with pytest.raises(InputError, match="no CUDA device here"):
        train(config, out=tmp_path)
    with pytest.raises(InputError, match="no CUDA device here"):
        train_ladder(Ladder(name="gpu", runs=(config,)), tmp_path / "ladder", devices="cuda:0,cuda:1")
    assert not (tmp_path / "ladder").exists()


@pytest.mark.parametrize(("place", "said"), [("cuda:0", "described for cpu"), ("tpu", "must be cpu, cuda")])
def test_a_place_of_another_kind_is_a_sentence(tiny, place, said):
    with pytest.raises(InputError, match=said):
        train(tiny, device=place)


def test_the_run_is_the_same_on_any_device_of_its_kind(tiny):
    assert np.array_equal(train(tiny, device="cpu:0").loss, train(tiny).loss)


def test_bfloat16_rounds_updates_and_nothing_else(tiny):
    config = replace(tiny, parameterization="standard", measure_batches=2)
    exact, rounded = train(config), train(replace(config, precision="bfloat16"))
    assert float(rounded.loss[0]) == float(exact.loss[0])  # evaluated in float32: the initial weights are the same
    assert float(rounded.noise_trace[0]) == float(exact.noise_trace[0])
    assert not np.array_equal(rounded.loss[1:], exact.loss[1:])
    np.testing.assert_allclose(rounded.loss, exact.loss, rtol=0.01)


def test_bfloat16_reaches_the_products_and_leaves_the_weights(tiny):
    state = start(replace(tiny, precision="bfloat16"), plan(tiny))
    seen = []
    hook = state.model.blocks[0].mlp.inputs.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    batch = torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.long)
    state.loss(*batch).backward()
    state.model.loss(*batch)
    hook.remove()
    assert seen == [torch.bfloat16, torch.float32]
    assert (
        {p.dtype for p in state.model.parameters()}
        == {p.grad.dtype for p in state.model.parameters()}
        == {torch.float32}
    )
    assert state.device.dtype(state.model) == torch.bfloat16


def test_double_precision_of_the_solvable_model_is_not_lowered():
    with pytest.raises(InputError, match="precision = 'bfloat16'"):
        TrainConfig.from_dict({"task": "plrf", "width": 20, "precision": "bfloat16"})


def test_compilation_that_fails_is_a_sentence(tiny, monkeypatch):
    def refuse(function, **options):
        def compiled(*batch):
            raise RuntimeError("no C++ compiler\nlong story")

        return compiled

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(InputError, match=r"compile = True: .* on this cpu \(no C\+\+ compiler\)"):
        train(replace(tiny, compile=True))


COMPILED = """
import json, sys
from scalinglaws.training import TrainConfig, train
config = json.loads(sys.argv[1])
print(json.dumps([train({**config, "compile": c}).loss.values.tolist() for c in (False, True)]))
"""


@pytest.mark.slow
def test_compiled_run_follows_the_plain_one(tiny, tmp_path):
    import json

    values = replace(tiny, tokens=6 * 64, depth=1).to_dict()
    command = [sys.executable, "-c", COMPILED, json.dumps(values)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    )
    if "torch.compile does not work" in done.stderr:
        pytest.skip("no C++ compiler")
    plain, compiled = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(compiled, plain, rtol=1e-5)


def test_open_device_reads_the_description(tiny):
    assert open_device(replace(tiny, precision="bfloat16", compile=True)) == Device(
        torch.device("cpu"), "bfloat16", compiled=True
    )
