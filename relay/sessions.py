"""What of an MQTT session outlives its connection, and a restart of the relay: its expiry and its subscriptions.

Messages in flight are no part of it: they wait in the mailbox, and their packet ids are derived from their place there
(decision D8). A session belongs to a device (decision D2); everybody else's ends with the connection.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy

from blindrelay.protocol.sizes import MAX_TTL
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.store.upsert import insert_or_update

#: No message waits longer than this, so nothing would be left to resume. Seconds.
MAX_SESSION_EXPIRY: Final = MAX_TTL


@dataclass(slots=True, eq=False)
class SessionRecord:
    """One session of one device.

    `ended_at` (epoch seconds) is None while connected. `sent_up_to` is the highest inbox sequence that this process has sent to
    the client. What an earlier process sent nobody knows: it may be any envelope accepted up to `unknown_until`. `epoch` tells
    the connections that have had a session on several nodes from one another; 0: there is one node.
    """

    account_id: int
    client_id: str
    expiry: int
    ended_at: int | None = None
    subscriptions: set[str] = field(default_factory=set)
    sent_up_to: int = 0
    unknown_until: int = -1
    is_stored: bool = False
    epoch: int = 0


class Sessions:
    """All sessions, in memory; `save` makes what memory says durable.

    Args:
        store: where they are kept.
        now: epoch seconds, unmoved by steps of the wall clock.
    """

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._records: dict[tuple[int, str], SessionRecord] = {}

    async def load(self) -> None:
        """Read the sessions of before the start. One that was connected then (a crash) counts as ended now."""
        now = self._now()

        def read(connection: sqlalchemy.Connection) -> list[SessionRecord]:
            connection.execute(
                sqlalchemy.update(tables.session).where(tables.session.c.ended_at.is_(None)).values(ended_at=now)
            )
            return [
                SessionRecord(
                    row.account_id,
                    row.client_id,
                    row.expiry,
                    row.ended_at,
                    set(json.loads(row.subscriptions)),
                    unknown_until=row.ended_at,
                    is_stored=True,
                )
                for row in connection.execute(sqlalchemy.select(tables.session))
            ]

        self._records = {(record.account_id, record.client_id): record for record in await self._store.run(read)}

    def open(self, account_id: int, client_id: str, *, clean_start: bool, expiry: int) -> tuple[SessionRecord, bool]:
        """A connection begins: its session, and whether that was there before (Session Present) [3.1.2-4] to [3.1.2-6].

        `ended_at` still says when the last connection ended; `connected` forgets it. Nothing is durable before `save`.
        """
        key = account_id, client_id
        old = self._records.get(key)
        if old is not None and not clean_start and not self._is_over(old):
            old.expiry = expiry
            return old, True
        record = SessionRecord(account_id, client_id, expiry, is_stored=old is not None and old.is_stored)
        self._records[key] = record
        return record, False

    async def claim(
        self, record: SessionRecord, *, clean_start: bool, present: bool, is_awaited: Callable[[], bool]
    ) -> bool:
        """Make durable that the session is this connection's; returns whether it was there before.

        Raises what the store raises.
        """
        if self.needs_saving(record):
            await self.save(record)
        return present

    def end(self, record: SessionRecord, expiry: int) -> None:
        """Its connection is over, and this is how long it is to be kept. Nothing is durable before `save`."""
        record.expiry = expiry
        record.ended_at = self._now()
        if expiry == 0 and self._records.get((record.account_id, record.client_id)) is record:
            del self._records[record.account_id, record.client_id]

    def needs_saving(self, record: SessionRecord) -> bool:
        """Whether memory and store differ in something that a restart must not lose."""
        return record.is_stored or record.expiry > 0

    async def save(self, record: SessionRecord) -> bool:
        """Make durable what memory says of this session when the commit is made. Raises what the store raises."""
        key = record.account_id, record.client_id
        record.is_stored = True

        def write(connection: sqlalchemy.Connection) -> None:
            current = self._records.get(key)
            if current is None or current.expiry == 0:
                connection.execute(_of_key(sqlalchemy.delete(tables.session), key))
                return
            values = {
                "expiry": current.expiry,
                "ended_at": current.ended_at,
                "subscriptions": json.dumps(sorted(current.subscriptions)),
            }
            mine = {"account_id": key[0], "client_id": key[1]}
            insert_or_update(connection, tables.session, mine | values, values)

        await self._store.run(write)
        return True

    async def purge(self) -> None:
        """Forget the sessions whose interval has passed [4.1.0-2]."""
        over = [key for key, record in self._records.items() if self._is_over(record)]
        for key in over:
            del self._records[key]

        def write(connection: sqlalchemy.Connection) -> None:
            for key in over:
                connection.execute(_of_key(sqlalchemy.delete(tables.session), key))

        if over:
            await self._store.run(write)

    async def forget(self, account_id: int) -> None:
        """End all sessions of a device that is no longer welcome."""
        self._records = {key: record for key, record in self._records.items() if key[0] != account_id}
        statement = sqlalchemy.delete(tables.session).where(tables.session.c.account_id == account_id)
        await self._store.run(lambda connection: connection.execute(statement) and None)

    def _is_over(self, record: SessionRecord) -> bool:
        return record.ended_at is not None and record.ended_at + record.expiry <= self._now()


def _of_key(statement: sqlalchemy.Delete, key: tuple[int, str]) -> sqlalchemy.Delete:
    return statement.where(tables.session.c.account_id == key[0], tables.session.c.client_id == key[1])
