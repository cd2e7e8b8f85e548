"""`blindrelay migrate`: the schema of a relay's database."""

from collections.abc import Callable
from pathlib import Path

import click

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.cli.stores import address_of, store_options
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.schema.history import HEAD, Step
from blindrelay.relay.store.sqlite import SqliteStore


@click.command(
    epilog="""\b
Examples:
  blindrelay migrate --store postgresql://owner@db.example/blindrelay?sslmode=verify-full
  blindrelay migrate --data-dir /var/lib/blindrelay       SQLite, before the new release starts

\b
On PostgreSQL the login owns the tables and may create roles. A relay needs neither: give it a login of its own, and
  GRANT blindrelay_relay, blindrelay_desk TO that_login;
"""
)
@home_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory of a relay on SQLite.  [default: relay/ in the home]",
)
@store_options
@JSON_OPTION
def migrate(home: Path, data_dir: Path | None, store: str | None, store_file: Path | None, as_json: bool) -> int:
    """Create the schema of a relay's database, or bring it to that of this release.

    All of it happens or nothing. A database that a newer release has written is left alone (exit code 11). What is already
    there is not done again; roles and their rights are set anew each time.

    A relay does this by itself with SQLite. With PostgreSQL it refuses to start until this has been done: stop the nodes of
    the older release first.
    """

    def told(step: Step) -> None:
        if as_json:
            emit({"revision": step.revision, "title": step.title})
        else:
            click.echo(f"  {step.revision}  {step.title}")

    address = address_of(store, store_file)
    if address is not None:
        from blindrelay.relay.store.postgres.migrate import migrate as migrate_postgres  # noqa: PLC0415 - a driver

        where = str(Address.parse(address))
        steps = migrate_postgres(Address.parse(address), told)
    else:
        folder = data_dir or relay_directory(home)
        where = str(folder)
        steps = _migrate_sqlite(folder, told)
    if as_json:
        emit({"store": where, "schema": HEAD, "steps": len(steps)})
    else:
        click.echo(f"{where}: {f'now at {HEAD}' if steps else f'nothing to do, it is at {HEAD}'}")
    return ExitCode.OK


def _migrate_sqlite(folder: Path, told: Callable[[Step], None]) -> list[Step]:
    steps: list[Step] = []

    def step(taken: Step) -> None:
        steps.append(taken)
        told(taken)

    with DataDirectory.open(folder, now=SystemClock().now()) as directory:  # no relay runs on it, and none starts
        SqliteStore.open(directory.database, told=step).close()
    return steps
