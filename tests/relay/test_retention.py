"""Retention (`relay/retention.py`)."""

from collections.abc import Callable

import pytest
import sqlalchemy

from blindrelay.relay.config import Retention
from blindrelay.relay.ledger import DAY, HOUR
from blindrelay.relay.retention import BATCH, Purge, Purged
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from support.ledgered import Calendar, Direct
from support.stored import entry

NOW = 1_700_000_000
KEPT = Retention(traffic_days=30, access_days=10)


pytestmark = pytest.mark.both_engines


@pytest.fixture
def direct(open_store: Callable[[], Store]) -> Direct:
    return Direct(open_store())


@pytest.fixture
def purge(direct: Direct) -> Purge:
    return Purge(direct, Calendar(NOW), KEPT)


async def column(direct: Direct, field: "sqlalchemy.Column[int]") -> list[int]:
    query = sqlalchemy.select(field).order_by(field)
    return await direct.read(lambda connection: list(connection.execute(query).scalars()))


async def test_nothing_to_purge(purge: Purge, direct: Direct) -> None:
    """An empty store stays untouched: not a commit. But for the days to come, which are made once, where there are such."""
    assert await purge.run() == Purged()
    made = direct.commits
    assert direct.scrubbed == 0
    assert await purge.run() == Purged()
    assert made == direct.commits == int(direct.store.name.startswith("postgresql:"))


async def test_old_traffic_goes(purge: Purge, direct: Direct) -> None:
    """Records older than the window go, with their entries in the ring; the youngest second of the window stays."""
    edge = NOW - 30 * DAY
    times = [edge - DAY, edge - 1, edge, NOW]
    direct.store.commit([entry(number, accepted_at=at) for number, at in enumerate(times, 1)], [])

    assert await purge.run() == Purged(traffic=2, recent_ids=2)

    assert direct.scrubbed == 1
    assert await column(direct, tables.traffic.c.accepted_at) == [edge, NOW]
    assert await column(direct, tables.recent_id.c.accepted_at) == [edge, NOW]


async def test_old_traffic_goes_wherever_it_is(purge: Purge, direct: Direct) -> None:
    """A record that a wrong clock put behind younger ones does not outlive them (R10)."""
    times = [NOW, NOW - 40 * DAY, NOW, NOW - 31 * DAY]
    direct.store.commit([entry(number, accepted_at=at) for number, at in enumerate(times, 1)], [])

    assert (await purge.run()).traffic == 2
    assert await column(direct, tables.traffic.c.accepted_at) == [NOW, NOW]


async def test_envelopes_are_not_its_business(purge: Purge, direct: Direct) -> None:
    """What waits for its recipient has an expiry of its own."""
    direct.store.commit([entry(1, accepted_at=NOW - 40 * DAY)], [])

    await purge.run()

    assert await column(direct, tables.envelope.c.sequence) == [1]


async def test_old_connections_go(purge: Purge, direct: Direct) -> None:
    """A connection is as old as its end, or as its start while there is no end."""
    hour = (NOW - 10 * DAY) // HOUR
    spans = [(hour - 5, hour - 1), (hour - 5, hour), (hour - 1, None), (hour, None)]

    def connect(connection: sqlalchemy.Connection) -> None:
        for opened, closed in spans:
            connection.execute(
                sqlalchemy.insert(tables.access).values(
                    account_id=1, opened_hour=opened, closed_hour=closed, address="192.0.2.1"
                )
            )

    await direct.run(connect)

    assert await purge.run() == Purged(access=2)
    assert await column(direct, tables.access.c.id) == [2, 4]


async def test_purging_is_done_in_small_commits(purge: Purge, direct: Direct) -> None:
    """However much there is to delete, no commit deletes more than a batch."""
    for start in range(0, 2_500, 500):
        old = [entry(start + n, accepted_at=1_600_000_000, sender=1 + n % 4, payload=b"") for n in range(1, 501)]
        direct.store.commit(old, [])

    assert (await purge.run()).traffic == 2_500
    if not direct.store.name.startswith("postgresql:"):  # where it is a partition that goes
        assert direct.commits == -(-2_500 // BATCH) + 4  # and one for each ring


@pytest.mark.engine("postgresql")
async def test_a_day_goes_as_a_whole(direct: Direct, purge: Purge) -> None:
    """With PostgreSQL: a day is made before it begins, and dropped when its last second has passed the window."""
    clock = purge._clock
    assert isinstance(clock, Calendar)
    clock.at = NOW - 31 * DAY
    await purge.run()
    midnight = (NOW - 30 * DAY) // DAY * DAY
    times = [midnight - 1, midnight, midnight + DAY - 1, midnight + DAY]
    direct.store.commit([entry(number, accepted_at=at) for number, at in enumerate(times, 1)], [])
    partitions = await direct.read(
        lambda connection: set(connection.exec_driver_sql("SELECT tableoid::regclass::text FROM traffic").scalars())
    )
    assert partitions == {f"traffic_d{midnight // DAY + number}" for number in (-1, 0, 1)}

    clock.at = NOW
    assert (await purge.run()).traffic == 1
    clock.at = midnight + 31 * DAY
    assert (await purge.run()).traffic == 2

    assert await column(direct, tables.traffic.c.accepted_at) == [midnight + DAY]
