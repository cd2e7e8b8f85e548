"""Asking witnesses for their cosignatures (https://c2sp.org/tlog-witness)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import h11
import structlog

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.merkle import MAX_SIZE
from blindrelay.protocol.transparency.note import MAX_NOTE, Note, Signature
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.protocol.transparency.submission import PATH, Submission, decode_cosignatures

# Look-ups of what is new wait for this: it is for all that a witness may have to be asked for one checkpoint.
_SECONDS: Final = 2.0
# How long others are waited for when enough have cosigned: one that is down does not hold up everybody. Seconds.
_GRACE: Final = 0.1
_MAX_HEAD: Final = 16_384
_READ: Final = 65_536


Prove = Callable[[int], tuple[bytes, ...]]
_log = structlog.get_logger()


class NotCosigned(Exception):
    """The witness did not answer, or not with a cosignature; the message says which."""


@dataclass(slots=True)
class AskedWitness:
    """A witness, and what is known of what it has seen. One call at a time."""

    witness: Witness
    seen: int = 0

    async def cosign(self, note: Note, head: Checkpoint, prove: Prove) -> Signature:
        """Have `note` cosigned. `prove` gives the proof that `head` continues the log of an older size.

        Raises:
            NotCosigned: it does not, or not in time. It is asked again with the next checkpoint.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._cosign(note, head, prove)
        except TimeoutError:
            raise NotCosigned(f"it has not answered within {_SECONDS:g} seconds") from None

    async def _cosign(self, note: Note, head: Checkpoint, prove: Prove) -> Signature:
        if self.seen > head.size:
            raise NotCosigned(f"it has seen {self.seen} entries, and there are {head.size}")
        for _ in range(2):  # the second time from what the witness says that it has seen
            status, body = await self.submit(note, self.seen, prove(self.seen))
            if status == 200:
                cosignature = self._checked(note, body)
                self.seen = head.size
                return cosignature
            if status != 409:
                raise NotCosigned(f"it answers {status}")
            seen = _size(body)
            if seen > head.size:  # not remembered: a witness that was wrong once is asked again
                raise NotCosigned(f"it says that it has seen {seen} entries, and there are {head.size}")
            self.seen = seen
        raise NotCosigned("it has seen something else each time it is asked")

    async def submit(self, note: Note, seen: int, proof: tuple[bytes, ...]) -> tuple[int, bytes]:
        """Status and body of its answer. Raises `NotCosigned`: there is none."""
        return await self._post(Submission(seen, proof, note).encode())

    def _checked(self, note: Note, body: bytes) -> Signature:
        """The newest of its cosignatures. One is enough, and the note has room for one of each witness."""
        try:
            signatures = decode_cosignatures(body)
        except Malformed as error:
            raise NotCosigned("its answer is malformed") from error
        times = [(cosigned_at(note.with_signature(found), self.witness.key), found) for found in signatures]
        verified = [(time, found) for time, found in times if time is not None]
        if not verified:
            raise NotCosigned("its cosignature does not verify")
        return max(verified, key=lambda pair: pair[0])[1]

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        if not urlsplit(self.witness.url or "").hostname:
            raise NotCosigned("nobody has said where it is")
        try:
            return await _post(f"{str(self.witness.url).rstrip('/')}{PATH}", body)
        except (OSError, ValueError) as error:
            raise NotCosigned(f"it cannot be reached ({type(error).__name__})") from error
        except h11.ProtocolError as error:
            raise NotCosigned("it does not answer in HTTP/1.1") from error


async def seen_by(witness: Witness, note: Note, head: Checkpoint) -> int:
    """How many entries a witness has seen of a log, asked with a checkpoint that may be old; it cosigns that if it is not.

    Raises `NotCosigned`: it does not say.
    """
    asked = AskedWitness(witness, seen=head.size)
    try:
        async with asyncio.timeout(_SECONDS):
            status, body = await asked.submit(note, head.size, ())
    except TimeoutError:
        raise NotCosigned(f"it has not answered within {_SECONDS:g} seconds") from None
    if status == 200:
        return head.size
    if status == 409:
        return _size(body)
    raise NotCosigned(f"it answers {status}")


