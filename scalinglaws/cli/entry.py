"""The entry point: every module of commands registered, every mistake of the user one sentence."""

from __future__ import annotations

import sys

import typer

from scalinglaws.cli import collapse, compare, optimal, schedule, theory, transfer  # noqa: F401  register their commands on `app`
from scalinglaws.cli.commands import app
from scalinglaws.errors import InputError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        typer.echo(f"scalinglaws: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        typer.echo(f"scalinglaws: {error.filename or 'file'}: {error.strerror or error}", err=True)
        sys.exit(2)
