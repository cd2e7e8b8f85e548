"""What goes to the terminal: people's words to stdout, complaints to stderr, data as JSON where it was asked for."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, one object per line.")


# A file or pipe has no width of its own; this one holds our tables without folding them.
_WIDTH_OF_A_FILE = 160


def console() -> Console:
    """A console on the stdout of this moment, which a test may have replaced. Without colour where it is not a terminal."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_FILE
    return Console(highlight=False, width=width)


def complain(message: str) -> None:
    """One sentence on stderr."""
    click.echo(f"blindrelay: {printable(message)}", err=True)


def emit(record: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, written at once, so that a reader at the other end of a pipe has it."""
    click.echo(json.dumps(record, ensure_ascii=False, default=str))
    sys.stdout.flush()


def write_whole(path: Path, text: str) -> None:
    """Make `text` the file at `path`; whoever looks meanwhile, or after a failure, finds the old one or none.

    Raises `click.ClickException`: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def printable(text: str) -> str:
    """`text` without what a terminal would obey: a message from a stranger must not move the cursor or set the title."""
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def foreign(text: str, style: str = "") -> Text:
    """Text that somebody else wrote, for rich: no markup in it counts, and no control characters."""
    return Text(printable(text), style=style)
