"""PostgreSQL as the store: the same tables and the same `Write` functions as with SQLite, on a server that nodes share.

A commit is two transactions: the batch of envelopes, which is one call and may be repeated, and the writes beside it. When
the connection is lost in the middle, the store connects again and finds out what was done: the batch recognises its own
message ids, and the other transaction has left its number if it was committed. When the server does not come back
within `PATIENCE`, nobody is told that anything was stored; the relay works on, and every later commit tries anew.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy

from blindrelay.relay.errors import (
    NeedsMigration,
    StartupError,
    StoreAway,
    StoreFailed,
    StoreFull,
    StoreInUse,
    StoreUnreachable,
)
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.ring import DEVICE_RING, SEALED_RING
from blindrelay.relay.store.entries import Accepted, Committed, Outcome, StoredEnvelope, Write
from blindrelay.relay.store.metadata import MetadataReader
from blindrelay.relay.store.postgres import batch, roles
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.arrays import Numbers
from blindrelay.relay.store.postgres.connections import BATCHES, BY_INDEX, READING, WRITING, connect, engine
from blindrelay.relay.store.postgres.errors import FAILURES, Kind, is_read_only, kind_of, sentence
from blindrelay.relay.store.schema import history
from blindrelay.relay.store.statement import MAX_ROWS

T = TypeVar("T")

#: The advisory lock of whoever copies into the database (`blindrelay.relay.copying`): nobody else is at work there meanwhile.
COPYING: Final = "1651663970, 4"
#: For how long a commit waits for a server that has gone; what arrives meanwhile waits with it. Seconds.
PATIENCE: Final = 3.0
_PAUSE: Final = 0.1
_READERS: Final = 2

_FETCH: Final = """
    SELECT sequence, message_id, accepted_at, expires_at, payload
    FROM (
        SELECT *, sum(size) OVER (ORDER BY sequence) AS total, row_number() OVER (ORDER BY sequence) AS number
        FROM (SELECT * FROM envelope WHERE mailbox_id = %s AND sequence > %s ORDER BY sequence LIMIT %s) AS waiting
    ) AS counted
    WHERE total <= %s OR number = 1
    ORDER BY sequence
"""

# The same for several mailboxes.
_FETCH_MANY: Final = """
    SELECT mailbox_id, sequence, message_id, accepted_at, expires_at, payload
    FROM (
        SELECT found.*, sum(found.size) OVER before AS total, row_number() OVER before AS number, w.max_bytes
        FROM unnest(%b, %b, %b, %b) AS w (mailbox, after, max_count, max_bytes),
            LATERAL (
                SELECT * FROM envelope WHERE mailbox_id = w.mailbox AND sequence > w.after ORDER BY sequence LIMIT w.max_count
            ) AS found
        WINDOW before AS (PARTITION BY found.mailbox_id ORDER BY found.sequence)
    ) AS counted
    WHERE total <= max_bytes OR number = 1
    ORDER BY mailbox_id, sequence
