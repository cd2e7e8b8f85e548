"""A public log: publishes what has been committed, and proves what has been published.

Entries come from the store, where they were committed with what they record. In this order, each step durable before the next:
tiles and bundles, the log's signature, the witnesses' cosignatures, the checkpoint. A crash in between leaves files that
the next start writes again with the same bytes; the published checkpoint never moves backwards.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import structlog

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected, cosigned_at
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, leaf_hash
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, Tile, Tree
from blindrelay.relay.errors import HistoryLost, StoreError
from blindrelay.relay.transparency.edge import Edge
from blindrelay.relay.transparency.entries import Source
from blindrelay.relay.transparency.shelf import Shelf
from blindrelay.relay.transparency.witnesses import AskedWitness, NotCosigned

# How long it is waited after a round without a quorum, and how often it is looked whether cosignatures have grown old. Seconds.
_RETRY: Final = 1.0
_LOOK: Final = 30.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How a log is published.

    `trust` is what readers are told to verify by: the current key, the witnesses that are asked, and how many of them have to
    cosign before anything is published. Cosignatures older than `refresh_seconds` are renewed, so that a reader can tell a log
    in which nothing happens from one that is being withheld.
    """

    trust: Trust
    keys: tuple[SigningKey, ...]
    refresh_seconds: float


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint that the world is shown."""

    checkpoint: Checkpoint
    note: bytes


class Log:
    """An open log. Use `Log.open`, `close` when done."""

    def __init__(self, shelf: Shelf, source: Source, settings: LogSettings, clock: Clock, published: Published) -> None:
        self.published = published
        self.settings = settings
        self.shelf = shelf
        self._source = source
        self._clock = clock
        self._edge: Edge
        self._bundle: list[bytes]  # the entries of the last, partial bundle
        self._witnesses = [AskedWitness(witness) for witness in settings.trust.witnesses if witness.url]
        self._cosigned_at = self._oldest_cosignature()
        self._publishing = asyncio.Lock()
        self._new = asyncio.Event()
        self._turned = asyncio.Condition()
        self._closing = False
        self._worker: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, folder: Path, source: Source, settings: LogSettings, clock: Clock) -> Self:
        """Open the log whose files are in `folder`, and publish what is not published yet.

        Raises:
            HistoryLost: the store has fewer entries than were published, or the files are not those of this log: to go on would
                be to show the world a second history.
        """
        shelf = Shelf(folder)
        published = await asyncio.to_thread(_last, shelf, settings)
        size, stored = published.checkpoint.size, await source.count()
        if stored < size:
            raise HistoryLost(
                f"{folder} shows {size} entries, and the database has {stored}: it is an older copy. Restore the newest one; "
                "a log that forgets what it has shown is no log"
            )
        log = cls(shelf, source, settings, clock, published)
        await log._go_back()
        await log._published_all()
        log._worker = asyncio.create_task(log._work())
        return log

    async def close(self) -> None:
        """Finish publishing what is being published. What is committed and not published is published after the next start."""
        self._closing = True
        self._new.set()
        if self._worker is not None:
            await self._worker

    # What has happened.

    def wake(self) -> None:
        """An entry has been committed."""
        self._new.set()

    async def wait_published(self, index: int) -> None:
        """Wait until the entry `index` is below the published checkpoint."""
        if index < self.published.checkpoint.size:
            return
        self._new.set()
        async with self._turned:
            await self._turned.wait_for(lambda: index < self.published.checkpoint.size)

    # Proofs. Hashes come out of tiles, of which the last ones are in memory.

    def inclusion(self, index: int, published: Published) -> tuple[bytes, ...]:
        """The proof that the entry `index` is below the checkpoint. Raises `ValueError` if it is not."""
        return self._tree(published.checkpoint.size).inclusion(index)

    def consistency(self, old_size: int, published: Published) -> tuple[bytes, ...]:
        """The proof that the checkpoint continues the log of `old_size` entries. Raises `ValueError` if that is larger."""
        return self._tree(published.checkpoint.size).consistency(old_size)

    def _tree(self, size: int) -> Tree:
        return Tree(size, self.shelf.read)

    # Publishing.

    async def publish(self) -> bool:
        """Publish what has been committed, and renew cosignatures that have grown old. Whether everything is published.

        Raises what the store raises; `OSError` when the files cannot be written.
        """
        async with self._publishing:
            try:
                while entries := await self._source.entries(self._edge.size):
                    await asyncio.to_thread(self._write, entries)
                return self._is_current() or await self._turn(self._edge.size)
            except OSError:
                await self._go_back()
                raise

    async def _go_back(self) -> None:
        """Begin again after what has been published. Files beyond that are written again, with the same bytes."""
        size = self.published.checkpoint.size
        self._edge = await asyncio.to_thread(Edge.of, size, self.shelf.read)
        self._bundle = (await self._source.entries(size - size % TILE_WIDTH))[: size % TILE_WIDTH]

    def _is_current(self) -> bool:
        since = self._cosigned_at
        return (
            self.published.checkpoint.size == self._edge.size
            and self._is_signed()
            and (since is None or self._clock.now() - since < self.settings.refresh_seconds)
        )

    def _is_signed(self) -> bool:
        """Whether every key of ours has signed what is published: a new one has not, when the log is opened with it."""
        if not self.published.note:
            return False
        note = Note.parse(self.published.note)
        return all(note.is_signed_by(key.verifier) for key in self.settings.keys)

    def _write(self, entries: Sequence[bytes]) -> None:
        """Bring entries into tiles and bundles, durably."""
        self.shelf.put(self._pieces(entries))

    def _pieces(self, entries: Sequence[bytes]) -> Iterator[tuple[Tile | Bundle, bytes]]:
        for entry in entries:
            self._bundle.append(entry)
            if len(self._bundle) == TILE_WIDTH:
                yield Bundle(self._edge.size // TILE_WIDTH), pack(self._bundle)
                self._bundle.clear()
            yield from self._edge.push(leaf_hash(entry))
        yield from self._edge.partial()
        yield from self._partial_bundle()

    def _partial_bundle(self) -> list[tuple[Tile | Bundle, bytes]]:
        if not self._bundle:
            return []
        return [(Bundle(self._edge.size // TILE_WIDTH, len(self._bundle)), pack(self._bundle))]

    async def _turn(self, size: int) -> bool:
        """Sign, have cosigned, and show the checkpoint of `size`."""
        checkpoint = Checkpoint(self.settings.trust.log.name, size, self._tree(size).root())
        note = Note(checkpoint.text)
        for key in self.settings.keys:
            note = note.sign(key)
        note = await self._cosign(note, checkpoint)
        data = note.encode()
        try:
            self.settings.trust.open(data)
        except VerificationFailed:
            _log.warning("a log cannot be published without its witnesses", log=self.settings.trust.log.name)
            return False
        await asyncio.to_thread(self.shelf.publish, data)
        self.published = Published(checkpoint, data)
        self._cosigned_at = self._oldest_cosignature()
        async with self._turned:
            self._turned.notify_all()
        return True

    async def _cosign(self, note: Note, checkpoint: Checkpoint) -> Note:
        prove = partial(self._prove, checkpoint.size)
        answers = await asyncio.gather(
            *(asyncio.to_thread(witness.cosign, note, checkpoint, prove) for witness in self._witnesses),
            return_exceptions=True,
        )
        for witness, answer in zip(self._witnesses, answers, strict=True):
            if isinstance(answer, NotCosigned):
                _log.warning("a witness does not cosign", witness=witness.witness.name, reason=str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                note = note.with_signature(*answer)
        return note

    def _prove(self, size: int, old_size: int) -> tuple[bytes, ...]:
        return self._tree(size).consistency(old_size)

    def _oldest_cosignature(self) -> int | None:
        """When the published checkpoint was cosigned; 0 if a witness that is asked has not; None where nobody is asked."""
        if not self._witnesses:
            return None
        note = Note.parse(self.published.note) if self.published.note else Note("\n")
        return min(cosigned_at(note, asked.witness.key) or 0 for asked in self._witnesses)

    async def _work(self) -> None:
        wait = _LOOK
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._new.wait()
            self._new.clear()
            wait = _LOOK if await self._published_all() else _RETRY

    async def _published_all(self) -> bool:
        try:
            return await self.publish()
        except OSError as error:
            _log.warning("a log cannot be written", log=self.settings.trust.log.name, error=type(error).__name__)
        except StoreError:  # whoever looks after the store says more
            _log.warning("a log cannot be read from the store", log=self.settings.trust.log.name)
        return False


def _last(shelf: Shelf, settings: LogSettings) -> Published:
    """The checkpoint that was published last, once it has been seen to be ours and to fit the tiles."""
    data = shelf.checkpoint()
    if data is None:
        return Published(Checkpoint(settings.trust.log.name, 0, EMPTY_ROOT), b"")
    try:
        checkpoint = _checked(data, shelf, settings)
    except (Malformed, VerificationFailed, OSError) as error:
        raise HistoryLost(
            f"the log in {shelf.folder} cannot be continued ({error}): restore its folder and its key from a backup"
        ) from error
    return Published(checkpoint, data)


def _checked(data: bytes, shelf: Shelf, settings: LogSettings) -> Checkpoint:
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    ours = any(note.is_signed_by(key.verifier) for key in settings.keys)
    if checkpoint.origin != settings.trust.log.name or not ours:
        raise CheckpointRejected("another log's key has signed it")
    if Tree(checkpoint.size, shelf.read).root() != checkpoint.root:
        raise CheckpointRejected("its tiles lead to another root")
    return checkpoint
