"""`blindrelay inventory`: every datum that exists outside the ciphertext, printed from the registry."""

from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click
from rich import box
from rich.table import Table

from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.relay import config
from blindrelay.relay.config import Retention
from blindrelay.relay.inventory import chart, rows

_STYLES = {"kept": "bold", "seen": "", "absent": "dim", "yes": "bold red", "no": "green"}


@click.command(
    epilog="""\b
Examples:
  blindrelay inventory                         one page, for lawyers, too
  blindrelay inventory --all                   every field: its purpose, how exact it is, where it is
  blindrelay inventory --json | jq .           the same for programs
  blindrelay inventory --config relay.toml     with the retention windows of that configuration
"""
)
@click.option("--all", "everything", is_flag=True, help="Every field, log keys and record numbers included.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Take the retention windows from a relay's configuration; otherwise the defaults.",
)
@JSON_OPTION
def inventory(everything: bool, config_file: Path | None, as_json: bool) -> None:
    """Print everything that a relay sees and keeps about people, for how long, and what a lawful request can get.

    There is nothing else: a database column, log key or metric label that is not on this list fails the tests.

    \b
    kept      is written down
    seen      passes through the relay's memory and is not written down
    absent    does not exist in this posture
    """
    retention = config.load(None, config_file).retention if config_file else Retention()
    if as_json:
        for row in rows(retention):
            emit(asdict(row))
    elif everything:
        _print_everything(retention)
    else:
        _print_chart(retention)


def _print_chart(retention: Retention) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="What a Blindrelay relay knows", title_style="bold", padding=(0, 1, 0, 0))
    for heading in ("class", "datum", "standard", "sealed", "kept for", "disclosable"):
        table.add_column(heading, no_wrap=heading in {"class", "standard", "sealed", "disclosable"})
    for data_class, found in groupby(chart(retention), key=lambda row: row.data_class):
        for number, row in enumerate(found):
            table.add_row(
                "" if number else data_class,
                row.field,
                _styled(row.standard),
                _styled(row.sealed),
                row.retention if "kept" in (row.standard, row.sealed) else "-",
                _styled(row.disclosable),
            )
        table.add_section()
    output = console()
    output.print(table)
    output.print(
        "What people write is in none of these: it exists on their devices, and sealed in the envelope that waits.\n"
        "[dim]standard: the sender shows its certificate. sealed: it shows a delivery token of the recipient's.[/dim]"
    )


def _print_everything(retention: Retention) -> None:
    output = console()
    for record, found in groupby(rows(retention), key=lambda row: row.record):
        table = Table(box=box.SIMPLE_HEAD, title=record, title_style="bold", title_justify="left", padding=(0, 1, 0, 0))
        for heading in (
            "field",
            "where",
            "class",
            "purpose",
            "how exact",
            "kept for",
            "standard",
            "sealed",
            "disclosable",
        ):
            table.add_column(heading, no_wrap=heading in {"standard", "sealed", "disclosable"}, overflow="fold")
        for row in found:
            table.add_row(
                *(row.field, row.where, row.data_class, row.purpose, row.granularity, row.retention),
                *(_styled(word) for word in (row.standard, row.sealed, row.disclosable)),
            )
        output.print(table)


def _styled(word: str) -> str:
    style = _STYLES.get(word, "")
    return f"[{style}]{word}[/]" if style else word
