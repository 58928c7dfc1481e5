"""What a fresh interpreter loads, and what the small tools at the bottom promise."""

import json
import subprocess
import sys

import pytest

import scalinglaws
from scalinglaws._files import atomic_path, write_text

HEAVY = ("numba", "sympy", "torch", "matplotlib", "pandas", "scipy", "xarray", "rich")


@pytest.mark.parametrize(
    "code",
    [
        "import scalinglaws",
        "import sys; sys.argv = ['scalinglaws', '--help']\nfrom scalinglaws.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass",
    ],
)
def test_starting_up_loads_nothing_heavy(code):
    probe = f"{code}\nimport sys, json; print('@' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert json.loads(out.split("@")[-1]) == []


def test_every_public_name_can_be_used():
    assert len(scalinglaws.__all__) >= 2
    for name in scalinglaws.__all__:
        assert getattr(scalinglaws, name) is not None


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "result.txt"
    write_text(target, "old")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]
