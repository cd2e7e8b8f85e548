"""Records are deleted a few at a time, so that the messages behind a commit do not wait for long; none that an order keeps."""

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Table, delete, select

from blindrelay.relay.desk.preservation import is_preserved
from blindrelay.relay.ledger import Store, bounds, pieces

# What one commit deletes: a few milliseconds that the messages behind it wait.
BATCH: Final = 1_000


async def erase(store: Store, table: Table, which: ColumnElement[bool], now: int) -> int:
    """Delete those rows of `table` (`traffic` or `access`), but for what an order keeps at `now`; how many that were."""
    # All of the table is looked at, not just its old end: the machine's clock may have been wrong for a while.
    gone, may_go = 0, which & ~is_preserved(table, now)
    for first, last in pieces(*await store.read(bounds(table))):
        query = select(table.c.id).where(table.c.id.between(first, last), may_go)
        found = await store.read(scalars(query))
        for start in range(0, len(found), BATCH):
            # An order may have come since: what it keeps is decided by the statement that deletes.
            these = delete(table).where(table.c.id.in_(found[start : start + BATCH]), may_go)
            gone += await store.run(count(these))
    return gone


def scalars(query: sqlalchemy.Select[Any]) -> Callable[[Connection], list[Any]]:
    """What the query finds, for a store's `read`."""
    return lambda connection: list(connection.execute(query).scalars())


def count(statement: sqlalchemy.Delete) -> Callable[[Connection], int]:
    """How many rows the statement deletes, for a store's `run`."""
    return lambda connection: connection.execute(statement).rowcount
