"""Group commit: what arrives while one commit is under way forms the next one.

A lone message starts a commit at once, so nothing waits for company; under load the batches grow by themselves. Everything
here runs on the event loop but the store's own calls, which have a thread to themselves. Reads have threads of their own.

An envelope that is removed is gone from the database file and its WAL, too, as soon as the WAL has been emptied: within
`Pace.idle` seconds when there is nothing else to do, within `Pace.erase_within` under load. Of records that are deleted copies
may be left until the next moment at which there is nothing else to do.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

import sqlalchemy

from blindrelay.relay.errors import StoreFailed
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.entries import Accepted, Committed, Outcome, StoredEnvelope, Write
from blindrelay.relay.store.errors import StoreFull
from blindrelay.relay.store.sqlite import MAX_WAL_BYTES
from blindrelay.relay.store.statement import MAX_ROWS

__all__ = ["Accepted", "Committer", "Outcome", "Pace", "StoreFailed", "StoreFull", "StoredEnvelope"]

T = TypeVar("T")

# A batch of `MAX_ROWS` (1,024) takes some 10 to 30 ms, which is what the next message waits behind. With large envelopes the
# bytes bound it; they bound the WAL, too, which is what `reserve.RESERVE_BYTES` must match.
MAX_BATCH_BYTES = 4 * 1_048_576


@dataclass(frozen=True, slots=True)
class Pace:
    """When the WAL is emptied. Seconds and bytes."""

    idle: float = 0.2
    erase_within: float = 5.0
    max_wal_bytes: int = MAX_WAL_BYTES


@dataclass(frozen=True, slots=True)
class _Batch:
    accepted: list[Accepted]
    removed: list[tuple[int, int]]
    writes: list[tuple[Write, "asyncio.Future[Any]"]]


class Committer:
    """The one way to the store.

    `settle` is called on the event loop once per commit with all envelopes of its batch, in the order of `accept`. `failed`
    is called once, when the store can no longer be relied on: from then on everything is settled as STORE_FAILED. `timed` is
    told how many seconds each commit took, the wait for the store's thread included, with how many envelopes, and what became
    of it.
    """

    def __init__(
        self,
        store: Store,
        *,
        settle: Callable[[list[Accepted], Outcome], None],
        failed: Callable[[BaseException], None],
        pace: Pace | None = None,
        timed: Callable[[float, int, Outcome], None] | None = None,
    ) -> None:
        self._store = store
        self._settle = settle
        self._failed = failed
        self._pace = pace or Pace()
        self._timed = timed
        self._started_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._accepted: list[Accepted] = []
        self._removed: list[tuple[int, int]] = []
        self._writes: list[tuple[Write, asyncio.Future[Any]]] = []
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._failure: BaseException | None = None
        self._untidy = True  # what a crash left in the WAL is erased, too
        self._is_to_scrub = False
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(self._pace.idle, self._tick)
        self._erase_by: float | None = None  # the store thread's own
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader")

    def accept(self, entry: Accepted) -> None:
        """Take an envelope into the next commit, which starts at once when none is under way."""
        self._accepted.append(entry)
        if not self._busy:
            self._schedule()

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete an envelope in the next commit; unknown ones are passed over. Only after it has been settled."""
        self._removed.append((mailbox_id, sequence))
        if not self._busy:
            self._schedule()

    def scrub(self) -> None:
        """Let nothing be left of records that are deleted: at the next quiet moment. See `engine.Store.scrub`."""
        self._untidy = self._is_to_scrub = True
        if self._timer is None:
            self._timer = self._loop.call_later(self._pace.idle, self._tick)

    async def run(self, write: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `write` inside the next commit; when this returns, it is durable.

        Raises whatever `write` raises, to this caller alone; `StoreFull` or `StoreFailed` when the commit fails. Cancelling
        does not take it back.
        """
        return await self.submit(write)

    def submit(self, write: Callable[[sqlalchemy.Connection], T]) -> "asyncio.Future[T]":
        """Put `write` into the next commit, before everything that is put there later. The future is what `run` awaits.

        Under overload it passes by envelopes that wait for a later batch: a revocation does not queue behind a flood.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._writes.append((write, future))
        if not self._busy:
            self._schedule()
        return future

    async def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `query` on a reading connection, in another thread. It sees what is committed.

        Raises whatever `query` raises; `StoreFailed` when the database turns out to be damaged, `StoreAway` when it cannot be
        reached just now.
        """
        return await self._read(lambda: self._store.read(query))

    async def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """The oldest envelopes of a mailbox above a sequence: see `engine.Store.fetch`."""
        return await self._read(lambda: self._store.fetch(mailbox_id, after_sequence, max_count, max_bytes))

    async def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> list[list[StoredEnvelope]]:
        """The same for several mailboxes at once: see `engine.Store.fetch_many`."""
        return await self._read(lambda: self._store.fetch_many(wanted))

    async def _read(self, call: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._readers, call)
        except StoreFailed as error:
            self._fail(error)
            raise

    async def close(self, patience: float | None = None) -> bool:
        """Finish what has been taken, settle it, and stop the threads. The store stays open: close it after this.

        False when that is not done after `patience` seconds: a disk does not answer. The threads are left to it, and the store
        is still theirs.
        """
        try:
            async with asyncio.timeout(patience):
                while self._busy:
                    await self._idle.wait()
                if self._timer is not None:
                    self._timer.cancel()
                self._jobs.put(None)
                await self._loop.run_in_executor(None, self._thread.join)
                await self._loop.run_in_executor(None, self._readers.shutdown)
        except TimeoutError:
            if self._timer is not None:
                self._timer.cancel()
            self._jobs.put(None)
            self._readers.shutdown(wait=False, cancel_futures=True)
            return False
        return True

    # On the event loop.

    def _schedule(self) -> None:
        # Not at once but after the callbacks that are ready now: what one wake-up of the loop brings shares a commit.
        self._busy = True
        self._idle.clear()
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        batch = self._take()
        if not (batch.accepted or batch.removed or batch.writes):
            self._busy = False
            self._idle.set()
            return
        if self._failure is not None:
            self._finish(batch, None, self._failure)
            return
        self._untidy = True
        if self._timer is None:
            self._timer = self._loop.call_later(self._pace.idle, self._tick)
        self._started_at = self._loop.time()
        self._jobs.put(lambda: self._commit(batch))

    def _take(self) -> _Batch:
        count = size = 0
        for entry in self._accepted[:MAX_ROWS]:
            size += len(entry.payload)
            if count and size > MAX_BATCH_BYTES:
                break
            count += 1
        batch = _Batch(self._accepted[:count], self._removed[:MAX_ROWS], self._writes)
        del self._accepted[:count], self._removed[:MAX_ROWS]
        self._writes = []
        return batch

    def _finish(self, batch: _Batch, committed: Committed | None, error: BaseException | None) -> None:
        if committed is not None:
            outcome = committed.outcome
            results: Sequence[Any] = committed.results
        else:
            outcome = Outcome.STORE_FAILED
            results = [error] * len(batch.writes)
        if self._timed is not None and self._failure is None:
            self._timed(self._loop.time() - self._started_at, len(batch.accepted), outcome)
        for (_, future), result in zip(batch.writes, results, strict=True):
            _answer(future, result)
        if error is not None:
            self._fail(error)
        try:
            if batch.accepted:
                self._settle(batch.accepted, outcome)
        finally:
            self._start()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._failed(error)

    def _tick(self) -> None:
        # While there is something in the WAL, look every now and then whether this is a quiet moment to empty it.
        self._timer = None
        if self._failure is not None or not self._untidy:
            return
        if self._busy:
            self._timer = self._loop.call_later(self._pace.idle, self._tick)
            return
        self._busy = True
        self._idle.clear()
        scrub, self._is_to_scrub = self._is_to_scrub, False
        self._jobs.put(lambda: self._tidy(scrub=scrub))

    def _tidied(self, done: bool, error: BaseException | None) -> None:
        self._untidy = not done or self._is_to_scrub
        if error is not None:
            self._fail(error)
        elif self._untidy and self._timer is None:
            self._timer = self._loop.call_later(self._pace.idle, self._tick)
        self._start()

    # In the store's thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _commit(self, batch: _Batch) -> None:
        committed: Committed | None = None
        failure: BaseException | None = None
        try:
            committed = self._store.commit(batch.accepted, batch.removed, [write for write, _ in batch.writes])
        except StoreFailed as error:
            failure = error
        except BaseException as error:  # noqa: BLE001 - a bug in here is an unknown outcome, and is not to hang the relay
            failure = StoreFailed(f"the store's thread failed: {error!r}")
        self._loop.call_soon_threadsafe(self._finish, batch, committed, failure)
        if failure is None:
            self._empty_wal_if_due(removed=bool(batch.removed))

    def _empty_wal_if_due(self, *, removed: bool) -> None:
        now = self._loop.time()
        if removed and self._erase_by is None:
            self._erase_by = now + self._pace.erase_within
        due = self._erase_by is not None and now >= self._erase_by
        if due or self._store.wal_bytes > self._pace.max_wal_bytes:
            try:
                if self._store.checkpoint():
                    self._erase_by = None
            except StoreFailed as error:
                self._loop.call_soon_threadsafe(self._fail, error)

    def _tidy(self, *, scrub: bool) -> None:
        done, failure = False, None
        try:
            if scrub:
                self._store.scrub()
            done = self._store.tidy()
        except StoreFailed as error:
            failure = error
        if done:
            self._erase_by = None
        self._loop.call_soon_threadsafe(self._tidied, done, failure)


def _answer(future: "asyncio.Future[Any]", result: Any) -> None:
    if future.done():  # cancelled
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
