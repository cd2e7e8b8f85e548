"""A public log: publishes what has been committed, and proves what has been published.

Entries come from the store, where they were committed with what they record. In this order, each step durable before the next:
tiles and bundles, the log's signature, the witnesses' cosignatures, the checkpoint. A crash in between leaves files that
the next start writes again with the same bytes; the published checkpoint never moves backwards.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import structlog

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import Tree
from blindrelay.relay.errors import HistoryLost, StoreError
from blindrelay.relay.threads import in_thread
from blindrelay.relay.transparency.entries import Source
from blindrelay.relay.transparency.growth import Growth
from blindrelay.relay.transparency.pieces import HeadMoved, Pieces
from blindrelay.relay.transparency.shelf import Shelf
from blindrelay.relay.transparency.witnesses import Witnesses

# How long it is waited after a round that failed, and how often it is looked whether cosignatures have grown old. Seconds.
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

    def __init__(
        self, shelf: Pieces, source: Source, settings: LogSettings, clock: Clock, published: Published
    ) -> None:
        self.published = published
        self.settings = settings
        self.shelf = shelf
        self._source = source
        self._clock = clock
        self._growth: Growth | None = None  # None: nobody knows how far the last round has come
        self._witnesses = Witnesses(settings.trust)
        self._is_publishing = False
        self._looking = asyncio.Lock()
        self._turned = asyncio.Condition()
        self._work_to_do = asyncio.Event()
        self._asked: list[asyncio.Future[bool]] = []
        self._has_failed = False
        self._closing = False
        self._worker: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, folder: Path, source: Source, settings: LogSettings, clock: Clock) -> Self:
        """Open the log whose files are in `folder`, and publish what is not published yet.

        Raises:
            HistoryLost: the store does not have the entries that were published, or the files are not those of this log: to go
                on would be to show the world a second history.
        """
        log = await cls.show(Shelf(folder), source, settings, clock)
        await log.take_up()
        return log

    @classmethod
    async def show(cls, shelf: Pieces, source: Source, settings: LogSettings, clock: Clock) -> Self:
        """Show what is published, and publish nothing before `take_up`. Raises `HistoryLost`, as `open`."""
        published = await in_thread(_last, shelf, settings)
        size, stored = published.checkpoint.size, await source.count()
        if stored < size:
            raise HistoryLost(
                f"{shelf.name} shows {size} entries, and the database has {stored}: it is an older copy. Restore the newest "
                "one; a log that forgets what it has shown is no log"
            )
        return cls(shelf, source, settings, clock, published)

    async def take_up(self) -> None:
        """Publish from now on; first what is committed and not published yet. Of the nodes of a relay one does.

        Raises `HistoryLost`, as `open`.
        """
        self._is_publishing = True
        await self._look()
        try:
            self._growth = await self._where_it_goes_on()
        except Malformed as error:
            raise HistoryLost(
                f"{self.shelf.name} shows other entries than the database has ({error}): it is another relay's, or an older "
                "copy. Restore the one that belongs here"
            ) from error
        self._closing = False
        self._worker = asyncio.create_task(self._work())
        with contextlib.suppress(OSError, StoreError):  # it has been logged, and is tried again
            await self.publish()

    async def lay_down(self) -> None:
        """Publish no more, at once: what was under way is another node's by now."""
        worker, self._worker, self._growth, self._is_publishing = self._worker, None, None, False
        if worker is not None:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
        for done in self._asked:
            _answer(done, False)
        self._asked.clear()

    async def follow(self) -> None:
        """Show what another node has published by now.

        Raises what the store raises, and `Malformed` or `VerificationFailed` for what is not this log's.
        """
        if not self._is_publishing:
            await self._look()

    async def _look(self) -> None:
        async with self._looking:
            note = await in_thread(self.shelf.checkpoint)
        if note is None or note == self.published.note:
            return
        checkpoint = _ours(note, self.settings)
        if checkpoint.size >= self.published.checkpoint.size:
            self.published = Published(checkpoint, note)
            await self._tell()

    async def close(self) -> None:
        """Finish publishing what is being published. What is committed and not published is published after the next start."""
        self._closing = True
        self._work_to_do.set()
        if self._worker is not None:
            await self._worker

    @property
    def is_failing(self) -> bool:
        """Whether the last round did not publish what there is."""
        return self._has_failed

    def cosigned_at(self) -> float | None:
        """When the witness that is furthest behind has cosigned what is published, epoch seconds, 0 for one that has not; None:
        there are no witnesses, or nothing is published."""
        times = self._witnesses.times(Note.parse(self.published.note)) if self.published.note else []
        return min(times, default=None)

    # What has happened, and what is wanted.

    def wake(self) -> None:
        """An entry has been committed."""
        if (
            not self._has_failed
        ):  # it is tried again soon: who writes and looks up does not hurry witnesses that are down
            self._work_to_do.set()

    async def wait_published(self, index: int) -> None:
        """Wait until the entry `index` is below the published checkpoint."""
        if index < self.published.checkpoint.size:
            return
        self.wake()
        async with self._turned:
            await self._turned.wait_for(lambda: index < self.published.checkpoint.size)

    async def publish(self) -> bool:
        """Publish what has been committed by now, and renew cosignatures that have grown old. Whether that is done.

        Cancelling does not take it back. Raises what the store raises; `OSError` when the files cannot be written or read.
        """
        if self._closing or self._worker is None:
            return False
        done = asyncio.get_running_loop().create_future()
        self._asked.append(done)
        self._work_to_do.set()
        return bool(await done)

    # Proofs. Hashes come out of tiles, of which the last ones are in memory.

    def inclusion(self, index: int, published: Published) -> tuple[bytes, ...]:
        """The proof that the entry `index` is below the checkpoint. Raises `ValueError` if it is not."""
        return self._tree(published.checkpoint.size).inclusion(index)

    def consistency(self, old_size: int, published: Published) -> tuple[bytes, ...]:
        """The proof that the checkpoint continues the log of `old_size` entries. Raises `ValueError` if that is larger."""
        return self._tree(published.checkpoint.size).consistency(old_size)

    def _tree(self, size: int) -> Tree:
        return Tree(size, self.shelf.read)

    # Publishing: in one task, one round after the other.

    async def _work(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY if self._has_failed else _LOOK):
                    await self._work_to_do.wait()
            self._work_to_do.clear()
            asked, self._asked = self._asked, []
            outcome = await self._round()
            self._has_failed = outcome is not True
            for done in asked:
                _answer(done, outcome)
        for done in self._asked:
            _answer(done, False)

    async def _round(self) -> bool | Exception:
        """Whether everything is published, or why not."""
        log = _log.bind(log=self.settings.trust.log.name)
        try:
            return await self._catch_up()
        except OSError as error:
            log.warning("a log cannot be written", error=type(error).__name__)
            failure: Exception = error
        except StoreError as error:  # whoever looks after the store says more
            log.warning("a log cannot be read from the store")
            failure = error
        except HeadMoved as error:  # who leads has changed; what this node does not know yet it reads first
            log.warning("a log is published by another node")
            await self._look()
            failure = error
        except Exception as error:  # a bug of ours must not be the end of it
            log.exception("a log cannot be published")
            failure = error
        # Files beyond what has been published are written again, with the same bytes.
        self._growth = None
        return failure

    async def _catch_up(self) -> bool:
        growth = self._growth = self._growth or await self._where_it_goes_on()
        # Not until there is no more: at a high rate there always is.
        committed, has_turned = await self._source.count(), False
        while growth.size < committed and (entries := await self._source.entries(growth.size)):
            await in_thread(lambda new: self.shelf.put(growth.take(new)), entries)
            has_turned = await self._turn(growth.size)
            if not has_turned:
                return False
        return has_turned or self._is_current(growth.size) or await self._turn(growth.size)

    async def _where_it_goes_on(self) -> Growth:
        """After what has been published. Raises `Malformed` when the entries in the store are not those."""
        size = self.published.checkpoint.size
        entries = await self._source.entries(Growth.looks_at(size)) if size else ()
        return await in_thread(Growth.of, size, entries, self.shelf.read)

    def _is_current(self, size: int) -> bool:
        """Whether nothing would change: every key of ours has signed it (a new one has not, at first), every witness lately."""
        if not self.published.note or self.published.checkpoint.size != size:
            return False
        note = Note.parse(self.published.note)
        # A time in the future is as wrong as one that is past: somebody's clock is.
        ages = (abs(self._clock.now() - time) for time in self._witnesses.times(note))
        return all(note.is_signed_by(key.verifier) for key in self.settings.keys) and all(
            age < self.settings.refresh_seconds for age in ages
        )

    async def _turn(self, size: int) -> bool:
        """Sign, have cosigned, and show the checkpoint of `size`."""
        root = await in_thread(self._tree(size).root)
        checkpoint = Checkpoint(self.settings.trust.log.name, size, root)
        note = Note(checkpoint.text)
        for key in self.settings.keys:
            note = note.sign(key)
        prove = partial(self._prove, size)
        async with self._witnesses.asked(note, checkpoint, prove, self._kept(note.text)) as answers:
            await answers.wait_enough()
            is_published = await self._show(checkpoint, note.with_signature(*answers.cosignatures).encode())
            if is_published and await answers.wait_late(self._work_to_do):
                await self._show(checkpoint, note.with_signature(*answers.cosignatures).encode())
        return is_published

    async def _show(self, checkpoint: Checkpoint, note: bytes) -> bool:
        """Make a checkpoint the published one, if it has its quorum."""
        try:
            self.settings.trust.open(note)
        except VerificationFailed:
            _log.warning("a log cannot be published without its witnesses", log=self.settings.trust.log.name)
            return False
        await in_thread(self.shelf.publish, note)
        self.published = Published(checkpoint, note)
        await self._tell()
        return True

    async def _tell(self) -> None:
        async with self._turned:
            self._turned.notify_all()

    def _kept(self, text: str) -> Note:
        """What has been published with this text already: a witness that is down now is not taken back what it has said."""
        published = Note.parse(self.published.note) if self.published.note else None
        return published if published is not None and published.text == text else Note(text)

    def _prove(self, size: int, old_size: int) -> tuple[bytes, ...]:
        return self._tree(size).consistency(old_size)


