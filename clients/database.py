"""SQLite as the key store uses it: one process, durable commits, errors of ours.

A commit is on stable storage when it returns (WAL with `synchronous=FULL`). The exclusive locking mode keeps a second
process out: two ratchets that advance from the same state would use a message key twice.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blindrelay.clients.errors import NotEnrolled, StoreDamaged, StoreError, StoreFailed, StoreInUse, StoreTooNew

# "BRks": tells a key store from any other SQLite file.
APPLICATION_ID = 0x42526B73
FORMAT = 1

_SCHEMA = """
CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL);
CREATE TABLE record (space INTEGER NOT NULL, row BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, row))
    WITHOUT ROWID;
CREATE TABLE processed (row BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE part (transfer BLOB NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (transfer, number));
CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, value BLOB NOT NULL);
CREATE TABLE history (sequence INTEGER PRIMARY KEY AUTOINCREMENT, conversation BLOB NOT NULL, letter BLOB NOT NULL,
    value BLOB NOT NULL);
CREATE INDEX history_by_conversation ON history (conversation, sequence);
CREATE INDEX history_by_letter ON history (letter);
"""


class Database:
    """One connection with nested transactions.

    `epoch` rises whenever something was rolled back: whoever caches what is stored drops the cache when it has changed.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._depth = 0
        self.epoch = 0

    @classmethod
    def create(cls, path: Path) -> "Database":
        """Create the file, 0600; raise `StoreFailed` when it exists or cannot be written."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise StoreFailed(f"{path} exists already: open it, or choose another place") from None
        except OSError as error:
            raise StoreFailed(f"{path} cannot be created: {error.strerror}") from None
        try:
            return cls._connected(str(path), path.name, fresh=True)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open and lock an existing file.

        Raises:
            NotEnrolled, StoreInUse, StoreDamaged, StoreTooNew, StoreFailed
        """
        if not path.is_file():
            raise NotEnrolled(f"there is no key store at {path}: enrol the device first")
        return cls._connected(str(path), path.name, fresh=False)

    @classmethod
    def in_memory(cls) -> "Database":
        """Gone when closed."""
        return cls._connected(":memory:", "in memory", fresh=True)

    @classmethod
    def _connected(cls, target: str, name: str, *, fresh: bool) -> "Database":
        connection = sqlite3.connect(target, timeout=0, isolation_level=None, check_same_thread=False)
        database = cls(connection, name)
        try:
            # The lock is taken before anything is read, and kept until the connection closes.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("BEGIN EXCLUSIVE")
            if fresh:
                _lay_out(database)
            database.execute("COMMIT")
            _check_format(database, name)
        except BaseException:
            connection.close()
            raise
        return database

    def close(self) -> None:
        """Close; what was not committed is gone. Closing twice does nothing."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run one statement; durable at once when no transaction is open."""
        try:
            return self._connection.execute(statement, values)
        except sqlite3.DatabaseError as error:
            raise _translate(error, self._name) from error

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise _translate(error, self._name) from error

    def row(self, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a query."""
        found = self.rows(statement, values)
        return found[0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. The outermost is durable on leaving; one inside another is a savepoint of it."""
        name = f"level_{self._depth}"
        begin, keep, undo = (
            (f"SAVEPOINT {name}", f"RELEASE {name}", f"ROLLBACK TO {name}")
            if self._depth
            else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        )
        self.execute(begin)
        self._depth += 1
        try:
            yield
            self.execute(keep)
        except BaseException:
            self.epoch += 1
            # After some failures (disk full) SQLite has rolled everything back by itself.
            if self._connection.in_transaction:
                self._connection.execute(undo)
            raise
        finally:
            self._depth -= 1


def _lay_out(database: Database) -> None:
    for statement in _SCHEMA.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FORMAT}")


def _check_format(database: Database, name: str) -> None:
    ((application,),) = database.rows("PRAGMA application_id")
    ((version,),) = database.rows("PRAGMA user_version")
    if application != APPLICATION_ID:
        raise StoreDamaged(f"{name} is not a key store")
    if version > FORMAT:
        raise StoreTooNew(
            f"{name} has format {version}, this program knows formats up to {FORMAT}: update blindrelay to use it"
        )


def _translate(error: sqlite3.DatabaseError, name: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreInUse(f"the key store ({name}) is in use by another process: close that one first")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreDamaged(f"the key store ({name}) is damaged, or not a key store: {error}")
    return StoreFailed(f"the key store ({name}) cannot be read or written: {error}")
