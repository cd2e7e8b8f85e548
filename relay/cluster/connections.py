"""Connections of those whom a real-time order is about, to whichever node of the relay.

The database tells of them (`0004_postgresql.sql`), in the transaction that records them, as long as somebody is watched. The
node that has the desk reads what has been told, gives it to its orders, and deletes it.
"""

import contextlib
from collections.abc import Collection, Iterator
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, text

from blindrelay.policies.request import Target, TargetFormat
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk.following import Happened, Watched
from blindrelay.relay.errors import StoreError
from blindrelay.relay.ledger import AccessRecord
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables

_TOLD: Final = text(
    "SELECT number, access_id, at, is_end, account_id, opened_hour, closed_hour, address, client_version "
    "FROM connection_events(:after) AS e"
)
_FORGET: Final = text("DELETE FROM connection_event WHERE number <= :number")
_NOTHING: Final = 2**63 - 1

Row = tuple[str, str, str, str, int, int]


class SharedConnections:
    """What of connections to all nodes orders are told: `blindrelay.relay.desk.stream.Connections`. `store`: the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: frozenset[Row] | None = None  # None: nobody knows
        self._has_begun = False  # what an earlier desk has left is gone
        self._last = 0

    async def watch(self, orders: Collection[tuple[str, Watched]]) -> None:
        """From now on tell of these orders' connections, each with its key, and of no others. On return nothing is missed.

        Raises what the store raises.
        """
        wanted = frozenset(row for key, order in orders for row in _rows(key, order))
        if wanted == self._watched:
            return
        self._watched = None
        await self._store.run(lambda connection: _write(connection, wanted, anew=not self._has_begun))
        self._has_begun = True
        # What is being recorded just now may not have seen it yet: this waits for that.
        await self._store.read(lambda connection: connection.execute(_TOLD, {"after": _NOTHING}).all())
        self._watched = wanted

    async def happened(self) -> list[Happened]:
        """What has begun or ended since this was asked last. Raises what the store raises."""
        rows = await self._store.read(lambda connection: connection.execute(_TOLD, {"after": self._last}).all())
        if rows:
            self._last = last = rows[-1].number
            with contextlib.suppress(StoreError):  # then with the next ones
                await self._store.run(lambda connection: connection.execute(_FORGET, {"number": last}) and None)
        return [
            Happened(
                row.access_id,
                AccessRecord(
                    row.account_id,
                    row.opened_hour,
                    row.closed_hour if row.is_end else None,
                    row.address,
                    row.client_version,
                ),
                row.at,
            )
            for row in rows
        ]


def _rows(key: str, order: Watched) -> Iterator[Row]:
    for target in order.targets:
        address = _address(target)
        if address is not None:
            yield (key, *address, order.since, order.until)


def _address(target: Target) -> tuple[str, str, str] | None:
    try:
        if target.format is TargetFormat.USER:
            user = UserAddress.parse(target.value)
            return user.tenant, user.user, ""
        device = DeviceAddress.parse(target.value)
    except Malformed:  # what cannot be an address is nobody's
        return None
    return device.tenant, device.user, device.device


def _write(connection: Connection, wanted: Collection[Row], *, anew: bool) -> None:
    connection.execute(sqlalchemy.delete(tables.connection_watch))
    if anew:
        connection.execute(sqlalchemy.delete(tables.connection_event))
    if wanted:
        names = [column.name for column in tables.connection_watch.columns]
        rows = [dict(zip(names, row, strict=True)) for row in sorted(wanted)]
        connection.execute(sqlalchemy.insert(tables.connection_watch), rows)
