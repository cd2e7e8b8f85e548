"""What a public log costs: adding entries with what they record, publishing them, and proving one of very many."""

import asyncio
import random
from collections.abc import Sequence
from hashlib import sha256
from time import perf_counter
from typing import Final

import sqlalchemy

from benchmarks.report import Measurement, Report
from benchmarks.world import World
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency.directory import DeviceStated
from blindrelay.protocol.transparency.merkle import leaf_hash, verify_inclusion
from blindrelay.relay.config import Logs
from blindrelay.relay.store import tables
from blindrelay.relay.store.committer import Committer
from blindrelay.relay.store.sqlite import SqliteStore
from blindrelay.relay.transparency.assembly import open_log
from blindrelay.relay.transparency.entries import StoredEntries, append
from blindrelay.relay.transparency.log import Log

ENTRIES_A_SECOND: Final = 5_000
PROOF: Final = 0.002
_PROOFS: Final = 2_000
#: A company of a hundred thousand that replaces every device's statement ten times.
_MOST: Final = 1_000_000
# So many events are under way at once, as from as many devices.
_AT_ONCE: Final = 2_000


async def logs(world: World, report: Report) -> None:
    """As many entries as there are records, each an event of its own in the committer's batches; published, and proved."""
    folder = world.folder / "logs"
    folder.mkdir()
    store = SqliteStore.open(folder / "relay.db")
    failures: list[BaseException] = []
    committer = Committer(store, settle=lambda *_: None, failed=failures.append)
    try:
        source = StoredEntries(committer, tables.directory_entry)
        async with open_log("directory", folder, source, Logs(), SystemClock()) as log:
            report.add(await _appended(committer, log, min(world.scale.records, _MOST)))
            report.add(await asyncio.to_thread(_proved, log))
    finally:
        await committer.close()
        store.close()
    if failures:
        raise failures[0]


async def _appended(committer: Committer, log: Log, count: int) -> Measurement:
    start = perf_counter()
    for first in range(0, count, _AT_ONCE):
        await asyncio.gather(*(_append(committer, number) for number in range(first, min(first + _AT_ONCE, count))))
        log.wake()
    committed = perf_counter() - start
    await log.wait_published(count - 1)
    published = perf_counter() - start
    rate = count / published
    return Measurement(
        f"{count:,} entries, each with its event, until published",
        {"entries/s": round(rate), "entries/s committed": round(count / committed)},
        f"more than {ENTRIES_A_SECOND:,} entries/s",
        rate > ENTRIES_A_SECOND,
    )


def _append(committer: Committer, number: int) -> "asyncio.Future[int]":
    body = _entry(number).encode()

    def write(connection: sqlalchemy.Connection) -> int:
        return append(connection, tables.directory_entry, body)

    return committer.submit(write)


def _entry(number: int) -> DeviceStated:
    digest = sha256(number.to_bytes(8, "big")).hexdigest()
    return DeviceStated(
        tenant="acme.example", account=digest, archive=False, certificate=digest, sequence=1, statement=digest
    )


def _proved(log: Log) -> Measurement:
    published = log.published
    head = published.checkpoint
    indices = random.Random(1).choices(range(head.size), k=_PROOFS)
    took: list[float] = []
    for index in indices:
        start = perf_counter()
        path: Sequence[bytes] = log.inclusion(index, published)
        took.append(perf_counter() - start)
        verify_inclusion(leaf_hash(_entry(index).encode()), index, head.size, path, head.root)
    took.sort()
    p99 = took[len(took) * 99 // 100]
    return Measurement(
        f"{_PROOFS:,} inclusion proofs of entries at random, of {head.size:,}",
        {"ms p50": round(took[len(took) // 2] * 1e3, 3), "ms p99": round(p99 * 1e3, 3)},
        f"p99 < {PROOF * 1e3:.0f} ms",
        p99 < PROOF,
    )
