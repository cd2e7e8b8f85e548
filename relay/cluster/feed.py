"""What has changed since a node last looked, of that which every node keeps in memory.

The database writes it down (`0002_changes.sql`), in the transaction of the change itself and numbered in the order of commits.
A node reads what is above the number that it has followed to, and refreshes just that from the tables. It says how far it
has followed, so that whoever changes something can wait until all nodes act by it (`wait_everywhere`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy import Connection, text

from blindrelay.protocol.clock import Clock
from blindrelay.relay.cluster.presence import LIVE
from blindrelay.relay.errors import StoreError
from blindrelay.relay.ports import Store

# What one look takes in.
_MAX_ROWS: Final = 1_000
# Changes are kept for this long; a node that could not look for half of it reads everything anew. Seconds.
KEPT: Final = 3_600
# How long somebody waits for all nodes, and how often it is looked. One that is stopped does not hold up the others. Seconds.
_PATIENCE: Final = 1.0
_LOOK: Final = 0.015
# After a refresh that failed. Seconds.
_RETRY: Final = 0.5

_log = structlog.get_logger()

#: Refreshes what is known by these keys.
Refresh = Callable[[Sequence[str]], Awaitable[None]]

_NEXT: Final = f"SELECT number, kind, key FROM change WHERE number > %s ORDER BY number LIMIT {_MAX_ROWS}"  # noqa: S608
_LAST: Final = text("SELECT coalesce(max(number), 0) FROM change")
_BEHIND: Final = text(f"SELECT count(*) FROM node JOIN ({LIVE}) AS live USING (id) WHERE followed < :number")  # noqa: S608
_FOLLOWED: Final = text("UPDATE node SET followed = :number WHERE id = :node AND followed < :number")


class Feed:
    """What has changed, for one node.

    Args:
        store: where it is refreshed from.
        node: the node's number.
        refresh: by kind of change. Kinds that are not in it are passed over.
        reload: refreshes everything, when too much may have been missed.
    """

    def __init__(
        self,
        store: Store,
        node: int,
        clock: Clock,
        *,
        refresh: Mapping[str, Refresh],
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._node = node
        self._clock = clock
        self._refresh = refresh
        self._reload = reload
        self._read = 0  # up to here it has been read what has changed
        self._followed = 0  # and up to here the node acts by it
        self._pending: dict[tuple[str, str], None] = {}
        self._looked_at = clock.monotonic()
        self._has_missed = False
        self._has_news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin here. What is read from the tables after this is followed from then on."""
        self._read = self._followed = await self._store.read(_last)
        self._looked_at = self._clock.monotonic()
        self._task = asyncio.create_task(self._follow())
        self._has_news.set()  # to say how far

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        """Take in what has changed. Raises what the connection raises."""
        found = await (await connection.execute(_NEXT, (self._read,))).fetchall()
        now = self._clock.monotonic()
        if now - self._looked_at > KEPT / 2:
            self._has_missed = True
        self._looked_at = now
        for number, kind, key in found:
            self._pending[kind, key] = None
            self._read = number
        if found:
            self._has_news.set()

    async def wait_everywhere(self) -> None:
        """Wait until every node that is alive acts by what has been committed up to now: a second at most."""
        with contextlib.suppress(TimeoutError, StoreError):
            async with asyncio.timeout(_PATIENCE):
                number = await self._store.read(_last)
                # It is other processes that are waited for: there is no event.
                while await self._store.read(lambda connection: _behind(connection, number)):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK)

    async def _follow(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            number, pending = self._read, self._pending
            self._pending = {}
            try:
                await self._act(pending)
                await self._store.run(partial(_say, self._node, number))
                self._followed = number
            except Exception as error:  # noqa: BLE001 - whatever it is: a node that stops following is worse
                _log.error("what has changed could not be refreshed", exc_info=error)
                self._pending = pending | self._pending
                self._has_news.set()
                await asyncio.sleep(_RETRY)

    async def _act(self, pending: Mapping[tuple[str, str], None]) -> None:
        if self._has_missed:
            await self._reload()
            self._has_missed = False
            return
        # In the order of the first change of each kind: a tenant is there before its devices.
        for kind in dict.fromkeys(kind for kind, _ in pending):
            refresh = self._refresh.get(kind)
            if refresh is not None:
                await refresh([key for other, key in pending if other == kind])


def _last(connection: Connection) -> int:
    return int(connection.execute(_LAST).scalar_one())


def _behind(connection: Connection, number: int) -> int:
    return int(connection.execute(_BEHIND, {"number": number}).scalar_one())


def _say(node: int, number: int, connection: Connection) -> None:
    connection.execute(_FOLLOWED, {"number": number, "node": node})


def forget_old(before: int) -> Callable[[Connection], None]:
    """Delete the changes of before `before` (epoch seconds)."""
    statement = text("DELETE FROM change WHERE noted_at < :before")

    def write(connection: Connection) -> None:
        connection.execute(statement, {"before": before})

    return write
