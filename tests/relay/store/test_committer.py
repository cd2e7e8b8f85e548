"""Group commit (`relay/store/committer.py`). Bug classes R1, R6, R7, R8."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy

from blindrelay.relay.errors import StoreFailed, StoreFull
from blindrelay.relay.store import tables
from blindrelay.relay.store.committer import MAX_BATCH_BYTES, Committer, Outcome, Pace
from blindrelay.relay.store.entries import Accepted, Committed
from blindrelay.relay.store.sqlite import SqliteStore
from blindrelay.relay.store.statement import MAX_ROWS
from support.stored import entry, on_disk

# Far enough away that no checkpoint comes by itself.
NEVER = Pace(idle=1e6, erase_within=1e6, max_wal_bytes=1 << 40)


class Seen:
    """What the committer reports."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], Outcome]] = []
        self.failures: list[BaseException] = []

    def settle(self, batch: list[Accepted], outcome: Outcome) -> None:
        self.batches.append(([accepted.sequence for accepted in batch], outcome))

    @property
    def sequences(self) -> list[int]:
        return [sequence for batch, _ in self.batches for sequence in batch]

    @property
    def outcomes(self) -> set[Outcome]:
        return {outcome for _, outcome in self.batches}


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def committer(store: SqliteStore, seen: Seen) -> AsyncIterator[Committer]:
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=NEVER)
    yield committer
    await committer.close()


async def done(committer: Committer) -> None:
    """Wait until everything that has been taken so far is settled."""
    await committer.run(lambda _: None)


