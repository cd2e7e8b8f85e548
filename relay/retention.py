"""Retention: records that are older than their window are deleted, a few at a time.

Envelopes and sessions have their own end and are swept by the exchange; public keys stay for as long as the device. What a
preservation order names stays until the order ends: see `blindrelay.relay.desk.preservation`.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any, Final

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.preservation import forget_ended, is_preserved
from blindrelay.relay.ledger import DAY, HOUR, Store, bounds, pieces
from blindrelay.relay.store import days, tables

# What one commit deletes: a few milliseconds that the messages behind it wait.
BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows of each kind went."""

    traffic: int = 0
    access: int = 0
    recent_ids: int = 0


class Purge:
    """The purge job. Whoever calls `run` decides how often; once an hour is often enough for windows of days.

    Attributes:
        ran_at: when it came to its end the last time, epoch seconds; None before.
        deleted: what it has deleted since the start.
        timed: is told of each run how many seconds it took and how many records went; None as long as nobody wants to know.
    """

    def __init__(self, store: Store, clock: Clock, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self.ran_at: float | None = None
        self.deleted = Purged()
        self.timed: Callable[[float, int], None] | None = None

    async def run(self) -> Purged:
        """Delete what is older than its window now. Raises what the store raises; what went before stays gone.

        A record of the ring of recent ids holds sender, recipient and time, so it goes with its traffic record. A connection
        that outlives the window loses its record while it is open.
        """
        began = 0.0 if self.timed is None else self._clock.monotonic()
        now = int(self._clock.now())
        traffic_before = now - self._retention.traffic_days * DAY
        access_before = (now - self._retention.access_days * DAY) // HOUR
        access = tables.access.c
        purged = Purged(
            traffic=await self._purge_traffic(traffic_before, now),
            access=await self._purge(
                tables.access, func.coalesce(access.closed_hour, access.opened_hour) < access_before, now
            ),
            recent_ids=await self._purge_recent(traffic_before),
        )
        await forget_ended(self._store, now)
        self.ran_at = self._clock.now()
        self.deleted = Purged(
            *(before + more for before, more in zip(astuple(self.deleted), astuple(purged), strict=True))
        )
        if self.timed is not None:
            self.timed(self._clock.monotonic() - began, sum(astuple(purged)))
        return purged

    async def _purge_traffic(self, before: int, now: int) -> int:
        if not await self._store.read(days.has_days):
            return await self._purge(tables.traffic, tables.traffic.c.accepted_at < before, now)
        if not await self._store.read(lambda connection: days.are_made(connection, now)):
            await self._store.run(lambda connection: days.make_days(connection, now))
        if not await self._store.read(lambda connection: days.have_ended(connection, before)):
            return 0
        return await self._store.run(lambda connection: days.drop_days(connection, before, now))

    async def _purge(self, table: Table, is_old: ColumnElement[bool], now: int) -> int:
        # All of the table is looked at, not just its old end: the machine's clock may have been wrong for a while.
        gone, may_go = 0, is_old & ~is_preserved(table, now)
        for first, last in pieces(*await self._store.read(bounds(table))):
            query = select(table.c.id).where(table.c.id.between(first, last), may_go)
            found = await self._store.read(_scalars(query))
            for start in range(0, len(found), BATCH):
                # An order may have come since: what it keeps is decided by the statement that deletes.
                these = delete(table).where(table.c.id.in_(found[start : start + BATCH]), may_go)
                gone += await self._store.run(_delete(these))
        return gone

    async def _purge_recent(self, before: int) -> int:
        ring, gone = tables.recent_id.c, 0
        owners = await self._store.read(_scalars(select(ring.owner).distinct().where(ring.accepted_at < before)))
        for owner in owners:  # a ring is 1,024 rows at most
            old = delete(tables.recent_id).where(ring.owner == owner, ring.accepted_at < before)
            gone += await self._store.run(_delete(old))
        return gone


def _scalars(query: sqlalchemy.Select[Any]) -> Callable[[Connection], list[int]]:
    return lambda connection: list(connection.execute(query).scalars())


def _delete(statement: sqlalchemy.Delete) -> Callable[[Connection], int]:
    return lambda connection: connection.execute(statement).rowcount
