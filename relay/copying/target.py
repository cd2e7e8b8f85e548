"""The new side: an empty PostgreSQL database with the schema in it. Everything happens in one transaction, or nothing."""

import contextlib
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final, Self

import psycopg

from blindrelay.protocol.transparency.tiles import Tile, checked
from blindrelay.relay.copying.shapes import Row, Shape
from blindrelay.relay.errors import NeedsMigration, StoreInUse, StoreUnreachable, TargetNotEmpty, Unreadable
from blindrelay.relay.store import tables
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.connections import connect
from blindrelay.relay.store.postgres.errors import sentence
from blindrelay.relay.store.postgres.store import COPYING
from blindrelay.relay.store.schema import history

# It may take as long as it takes; a row that somebody else holds is nobody's to hold.
_SETTINGS: Final = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "10s",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
# How long a program that has just ended may still be seen by the server. Seconds.
_PATIENCE: Final = 2.0
_LOOK: Final = 0.05

_AT_WORK: Final = (
    "SELECT string_agg(DISTINCT application_name, ', ') FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'blindrelay%'"
)
_OWNED: Final = "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('tenant')"
# What tells nodes of changes: there is no node yet, and nothing that any of them would have missed.
_TELLING: Final = (
    "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "WHERE tgname LIKE 'note\\_%' AND NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
)


class Target:
    """The database that is copied into. Made by `open_target`."""

    def __init__(self, address: Address, connection: "psycopg.Connection[Any]") -> None:
        self.address = address
        self._connection = connection

    def refuse_others(self) -> None:
        """See that nobody is at work here, nor comes while this is connected. Raises `StoreInUse`."""
        if not self._one(f"SELECT pg_try_advisory_lock({COPYING})"):
            raise StoreInUse(f"{self.address} is being copied into by somebody else: wait for that")
        deadline = time.monotonic() + _PATIENCE
        while (others := self._one(_AT_WORK)) is not None:
            if time.monotonic() > deadline:
                raise StoreInUse(f"{self.address} is in use ({others}): stop every relay and command on it first")
            time.sleep(_LOOK)

    def refuse_strange(self) -> None:
        """See that it has this release's schema, and that the login owns it.

        Raises `NeedsMigration`, `NewerVersion`, `StoreUnreachable`.
        """
        is_owner = self._one(_OWNED)
        has_history = self._one("SELECT to_regclass('alembic_version') IS NOT NULL")
        if is_owner is False:
            raise StoreUnreachable(
                f"{self.address} belongs to another login: copy as the one that has made its schema (`blindrelay migrate`)"
            )
        revision = self._one("SELECT version_num FROM alembic_version") if has_history else None
        if not history.check(revision, str(self.address)):
            state = "has no schema" if revision is None else "has an older release's schema"
            raise NeedsMigration(f"{self.address} {state}: blindrelay migrate --store {self.address}")

    def refuse_full(self) -> None:
        """See that there is nothing in it. Raises `TargetNotEmpty`."""
        for name in tables.metadata.tables:
            if self._one(f"SELECT EXISTS (SELECT FROM {name})"):  # noqa: S608 - names of ours
                raise TargetNotEmpty(
                    f"{self.address} has rows in {name} already: copy into a database that is new (createdb, "
                    "blindrelay migrate), and let no relay start on it before"
                )

    def make_days(self, days: Iterable[int]) -> None:
        """Make the days of traffic, before the transaction: in one, a long history would take more locks than there are."""
        for day in days:
            self._one("SELECT make_traffic_days(%s, %s)", day, day)
            if self._one("SELECT to_regclass(%s)", f"traffic_d{day}") is None:
                raise StoreInUse(f"{self.address}: the traffic of day {day} has no place, for somebody holds the table")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it is committed on leaving, and nothing if that is by an exception."""
        with self._connection.transaction():
            telling = self._connection.execute(_TELLING).fetchall()
            for table, trigger in telling:
                self._connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}".encode())
            yield
            for table, trigger in telling:
                self._connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}".encode())

    def put(self, shape: Shape, rows: Iterable[Row]) -> int:
        """Write the rows of a table; returns how many. Raises `Unreadable`: they are none that the database takes."""
        statement = f"COPY {shape.name} ({', '.join(shape.columns)}) FROM STDIN (FORMAT BINARY)"
        count = 0
        try:
            with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as into:
                into.set_types(shape.types)
                for row in rows:
                    into.write_row(row)
                    count += 1
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise Unreadable(
                f"{shape.name}: there is a row that the new database refuses ({sentence(error)}): the old one is damaged. "
                "Restore the newest backup, and copy that"
            ) from error
        return count

    def rows(self, shape: Shape) -> Generator[Row]:
        """The rows of a table as the database gives them back, in order."""
        query = f"SELECT {', '.join(shape.columns)} FROM {shape.name} ORDER BY {shape.order}"  # noqa: S608 - names of ours
        statement = f"COPY ({query}) TO STDOUT (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as out:
            out.set_types(shape.types)
            yield from out.rows()

    def go_on_from(self, numbers: dict[str, int]) -> None:
        """Let numbering go on behind these, by the name of the sequence."""
        for name, last in numbers.items():
            if last:
                # Of account ids a whole block is taken at once: the next one begins there.
                self._one("SELECT setval(%s, %s, %s)", name, last + (name == "account_block"), name != "account_block")

    def next_numbers(self, names: Iterable[str]) -> dict[str, int]:
        """What is given next, by the name of the sequence."""
        return {name: int(self._one(f"SELECT last_value + is_called::int FROM {name}")) for name in names}  # noqa: S608

    def put_tile(self, log: str, tile: Tile, data: bytes) -> None:
        """Write a tile of a published log. A longer one of the same place takes its place."""
        self._connection.execute(
            "INSERT INTO log_tile (log, level, number, data) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (log, level, number) DO UPDATE SET data = excluded.data",
            (log, tile.level, tile.index, data),
        )

    def tile(self, log: str, tile: Tile) -> bytes:
        """A tile, read back. Raises `FileNotFoundError`, `Malformed`."""
        query = "SELECT data FROM log_tile WHERE log = %s AND level = %s AND number = %s"
        data = self._one(query, log, tile.level, tile.index)
        if data is None:
            raise FileNotFoundError(tile.path)
        return checked(tile, bytes(data))

    def put_head(self, log: str, size: int, note: bytes) -> None:
        """Write the checkpoint of a published log."""
        self._connection.execute("INSERT INTO log_head (log, size, note) VALUES (%s, %s, %s)", (log, size, note))

    def head(self, log: str) -> bytes | None:
        """The checkpoint, read back."""
        note = self._one("SELECT note FROM log_head WHERE log = %s", log)
        return None if note is None else bytes(note)

    def analyze(self) -> None:
        """Let the server know what it has got; it would find out by itself, some minutes late."""
        self._connection.execute("ANALYZE")

    def _one(self, query: str, *parameters: object) -> Any:
        row = self._connection.execute(query.encode(), parameters or None).fetchone()
        return row[0] if row else None

    @classmethod
    @contextlib.contextmanager
    def open(cls, address: Address) -> Iterator[Self]:
        """Connect, and see that the database may be copied into. Raises `StoreUnreachable` and what the `refuse_...` raise."""
        try:
            with connect(address, _SETTINGS, autocommit=True) as connection:
                target = cls(address, connection)
                target.refuse_strange()
                target.refuse_others()
                yield target
        except psycopg.Error as error:
            raise StoreUnreachable(f"{address} cannot be copied into: {sentence(error)}") from error
