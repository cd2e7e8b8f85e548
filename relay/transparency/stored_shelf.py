"""A log's published pieces in the database, where several nodes show them and one at a time adds to them.

There is a row for each tile, which grows until it is full: a tile of fewer hashes is the beginning of one of more. Bundles are
made of the entries that the database has anyway. The checkpoint is one row; whoever moves it says from where, so that a node
that publishes beyond its time moves nothing back.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects.postgresql import insert

from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.tiles import Tile, checked
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.transparency.pieces import HeadMoved

T = TypeVar("T")

# As for files: `shelf`.
_REMEMBERED: Final = 1_024

_tile, _head = tables.log_tile.c, tables.log_head.c


class Reader(Protocol):
    """What is read with, from any thread: `blindrelay.relay.store.engine.Store`."""

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query`."""


class StoredShelf:
    """The pieces of one log: `pieces.Pieces`. Not for the event loop's own thread.

    Args:
        name: of the log.
        entries: its table.
        reader: reads.
        store: writes, in the loop that makes this object.
    """

    is_near = False

    def __init__(self, name: str, entries: Table, reader: Reader, store: Store) -> None:
        self.name = f"the log {name} in the database"
        self._log = name
        self._entries = entries.c
        self._reader = reader
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._seen: bytes | None = None  # the checkpoint that this node knows
        self.read = lru_cache(_REMEMBERED)(self._read)

    def fetch(self, piece: Tile | Bundle) -> bytes:
        """A tile or bundle. Raises `FileNotFoundError`: it is not there."""
        return self._read(piece) if isinstance(piece, Tile) else self._bundle(piece)

    def _read(self, tile: Tile) -> bytes:
        query = select(_tile.data).where(_tile.log == self._log, _tile.level == tile.level, _tile.number == tile.index)
        data = self._reader.read(lambda connection: connection.execute(query).scalar())
        if data is None:
            raise FileNotFoundError(f"{tile.path} of {self.name} is not there")
        return checked(tile, bytes(data))

    def _bundle(self, bundle: Bundle) -> bytes:
        number = self._entries.number
        query = (
            select(self._entries.body)
            .where(number.between(bundle.start, bundle.start + bundle.width - 1))
            .order_by(number)
        )
        entries = self._reader.read(lambda connection: list(connection.execute(query).scalars()))
        if len(entries) < bundle.width:
            raise FileNotFoundError(f"{bundle.path} of {self.name} is not there")
        return pack(entries)

    def checkpoint(self) -> bytes | None:
        """The last one; None when there is none yet. What is published next has to follow it."""
        query = select(_head.note).where(_head.log == self._log)
        self._seen = self._reader.read(lambda connection: connection.execute(query).scalar())
        return self._seen

    def put(self, pieces: Iterable[tuple[Tile | Bundle, bytes]]) -> None:
        """Write tiles; all are durable on return."""
        last = {
            (piece.level, piece.index): {"log": self._log, "level": piece.level, "number": piece.index, "data": data}
            for piece, data in pieces
            if isinstance(piece, Tile)
        }
        if not last:
            return
        add = insert(tables.log_tile)
        # The entries are the same for every node, and so is what a tile begins with: the longer one counts.
        add = add.on_conflict_do_update(
            index_elements=["log", "level", "number"],
            set_={"data": add.excluded.data},
            where=func.length(_tile.data) < func.length(add.excluded.data),
        )
        rows = [last[key] for key in sorted(last)]  # in one order, so that two nodes do not wait for one another
        self._write(lambda connection: connection.execute(add, rows) and None)

    def publish(self, checkpoint: bytes) -> None:
        """Make a checkpoint the last one; durable on return. Raises `HeadMoved`: it is not the next one any more."""
        values = {"size": Checkpoint.parse(Note.parse(checkpoint).text).size, "note": checkpoint}
        before = self._seen
        if before is None:
            first = (
                insert(tables.log_head).values(log=self._log, **values).on_conflict_do_nothing().returning(_head.log)
            )
            moved = self._write(lambda connection: len(connection.execute(first).all()))
        else:
            move = (
                sqlalchemy.update(tables.log_head)
                .where(_head.log == self._log, _head.note == before, _head.size <= values["size"])
                .values(values)
            )
            moved = self._write(lambda connection: connection.execute(move).rowcount)
        if moved != 1:
            raise HeadMoved(f"{self.name} has been published by another node")
        self._seen = checkpoint

    def _write(self, write: Callable[[Connection], T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._store.run(write), self._loop).result()