class Witnesses:
    """Those of a policy who can be asked."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._asked = [AskedWitness(witness) for witness in trust.witnesses if witness.url]

    def times(self, note: Note) -> list[int]:
        """When each of them has cosigned `note`, in seconds since the epoch; 0 for one that has not."""
        return [cosigned_at(note, one.witness.key) or 0 for one in self._asked]

    @asynccontextmanager
    async def asked(self, note: Note, head: Checkpoint, prove: Prove, before: Note) -> AsyncIterator["Answers"]:
        """Ask all of them at once. What they have said `before`, on a note with the same text, counts on.

        Whoever has not answered at the end is not waited for.
        """
        found = {
            one: next(signature for signature in before.signatures if signature.is_of(one.key))
            for one in self._trust.witnesses
            if cosigned_at(before, one.key) is not None
        }
        tasks = {asyncio.create_task(one.cosign(note, head, prove)): one.witness for one in self._asked}
        try:
            yield Answers(self._trust, tasks, found)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Answers:
    """What witnesses say of one checkpoint, as it comes in: one cosignature of each."""

    def __init__(
        self, trust: Trust, tasks: dict[asyncio.Task[Signature], Witness], found: dict[Witness, Signature]
    ) -> None:
        self._trust = trust
        self._tasks = tasks
        self._found = found
        self._waiting = set(tasks)
        self._fresh: set[str] = set()

    @property
    def cosignatures(self) -> list[Signature]:
        """Those that there are."""
        return list(self._found.values())

    async def wait_enough(self) -> None:
        """Wait until a quorum has answered, and those who are as fast; or until everybody has."""
        while self._waiting:
            patience = _GRACE if self._trust.is_met_by(self._fresh) else None
            done, _ = await asyncio.wait(self._waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return
            self._take(done)

    async def wait_late(self, hurry: asyncio.Event) -> bool:
        """Wait for the others, as long as nothing else is to be done. Whether one has cosigned."""
        before = len(self._fresh)
        hurried = asyncio.create_task(hurry.wait())
        try:
            while self._waiting and not hurry.is_set():
                done, _ = await asyncio.wait({*self._waiting, hurried}, return_when=asyncio.FIRST_COMPLETED)
                self._take(self._waiting & done)
        finally:
            hurried.cancel()
        return len(self._fresh) > before

    def _take(self, done: AbstractSet[asyncio.Task[Signature]]) -> None:
        self._waiting -= done
        for task in done:
            witness = self._tasks[task]
            try:
                self._found[witness] = task.result()
                self._fresh.add(witness.name)
            except NotCosigned as error:
                _log.warning("a witness does not cosign", witness=witness.name, reason=str(error))


async def _post(url: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer. Raises `NotCosigned`, `OSError`, `h11.ProtocolError`; `ValueError`: it is no URL."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=_context() if secure else None)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        headers = [
            ("host", parts.netloc.rpartition("@")[2]),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        request = h11.Request(method="POST", target=parts.path, headers=headers)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        return await _answer(connection, reader)
    finally:
        writer.transport.abort()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ))
            case h11.Response(status_code=status):
                pass
            case h11.Data(data=data):
                body += data
                if len(body) > MAX_NOTE:
                    raise NotCosigned(f"its answer has more than {MAX_NOTE} bytes")
            case h11.EndOfMessage():
                return status, bytes(body)


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _size(body: bytes) -> int:
    text = body[:32].decode("ascii", "replace").strip()
    if not (text.isascii() and text.isdigit() and int(text) < MAX_SIZE):
        raise NotCosigned("it does not say which size it has seen")
    return int(text)
