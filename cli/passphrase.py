"""Passphrases: from a file, from the environment, or asked for. Never on the command line, where everybody can see them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

VARIABLE = "BLINDRELAY_PASSPHRASE"
#: Where a tenant's command and a new device's passphrase meet, the device's has a variable of its own.
DEVICE_VARIABLE = "BLINDRELAY_DEVICE_PASSPHRASE"
_MAX_FILE = 4_096

Command = TypeVar("Command", bound=Callable[..., Any])


def passphrase_option(command: Command) -> Command:
    """Add `--passphrase-file`."""
    return click.option(
        "--passphrase-file",
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path, allow_dash=True),
        help=f"A file whose first line is the passphrase (- is stdin); else {VARIABLE}, else it is asked for.",
    )(command)


def new_passphrase_options(command: Command) -> Command:
    """Add `--passphrase-file` and `--ask-passphrase`, for commands that make a key."""
    asked = click.option("--ask-passphrase", is_flag=True, help="Ask for a passphrase to encrypt the key with.")(
        command
    )
    return passphrase_option(asked)


def given(file: Path | None, variable: str = VARIABLE) -> str | None:
    """The passphrase of the file, or of the environment's `variable`, if there is one.

    Raises:
        click.UsageError: the file has an empty first line or is not text.
    """
    if file is None:
        return os.environ.get(variable)
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            passphrase: str = lines.readline(_MAX_FILE).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} is not a text file: expected a passphrase in its first line") from error
    if not passphrase:
        raise click.UsageError(f"{file} begins with an empty line: expected a passphrase there")
    return passphrase


def new(file: Path | None, *, ask: bool, variable: str = VARIABLE) -> str | None:
    """The passphrase for a new key; None when there is to be none."""
    if (passphrase := given(file, variable)) is not None or not ask:
        return passphrase
    answer: str = click.prompt("New passphrase", hide_input=True, confirmation_prompt="Once more", err=True)
    return answer


def existing(file: Path | None, what: str) -> str:
    """The passphrase of a key that has one; asked for at a terminal.

    Raises:
        click.UsageError: nobody can be asked.
    """
    if (passphrase := given(file)) is not None:
        return passphrase
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what} has a passphrase: give it with --passphrase-file or in {VARIABLE}")
    answer: str = click.prompt(f"Passphrase of {what}", hide_input=True, err=True)
    return answer
