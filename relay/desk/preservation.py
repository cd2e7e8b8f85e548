"""Preservation orders: the records of their targets outlive retention, until the order ends. Nothing else does.

What existed when the order came is kept: records up to a number, of accounts that were enrolled then, inside the window. What
is written afterwards goes when its time has come, as ever. Nothing is copied, and nothing is disclosed. Subscriber data need no
exemption: they stay as long as the relay does.

An order is a row in the relay's own database, and retention looks at it in the very statement that deletes
(`blindrelay.relay.retention`). So there is nothing to be restored after a restart, and nothing that a crash could forget.
An order ends by itself: from `ends_at` on it does not count, whether somebody has come by to delete it or not.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Table, func, select

from blindrelay.policies.vocabulary import METADATA, DataClass
from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk.ports import PreservationOrder
from blindrelay.relay.desk.selection import NotSelectable, accounts_of, seconds
from blindrelay.relay.ledger import HOUR, Store, Window
from blindrelay.relay.store import tables

# A window that was not stated: everything that exists.
_ALWAYS: Final = Window(0, 2**53)

_order, _account = tables.preservation.c, tables.preserved_account.c
_traffic, _access = tables.traffic.c, tables.access.c


class Preservations:
    """The desk's `Preservation`: begins, prolongs and ends orders."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def hold(self, order: PreservationOrder) -> None:
        """Begin the order, durably; or prolong the one of the same key, which keeps what it has kept and no more.

        Raises `NotSelectable` when it is about more than metadata, or about others than accounts; and what the store raises.
        """
        if not order.classes <= METADATA:
            raise NotSelectable("there is nothing but metadata that could be kept from deletion")
        now = int(self._clock.now())
        await self._store.run(lambda connection: _hold(connection, order, now))

    async def let_go(self, key: str) -> None:
        """End the order of this key, if there is one; what retention would have deleted goes at its next run."""
        await self._store.run(lambda connection: _let_go(connection, _order.key == key))

    async def running(self, now: float) -> dict[str, int]:
        """The orders in force at `now`, and when each ends (epoch seconds)."""
        query = select(_order.key, _order.ends_at).where(_order.ends_at > now)
        return {row[0]: row[1] for row in await self._store.read(lambda connection: connection.execute(query).all())}


def _hold(connection: Connection, order: PreservationOrder, now: int) -> None:
    ends_at, tell_from = math.ceil(order.until.timestamp()), _epoch(order.tell_from)
    prolonged = sqlalchemy.update(tables.preservation).where(_order.key == order.key)
    if connection.execute(prolonged.values(ends_at=ends_at, tell_from=tell_from)).rowcount:
        return
    window = _ALWAYS if order.window is None else seconds(order.window)
    connection.execute(
        sqlalchemy.insert(tables.preservation).values(
            key=order.key,
            since=window.since,
            # Numbers are given again once a table has been emptied: what comes later is told by its time as well.
            until=min(window.until, now + 1),
            ends_at=ends_at,
            tell_from=tell_from,
            access_up_to=_newest(connection, tables.access) if DataClass.ACCESS in order.classes else 0,
            traffic_up_to=_newest(connection, tables.traffic) if DataClass.TRAFFIC in order.classes else 0,
        )
    )
    for account_id in accounts_of(order.targets, _Within(connection)):
        connection.execute(sqlalchemy.insert(tables.preserved_account).values(key=order.key, account_id=account_id))


@dataclass(frozen=True, slots=True)
class _Within:
    """Reads in the transaction that writes: what exists, and that it is kept, are one moment."""

    connection: Connection

    def select(self, query: sqlalchemy.Select[Any] | sqlalchemy.TextClause) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(query)]


def _newest(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())


def _epoch(moment: datetime | None) -> int | None:
    return None if moment is None else math.ceil(moment.timestamp())


def _let_go(connection: Connection, which: ColumnElement[bool]) -> None:
    keys = select(_order.key).where(which)
    connection.execute(sqlalchemy.delete(tables.preserved_account).where(_account.key.in_(keys)))
    connection.execute(sqlalchemy.delete(tables.preservation).where(which))


async def forget_ended(store: Store, now: int) -> None:
    """Delete the orders that have ended. Raises what the store raises."""
    has_ended = _order.ends_at <= now
    query = select(func.count()).select_from(tables.preservation).where(has_ended)
    if await store.read(lambda connection: connection.execute(query).scalar_one()):
        await store.run(lambda connection: _let_go(connection, has_ended))


def is_preserved(table: Table, now: int, *, may_be_told: bool = False) -> ColumnElement[bool]:
    """Whether an order that is in force at `now` keeps a row of `table` (`traffic` or `access`).

    `may_be_told`: whether one does of which users may be told.
    """
    if table is tables.traffic:
        is_covered = (
            _account.account_id.in_([_traffic.sender_id, _traffic.recipient_id])
            & (_traffic.id <= _order.traffic_up_to)
            & _traffic.accepted_at.between(_order.since, _order.until - 1)
        )
    elif table is tables.access:
        is_covered = (
            (_account.account_id == _access.account_id)
            & (_access.id <= _order.access_up_to)
            & (_access.opened_hour * HOUR).between(_order.since, _order.until - 1)
        )
    else:
        raise TypeError(f"retention has no exemptions from {table.name}")
    covering = (
        select(sqlalchemy.literal(1))
        .select_from(tables.preserved_account.join(tables.preservation, _order.key == _account.key))
        .where(is_covered, _order.ends_at > now)
    )
    if may_be_told:
        covering = covering.where(_order.tell_from <= now)
    return covering.correlate(table).exists()
