"""At which revision a database is, and how it gets to the newest.

Alembic is loaded when there is something to do alone: a relay that starts on a database of its own release does without.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection

from blindrelay.relay.errors import NewerVersion

_FOLDER: Final = Path(__file__).parent
#: The newest revision: the last file in `versions/`.
HEAD: Final = "0006"
_TABLE: Final = "alembic_version"


@dataclass(frozen=True, slots=True)
class Step:
    """One revision that has been run."""

    revision: str
    title: str


def revision_of(connection: Connection) -> str | None:
    """The database's revision; None when it has none: it is empty, or of a release that knew no revisions."""
    if not sqlalchemy.inspect(connection).has_table(_TABLE):
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {_TABLE}").scalar()  # noqa: S608 - ours


def check(revision: str | None, name: str) -> bool:
    """Whether `revision` is the newest. Raises `NewerVersion` when it is of a newer release; `name` is the database's."""
    if revision is not None and (len(revision), revision) > (len(HEAD), HEAD):
        raise NewerVersion(
            f"{name} has schema revision {revision}, and this release of Blindrelay reads up to {HEAD}: "
            "start the newer release that wrote it"
        )
    return revision == HEAD


def stamp(connection: Connection) -> None:
    """Write down that the database is at the newest revision."""
    connection.exec_driver_sql(f"CREATE TABLE {_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.exec_driver_sql(f"INSERT INTO {_TABLE} VALUES ('{HEAD}')")  # noqa: S608 - ours


def upgrade(connection: Connection, told: Callable[[Step], None] = lambda _: None) -> list[Step]:
    """Bring the database to the newest revision, inside the transaction that is open; `told` of each step before it is taken.

    It is for the caller to commit: on PostgreSQL and SQLite alike all of it happens, or nothing.
    """
    from alembic.config import Config  # noqa: PLC0415 - see the module
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(_FOLDER, version_locations=[str(_FOLDER / "versions")])
    steps: list[Step] = []

    def plan(revision: Any, _: Any) -> Any:
        planned = script._upgrade_revs("head", revision)
        for step in planned:
            steps.append(Step(step.revision.revision, step.revision.doc))
            told(steps[-1])
        return planned

    with EnvironmentContext(Config(), script, fn=plan) as environment:
        environment.configure(connection=connection, version_table=_TABLE, transactional_ddl=False)
        environment.run_migrations()
    return steps
