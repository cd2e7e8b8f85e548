"""A network that is slow and loses segments, for kernels without netem: bytes arrive late, in order, and sometimes later still.

Loss is not felt as missing bytes, for TCP mends it, but as time: a segment that was lost comes after a retransmission, and
everything behind it waits for it. That is what is done here to each segment's worth of bytes.
"""

import asyncio
import contextlib
import random
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

# What TCP puts into one packet on most networks. Bytes.
SEGMENT: Final = 1_448
# What may be on its way, as a TCP window would let it. Bytes.
_WINDOW: Final = 262_144


def _chance() -> random.Random:
    return random.Random("delays")  # noqa: S311 - the same each time


@dataclass(frozen=True, slots=True)
class Latency:
    """How late. `seconds` each way; `loss`: the share of segments that have to be sent again, and perhaps again."""

    seconds: float = 0.3
    loss: float = 0.05
    chance: random.Random = field(default_factory=_chance, repr=False)

    def of(self, size: int) -> float:
        """What so many bytes take. A retransmission follows after a round trip, the next after twice as long."""
        worst = 0.0
        for _ in range(-(-size // SEGMENT)):
            late, timeout = 0.0, 2 * self.seconds
            while self.chance.random() < self.loss:
                late += timeout
                timeout *= 2
            worst = max(worst, late)
        return self.seconds + worst


class DelayLine:
    """One direction of one connection. An async context manager; on leaving, what is still on its way is written at once.

    Without a latency, and with nothing on its way, bytes are written as they come.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._last = 0.0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self._writer.is_closing():
            for _, chunk in self._waiting:
                self._writer.write(chunk)

    async def carry(self, chunk: bytes, latency: Latency | None) -> None:
        """Let `chunk` arrive, after everything that was carried before it. Raises `OSError` when the connection is over."""
        if not self._waiting and latency is None:
            self._writer.write(chunk)
            await self._writer.drain()
            return
        if self._task is None:
            self._task = asyncio.create_task(self._arrive())
        due = asyncio.get_running_loop().time() + (0.0 if latency is None else latency.of(len(chunk)))
        self._last = max(due, self._last)
        self._waiting.append((self._last, chunk))
        self._size += len(chunk)
        self._changed.set()
        while self._size > _WINDOW and not self._task.done():  # noqa: ASYNC110 - as long as TCP would keep it waiting
            await asyncio.sleep(0.02)

    async def _arrive(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                while not self._waiting:
                    self._changed.clear()
                    await self._changed.wait()
                due, chunk = self._waiting[0]
                await asyncio.sleep(due - loop.time())
                self._writer.write(chunk)
                self._waiting.popleft()
                self._size -= len(chunk)
                await self._writer.drain()