def fail(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def commit(*_: Any) -> Committed:
        raise error

    monkeypatch.setattr(store, "commit", commit)


async def test_failure_is_reported_once_and_final(
    committer: Committer, store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an I/O error nothing is believed any more: later envelopes fail without a try, though the disk works again."""
    fail(store, monkeypatch, StoreFailed("fsync"))
    committer.accept(entry(1))
    with pytest.raises(StoreFailed, match="fsync"):
        await committer.run(lambda _: None)
    monkeypatch.undo()

    committer.accept(entry(2))
    with pytest.raises(StoreFailed):
        await committer.run(lambda _: None)

    assert (seen.sequences, seen.outcomes) == ([1, 2], {Outcome.STORE_FAILED})
    assert len(seen.failures) == 1
    assert store.fetch(1, 0, 9, 9_999) == []


async def test_bug_in_the_store_counts_as_failure(
    committer: Committer, store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised where it is not expected, nobody waits for ever and nobody is told that it is durable."""
    fail(store, monkeypatch, ZeroDivisionError())
    committer.accept(entry(1))
    with pytest.raises(StoreFailed, match="ZeroDivisionError"):
        await committer.run(lambda _: None)

    assert seen.outcomes == {Outcome.STORE_FAILED}


async def test_full_store_is_no_failure(committer: Committer, store: SqliteStore, seen: Seen) -> None:
    """A full disk refuses; when there is room again, the same committer goes on."""
    committer.accept(entry(1))
    await done(committer)
    store._driver.execute("PRAGMA max_page_count = 1")
    for number in range(2, 40):
        committer.accept(entry(number))
    await done(committer)
    store._driver.execute("PRAGMA max_page_count = 1000000")
    committer.accept(entry(40))
    await done(committer)

    assert {sequence: outcome for batch, outcome in seen.batches for sequence in batch} == {
        1: Outcome.COMMITTED,
        **dict.fromkeys(range(2, 40), Outcome.STORE_FULL),
        40: Outcome.COMMITTED,
    }
    assert seen.failures == []


async def test_damage_found_by_a_reader_is_a_failure(
    committer: Committer, store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that meets a damaged page makes the relay leave; a query that is merely wrong does not."""
    with pytest.raises(sqlalchemy.exc.OperationalError):
        await committer.read(lambda connection: connection.exec_driver_sql("SELECT nothing FROM nowhere"))
    assert seen.failures == []

    @contextlib.contextmanager
    def broken() -> Iterator[Any]:
        error = sqlite3.DatabaseError("malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
        yield

    monkeypatch.setattr(store, "reader", broken)
    with pytest.raises(StoreFailed):
        await committer.fetch(1, 0, 1, 1)
    assert len(seen.failures) == 1


async def test_settled_means_durable_and_in_order(committer: Committer, store: SqliteStore, seen: Seen) -> None:
    """Envelopes are settled in the order of their arrival, once each, after a reader can see them."""
    visible: list[bool] = []

    def settle(batch: list[Accepted], outcome: Outcome) -> None:
        stored = {envelope.sequence for envelope in store.fetch(1, 0, 10_000, 1 << 30)}
        visible.append({accepted.sequence for accepted in batch} <= stored)
        seen.settle(batch, outcome)

    committer._settle = settle
    for number in range(1, 3_000):
        committer.accept(entry(number))
        if number % 500 == 0:
            await asyncio.sleep(0)
    while len(seen.sequences) < 2_999:
        await done(committer)

    assert seen.sequences == list(range(1, 3_000))
    assert all(visible)


async def test_lone_envelope_starts_a_commit(committer: Committer, seen: Seen) -> None:
    """Nothing waits for company: no timer is between an envelope and its commit."""
    settled = asyncio.Event()
    committer._settle = lambda *_: settled.set()
    committer.accept(entry(1))
    async with asyncio.timeout(5):
        await settled.wait()


async def test_what_comes_together_shares_a_commit(committer: Committer, seen: Seen) -> None:
    """One wake-up of the loop is one batch."""
    for number in range(1, 101):
        committer.accept(entry(number))
    await done(committer)

    assert [len(batch) for batch, _ in seen.batches] == [100]


async def test_batches_are_bounded(committer: Committer, seen: Seen) -> None:
    """Neither count nor bytes of one commit grow with the load."""
    large = bytes(262_144)
    for number in range(1, MAX_ROWS + 10):
        committer.accept(entry(number))
    for number in range(2_000, 2_040):
        committer.accept(entry(number, payload=large))
    while len(seen.sequences) < MAX_ROWS + 9 + 40:
        await done(committer)

    assert max(len(batch) for batch, _ in seen.batches) <= MAX_ROWS
    assert max(sum(number >= 2_000 for number in batch) for batch, _ in seen.batches) <= MAX_BATCH_BYTES // len(large)


async def test_writes_come_back_with_their_results(committer: Committer) -> None:
    """Each caller gets what its own write returned or raised."""

    def failing(_: sqlalchemy.Connection) -> None:
        raise LookupError("mine alone")

    results = await asyncio.gather(
        committer.run(lambda _: 1), committer.run(failing), committer.run(lambda _: 3), return_exceptions=True
    )

    assert results[0] == 1
    assert isinstance(results[1], LookupError)
    assert results[2] == 3


async def test_refused_write_says_so(committer: Committer, store: SqliteStore) -> None:
    """A write that finds no room raises StoreFull to its caller."""
    store._driver.execute("PRAGMA max_page_count = 1")
    insert = sqlalchemy.insert(tables.tenant).values(name="a.example", root=bytes(100_000), registered_day=0)

    with pytest.raises(StoreFull):
        await committer.run(lambda connection: connection.execute(insert) and None)


async def test_cancelled_write_is_done_all_the_same(committer: Committer) -> None:
    """Cancelling gives up the wait, not the write; the committer goes on."""
    insert = sqlalchemy.insert(tables.tenant).values(name="a.example", root=b"", registered_day=0)
    task = asyncio.ensure_future(committer.run(lambda connection: connection.execute(insert) and None))
    await asyncio.sleep(0)
    task.cancel()
    await done(committer)

    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.tenant)
    assert await committer.read(lambda connection: connection.execute(count).scalar_one()) == 1


async def test_commits_go_on_when_settling_raises(committer: Committer, seen: Seen) -> None:
    """A bug in one settlement does not stop the next commit."""
    raised: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(str(context["exception"])))

    def broken(_batch: list[Accepted], _outcome: Outcome) -> None:
        raise RuntimeError("a bug")

    committer._settle = broken
    committer.accept(entry(1))
    await done(committer)
    committer._settle = seen.settle
    committer.accept(entry(2))
    await done(committer)

    assert (raised, seen.sequences) == (["a bug"], [2])


async def test_close_finishes_what_was_taken(store: SqliteStore, seen: Seen) -> None:
    """What was taken before is durable and settled when close returns: R12."""
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append)
    for number in range(1, 2_000):
        committer.accept(entry(number))
    committer.remove(1, 1_999)
    await committer.close()

    assert seen.sequences == list(range(1, 2_000))
    assert len(store.fetch(1, 0, 10_000, 1 << 30)) in (1_998, 1_999)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop and the store's thread work until `condition` holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event for what is in a file
            await asyncio.sleep(0.005)


async def test_acknowledged_envelope_is_gone_when_it_is_quiet(store: SqliteStore, seen: Seen) -> None:
    """Removed, and a moment later there is nothing of it in database, WAL or shared memory."""
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.01))
    committer.accept(entry(1, payload=b"the sealed envelope " * 60))
    committer.accept(entry(2, payload=b"another one, waiting" * 60))
    await done(committer)
    assert b"the sealed envelope" in on_disk(store.path)

    committer.remove(1, 1)
    await until(lambda: b"the sealed envelope" not in on_disk(store.path))

    assert b"another one, waiting" in on_disk(store.path)
    await committer.close()


@pytest.mark.parametrize(
    "pace",
    [Pace(idle=1e6, erase_within=0.0), Pace(idle=1e6, erase_within=1e6, max_wal_bytes=50_000)],
    ids=["due", "long"],
)
async def test_acknowledged_envelope_is_gone_under_load(store: SqliteStore, seen: Seen, pace: Pace) -> None:
    """While commits go on without a pause, the WAL is emptied within its bounds of time and length."""
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=pace)
    committer.accept(entry(1, payload=b"the sealed envelope " * 60))
    await done(committer)
    committer.remove(1, 1)
    for number in range(2, 100):
        committer.accept(entry(number))
        committer.remove(1, number - 1)
        await done(committer)

    assert b"the sealed envelope" not in on_disk(store.path)
    await committer.close()


async def test_failed_checkpoint_is_a_failure(store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """An fsync that fails while the WAL is emptied makes the relay leave as well."""

    def tidy() -> bool:
        raise StoreFailed("fsync")

    monkeypatch.setattr(store, "tidy", tidy)
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.01))
    await until(lambda: bool(seen.failures))
    await committer.close()


async def test_unfinished_tidying_is_tried_again(
    store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader in the way, or a disk that is still full: the next quiet moment will do."""
    answers = [True, False, False]
    monkeypatch.setattr(store, "tidy", answers.pop)
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.005))
    await until(lambda: not answers)
    await committer.close()


async def test_scrubbing_waits_for_a_quiet_moment(
    store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each time that it is asked for, in the store's thread and before the WAL is emptied."""
    done: list[str] = []
    tidy = store.tidy
    monkeypatch.setattr(store, "scrub", lambda: done.append(threading.current_thread().name))
    monkeypatch.setattr(store, "tidy", lambda: done.append("tidied") or tidy())  # type: ignore[func-returns-value]
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.005))
    await until(lambda: done == ["tidied"])

    committer.scrub()

    await until(lambda: len(done) == 3)
    assert done == ["tidied", "store", "tidied"]
    await committer.close()


