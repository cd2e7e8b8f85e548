"""A reader that can see metadata and nothing else.

For whatever answers requests about metadata: SQLite itself refuses the other columns (https://www.sqlite.org/c3ref/set_authorizer.html),
so that a mistake in a query cannot reach an envelope.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy

from blindrelay.relay.inventory import disclosable_columns

# Aggregates and comparisons; nothing that loads, reads or writes files.
_FUNCTIONS: Final = frozenset({"count", "min", "max", "sum", "coalesce", "length", "total", "avg"})
_COLUMNS: Final = disclosable_columns()
_TABLES: Final = frozenset(table for table, _ in _COLUMNS)


def _authorize(action: int, first: str | None, second: str | None, schema: str | None, _trigger: str | None) -> int:
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        if not second:  # the table is named, as in count(*), and no column of it is read; the schema is as in the query
            return sqlite3.SQLITE_OK if first in _TABLES else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if schema == "main" and (first, second) in _COLUMNS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


class MetadataReader:
    """Answers SELECTs over the disclosable columns. Anything else raises `sqlalchemy.exc.DatabaseError` ("not authorized").

    There is no way from here to the connection, and so to its authorizer.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        def select(query: sqlalchemy.Select[Any] | sqlalchemy.TextClause) -> list[tuple[Any, ...]]:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(query)]

        self.select = select
        #: Whether other processes write, too.
        self.is_shared = engine.dialect.name == "postgresql"


#: Opens a reader, which is closed on leaving: what whoever answers requests about metadata is given of a store.
OpenMetadata = Callable[[], contextlib.AbstractContextManager[MetadataReader]]


@contextlib.contextmanager
def open_metadata_reader(path: Path) -> Iterator[MetadataReader]:
    """Open the database at `path` for reading metadata; closed on leaving."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
        )
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    # The dialect sets up each connection by itself (it registers functions): the authorizer comes after that.
    engine = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.StaticPool)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError("expected the driver to be sqlite3")
        driver.set_authorizer(_authorize)
    try:
        yield MetadataReader(engine)
    finally:
        engine.dispose()
