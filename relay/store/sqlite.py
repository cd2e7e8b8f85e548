"""The embedded store: one SQLite database in WAL mode, one connection that writes, others that read.

`synchronous=FULL` makes COMMIT return only after the WAL is on stable storage (https://www.sqlite.org/pragma.html). With
`secure_delete`, what is deleted is overwritten with zeros; the WAL, which holds older pages, is emptied by `checkpoint`.

This module blocks and knows no event loop: `committer` owns the threads.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import sqlalchemy
from sqlalchemy.pool import NullPool

from blindrelay.relay.store import tables
from blindrelay.relay.store.errors import StoreFailed, StoreFull, StoreTooNew, StoreUnreadable, is_full

Write = Callable[[sqlalchemy.Connection], Any]


@dataclass(slots=True)
class Accepted:
    """One envelope on its way to stable storage. Mutable and slotted for speed; made by the exchange.

    `ring_owner`, `ring_slot` and `checksum` (CRC-32 of the payload) are its row in the ring of recent ids; `origin` is the
    exchange's own: whom to answer.
    """

    mailbox_id: int
    sequence: int
    sender_id: int | None
    message_id: bytes
    accepted_at: int
    expires_at: int | None
    payload: bytes = field(repr=False)
    ring_owner: int
    ring_slot: int
    checksum: int
    origin: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """An envelope that waits in a mailbox. Times are epoch seconds."""

    sequence: int
    message_id: bytes
    accepted_at: int
    expires_at: int | None
    payload: bytes = field(repr=False)


_ENVELOPE: Final = "INSERT INTO envelope (mailbox_id, sequence, message_id, accepted_at, expires_at, payload) VALUES (?, ?, ?, ?, ?, ?)"
_TRAFFIC: Final = "INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size) VALUES (?, ?, ?, ?, ?)"
_RECENT: Final = (
    "INSERT OR REPLACE INTO recent_id (owner, slot, message_id, recipient, size, checksum) VALUES (?, ?, ?, ?, ?, ?)"
)
_REMOVE: Final = "DELETE FROM envelope WHERE mailbox_id = ? AND sequence = ?"


class SqliteStore:
    """An open database. Use `SqliteStore.open`; call `close` when done.

    `commit` and `checkpoint` belong to one thread at a time; `reader` may be called from any.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = sqlalchemy.create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        sqlalchemy.event.listen(self._engine, "begin", _begin_immediate)
        self._readers = sqlalchemy.create_engine("sqlite://", creator=self._connect_reader, pool_size=2)
        self._connection = self._engine.connect()
        self._driver = _driver(self._connection)

    @classmethod
    def open(cls, path: Path) -> "SqliteStore":
        """Open the database at `path`, creating it (mode 0600) when there is none.

        Raises:
            StoreTooNew: a newer version of Blindrelay has written it.
            StoreUnreadable: it is damaged, not a database, or may not be read or written.
        """
        try:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            store = cls(path)
        except (OSError, sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            raise _unreadable(path, error) from error
        try:
            store._prepare()
        except (sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            store.close()
            raise _unreadable(path, error) from error
        except StoreTooNew:
            store.close()
            raise
        return store

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in (
            "secure_delete = ON",
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 0",
            "foreign_keys = ON",
            # Statement journals and sorts hold old pages: they are not to reach a file of their own.
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in ("query_only = ON", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _prepare(self) -> None:
        with self._connection.begin():
            version = self._connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > tables.SCHEMA_VERSION:
                raise StoreTooNew(
                    f"{self.path} has schema version {version}, and this version of Blindrelay reads up to "
                    f"{tables.SCHEMA_VERSION}: start the newer version that wrote it"
                )
            tables.metadata.create_all(self._connection)
            self._connection.exec_driver_sql(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")

    def commit(
        self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]], writes: Sequence[Write] = ()
    ) -> list[Any]:
        """Write all of it in one transaction; it is durable when this returns.

        Each of `writes` has a savepoint of its own. The result holds, for each, what it returned or the exception that it
        raised (its changes, and its alone, are rolled back then).

        Raises:
            StoreFull: no room; nothing of it has been written.
            StoreFailed: nobody knows whether it has been written. Do not go on.
        """
        try:
            with self._connection.begin():
                self._driver.executemany(_REMOVE, removed)
                self._insert(accepted)
                return [self._run(write) for write in writes]
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            if is_full(error):
                raise StoreFull(f"no room left for {self.path}: nothing was written") from error
            raise StoreFailed(f"writing to {self.path} failed: {error}") from error

    def _insert(self, accepted: Sequence[Accepted]) -> None:
        self._driver.executemany(
            _ENVELOPE,
            [(a.mailbox_id, a.sequence, a.message_id, a.accepted_at, a.expires_at, a.payload) for a in accepted],
        )
        self._driver.executemany(
            _TRAFFIC, [(a.message_id, a.sender_id, a.mailbox_id, a.accepted_at, len(a.payload)) for a in accepted]
        )
        self._driver.executemany(
            _RECENT,
            [(a.ring_owner, a.ring_slot, a.message_id, a.mailbox_id, len(a.payload), a.checksum) for a in accepted],
        )

    def _run(self, write: Write) -> Any:
        try:
            with self._connection.begin_nested():
                return write(self._connection)
        except Exception as error:
            if not self._driver.in_transaction:  # SQLite has rolled back all of it: disk full, I/O error
                raise
            return error

    def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """The oldest envelopes of a mailbox with a sequence above `after_sequence`.

        At most `max_count`, and no more than `max_bytes` of payload in all, except that the first always comes.
        """
        found: list[StoredEnvelope] = []
        with self.reader() as connection:
            rows = _driver(connection).execute(
                "SELECT sequence, message_id, accepted_at, expires_at, payload FROM envelope "
                "WHERE mailbox_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (mailbox_id, after_sequence, max_count),
            )
            with contextlib.closing(rows):
                for row in rows:
                    max_bytes -= len(row[4])
                    if found and max_bytes < 0:
                        break
                    found.append(StoredEnvelope(*row))
        return found

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlalchemy.Connection]:
        """A connection that reads what is committed and cannot write."""
        with self._readers.connect() as connection:
            yield connection

    def checkpoint(self) -> bool:
        """Bring the WAL into the database and empty it. False when a reader was in the way: try again later."""
        row = self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return bool(row[0] == 0)

    def close(self) -> None:
        """Close all connections; the last one brings the WAL into the database and removes it."""
        self._readers.dispose()
        self._connection.close()
        self._engine.dispose()


def _driver(connection: sqlalchemy.Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unreadable(path: Path, error: BaseException) -> StoreUnreadable:
    cause = getattr(error, "orig", error)
    return StoreUnreadable(
        f"{path} cannot be used as the relay's database: {cause}. Restore it, or choose another folder"
    )