async def test_scrubbing_that_is_asked_for_while_the_store_is_tidied_comes_next(
    store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for what was just done."""
    scrubbed, asked, loop = threading.Event(), threading.Event(), asyncio.get_running_loop()

    def ask() -> None:
        committer.scrub()
        asked.set()

    def tidy() -> bool:
        if not asked.is_set():
            loop.call_soon_threadsafe(ask)
            asked.wait()
        return True

    monkeypatch.setattr(store, "tidy", tidy)
    monkeypatch.setattr(store, "scrub", scrubbed.set)
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.005))
    await until(scrubbed.is_set)
    await committer.close()


async def test_a_failure_to_scrub_is_a_failure(store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """As each write of the store's is that fails."""
    monkeypatch.setattr(store, "scrub", failing)
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=Pace(idle=0.005))
    committer.scrub()
    await until(lambda: bool(seen.failures))
    await committer.close()


def failing() -> None:
    raise StoreFailed("a write")


async def test_close_waits_no_longer_than_it_may(
    store: SqliteStore, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that does not answer keeps its thread, and not whoever closes."""
    committer = Committer(store, settle=seen.settle, failed=seen.failures.append, pace=NEVER)
    answer = threading.Event()
    commit = store.commit

    def slow(*arguments: Any) -> Committed:
        answer.wait()
        return commit(*arguments)

    monkeypatch.setattr(store, "commit", slow)
    committer.accept(entry(1))
    assert not await committer.close(0.05)
    assert seen.batches == []
    answer.set()
    assert await committer.close()
    assert seen.sequences == [1]
