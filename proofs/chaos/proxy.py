"""The network between two processes of a run, as one TCP forwarder that can misbehave: for reordering kernels there is no need.

It gives whoever connects one port for the whole run, though the server behind it comes and goes.
"""

import asyncio
import contextlib
import enum
import itertools
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from blindrelay.proofs.chaos.delays import DelayLine, Latency

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
    LOSSY = enum.auto()  # late, and now and then later: see `delays`
    REFUSED = enum.auto()  # there is no connection, and none comes


class Cut(enum.Enum):
    """Where a connection ends, seen from something that its client says."""

    WITHIN = enum.auto()  # the last byte of it does not arrive
    AFTER = enum.auto()  # it arrives, and the answer does not


#: Looks at what the client of a connection (by its number) says, and may end the connection there.
Watch = Callable[[int, bytes], Cut | None]


class Proxy:
    """Forwards each connection to `127.0.0.1:target_port`, or to the Unix socket `target_socket`. An async context manager.

    Attributes:
        flow: which bytes pass; change it with `let`.
        latency: of `Flow.LOSSY`.
        watch: looks at what clients send, and may cut there; None: nobody does.
    """

    def __init__(self, target_port: int = 0, *, target_socket: Path | None = None) -> None:
        self.target_port = target_port
        self.flow = Flow.OPEN
        self.latency = Latency()
        self.watch: Watch | None = None
        self._target_socket = target_socket
        self._numbers = itertools.count(1)
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
        if flow is Flow.REFUSED:
            self.reset()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._links)

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
        if self.flow is Flow.REFUSED:
            return
        try:
            relay_reader, relay_writer = await self._open()
        except OSError:
            return  # the relay is down
        link = _Link(self, next(self._numbers), writer, relay_writer)
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

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target_socket is not None:
            return await asyncio.open_unix_connection(self._target_socket, limit=CHUNK)
        return await asyncio.open_connection("127.0.0.1", self.target_port, limit=CHUNK)


class _Link:
    """One connection's two halves."""

    def __init__(self, proxy: Proxy, number: int, client: asyncio.StreamWriter, relay: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._number = number
        self._client = client
        self._relay = relay
        self.left: int | None = None  # bytes of answers that still pass; None: as many as come
        self._is_over = False
        self.aborted = False

    def abort(self) -> None:
        """Reset both sides."""
        self.aborted = True
        self._client.transport.abort()
        self._relay.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """Carry bytes one way until an end."""
        async with DelayLine(writer) as line:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(TRICKLE_BYTES if self._proxy.flow is Flow.SLOW else CHUNK):
                    await self._proxy.passable(answers=answers)
                    passing = self._answer(chunk) if answers else self._request(chunk)
                    await line.carry(passing, self._proxy.latency if self._proxy.flow is Flow.LOSSY else None)
                    if self._is_over:
                        self.abort()
                        return

    def _answer(self, chunk: bytes) -> bytes:
        """What passes of it; the rest is where a cut connection ends."""
        if self.left is not None:
            chunk, self.left = chunk[: self.left], self.left - len(chunk)
            self._is_over = self.left <= 0
        return chunk

    def _request(self, chunk: bytes) -> bytes:
        match self._proxy.watch and self._proxy.watch(self._number, chunk):
            case Cut.WITHIN:
                self._is_over = True
                return chunk[:-1]
            case Cut.AFTER:
                self.left = 0
        return chunk
