"""The embedded store: one SQLite database in WAL mode, one connection that writes, others that read.

`synchronous=FULL` makes COMMIT return only after the WAL is on stable storage (https://www.sqlite.org/pragma.html). With
`secure_delete` and the layout of `layout`, what is removed is overwritten with zeros; the WAL, which holds older pages, is
emptied by `checkpoint`.

This module blocks and knows no event loop: `committer` owns the threads.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import sqlalchemy

from blindrelay.relay.errors import NewerVersion, StoreFailed, StoreFull, Unreadable
from blindrelay.relay.store import layout, statement, tables
from blindrelay.relay.store.entries import Accepted, Committed, Outcome, StoredEnvelope, Write
from blindrelay.relay.store.errors import is_damage, is_full
from blindrelay.relay.store.metadata import MetadataReader, open_metadata_reader
from blindrelay.relay.store.reserve import RESERVE_BYTES, Reserve
from blindrelay.relay.store.schema import history

T = TypeVar("T")

__all__ = ["MAX_WAL_BYTES", "Accepted", "Committed", "SqliteStore", "StoredEnvelope", "Write"]

# Beyond this the WAL is emptied between two commits: 3,000 messages of 1 KB, a pause of some 7 ms. It bounds recovery after
# a crash as well.
MAX_WAL_BYTES = 8 * 1_048_576

# A larger database is not written anew: for a million records (40 MB) it took 0.4 s, and as much memory as they have bytes.
_MAX_SCRUBBED: Final = 256 * 2**20

# Nobody else writes here, but an operator's backup may hold a lock for a moment. Milliseconds.
_LOCK_PATIENCE: Final = 5_000

_WRITER: Final = (
    f"page_size = {layout.PAGE_BYTES}",
    "secure_delete = ON",
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 0",
    "foreign_keys = ON",
    # Statement journals and sorts hold pages with envelopes: they are not to reach files of their own.
    "temp_store = MEMORY",
    "cache_size = -32000",
)
# The schema's revision is in a table; releases that do not look there refuse a database that has more than 3 here.
_USER_VERSION: Final = 4

_READER: Final = ("query_only = ON", "temp_store = MEMORY")

# Looked through when the database is opened. The others may be large (five million traffic records took 2 s), and the relay
# can begin without having read them.
_CHECKED: Final = (tables.tenant, tables.device, tables.prekey, tables.revocation, tables.session)

_FETCH: Final = (
    "SELECT sequence, message_id, accepted_at, expires_at, substr(payload, 1, size) FROM envelope "
    "WHERE mailbox_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
)


class SqliteStore:
    """An open database. Use `SqliteStore.open`; call `close` when done.

    `commit`, `checkpoint`, `scrub` and `tidy` belong to one thread at a time; `fetch` and `reader` may be called from any.
    """

    def __init__(self, path: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._reserve = Reserve(path.with_name(f"{path.name}-reserve"), reserve_bytes)
        self._deferred: list[tuple[int, int]] = []  # removals for which there was no room
        self._engine = sqlalchemy.create_engine("sqlite://", creator=self._connect, poolclass=sqlalchemy.NullPool)
        sqlalchemy.event.listen(self._engine, "begin", _begin_immediate)
        self._readers = sqlalchemy.create_engine("sqlite://", creator=self._connect_reader, pool_size=2)
        self._connection = self._engine.connect()
        self._driver = _driver(self._connection)

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    @classmethod
    def open(
        cls, path: Path, *, reserve_bytes: int = RESERVE_BYTES, told: Callable[[history.Step], None] = lambda _: None
    ) -> "SqliteStore":
        """Open the database at `path`, creating it (mode 0600) when there is none.

        `reserve_bytes` is how much room is kept for a full disk; `told` of each step that brings an older database up.

        Raises:
            NewerVersion: a newer version of Blindrelay has written it.
            Unreadable: it is damaged, not a database, or may not be read or written.
        """
        try:
            with contextlib.suppress(FileExistsError):
                # SQLite gives its -wal and -shm the mode of the database (unix_sqlite: findCreateFileMode).
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            store = cls(path, reserve_bytes)
        except (OSError, sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            raise _unreadable(path, error) from error
        try:
            store._prepare(told)
        except (OSError, sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            store.close()
            raise _unreadable(path, error) from error
        except NewerVersion:
            store.close()
            raise
        return store

    def _connect(self) -> sqlite3.Connection:
        return _connect(self.path, _WRITER)

    def _connect_reader(self) -> sqlite3.Connection:
        return _connect(self.path, _READER)

    def _prepare(self, told: Callable[[history.Step], None]) -> None:
        with self._connection.begin():
            self._upgrade(self._connection, told)
        for table in _CHECKED:
            problem = self._driver.execute(f"PRAGMA quick_check({table.name})").fetchone()[0]
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
        for sql in statement.SETUP:
            self._driver.execute(sql)
        self._reserve.take()

    def _upgrade(self, connection: sqlalchemy.Connection, told: Callable[[history.Step], None]) -> None:
        revision = history.revision_of(connection)
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > _USER_VERSION:
            raise NewerVersion(
                f"{self.path} has schema version {version}, and this release of Blindrelay reads up to {_USER_VERSION}: "
                "start the newer release that wrote it"
            )
        if revision is None and not version:
            told(history.Step(history.HEAD, "The schema of this release, in one piece."))
            tables.metadata.create_all(connection)
            history.stamp(connection)
        elif not history.check(revision, self.name):
            history.upgrade(connection, told)
        connection.exec_driver_sql(f"PRAGMA user_version = {_USER_VERSION}")

    def commit(
        self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]], writes: Sequence[Write] = ()
    ) -> Committed:
        """Write all of it in one transaction; it is durable when this returns. `statement.MAX_ROWS` of each at most.

        Each of `writes` has a savepoint of its own, so that its failure is its own. On a full disk the envelopes are refused,
        while removals and `writes` are still tried: a device can be revoked on a full disk.

        Raises:
            StoreFailed: nobody knows what has been written. Do not go on.
        """
        try:
            if self._reserve.held or self._reserve.take():
                try:
                    return Committed(Outcome.COMMITTED, self._transaction(accepted, removed, writes))
                except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
                    if not is_full(error):
                        raise
                    self._reserve.give_up()
            outcome = Outcome.STORE_FULL if accepted else Outcome.COMMITTED
            return Committed(outcome, self._without_room(removed, writes))
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise StoreFailed(f"writing to {self.path} failed: {_cause(error)}") from error

    def _transaction(
        self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]], writes: Sequence[Write]
    ) -> list[Any]:
        if not writes:
            self._driver.execute(*statement.statement(accepted, removed))
            return []
        with self._connection.begin():
            if accepted or removed:
                self._driver.execute(*statement.statement(accepted, removed))
            return [self._run(write) for write in writes]

    def _run(self, write: Write) -> Any:
        self._driver.execute("SAVEPOINT one_write")
        try:
            result = write(self._connection)
        except Exception as error:
            # On a full disk or an I/O error SQLite may have rolled back everything: then it is everybody's error.
            if is_full(error) or not self._driver.in_transaction:
                raise
            self._driver.execute("ROLLBACK TO one_write")
            result = error
        self._driver.execute("RELEASE one_write")
        return result

    def _without_room(self, removed: Sequence[tuple[int, int]], writes: Sequence[Write]) -> list[Any]:
        self._deferred += removed
        self._remove_deferred()
        if not writes:
            return []
        try:
            return self._transaction((), (), writes)
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            if not is_full(error):
                raise
            return [StoreFull("the relay's disk is full: nothing was written")] * len(writes)

    def _remove_deferred(self) -> None:
        # A few at a time and each brought into the database: overwriting a large envelope takes as much WAL as it has bytes.
        while self._deferred:
            try:
                self._transaction((), self._deferred[:8], ())
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                return
            del self._deferred[:8]
            self._checkpoint()

    def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """See `engine.Store.fetch`."""

        def page(connection: sqlalchemy.Connection) -> list[StoredEnvelope]:
            found: list[StoredEnvelope] = []
            left = max_bytes
            asked = _driver(connection).execute(_FETCH, (mailbox_id, after_sequence, max_count))
            with contextlib.closing(asked) as rows:
                for row in rows:
                    envelope = StoredEnvelope(*row)
                    left -= len(envelope.payload)
                    if found and left < 0:
                        break
                    found.append(envelope)
            return found

        return self.read(page)

    def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> list[list[StoredEnvelope]]:
        """See `engine.Store.fetch_many`."""
        return [self.fetch(*each) for each in wanted]

    def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """See `engine.Store.read`. Whatever `query` raises is raised here, but for what says that the file is damaged."""
        try:
            with self.reader() as connection:
                return query(connection)
        except Exception as error:
            if not is_damage(error):
                raise
            raise StoreFailed(f"reading {self.path} failed: {error}") from error

    def metadata_reader(self) -> contextlib.AbstractContextManager[MetadataReader]:
        """See `engine.Store.metadata_reader`."""
        return open_metadata_reader(self.path)

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlalchemy.Connection]:
        """A connection that reads what is committed and cannot write. Keep it short: it holds up `checkpoint`."""
        with self._readers.connect() as connection:
            yield connection

    @property
    def files(self) -> dict[str, Path]:
        """See `engine.Store.files`."""
        return {"database": self.path, "wal": self._wal}

    @property
    def wal_bytes(self) -> int:
        """How long the WAL is: what has been written since the last checkpoint."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> bool:
        """Bring the WAL into the database and empty it: then nothing that was removed is left in either.

        False when a reader was in the way or the disk is full: try again later.

        Raises:
            StoreFailed: an I/O error.
        """
        try:
            return self._checkpoint()
        except sqlite3.Error as error:
            raise StoreFailed(f"writing to {self.path} failed: {_cause(error)}") from error

    def _checkpoint(self) -> bool:
        # A reader that is in the way is not waited for: the commits behind us would wait with us.
        self._driver.execute("PRAGMA busy_timeout = 0")
        try:
            return bool(self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        except sqlite3.Error as error:
            if is_full(error) or getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return False
            raise
        finally:
            self._driver.execute(f"PRAGMA busy_timeout = {_LOCK_PATIENCE}")

    def scrub(self) -> None:
        """Write every page anew, unless there is too much of it or no room; the next deletion will have it done then.

        A record is a row among others in a page. Rows move when pages are split and merged, and a copy that one has left behind
        is not overwritten when the row is deleted (see `layout`). Only a page that is written anew is known to hold none.

        Raises:
            StoreFailed: an I/O error.
        """
        size = self.path.stat().st_size + self.wal_bytes
        # All of it goes through the WAL.
        if size > _MAX_SCRUBBED or shutil.disk_usage(self.path.parent).free < 2 * size + MAX_WAL_BYTES:
            return
        try:
            self._driver.execute("VACUUM")
        except sqlite3.Error as error:
            if not is_full(error):
                raise StoreFailed(f"writing to {self.path} failed: {_cause(error)}") from error

    def tidy(self) -> bool:
        """What there is to do when nothing else is: late removals, the reserve, a checkpoint. Whether all is done.

        Raises:
            StoreFailed: an I/O error.
        """
        try:
            self._remove_deferred()
            emptied = self._checkpoint()
        except sqlite3.Error as error:
            raise StoreFailed(f"writing to {self.path} failed: {_cause(error)}") from error
        return emptied and not self._deferred and (self._reserve.held or self._reserve.take())

    def close(self) -> None:
        """Close all connections; the last one brings the WAL into the database and removes it."""
        self._readers.dispose()
        self._connection.close()
        self._engine.dispose()
        self._reserve.give_up()


def _connect(path: Path, pragmas: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCK_PATIENCE / 1000)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _driver(connection: sqlalchemy.Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _cause(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _unreadable(path: Path, error: BaseException) -> Unreadable:
    return Unreadable(
        f"{path} cannot be used as the relay's database ({_cause(error)}): restore it from a backup, or give another folder"
    )
