"""Group commit: what arrives while one commit is under way forms the next one.

A lone message starts a commit at once, so nothing waits for company; under load the batches grow by themselves. Everything
here runs on the event loop but `SqliteStore.commit`, which has a thread of its own. Reads have threads of their own, too.
"""

import asyncio
import enum
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import sqlalchemy

from blindrelay.relay.store.errors import StoreError, StoreFailed, StoreFull
from blindrelay.relay.store.sqlite import Accepted, SqliteStore, StoredEnvelope

T = TypeVar("T")

# Bounds of one batch: a commit of this size takes some 10 to 30 ms, which is what the next message waits behind.
MAX_BATCH_COUNT = 1_024
MAX_BATCH_BYTES = 4 * 1_048_576


class Outcome(enum.Enum):
    """What became of a batch."""

    COMMITTED = "committed"  # durable
    STORE_FULL = "full"  # not written; the store works on
    STORE_FAILED = "failed"  # unknown; the relay leaves


class Committer:
    """The one way to the store.

    `settle` is called on the event loop once per commit with all envelopes of its batch, in the order of `accept`. `failed`
    is called once, when the store can no longer be relied on: from then on nothing is taken.
    """

    def __init__(
        self,
        store: SqliteStore,
        *,
        settle: Callable[[list[Accepted], Outcome], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._settle = settle
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._accepted: list[Accepted] = []
        self._removed: list[tuple[int, int]] = []
        self._writes: list[tuple[Callable[[sqlalchemy.Connection], Any], asyncio.Future[Any]]] = []
        self._busy = False
        self._failure: BaseException | None = None
        self._idle = asyncio.Event()
        self._idle.set()
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
        """Delete an envelope in the next commit; unknown ones are passed over."""
        self._removed.append((mailbox_id, sequence))
        if not self._busy:
            self._schedule()

    async def run(self, write: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `write` inside the next commit; when this returns, it is durable.

        Raises whatever `write` raises, to this caller alone; `StoreFull` or `StoreFailed` when the commit fails. Cancelling
        does not take it back.
        """
        return await self.submit(write)

    def submit(self, write: Callable[[sqlalchemy.Connection], T]) -> "asyncio.Future[T]":
        """Put `write` into the next commit, before everything that is put there later. The future is what `run` awaits."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._writes.append((write, future))
        if not self._busy:
            self._schedule()
        return future

    async def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `query` on a reading connection, in another thread. It sees what is committed."""

        def call() -> T:
            with self._store.reader() as connection:
                return query(connection)

        return await self._loop.run_in_executor(self._readers, call)

    async def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """The oldest envelopes of a mailbox above a sequence: see `SqliteStore.fetch`."""
        return await self._loop.run_in_executor(
            self._readers, self._store.fetch, mailbox_id, after_sequence, max_count, max_bytes
        )

    async def close(self) -> None:
        """Finish what has been taken, settle it, and stop the threads. The store stays open: close it after this."""
        await self._idle.wait()
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._readers.shutdown()

    # Group commit, on the event loop.

    def _schedule(self) -> None:
        # Not at once but after the callbacks that are ready now: what one wake-up of the loop brings shares a commit.
        self._busy = True
        self._idle.clear()
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        accepted = self._take()
        removed, self._removed = self._removed, []
        writes, self._writes = self._writes, []
        if not (accepted or removed or writes):
            self._busy = False
            self._idle.set()
            return
        if self._failure is not None:
            self._finish(accepted, writes, self._failure, [])
            return
        self._jobs.put(lambda: self._commit(accepted, removed, writes))

    def _take(self) -> list[Accepted]:
        size = 0
        for count, entry in enumerate(self._accepted):
            size += len(entry.payload)
            if count >= MAX_BATCH_COUNT or (size > MAX_BATCH_BYTES and count):
                batch = self._accepted[:count]
                del self._accepted[:count]
                return batch
        batch, self._accepted = self._accepted, []
        return batch

    def _finish(
        self,
        accepted: list[Accepted],
        writes: Sequence[tuple[Callable[[sqlalchemy.Connection], Any], asyncio.Future[Any]]],
        error: BaseException | None,
        results: Sequence[Any],
    ) -> None:
        outcome = Outcome.COMMITTED
        if error is not None:
            outcome = Outcome.STORE_FULL if isinstance(error, StoreFull) else Outcome.STORE_FAILED
            results = [error] * len(writes)
        for (_, future), result in zip(writes, results, strict=True):
            if future.cancelled():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        if outcome is Outcome.STORE_FAILED and self._failure is None and error is not None:
            self._failure = error
            self._failed(error)
        if accepted:
            self._settle(accepted, outcome)
        self._start()

    # The store's thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _commit(
        self,
        accepted: list[Accepted],
        removed: list[tuple[int, int]],
        writes: list[tuple[Callable[[sqlalchemy.Connection], Any], asyncio.Future[Any]]],
    ) -> None:
        error: BaseException | None = None
        results: list[Any] = []
        try:
            results = self._store.commit(accepted, removed, [write for write, _ in writes])
        except StoreError as reason:
            error = reason
        except BaseException as reason:  # noqa: BLE001 - a bug here is an unknown outcome, and must not hang the relay
            error = StoreFailed(f"the store's thread failed: {reason!r}")
        self._loop.call_soon_threadsafe(self._finish, accepted, writes, error, results)
