"""The ledger (`relay/ledger.py`)."""

from collections.abc import Callable

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.address import DeviceAddress
from blindrelay.relay.ledger import DAY, HOUR, AccessRecord, Ledger, SubscriberRecord, Window, last_seen_day, pieces
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from support.ledgered import Calendar, Direct
from support.stored import entry

pytestmark = pytest.mark.both_engines

NOON = 1_700_000_000 // DAY * DAY + 12 * HOUR


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    """A store with one tenant and the accounts 1, 2 and 3."""
    store = open_store()

    def enrol(connection: sqlalchemy.Connection) -> None:
        connection.execute(sqlalchemy.insert(tables.tenant).values(name="a.example", root=b"", registered_day=1))
        for number, name in enumerate(("ann", "bob", "cem"), 1):
            connection.execute(
                sqlalchemy.insert(tables.device).values(
                    account_id=number, tenant="a.example", user=name, device="phone", certificate=b"", registered_day=2
                )
            )

    store.commit([], [], [enrol])
    return store


@pytest.fixture
def clock() -> Calendar:
    return Calendar(NOON + 1_234)


@pytest.fixture
def ledger(store: Store, clock: Calendar) -> Ledger:
    return Ledger(Direct(store), clock)


async def test_connection_is_kept_to_the_hour(ledger: Ledger, clock: Calendar) -> None:
    """Start and end of a connection are hours; while it is open there is no end."""
    number = await ledger.open(1, "192.0.2.1", "demo/1")
    day = Window(NOON - DAY, NOON + DAY)
    assert await ledger.access([1], day) == [AccessRecord(1, NOON // HOUR, None, "192.0.2.1", "demo/1")]
    clock.at += 3 * HOUR

    await ledger.close(number)

    assert await ledger.access([1], day) == [AccessRecord(1, NOON // HOUR, NOON // HOUR + 3, "192.0.2.1", "demo/1")]


async def test_closing_a_record_that_retention_took(ledger: Ledger) -> None:
    """A connection that outlived the window ends without a trace."""
    await ledger.close(99)

    assert await ledger.access([1, 2, 3], Window(0, 1 << 40)) == []


async def test_hours_that_touch_the_window_are_in_it(ledger: Ledger) -> None:
    """A record knows its hour alone, so that a window of minutes selects the hour."""
    await ledger.open(1, "192.0.2.1", None)

    assert len(await ledger.access([1], Window(NOON + 60, NOON + 120))) == 1
    assert await ledger.access([1], Window(NOON - HOUR, NOON)) == []
    assert await ledger.access([1], Window(NOON + HOUR, NOON + 2 * HOUR)) == []


async def test_subscriber_is_seen_on_a_day(ledger: Ledger) -> None:
    """Enrolment and last connection are days; who never came has none."""
    await ledger.open(2, "192.0.2.1", None)

    assert await ledger.subscribers([1, 2]) == [
        SubscriberRecord(1, DeviceAddress("a.example", "ann", "phone"), 2, None),
        SubscriberRecord(2, DeviceAddress("a.example", "bob", "phone"), 2, last_seen_day(2, NOON)),
    ]


@given(st.integers(1, 10**6), st.integers(0, 2**33), st.integers(0, 3 * DAY))
def test_last_seen_changes_once_a_day(account: int, now: int, later: int) -> None:
    """The day rises by one every 86,400 seconds, from an hour of the account's own."""
    difference = last_seen_day(account, now + later) - last_seen_day(account, now)
    assert later // DAY <= difference <= later // DAY + 1


def test_accounts_change_their_day_apart() -> None:
    """At no second does a large part of all accounts begin a new day."""
    changes = {last_seen_day(account, NOON) - last_seen_day(account, NOON - HOUR) for account in range(1, 200)}
    moved = sum(last_seen_day(account, NOON) != last_seen_day(account, NOON - HOUR) for account in range(1, 2_401))
    assert changes == {0, 1}
    assert 50 < moved < 150


async def test_traffic_is_of_the_accounts_and_the_window(ledger: Ledger, store: Store) -> None:
    """Sent and received messages of the accounts, from `since` to before `until`; a sealed one has no sender."""
    store.commit(
        [
            entry(1, mailbox=1, sender=2, accepted_at=NOON),
            entry(2, mailbox=3, sender=1, accepted_at=NOON + 1),
            entry(3, mailbox=1, sender=None, accepted_at=NOON + 2),
            entry(4, mailbox=3, sender=2, accepted_at=NOON + 1),
            entry(5, mailbox=1, sender=2, accepted_at=NOON + 3),
        ],
        [],
    )

    found = await ledger.traffic([1], Window(NOON, NOON + 3))

    assert [(row.sender_id, row.recipient_id, row.accepted_at, row.size) for row in found] == [
        (2, 1, NOON, 1_024),
        (1, 3, NOON + 1, 1_024),
        (None, 1, NOON + 2, 1_024),
    ]


async def test_traffic_is_found_across_a_step_of_the_clock(ledger: Ledger, store: Store) -> None:
    """The machine's clock was a month ahead for a while: what was recorded before and after is found all the same (R10)."""
    times = [NOON, NOON + 30 * DAY, NOON + 1, NOON - 10 * DAY, NOON + 2]
    store.commit([entry(number, accepted_at=at) for number, at in enumerate(times, 1)], [])

    assert [row.accepted_at for row in await ledger.traffic([1], Window(NOON, NOON + 10))] == [NOON, NOON + 1, NOON + 2]


@given(st.integers(0, 500), st.integers(-1, 500), st.integers(1, 70))
def test_pieces_cover_the_range(first: int, last: int, length: int) -> None:
    """Every id is in exactly one piece."""
    ids = [number for start, end in pieces(first, last, length) for number in range(start, end + 1)]
    assert ids == list(range(first, last + 1))
