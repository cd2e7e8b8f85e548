"""Retention: records that are older than their window are deleted, a few at a time.

Envelopes and sessions have their own end and are swept by the exchange; public keys stay for as long as the device. What a
preservation order names stays until the order ends: see `blindrelay.relay.desk.preservation`. What is left of tenants that have
left goes here, too: see `blindrelay.relay.leaving`.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Final

from sqlalchemy import delete, func, select

from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.preservation import forget_ended
from blindrelay.relay.erasing import BATCH as _BATCH
from blindrelay.relay.erasing import count, erase, scalars
from blindrelay.relay.leaving import sweep
from blindrelay.relay.ledger import DAY, HOUR
from blindrelay.relay.ports import Store
from blindrelay.relay.store import days, tables

# What one commit deletes: a few milliseconds that the messages behind it wait.
BATCH: Final = _BATCH


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
            access=await erase(
                self._store,
                tables.access,
                func.coalesce(access.closed_hour, access.opened_hour) < access_before,
                now,
            ),
            recent_ids=await self._purge_recent(traffic_before),
        )
        await forget_ended(self._store, now)
        await sweep(self._store, now)
        if purged != Purged():
            self._store.scrub()
        self.ran_at = self._clock.now()
        self.deleted = Purged(
            *(before + more for before, more in zip(astuple(self.deleted), astuple(purged), strict=True))
        )
        if self.timed is not None:
            self.timed(self._clock.monotonic() - began, sum(astuple(purged)))
        return purged

    async def _purge_traffic(self, before: int, now: int) -> int:
        if not await self._store.read(days.has_days):
            return await erase(self._store, tables.traffic, tables.traffic.c.accepted_at < before, now)
        if not await self._store.read(lambda connection: days.are_made(connection, now)):
            await self._store.run(lambda connection: days.make_days(connection, now))
        if not await self._store.read(lambda connection: days.have_ended(connection, before)):
            return 0
        return await self._store.run(lambda connection: days.drop_days(connection, before, now))

    async def _purge_recent(self, before: int) -> int:
        ring, gone = tables.recent_id.c, 0
        owners = await self._store.read(scalars(select(ring.owner).distinct().where(ring.accepted_at < before)))
        for owner in owners:  # a ring is 1,024 rows at most
            old = delete(tables.recent_id).where(ring.owner == owner, ring.accepted_at < before)
            gone += await self._store.run(count(old))
        return gone
