"""A witness over HTTP that answers whatever a test wants: nothing, nonsense, too late, or what it should."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosign
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.protocol.transparency.note import Signature
from blindrelay.protocol.transparency.policy import Witness
from blindrelay.protocol.transparency.submission import Submission, encode_cosignatures

from .party import HandClock

Answer = Callable[[Submission], Awaitable[bytes]]


def http(status: int, body: bytes = b"") -> bytes:
    """An answer, as it goes over the wire."""
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


def saying(answer: bytes) -> Answer:
    """Says always the same."""

    async def say(_: Submission) -> bytes:
        return answer

    return say


@dataclass
class OddWitness:
    """One that listens. `answer` may be changed at any time; without one it cosigns whatever it is asked to."""

    clock: HandClock
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("odd.example", Algorithm.COSIGNATURE))
    answer: Answer | None = None
    url: str = ""
    asked: list[Submission] = field(default_factory=list)
    #: Whether it keeps to a connection and never ends its answer.
    drips: bool = False

    @property
    def line(self) -> Witness:
        """How a policy names it."""
        return Witness(self.key.name, self.key.verifier, self.url)

    @property
    def sizes(self) -> list[int]:
        """What it was asked to cosign."""
        return [Checkpoint.parse(one.note.text).size for one in self.asked]

    def cosignature(self, submission: Submission, time: float | None = None) -> Signature:
        """What a witness would say that sees this for the first time."""
        return cosign(submission.note, self.key, int(self.clock.now() if time is None else time))

    async def cosigns(self, submission: Submission) -> bytes:
        """The answer of one that works."""
        return http(200, encode_cosignatures((self.cosignature(submission),)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                writer.write(await self._answered(reader))
                while self.drips:
                    await writer.drain()
                    await asyncio.sleep(0.01)
                    writer.write(b"x")
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        submission = Submission.parse(await reader.readexactly(length))
        self.asked.append(submission)
        return await (self.answer or self.cosigns)(submission)


@contextlib.asynccontextmanager
async def odd_witness(clock: HandClock, name: str = "odd.example") -> AsyncIterator[OddWitness]:
    """On a free port of the loopback."""
    witness = OddWitness(clock, SigningKey.generate(name, Algorithm.COSIGNATURE))
    open_requests: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(witness.serve(reader, writer))
        open_requests.add(task)
        task.add_done_callback(open_requests.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    witness.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield witness
    finally:
        server.close()
        for task in list(open_requests):
            task.cancel()
        await asyncio.gather(*open_requests, return_exceptions=True)
