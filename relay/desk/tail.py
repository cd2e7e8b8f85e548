"""The metadata that real-time orders are answered from: looked at from a thread of its own, a piece at a time."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, select

from blindrelay.policies.request import Target
from blindrelay.relay.desk.selection import Reader, accounts_of
from blindrelay.relay.store import tables
from blindrelay.relay.store.metadata import open_metadata_reader

T = TypeVar("T")

_traffic, _device = tables.traffic.c, tables.device.c


@dataclass(frozen=True, slots=True)
class Newest:
    """The highest numbers that there are; 0 for none."""

    message: int
    device: int


class Tail:
    """The end of the traffic table. Use `open`, and `close` before the store is closed."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._opened = contextlib.ExitStack()
        self._reader: Reader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="streams")

    async def open(self) -> None:
        """Open the database for reading metadata."""
        self._reader = await self._call(lambda: self._opened.enter_context(open_metadata_reader(self._database)))

    async def close(self) -> None:
        """Finish what is being read, and close the database."""
        await self._call(self._opened.close)
        self._thread.shutdown()

    async def newest(self) -> Newest:
        """How far the tables have grown.

        The device is looked for second: whoever sent a message that is seen was enrolled before.
        """

        def look() -> Newest:
            ((message,),) = self._reader.select(select(func.max(_traffic.id)))
            ((device,),) = self._reader.select(select(func.max(_device.account_id)))
            return Newest(message or 0, device or 0)

        return await self._call(look)

    async def accounts(self, orders: Collection[tuple[Target, ...]]) -> list[tuple[int, ...]]:
        """The accounts of each order's targets; raise `NotSelectable` for targets that are none."""
        return await self._call(lambda: [accounts_of(targets, self._reader) for targets in orders])

    async def messages(
        self, accounts: Collection[int], after: int, upto: int, limit: int | None = None
    ) -> list[tuple[Any, ...]]:
        """What these accounts sent and received: the number and the columns of `policies.package.traffic`, in order."""
        query = (
            select(
                _traffic.id,
                _traffic.message_id,
                _traffic.sender_id,
                _traffic.recipient_id,
                _traffic.accepted_at,
                _traffic.size,
            )
            .where(_traffic.id.between(after + 1, upto))
            .where(_traffic.sender_id.in_(accounts) | _traffic.recipient_id.in_(accounts))
            .order_by(_traffic.id)
            .limit(limit)
        )
        return await self._call(lambda: self._reader.select(query))

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
