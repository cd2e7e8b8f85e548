"""Which database a command is about: `--store` and `--store-file`, the same wherever they are asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from blindrelay.relay.store.postgres.address import Address

STORE = "BLINDRELAY_STORE"

Command = TypeVar("Command", bound=Callable[..., Any])


def store_options(command: Command) -> Command:
    """Add `--store` and `--store-file`; `address_of` understands them."""
    command = click.option(
        "--store-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file that holds the address of the database, password and all: for whoever runs this, and nobody else.",
    )(command)
    return click.option(
        "--store",
        metavar="URL",
        envvar=STORE,
        show_envvar=True,
        help="A PostgreSQL database: postgresql://USER@HOST/DATABASE, with the parameters of libpq (sslmode, passfile ...). "
        "Its password goes into a password file (PGPASSFILE), into --store-file or into the environment, never into "
        "this line.",
    )(command)


def address_of(store: str | None, store_file: Path | None) -> str | None:
    """The address that was given, checked; None when there was none.

    Raises:
        BadConfiguration: it is not understood, or its driver is not installed.
        click.UsageError: it was given twice, or with a password where everybody can read it.
    """
    if store is not None and store_file is not None:
        raise click.UsageError("the store is named twice: with --store and with --store-file")
    if store_file is not None:
        store = store_file.read_text(encoding="utf-8").strip()
    if store is None:
        return None
    in_the_open = click.get_current_context().get_parameter_source("store") is ParameterSource.COMMANDLINE
    if Address.parse(store).has_password and in_the_open:
        raise click.UsageError(
            "everybody on this machine can read a command line, and this one has a password in it: put the address into a "
            f"file (--store-file), into the environment ({STORE}), or the password into PGPASSFILE"
        )
    return store
