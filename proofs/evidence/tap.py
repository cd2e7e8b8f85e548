"""A wire tap: forwards TCP connections to a port and keeps every byte, by connection and direction. It holds no key.

NNNN.json  when it was opened and closed, and to which service; offsets in seconds since the tap began
NNNN.up    what the client sent
NNNN.down  what came back
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final

_CHUNK: Final = 65_536
#: What the next connection is called, by folder: taps that share one count together.
_NUMBERS: Final[defaultdict[Path, Iterator[int]]] = defaultdict(count)


class Tap:
    """Listens on `port`, forwards to `target`, writes into `folder`. Several taps may share a folder.

    Args:
        service: what answers there, for those who read the recording.
    """

    def __init__(self, folder: Path, service: str) -> None:
        self._folder = folder
        self._service = service
        self._server: asyncio.Server
        self._links: set[asyncio.Task[None]] = set()
        #: The port behind it. It may change: later connections go to the new one.
        self.target = 0
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, service: str) -> AsyncIterator["Tap"]:
        """A tap that ends, with all its connections, when it is left."""
        tap = cls(folder, service)
        tap._server = await asyncio.start_server(tap._accept, "127.0.0.1", 0)
        tap.port = tap._server.sockets[0].getsockname()[1]
        try:
            yield tap
        finally:
            tap._server.close()
            for link in tap._links:
                link.cancel()
            await asyncio.gather(*tap._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in one
        self._links.add(task)
        try:
            await self._forward(reader, writer)
        finally:
            self._links.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = f"{next(_NUMBERS[self._folder]):05}"
        loop = asyncio.get_running_loop()
        about = {"service": self._service, "opened": loop.time(), "closed": None}
        place = self._folder / f"{name}.json"
        place.write_text(json.dumps(about))
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return  # nobody there: the client sees its connection closed
        try:
            with (self._folder / f"{name}.up").open("wb") as up, (self._folder / f"{name}.down").open("wb") as down:
                await _both(_copy(reader, inner_writer, up), _copy(inner_reader, writer, down))
        finally:
            inner_writer.close()
            place.write_text(json.dumps(about | {"closed": loop.time()}))


async def _both(*directions: object) -> None:
    """Until one of them is over: half-closed connections are nobody's here."""
    tasks = [asyncio.ensure_future(direction) for direction in directions]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: object) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            record.write(data)  # type: ignore[attr-defined]
            writer.write(data)
            await writer.drain()
