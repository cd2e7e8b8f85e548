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

import structlog
from sqlalchemy import Connection, Row, text

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
#: How late a node looks of whom nobody has told, and after how long without a look it says that it knows nothing. Seconds.
INTERVAL: Final = 0.5
_CURRENT: Final = 5.0

_log = structlog.get_logger()

#: Refreshes what is known by these keys.
Refresh = Callable[[Sequence[str]], Awaitable[None]]

_NEXT: Final = text(
    f"SELECT number, kind, key FROM change WHERE number > :number ORDER BY number LIMIT {_MAX_ROWS}"  # noqa: S608
)
_LAST: Final = text("SELECT coalesce(max(number), 0) FROM change")
_BEHIND: Final = text(f"SELECT count(*) FROM node JOIN ({LIVE}) AS live USING (id) WHERE followed < :number")  # noqa: S608
_FORGET: Final = [
    text(f"DELETE FROM {table} WHERE {column} < extract(epoch FROM clock_timestamp())::bigint - :kept")  # noqa: S608 - constants
    for table, column in (("change", "noted_at"), ("last_commit", "written_at"))
]
_FOLLOWED: Final = text("UPDATE node SET followed = :number WHERE id = :node AND followed < :number")


class Feed:
    """What has changed, for one node.

    Args:
        store: where it is read from.
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
        self._monotonic = clock.monotonic
        self._refresh = refresh
        self._reload = reload
        self._followed = 0  # the node acts by what has changed up to here
        self._looked_at = clock.monotonic()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_current(self) -> bool:
        """Whether the node knows of what has changed some seconds ago."""
        return self._monotonic() - self._looked_at < _CURRENT

    async def start(self) -> None:
        """Begin here. What is read from the tables after this is followed from then on."""
        self._followed = await self._store.read(_last)
        await self._store.run(partial(_say, self._node, self._followed))
        self._looked_at = self._monotonic()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

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
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
            except StoreError:  # whoever looks after the store says more
                await asyncio.sleep(INTERVAL)
            except Exception as error:  # noqa: BLE001 - whatever it is: a node that stops following is worse
                _log.error("what has changed could not be refreshed", exc_info=error)
                await asyncio.sleep(INTERVAL)

    async def _catch_up(self) -> None:
        while found := await self._store.read(partial(_next, self._followed)):
            await self._act(found)
            self._followed = found[-1].number
            self._looked_at = self._monotonic()
            await self._store.run(partial(_say, self._node, self._followed))
        self._looked_at = self._monotonic()

    async def _act(self, found: Sequence[Row[Any]]) -> None:
        if self._monotonic() - self._looked_at > KEPT / 2:
            await self._reload()
            return
        # In the order of the first change of each kind: a tenant is there before its devices. Each key once.
        for kind in dict.fromkeys(row.kind for row in found):
            refresh = self._refresh.get(kind)
            if refresh is not None:
                await refresh(list(dict.fromkeys(row.key for row in found if row.kind == kind)))


def _last(connection: Connection) -> int:
    return int(connection.execute(_LAST).scalar_one())


def _next(number: int, connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_NEXT, {"number": number}).all()


def _behind(connection: Connection, number: int) -> int:
    return int(connection.execute(_BEHIND, {"number": number}).scalar_one())


def _say(node: int, number: int, connection: Connection) -> None:
    connection.execute(_FOLLOWED, {"number": number, "node": node})


def forget_old(connection: Connection) -> None:
    """Delete the changes that have been kept for long enough, and the numbers of transactions that nobody asks about any more.

    By the clock that noted them, which is the database's: a node whose clock is an hour fast would delete what others have not
    followed yet, and they would never hear of it.
    """
    for forget in _FORGET:
        connection.execute(forget, {"kept": KEPT})
