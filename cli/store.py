"""`blindrelay store`: a relay's state moves from SQLite to PostgreSQL."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from blindrelay.cli.bars import bar_of_items
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.cli.stores import address_of, store_options
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import config
from blindrelay.relay.backup.taking import check_free
from blindrelay.relay.store.postgres.address import Address

if TYPE_CHECKING:
    from blindrelay.relay.copying import Report

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory of the relay on SQLite, which does not run.  [default: relay/ in the home]",
)


@click.group(cls=OrderedGroup)
def store() -> None:
    """Move a relay's state from SQLite to PostgreSQL.

    See docs/how-to/move-to-postgresql.md.
    """


@store.command(
    name="copy",
    epilog="""\b
Examples:
  blindrelay migrate --store postgresql://owner@db.example/blindrelay?sslmode=verify-full
  blindrelay store copy --store postgresql://owner@db.example/blindrelay?sslmode=verify-full
  blindrelay up --store postgresql://relay@db.example/blindrelay?sslmode=verify-full
  blindrelay store copy --store ... --identity-dir identity        for several nodes: what they have in common

\b
What is copied: tenants, devices, statements, prekeys, revocations, sessions, envelopes that wait, recent ids, traffic and
connections, notices, suspensions, preservation orders, the log of the directory with its checkpoint. Numbers go on where they
were. What is beside the database in the data directory stays there; the command says what has to go along.
""",
)
@home_option
@_data_dir
@store_options
@click.option(
    "--identity-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make what several nodes have in common there, out of what this relay is known by.",
)
@JSON_OPTION
def copy_(
    home: Path,
    data_dir: Path | None,
    store: str | None,
    store_file: Path | None,
    identity_dir: Path | None,
    as_json: bool,
) -> int:
    """Copy everything that a relay on SQLite has stored to an empty PostgreSQL database, and compare both.

    The relay does not run meanwhile. The database has this release's schema (`blindrelay migrate`) and nothing in it, and is
    given as the login that owns it. It all happens in one transaction, which is committed when every row has been read back
    and is what was read: an interruption, whatever it is, leaves the database empty and the data directory as it was.

    Afterwards the relay does not start on SQLite any more: what is there is older.
    """
    from blindrelay.relay import copying  # noqa: PLC0415 - a driver
    from blindrelay.relay.copying.beside import make_identity  # noqa: PLC0415 - as above

    data, address = _both(home, data_dir, store, store_file)
    if identity_dir is not None:
        check_free(identity_dir)
    with bar_of_items("copying") as copied, bar_of_items("comparing") as compared:
        report = copying.copy(data, address, SystemClock(), copying=copied, comparing=compared)
    if identity_dir is not None:
        make_identity(data, identity_dir, SystemClock())
    _tell(report, data, address, "copied and compared", as_json=as_json)
    return ExitCode.OK


@store.command(
    epilog="""\b
Examples:
  blindrelay store verify --store postgresql://owner@db.example/blindrelay?sslmode=verify-full
"""
)
@home_option
@_data_dir
@store_options
@JSON_OPTION
def verify(home: Path, data_dir: Path | None, store: str | None, store_file: Path | None, as_json: bool) -> int:
    """Compare a relay's SQLite database with what was copied, row by row, once more.

    Before a relay has run on the copy: from then on it differs.
    """
    from blindrelay.relay import copying  # noqa: PLC0415 - a driver

    data, address = _both(home, data_dir, store, store_file)
    with bar_of_items("comparing") as compared:
        report = copying.verify(data, address, comparing=compared)
    _tell(report, data, address, "compared", as_json=as_json)
    return ExitCode.OK


def _both(home: Path, data_dir: Path | None, store: str | None, store_file: Path | None) -> tuple[Path, Address]:
    data = data_dir or relay_directory(home)
    if config.load(data).store is not None:
        raise click.UsageError(f"the relay in {data} keeps its state in PostgreSQL already, by its configuration")
    address = address_of(store, store_file)
    if address is None:
        raise click.UsageError("say where to: --store postgresql://OWNER@HOST/DATABASE, or --store-file")
    return data, Address.parse(address)


def _tell(report: "Report", data: Path, address: Address, done: str, *, as_json: bool) -> None:
    if as_json:
        emit({"from": data.absolute(), "to": str(address), "rows": report.rows, **asdict(report)})
        return
    out = console()
    for table in report.tables:
        out.print(f"  {table.name:<18} {table.rows:>12,} rows   {table.sha256[:16]}")
    if report.log is not None:
        out.print(f"  log {report.log.name:<14} {report.log.entries:>12,} entries {report.log.root[:16]}")
    click.echo(f"\n{data} -> {address}: {report.rows:,} rows {done}")
    click.echo("\nWhat is beside the database in the data directory:")
    for item in report.beside:
        click.echo(f"  {item.what}\n      {item.advice}")
    click.echo(f"\nStart it with: blindrelay up --data-dir {data} --store postgresql://RELAY@HOST/DATABASE")
