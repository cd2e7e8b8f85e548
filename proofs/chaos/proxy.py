"""The network between clients and relay, as one TCP forwarder that can misbehave: for reordering kernels there is no need.

It gives clients one port for the whole run, though the relay behind it comes and goes.
"""

import asyncio
import contextlib
import enum
import socket
from types import TracebackType
from typing import Self, cast

CHUNK = 16_384
# A trickle: bytes and seconds between them. 1 KiB messages then take about a second.
TRICKLE_BYTES = 1_024
TRICKLE_PAUSE = 0.2


class Flow(enum.Enum):
    """Which bytes pass."""

    OPEN = enum.auto()
    HELD = enum.auto()  # half-open: nothing passes, nobody is told
    ANSWERS_HELD = enum.auto()  # what clients say arrives, what the relay says does not
    SLOW = enum.auto()


class Proxy:
    """Forwards each connection to `127.0.0.1:target_port`. Use as an async context manager."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.flow = Flow.OPEN
        self._changed = asyncio.Condition()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        #: Where clients connect to.
        self.port = int(self._socket.getsockname()[1])
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        server = await asyncio.start_server(self._accept, sock=self._socket, limit=CHUNK)
        self._stack.push_async_callback(server.wait_closed)
        self._stack.push_async_callback(self._end_all)
        self._stack.callback(server.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _end_all(self) -> None:
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def let(self, flow: Flow) -> None:
        """Change which bytes pass, for connections there are and come."""
        async with self._changed:
            self.flow = flow
            self._changed.notify_all()

    def reset(self) -> int:
        """Reset every connection, on both sides; return how many there were."""
        count = len(self._links)
        for link in list(self._links):
            link.abort()
        return count

    def cut_after(self, count: int) -> None:
        """Reset each present connection after `count` more bytes from the relay, wherever in a packet that is."""
        for link in self._links:
            link.left = count

    async def passable(self, *, answers: bool) -> None:
        """Wait until bytes of this direction may pass."""
        held = {Flow.HELD, Flow.ANSWERS_HELD} if answers else {Flow.HELD}
        if self.flow in held:
            async with self._changed:
                await self._changed.wait_for(lambda: self.flow not in held)
        if self.flow is Flow.SLOW:
            await asyncio.sleep(TRICKLE_PAUSE)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        try:
            await self._forward(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            relay_reader, relay_writer = await asyncio.open_connection("127.0.0.1", self.target_port, limit=CHUNK)
        except OSError:
            return  # the relay is down
        link = _Link(self, writer, relay_writer)
        self._links.add(link)
        pumps = [
            asyncio.create_task(link.pump(reader, relay_writer, answers=False)),
            asyncio.create_task(link.pump(relay_reader, writer, answers=True)),
        ]
        try:
            # An end, of either side, ends both: TLS knows no half-closed connection either.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if not link.aborted:
                await asyncio.wait(pumps, timeout=0.2)  # what is on its way the other way
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            relay_writer.close()


class _Link:
    """One connection's two halves."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, relay: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._relay = relay
        self.left: int | None = None
        self.aborted = False

    def abort(self) -> None:
        """Reset both sides."""
        self.aborted = True
        self._client.transport.abort()
        self._relay.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """Carry bytes one way until an end."""
        with contextlib.suppress(OSError):
            while True:
                chunk = await reader.read(TRICKLE_BYTES if self._proxy.flow is Flow.SLOW else CHUNK)
                if not chunk:
                    return
                await self._proxy.passable(answers=answers)
                if answers and self.left is not None:
                    chunk, self.left = chunk[: self.left], self.left - len(chunk)
                writer.write(chunk)
                await writer.drain()
                if self.left is not None and self.left <= 0:
                    self.abort()
                    return
