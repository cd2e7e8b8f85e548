"""What the relay holds about a user, for that user: printed from the inventory, so that nothing can be left out."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from pydantic import JsonValue
from sqlalchemy import Connection, LargeBinary, Table, func, or_, select

from blindrelay.protocol.address import UserAddress
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.preservation import is_preserved
from blindrelay.relay.inventory import FIELDS, Field, Place
from blindrelay.relay.ledger import DAY, HOUR, Store
from blindrelay.relay.store import tables

# The newest of each kind: 8 kinds of 250 bytes a row fit the largest packet. What is left out is counted.
MAX_ROWS: Final = 100
# Short enough to be an identifier; longer ones (keys, signatures, envelopes) are given by their length.
_SHORT: Final = 32

# Where the account is in each table that is about accounts. `tenant` is not about a user.
_ACCOUNTS: Final[dict[str, tuple[str, ...]]] = {
    "device": ("account_id",),
    "prekey": ("account_id",),
    "revocation": ("account_id",),
    "session": ("account_id",),
    "access": ("account_id",),
    "traffic": ("sender_id", "recipient_id"),
    "recent_id": ("owner", "recipient"),
    "envelope": ("mailbox_id",),
    "mailbox": ("account_id",),
    "presence": ("account_id",),
    "notice": (),  # by tenant and user: it is for the devices of tomorrow, too
    "notice_seen": ("account_id",),
}

# What a preservation order can keep for longer.
_PRESERVABLE: Final = frozenset({"access", "traffic"})

Records = dict[str, list[dict[str, JsonValue]]]


@dataclass(frozen=True, slots=True)
class Windows:
    """What retention keeps at `now` (epoch seconds)."""

    now: int
    retention: Retention

    def is_over(self, table: Table) -> sqlalchemy.ColumnElement[bool]:
        """Whether a row is older than its window."""
        if table is tables.traffic:
            return tables.traffic.c.accepted_at < self.now - self.retention.traffic_days * DAY
        if table is tables.access:
            access = tables.access.c
            before = (self.now - self.retention.access_days * DAY) // HOUR
            return func.coalesce(access.closed_hour, access.opened_hour) < before
        return sqlalchemy.false()


async def my_data(store: Store, user: UserAddress, windows: Windows) -> Records:
    """Everything that is held about `user`'s devices: kind of record -> its rows, newest first, `MAX_ROWS` of each at most.

    The kind `omitted` says how many more there are, `preserved` how many are kept for longer than their window, because of a
    preservation order. While an order forbids to speak of it, what is there because of it alone is left out; so says the
    metadata inventory to everybody. Keys, signatures and envelopes are given by their length.
    """
    device = tables.device.c
    mine = select(device.account_id).where(device.tenant == user.tenant, device.user == user.user)
    accounts = await store.read(lambda connection: list(connection.execute(mine).scalars()))
    records: Records = {}
    omitted: list[dict[str, JsonValue]] = []
    preserved: list[dict[str, JsonValue]] = []
    for name in _ACCOUNTS:
        fields = [field for field in FIELDS if field.place is Place.DATABASE and field.where.startswith(f"{name}.")]
        kind = f"{fields[0].record} ({name})" if fields[0].record == "DirectoryEntry" else fields[0].record
        table = tables.metadata.tables[name]
        is_mine = _is_about(table, user, accounts) & _may_be_told(table, windows)
        records[kind], more = await store.read(_newest(table, fields, is_mine))
        if more:
            omitted.append({"record": kind, "rows": more})
        if name in _PRESERVABLE and (kept := await store.read(_count(table, is_mine & _is_told(table, windows)))):
            preserved.append({"record": kind, "rows": kept, "because of": "a preservation order"})
    if preserved:
        records["preserved"] = preserved
    return records | {"omitted": omitted} if omitted else records


def _is_about(table: Table, user: UserAddress, accounts: Collection[int]) -> sqlalchemy.ColumnElement[bool]:
    if not _ACCOUNTS[table.name]:
        return (table.c.tenant == user.tenant) & (table.c.user == user.user)
    return or_(*(table.c[column].in_(accounts) for column in _ACCOUNTS[table.name]))


def _is_told(table: Table, windows: Windows) -> sqlalchemy.ColumnElement[bool]:
    return windows.is_over(table) & is_preserved(table, windows.now, may_be_told=True)


def _may_be_told(table: Table, windows: Windows) -> sqlalchemy.ColumnElement[bool]:
    if table.name not in _PRESERVABLE:
        return sqlalchemy.true()
    # Old and not preserved: retention has not come by yet.
    is_silent = is_preserved(table, windows.now) & ~is_preserved(table, windows.now, may_be_told=True)
    return ~(windows.is_over(table) & is_silent)


def _count(table: Table, which: sqlalchemy.ColumnElement[bool]) -> Callable[[Connection], int]:
    query = select(func.count()).select_from(table).where(which)
    return lambda connection: int(connection.execute(query).scalar_one())


def _newest(
    table: Table, fields: Collection[Field], is_mine: sqlalchemy.ColumnElement[bool]
) -> Callable[[Connection], tuple[list[dict[str, JsonValue]], int]]:
    columns = [table.c[field.where.partition(".")[2]] for field in fields]
    query = (
        select(*(part for column in columns for part in _parts(column)))
        .where(is_mine)
        .order_by(*(key.desc() for key in table.primary_key))
        .limit(MAX_ROWS)
    )
    count = _count(table, is_mine)

    def run(connection: Connection) -> tuple[list[dict[str, JsonValue]], int]:
        names = [field.name for field in fields]
        found: list[dict[str, Any]] = [
            dict(zip(names, _legible(columns, row), strict=True)) for row in connection.execute(query)
        ]
        more = count(connection) - len(found) if len(found) == MAX_ROWS else 0
        return found, more

    return run


def _parts(column: sqlalchemy.Column[Any]) -> list[sqlalchemy.ColumnElement[Any]]:
    """A column that is shown; of bytes the length, and themselves if they are short."""
    if not isinstance(column.type, LargeBinary):
        return [column]
    length = func.length(column)
    return [length, sqlalchemy.case((length <= _SHORT, column))]


def _legible(columns: Sequence[sqlalchemy.Column[Any]], row: Iterable[Any]) -> Iterator[JsonValue]:
    values = iter(row)
    for column in columns:
        value = next(values)
        if isinstance(column.type, LargeBinary):
            short = next(values)
            value = short.hex() if short is not None else None if value is None else f"{value} bytes"
        yield value
