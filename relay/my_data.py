"""What the relay holds about a user, for that user: printed from the inventory, so that nothing can be left out."""

from collections.abc import Callable, Collection
from typing import Any, Final

import sqlalchemy
from pydantic import JsonValue
from sqlalchemy import Connection, LargeBinary, Table, func, or_, select

from blindrelay.protocol.address import UserAddress
from blindrelay.relay.inventory import FIELDS, Field, Place
from blindrelay.relay.ledger import Store
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
}

Records = dict[str, list[dict[str, JsonValue]]]


async def my_data(store: Store, user: UserAddress) -> Records:
    """Everything that is held about `user`'s devices: kind of record -> its rows, newest first, `MAX_ROWS` of each at most.

    The kind `omitted` says how many more there are. Keys, signatures and envelopes are given by their length.
    """
    device = tables.device.c
    mine = select(device.account_id).where(device.tenant == user.tenant, device.user == user.user)
    accounts = await store.read(lambda connection: list(connection.execute(mine).scalars()))
    records: Records = {}
    omitted: list[dict[str, JsonValue]] = []
    for name in _ACCOUNTS:
        fields = [field for field in FIELDS if field.place is Place.DATABASE and field.where.startswith(f"{name}.")]
        kind = f"{fields[0].record} ({name})" if fields[0].record == "DirectoryEntry" else fields[0].record
        records[kind], more = await store.read(_newest(tables.metadata.tables[name], fields, accounts))
        if more:
            omitted.append({"record": kind, "rows": more})
    return records | {"omitted": omitted} if omitted else records


def _newest(
    table: Table, fields: Collection[Field], accounts: Collection[int]
) -> Callable[[Connection], tuple[list[dict[str, JsonValue]], int]]:
    is_mine = or_(*(table.c[column].in_(accounts) for column in _ACCOUNTS[table.name]))
    columns = [table.c[field.where.partition(".")[2]] for field in fields]
    query = (
        select(*map(_legible, columns))
        .where(is_mine)
        .order_by(*(key.desc() for key in table.primary_key))
        .limit(MAX_ROWS)
    )
    count = select(func.count()).select_from(table).where(is_mine)

    def run(connection: Connection) -> tuple[list[dict[str, JsonValue]], int]:
        names = [field.name for field in fields]
        found: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in connection.execute(query)]
        more = int(connection.execute(count).scalar_one()) - len(found) if len(found) == MAX_ROWS else 0
        return found, more

    return run


def _legible(column: sqlalchemy.Column[object]) -> sqlalchemy.ColumnElement[object]:
    if not isinstance(column.type, LargeBinary):
        return column
    length = func.length(column)
    return sqlalchemy.case((length <= _SHORT, func.lower(func.hex(column))), else_=func.printf("%d bytes", length))
