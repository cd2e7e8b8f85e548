"""The metadata that real-time orders are answered from: looked at from a thread of its own, a piece at a time."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import bindparam, func, select, text

from blindrelay.policies.request import Target
from blindrelay.relay.desk.selection import PIECE, accounts_of
from blindrelay.relay.store import tables
from blindrelay.relay.store.metadata import MetadataReader, OpenMetadata
from blindrelay.relay.store.types import Number

T = TypeVar("T")

# What one look gives at most: some 5 ms on the event loop for those who get it.
MAX_ROWS: Final = 512

# Numbers grow with time, but for what a commit gathers and a clock that is set back. Seconds.
CLOCK_SLACK: Final = 3_600

_traffic, _device = tables.traffic.c, tables.device.c


@dataclass(frozen=True, slots=True)
class Newest:
    """The highest numbers that there are; 0 for none. `device` is another one whenever a device has been enrolled since."""

    message: int
    device: int


class Tail:
    """The end of the traffic table. Use `open`, and `close` before the store is closed."""

    def __init__(self, metadata: OpenMetadata) -> None:
        self._open_metadata = metadata
        self._opened = contextlib.ExitStack()
        self._reader: MetadataReader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="streams")

    async def open(self) -> None:
        """Open the database for reading metadata."""
        self._reader = await self._call(lambda: self._opened.enter_context(self._open_metadata()))

    async def close(self) -> None:
        """Finish what is being read, and close the database."""
        await self._call(self._opened.close)
        self._thread.shutdown()

    async def newest(self) -> Newest:
        """How far the tables have grown.

        The device is looked for second: whoever sent a message that is seen was enrolled before.
        """

        def look() -> Newest:
            if self._reader.is_shared:
                ((message, change),) = self._reader.select(text("SELECT message, change FROM newest()"))
                return Newest(message, change)
            ((message,),) = self._reader.select(select(func.max(_traffic.id)))
            ((device,),) = self._reader.select(select(func.max(_device.account_id)))
            return Newest(message or 0, device or 0)

        return await self._call(look)

    async def before(self, moment: int) -> int:
        """The number of a traffic record up to which none was accepted at `moment` (epoch seconds) or later; 0 for none.

        From the end of the table backwards, a piece at a time, for what is asked about has mostly just begun.
        """
        upper = (await self.newest()).message
        while upper > 0:
            lower = max(0, upper - PIECE)
            latest = await self._call(lambda lower=lower, upper=upper: self._latest(lower, upper))  # type: ignore[misc]
            if latest is not None and latest < moment - CLOCK_SLACK:
                return upper
            upper = lower
        return 0

    def _latest(self, after: int, upto: int) -> int | None:
        query = select(func.max(_traffic.accepted_at)).where(_traffic.id > after, _traffic.id <= upto)
        ((latest,),) = self._reader.select(query)
        return None if latest is None else int(latest)

    async def accounts(self, orders: Collection[tuple[Target, ...]]) -> list[tuple[int, ...]]:
        """The accounts of each order's targets; raise `NotSelectable` for targets that are none."""
        return await self._call(lambda: [accounts_of(targets, self._reader) for targets in orders])

    async def messages(self, accounts: Collection[int], after: int, upto: int) -> list[tuple[Any, ...]]:
        """What these accounts sent and received: the number and the columns of `policies.package.traffic`, in order.

        `MAX_ROWS` at most: when there are as many, there may be more.
        """
        query = _query(tuple(accounts)).bindparams(after=after, upto=upto)
        return await self._call(lambda: self._reader.select(query))

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


@lru_cache(maxsize=64)
def _query(accounts: tuple[int, ...]) -> sqlalchemy.TextClause:
    # Two hundred accounts as parameters cost as much as the look itself. They are numbers, and so written into the text.
    these = ",".join(str(int(account)) for account in accounts) or "NULL"
    query = text(
        "SELECT id, message_id, sender_id, recipient_id, accepted_at, size FROM traffic "  # noqa: S608
        f"WHERE id BETWEEN :after + 1 AND :upto AND (sender_id IN ({these}) OR recipient_id IN ({these})) "
        f"ORDER BY id LIMIT {MAX_ROWS}"
    )
    return query.bindparams(bindparam("after", type_=Number), bindparam("upto", type_=Number))