def _answer(done: "asyncio.Future[bool]", outcome: bool | Exception) -> None:
    if done.done():  # cancelled
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def _last(shelf: Pieces, settings: LogSettings) -> Published:
    """The checkpoint that was published last, once it has been seen to be ours and to fit the tiles."""
    data = shelf.checkpoint()
    if data is None:
        return Published(Checkpoint(settings.trust.log.name, 0, EMPTY_ROOT), b"")
    try:
        checkpoint = _checked(data, shelf, settings)
    except (Malformed, VerificationFailed, OSError) as error:
        raise HistoryLost(
            f"{shelf.name} cannot be continued ({error}): restore it and its key from a backup"
        ) from error
    return Published(checkpoint, data)


def _checked(data: bytes, shelf: Pieces, settings: LogSettings) -> Checkpoint:
    checkpoint = _ours(data, settings)
    if Tree(checkpoint.size, shelf.read).root() != checkpoint.root:
        raise CheckpointRejected("its tiles lead to another root")
    return checkpoint


def _ours(data: bytes, settings: LogSettings) -> Checkpoint:
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    ours = any(note.is_signed_by(key.verifier) for key in settings.keys)
    if checkpoint.origin != settings.trust.log.name or not ours:
        raise CheckpointRejected("another log's key has signed it")
    return checkpoint
