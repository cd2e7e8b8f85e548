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

from blindrelay.clients.errors import NotEnrolled, StoreDamaged, StoreFailed, StoreInUse, StoreTooNew

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
            with _translated(name):
                # The lock is taken before anything is read, and kept until the connection closes.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("BEGIN EXCLUSIVE")
                if fresh:
                    _lay_out(connection)
                connection.execute("COMMIT")
                _check_format(connection, name)
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
        with _translated(self._name):
            return self._connection.execute(statement, values)

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with _translated(self._name):
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a query."""
        with _translated(self._name):
            found: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
            return found

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


def _lay_out(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _check_format(connection: sqlite3.Connection, name: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreDamaged(f"{name} is not a key store")
    if version > FORMAT:
        raise StoreTooNew(
            f"{name} has format {version}, this program knows formats up to {FORMAT}: update blindrelay to use it"
        )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreInUse(f"the key store ({name}) is in use by another process: close that one first") from None
        raise StoreFailed(f"the key store ({name}) cannot be read or written: {error}") from error
    except sqlite3.DatabaseError as error:
        # NOTADB and CORRUPT arrive here.
        raise StoreDamaged(f"the key store ({name}) is damaged or not a key store: {error}") from error
