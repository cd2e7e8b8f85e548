"""The ledger: the only metadata that exist, as three kinds of records, and how one gets at them.

Times are kept no finer than their purpose needs: connections to the hour, "last seen" to a day that is shifted for each
account (so that a change of it does not tell midnight's neighbours apart), traffic to the second.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import Connection, select

from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.relay.store import tables

T = TypeVar("T")

HOUR: Final = 3_600
DAY: Final = 86_400

# Rows that one look at a table goes through: 5 to 10 ms, for as long as a reader looks the WAL cannot be emptied.
_PIECE: Final = 50_000


class Store(Protocol):
    """What the ledger asks of the committer."""

    def run(self, write: Callable[[Connection], T]) -> Awaitable[T]:
        """Write inside the next commit."""

    def read(self, query: Callable[[Connection], T]) -> Awaitable[T]:
        """Read what is committed."""


@dataclass(frozen=True, slots=True)
class Window:
    """Epoch seconds from `since` up to and without `until`."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class SubscriberRecord:
    """Who is enrolled. `last_seen_day` is of the account's own shifted day (`last_seen_day`); None: never."""

    account_id: int
    device: DeviceAddress
    registered_day: int
    last_seen_day: int | None


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """When and from where a device was connected, in hours since the epoch. There is none for sealed connections.

    `closed_hour` is None while the connection is open, and when a crash kept its end from being recorded.
    """

    account_id: int
    opened_hour: int
    closed_hour: int | None
    address: str
    client_version: str | None


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """That a message was accepted: at which second, for whom, how long when padded. `sender_id` is None when sealed."""

    message_id: bytes
    sender_id: int | None
    recipient_id: int
    accepted_at: int
    size: int


def last_seen_day(account_id: int, now: float) -> int:
    """The day since the epoch on which the account was seen at `now`; each account's days begin at an hour of its own."""
    offset = account_id * 2_654_435_761 % DAY  # Knuth's multiplicative hash: neighbours far apart
    return (int(now) - offset) // DAY


class Watch(Protocol):
    """Is told of connections as they are recorded: see `blindrelay.relay.desk.stream`."""

    def opened(self, number: int, record: AccessRecord, at: float) -> None:
        """A connection's start is durable. `at`: when it was, epoch seconds."""

    def closed(self, number: int, hour: int, at: float) -> None:
        """The end of the connection with this record is durable."""


class Ledger:
    """Records of connections are written here; records of traffic by the committer, in the commit of the envelope.

    Attributes:
        watch: is told of each connection; None as long as nobody has to be.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.watch: Watch | None = None
        self._store = store
        self._clock = clock

    async def open(self, account_id: int, address: str, client_version: str | None) -> int:
        """Record the start of a connection; durable on return. Returns the record's number for `close`.

        Raises `StoreFull` or `StoreFailed`.
        """
        now = self._clock.now()
        record = sqlalchemy.insert(tables.access).values(
            account_id=account_id, opened_hour=int(now) // HOUR, address=address, client_version=client_version
        )
        device, day = tables.device.c, last_seen_day(account_id, now)
        seen = (
            sqlalchemy.update(tables.device)
            .where(device.account_id == account_id, device.last_seen_day.is_distinct_from(day))
            .values(last_seen_day=day)
        )

        def write(connection: Connection) -> int:
            connection.execute(seen)
            return int(connection.execute(record.returning(tables.access.c.id)).scalar_one())

        number = await self._store.run(write)
        if self.watch is not None:
            self.watch.opened(number, AccessRecord(account_id, int(now) // HOUR, None, address, client_version), now)
        return number

    async def close(self, record: int) -> None:
        """Record the end of a connection; nothing happens when retention has taken the record in the meantime."""
        access = tables.access
        now = self._clock.now()
        hour = int(now) // HOUR
        statement = sqlalchemy.update(access).where(access.c.id == record).values(closed_hour=hour)
        await self._store.run(lambda connection: connection.execute(statement) and None)
        if self.watch is not None:
            self.watch.closed(record, hour, now)

    async def subscribers(self, accounts: Collection[int]) -> list[SubscriberRecord]:
        """The records of these accounts, in the order of their enrolment."""
        device = tables.device.c
        query = (
            select(
                device.account_id,
                device.tenant,
                device.user,
                device.device,
                device.registered_day,
                device.last_seen_day,
            )
            .where(device.account_id.in_(accounts))
            .order_by(device.account_id)
        )
        rows = await self._store.read(lambda connection: connection.execute(query).all())
        return [SubscriberRecord(row[0], DeviceAddress(*row[1:4]), row[4], row[5]) for row in rows]

    async def access(self, accounts: Collection[int], window: Window) -> list[AccessRecord]:
        """The connections of these accounts that were opened in an hour that touches `window`, oldest first."""
        record = tables.access.c
        query = (
            select(record.account_id, record.opened_hour, record.closed_hour, record.address, record.client_version)
            .where(record.account_id.in_(accounts))
            .where(record.opened_hour >= window.since // HOUR, record.opened_hour * HOUR < window.until)
            .order_by(record.id)
        )
        rows = await self._store.read(lambda connection: connection.execute(query).all())
        return [AccessRecord(*row) for row in rows]

    async def traffic(self, accounts: Collection[int], window: Window) -> list[TrafficRecord]:
        """What these accounts sent or received in `window`, in the order of acceptance.

        Every piece of the table is looked at: bisection over the time would be faster, and wrong for as long as a step of
        the machine's clock is in the table. Five million rows take about a second, in the reader's thread.
        """
        record = tables.traffic.c
        wanted = (
            select(record.message_id, record.sender_id, record.recipient_id, record.accepted_at, record.size)
            .where(record.accepted_at >= window.since, record.accepted_at < window.until)
            .where(record.sender_id.in_(accounts) | record.recipient_id.in_(accounts))
            .order_by(record.id)
        )
        found: list[TrafficRecord] = []
        for first, last in pieces(*await self._store.read(bounds(tables.traffic))):
            query = wanted.where(record.id.between(first, last))
            rows = await self._store.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            found += [TrafficRecord(*row) for row in rows]
        return found


def bounds(table: sqlalchemy.Table) -> Callable[[Connection], tuple[int, int]]:
    """A query for the lowest and highest `id` of `table`; (0, -1) when it is empty."""
    # Two scalar subqueries: SQLite answers each from an end of the table, min and max together by reading all of it.
    lowest, highest = (
        select(function(table.c.id)).scalar_subquery() for function in (sqlalchemy.func.min, sqlalchemy.func.max)
    )
    query: sqlalchemy.Select[Any] = select(lowest, highest)

    def run(connection: Connection) -> tuple[int, int]:
        first, last = connection.execute(query).one()
        return (0, -1) if first is None else (first, last)

    return run


def pieces(first: int, last: int, length: int = _PIECE) -> Iterator[tuple[int, int]]:
    """The range of ids from `first` to `last`, both included, in pieces of `length`."""
    for start in range(first, last + 1, length):
        yield start, min(start + length - 1, last)
