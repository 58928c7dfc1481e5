"""What every mistake on the command line must look like."""

import sys

import pytest

from scalinglaws.cli import main


def check_mistake(arguments, words, monkeypatch, capsys):
    """Run the command line and expect one sentence that holds `words`, and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["scalinglaws", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.out == ""
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1
