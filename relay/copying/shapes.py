"""What becomes of each table: which rows there are on the old side, in which order both sides are gone through.

Most are the same on both. What is not:

- `envelope` has its payload without what `layout` puts around it.
- `mailbox` says how far places have been given. SQLite's relay has that in memory, and makes it of the envelopes at each start.
- `recent_id` has a number that grows where SQLite has a place in a ring. The upper half of the checksum is such a number.

What nodes have among themselves (`NODES_OWN`) is empty in SQLite, and begins anew. The published log is in files there: see
`logs`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import LargeBinary, Table, Text

from blindrelay.relay.errors import Unreadable
from blindrelay.relay.store import tables

#: Values by the columns of the table. Whole numbers, text, bytes, None.
Row: TypeAlias = tuple[Any, ...]

#: Nothing of them is in a relay's SQLite database.
NODES_OWN: Final = (
    tables.presence,
    tables.node,
    tables.change,
    tables.charge,
    tables.last_commit,
    tables.connection_watch,
    tables.connection_event,
)
#: Of a relay on SQLite they are files: see `logs`.
PUBLISHED: Final = (tables.log_tile, tables.log_head)


@dataclass(frozen=True, slots=True)
class Shape:
    """One table.

    Attributes:
        table: as PostgreSQL has it.
        key: its columns that are unique together, by which rows are put in order on both sides.
        rows: what there is to be of it, made from the SQLite database, in that order. Nothing is kept in memory.
    """

    table: Table
    key: tuple[str, ...]
    rows: Callable[[sqlite3.Connection], Iterator[Row]]

    @property
    def name(self) -> str:
        """Of the table."""
        return self.table.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Names, quoted: `user` is a word of SQL."""
        return tuple(f'"{column.name}"' for column in self.table.columns)

    @property
    def types(self) -> list[str]:
        """PostgreSQL's, of the columns."""
        names = {LargeBinary: "bytea", Text: "text"}
        return [names.get(type(column.type), "int8") for column in self.table.columns]

    @property
    def order(self) -> str:
        """By which PostgreSQL puts rows in the same order as SQLite: text by its bytes, whatever language the database has."""
        texts = {column.name for column in self.table.columns if isinstance(column.type, Text)}
        return ", ".join(f'"{name}" COLLATE "C"' if name in texts else f'"{name}"' for name in self.key)

    def name_of(self, row: Row) -> str:
        """A row by its key, for a message. There is no content in it."""
        values = {column.name: value for column, value in zip(self.table.columns, row, strict=True)}
        shown = ((name, values[name]) for name in self.key)
        return ", ".join(f"{name} {value.hex() if isinstance(value, bytes) else value}" for name, value in shown)


def _plain(table: Table) -> Shape:
    key = tuple(column.name for column in table.primary_key)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{name}"' for name in key)
    query = f"SELECT {columns} FROM {table.name} ORDER BY {order}"  # noqa: S608 - names of ours
    return Shape(table, key, lambda source: iter(source.execute(query)))


_ENVELOPES: Final = (
    "SELECT mailbox_id, sequence, message_id, accepted_at, expires_at, size, x'', "
    "CASE WHEN length(payload) >= size THEN substr(payload, 1, size) END FROM envelope ORDER BY mailbox_id, sequence"
)


def _envelopes(source: sqlite3.Connection) -> Iterator[Row]:
    for row in source.execute(_ENVELOPES):
        if row[-1] is None:
            raise Unreadable(
                f"the envelope at place {row[1]} of mailbox {row[0]} is shorter than it says: the database is damaged. "
                "Restore the newest backup, and copy that"
            )
        yield row


# By the devices, of which each has one, so that nothing has to be collected.
_MAILBOXES: Final = """
    SELECT d.account_id,
           coalesce((SELECT max(e.sequence) FROM envelope AS e WHERE e.mailbox_id = d.account_id), 0),
           (SELECT count(*) FROM envelope AS e WHERE e.mailbox_id = d.account_id),
           coalesce((SELECT sum(e.size) FROM envelope AS e WHERE e.mailbox_id = d.account_id), 0),
           0,
           coalesce((SELECT m.closed FROM mailbox AS m WHERE m.account_id = d.account_id), 0)
    FROM device AS d ORDER BY d.account_id
"""


def _mailboxes(source: sqlite3.Connection) -> Iterator[Row]:
    return (row for row in source.execute(_MAILBOXES) if any(row[1:]))


_RECENT: Final = (
    "SELECT owner, checksum >> 32, message_id, recipient, size, checksum, accepted_at "
    "FROM recent_id ORDER BY owner, slot"
)


def _recent_ids(source: sqlite3.Connection) -> Iterator[Row]:
    # A ring has at most a thousand or so. An id whose commit once failed can be in it twice: the newer one counts.
    for _, ring in groupby(source.execute(_RECENT), key=lambda row: row[0]):
        newest: dict[bytes, Row] = {}
        for row in sorted(ring, key=lambda row: row[1]):
            newest[row[2]] = row
        yield from sorted(newest.values(), key=lambda row: row[2])


_OTHERS: Final = {
    tables.envelope: Shape(tables.envelope, ("mailbox_id", "sequence"), _envelopes),
    tables.mailbox: Shape(tables.mailbox, ("account_id",), _mailboxes),
    tables.recent_id: Shape(tables.recent_id, ("owner", "message_id"), _recent_ids),
}

#: What is copied; a table comes after those that it refers to.
SHAPES: Final = tuple(
    _OTHERS.get(table) or _plain(table)
    for table in tables.metadata.sorted_tables
    if table not in {*NODES_OWN, *PUBLISHED}
)
