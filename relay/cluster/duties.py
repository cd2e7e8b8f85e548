"""What one node does for all: it publishes the public log, and deletes what has expired and what is past its retention."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from blindrelay.relay.errors import StoreError
from blindrelay.relay.transparency.log import Log


class LeaderDuties:
    """`presence.Duties`.

    Args:
        log: that is published.
        chores: each with how often it is done, in seconds; the first time at once.
    """

    def __init__(self, log: Log, chores: Mapping[Callable[[], Awaitable[object]], float]) -> None:
        self._log = log
        self._chores = chores
        self._tasks: list[asyncio.Task[None]] = []

    async def take_up(self) -> None:
        """See `Duties`. Raises what the store raises; `HistoryLost`."""
        await self._log.take_up()
        self._tasks = [asyncio.create_task(_again_and_again(work, pause)) for work, pause in self._chores.items()]

    async def lay_down(self) -> None:
        """See `Duties`."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await self._log.lay_down()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again_and_again(work: Callable[[], Awaitable[object]], pause: float) -> None:
    while True:
        with contextlib.suppress(StoreError):  # full or away: the next time
            await work()
        await asyncio.sleep(pause)
