"""A log's table. An entry is added in the transaction of the event that it records, so that there is no event without its entry
and no entry without its event, whenever the power goes."""

from typing import Final, Protocol

import sqlalchemy
from sqlalchemy import DDL, Column, Connection, LargeBinary, MetaData, Table

from blindrelay.relay.ports import Store
from blindrelay.relay.store.types import Number


def log_table(name: str, metadata: MetaData) -> Table:
    """A table of entries, numbered from 0. The database itself refuses to change or delete one."""
    table = Table(
        name,
        metadata,
        Column("number", Number, primary_key=True, autoincrement=False),
        Column("body", LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    for action in ("UPDATE", "DELETE"):
        refuse = DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER {name}_no_{action.lower()} BEFORE {action} ON {name} "
            "BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END"
        )
        sqlalchemy.event.listen(table, "after_create", refuse.execute_if(dialect="sqlite"))
    return table


def append(connection: Connection, table: Table, body: bytes) -> int:
    """Add an entry; returns its index. It is in the log when the transaction is committed."""
    # One statement, straight to the driver: in two, made by SQLAlchemy, it costs more than twice as much.
    mark = "?"
    if connection.dialect.name == "postgresql":
        # Of several nodes one at a time, until its commit: so an entry is never visible before the one with a lower number.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"blindrelay {table.name}",))
        mark = "%s"
    sql = (
        f"INSERT INTO {table.name} (number, body) "  # noqa: S608 - the name is ours
        f"SELECT coalesce(max(number) + 1, 0), {mark} FROM {table.name} RETURNING number"
    )
    return int(connection.exec_driver_sql(sql, (body,)).scalar_one())


def count(connection: Connection, table: Table) -> int:
    """How many entries there are."""
    last = connection.execute(sqlalchemy.select(sqlalchemy.func.max(table.c.number))).scalar()
    return 0 if last is None else int(last) + 1


class Source(Protocol):
    """Where a log's committed entries are."""

    async def entries(self, start: int) -> list[bytes]:
        """Those from `start` on, some at a time; none when there are no more."""

    async def count(self) -> int:
        """How many there are."""


#: What is published at once: 64 whole tiles.
AT_ONCE: Final = 64 * 256


class StoredEntries:
    """A `Source` in the relay's store."""

    def __init__(self, store: Store, table: Table) -> None:
        self._store = store
        self._table = table

    async def entries(self, start: int) -> list[bytes]:
        """Those from `start` on, `AT_ONCE` at most."""
        number = self._table.c.number
        query = sqlalchemy.select(self._table.c.body).where(number.between(start, start + AT_ONCE - 1)).order_by(number)
        return await self._store.read(lambda connection: list(connection.execute(query).scalars()))

    async def count(self) -> int:
        """How many there are."""
        return await self._store.read(lambda connection: count(connection, self._table))