"""


# In each transaction, as the last thing: see `tables.last_commit`.
_NOTE: Final = sqlalchemy.text(
    "INSERT INTO last_commit (writer, number, written_at) VALUES (:writer, :number, extract(epoch FROM now())::bigint) "
    "ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_at = excluded.written_at"
)
# It waits for a transaction of which the server has not noticed that nobody waits for it, as long as a lock may be waited for.
_ASK: Final = sqlalchemy.text(
    "INSERT INTO last_commit (writer, number, written_at) VALUES (:writer, 0, extract(epoch FROM now())::bigint) "
    "ON CONFLICT (writer) DO UPDATE SET written_at = excluded.written_at RETURNING number"
)


class PostgresStore:
    """An open database. Use `PostgresStore.open`; call `close` when done."""

    wal_bytes = 0

    def __init__(self, address: Address, quota: Quota, patience: float = PATIENCE) -> None:
        self.address = address
        self._patience = patience
        self._quota = (quota.count, quota.size)
        self._batches: psycopg.Connection[Any] | None = None
        self._writer = engine(address, {**WRITING, **BY_INDEX}, pool_size=1, pool_timeout=patience)
        self._readers = engine(
            address, {**READING, **BY_INDEX}, pool_size=_READERS, pool_timeout=patience, isolation_level="AUTOCOMMIT"
        )
        self._number = 0  # of the last transaction
        self._is_away = False
        self._removed: list[tuple[int, int]] = []  # what could not be deleted when it was to be
        self._untrimmed: dict[
            int, int
        ] = {}  # owner of recent ids -> how many have been added since old ones were deleted

    @classmethod
    def open(cls, address: Address, quota: Quota, *, patience: float = PATIENCE) -> "PostgresStore":
        """Connect to the database at `address`. `quota` is how much may wait in one mailbox; `patience`: see the module.

        Raises:
            StoreUnreachable: it does not answer, or does not let us in.
            StoreInUse: it is being copied into.
            NeedsMigration: it has no schema of ours, or an older one.
            NewerVersion: a newer release has been here.
        """
        store = cls(address, quota, patience)
        try:
            store._batches = connect(address, BATCHES, autocommit=True)
            with store._readers.connect() as connection:
                # Given back with the statement; whoever copies sees that we are connected.
                is_free = connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock_shared({COPYING})").scalar()
                revision = history.revision_of(connection)
            if not is_free:
                raise StoreInUse(f"{address} is being copied into (`blindrelay store copy`): wait until that is done")
            if not history.check(revision, str(address)):
                state = "has no schema" if revision is None else "has an older release's schema"
                raise NeedsMigration(f"{address} {state}: blindrelay migrate --store {address}")
        except FAILURES as error:
            store.close()
            raise StoreUnreachable(f"{address} cannot be used as the relay's database: {sentence(error)}") from error
        except StartupError:
            store.close()
            raise
        return store

    @property
    def name(self) -> str:
        """The address, without its password."""
        return str(self.address)

    # Writing.

    def commit(
        self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]], writes: Sequence[Write] = ()
    ) -> Committed:
        """See `engine.Store.commit`."""
        outcome = self._take(accepted, removed) if accepted or removed else Outcome.COMMITTED
        return Committed(outcome, self._write(writes) if writes else [])

    def _take(self, accepted: Sequence[Accepted], removed: Sequence[tuple[int, int]]) -> Outcome:
        trim = self._to_be_trimmed(accepted)
        removed = sorted({*self._removed, *removed})
        begun = False

        def attempt() -> None:
            nonlocal begun
            if self._batches is None or self._batches.closed:
                self._batches = connect(self.address, BATCHES, autocommit=True)
            begun = True
            try:
                batch.take(self._batches, accepted, removed[:MAX_ROWS], trim, self._quota)
            except psycopg.Error as error:
                if kind_of(error) is Kind.AWAY:
                    self._batches.close()
                raise

        try:
            self._insist(attempt)
        except (StoreFull, StoreAway) as error:
            self._removed = removed
            if isinstance(error, StoreFull):
                return Outcome.STORE_FULL
            return Outcome.UNKNOWN if begun else Outcome.STORE_AWAY
        self._removed = removed[MAX_ROWS:]
        return Outcome.COMMITTED

    def _to_be_trimmed(self, accepted: Sequence[Accepted]) -> list[int]:
        full, counts = [], self._untrimmed
        for entry in accepted:
            owner = entry.ring_owner
            count = counts.get(owner, 0) + 1
            if count >= (DEVICE_RING if owner > 0 else SEALED_RING):
                full.append(owner)
                count = 0
            counts[owner] = count
        return full

    def _write(self, writes: Sequence[Write]) -> list[Any]:
        try:
            return self._insist(lambda: self._transaction(writes))
        except (StoreFull, StoreAway) as error:
            return [error] * len(writes)

    def _transaction(self, writes: Sequence[Write]) -> list[Any]:
        """All of `writes` in one transaction. A savepoint for each would be two more ways to the server for each, and when many
        connect at once most of what they wait for is such ways: they are there only once a write has failed, which is then
        done again with all others, so that its failure is its own."""
        try:
            return self._transact(lambda connection: _run_all(connection, writes))
        except _OwnFailure as failure:
            if len(writes) == 1:
                return [failure.error]
        return self._transact(lambda connection: [_run(connection, write) for write in writes])

    def _transact(self, work: Callable[[sqlalchemy.Connection], list[Any]]) -> list[Any]:
        self._number += 1
        with self._writer.connect() as connection:
            mine = {"writer": connection.info.setdefault("writer", secrets.randbits(63)), "number": self._number}
            transaction = connection.begin()
            try:
                results = work(connection)
                connection.execute(_NOTE, mine)
            except BaseException:
                transaction.close()
                raise
            try:
                transaction.commit()
            except sqlalchemy.exc.DBAPIError as error:
                if kind_of(error) is Kind.AWAY and self._was_committed(mine):
                    return results
                raise
        return results

    def _was_committed(self, transaction: dict[str, int]) -> bool:
        """What became of a transaction whose COMMIT was not answered. Raises `StoreAway` when nobody can be asked."""

        def ask() -> bool:
            with self._writer.connect() as connection, connection.begin():
                return bool(connection.execute(_ASK, transaction).scalar_one() == transaction["number"])

        return self._insist(ask)

    def _insist(self, attempt: Callable[[], T]) -> T:
        """Do `attempt` until it is done or the server has been away for `PATIENCE`; once when it was away before.

        Raises `StoreAway`, `StoreFull`, `StoreFailed`.
        """
        deadline = time.monotonic() + (0 if self._is_away else self._patience)
        while True:
            try:
                done = attempt()
            except FAILURES as error:
                kind = kind_of(error)
                if kind is Kind.FULL:
                    raise StoreFull("the database's disk is full: nothing was written") from error
                if kind is Kind.OTHER:
                    raise StoreFailed(f"writing to {self.address} failed: {sentence(error)}") from error
                if time.monotonic() >= deadline:
                    self._is_away = True
                    raise StoreAway(f"{self.address} cannot be reached: {sentence(error)}") from error
                if kind is Kind.AWAY:
                    time.sleep(_PAUSE)
            else:
                self._is_away = False
                return done

    # Reading.

    def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """See `engine.Store.fetch`."""

        def page(connection: sqlalchemy.Connection) -> list[StoredEnvelope]:
            driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            parameters = (mailbox_id, after_sequence, max_count, max_bytes)
            return [StoredEnvelope(*row) for row in driver.execute(_FETCH, parameters, prepare=True, binary=True)]

        return self.read(page)

    def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> list[list[StoredEnvelope]]:
        """See `engine.Store.fetch_many`. One query: of messages from other nodes, most of the cost is that of asking."""
        found: dict[int, list[StoredEnvelope]] = {mailbox: [] for mailbox, _, _, _ in wanted}

        def pages(connection: sqlalchemy.Connection) -> None:
            driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            parameters = tuple(map(Numbers.of, zip(*wanted, strict=True)))
            for page in found.values():
                page.clear()
            for mailbox, *row in driver.execute(_FETCH_MANY, parameters, prepare=True, binary=True):
                found[mailbox].append(StoredEnvelope(*row))

        self.read(pages)
        return [found[mailbox] for mailbox, _, _, _ in wanted]

    def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """See `engine.Store.read`. Whatever else `query` raises is raised here."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                with self._readers.connect() as connection:
                    return query(connection)
            except FAILURES as error:
                if kind_of(error) is not Kind.AWAY or is_read_only(error):
                    raise
                if self._is_away or time.monotonic() >= deadline:
                    raise StoreAway(f"{self.address} cannot be reached: {sentence(error)}") from error
                time.sleep(_PAUSE)

    @contextlib.contextmanager
    def metadata_reader(self) -> Iterator[MetadataReader]:
        """See `engine.Store.metadata_reader`. The server itself refuses what the role may not see."""
        metadata = engine(self.address, {**READING, "role": roles.DESK}, pool_size=1, isolation_level="AUTOCOMMIT")
        try:
            yield MetadataReader(metadata)
        finally:
            metadata.dispose()

    @property
    def files(self) -> dict[str, Path]:
        """None on this machine."""
        return {}

    # What SQLite needs and PostgreSQL does by itself (autovacuum, checkpointer).

    def checkpoint(self) -> bool:
        """Nothing to do."""
        return True

    def scrub(self) -> None:
        """Nothing to do."""

    def tidy(self) -> bool:
        """Delete what could not be deleted when it was to be."""
        if self._removed:
            self._take((), ())
        return not self._removed

    def close(self) -> None:
        """See `engine.Store.close`."""
        if self._batches is not None:
            self._batches.close()
        self._writer.dispose()
        self._readers.dispose()


class _OwnFailure(Exception):
    """A write has failed, and the database is well."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _run_all(connection: sqlalchemy.Connection, writes: Sequence[Write]) -> list[Any]:
    try:
        return [write(connection) for write in writes]
    except Exception as error:
        if _is_everybodys(error):
            raise
        raise _OwnFailure(error) from error


def _run(connection: sqlalchemy.Connection, write: Write) -> Any:
    savepoint = connection.begin_nested()
    try:
        result = write(connection)
    except Exception as error:
        if _is_everybodys(error):
            raise
        savepoint.rollback()
        return error
    savepoint.commit()
    return result


def _is_everybodys(error: Exception) -> bool:
    """Whether the whole transaction is to be repeated, rather than one write to fail."""
    return isinstance(error, sqlalchemy.exc.DBAPIError) and kind_of(error) is not Kind.OTHER
