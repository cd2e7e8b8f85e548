"""A tenant's limit is one, however many nodes its devices send through."""

from collections.abc import AsyncIterator

import pytest

from blindrelay.protocol.address import DeviceAddress
from blindrelay.relay.cluster.charges import Charges
from blindrelay.relay.config import Limits as Settings
from blindrelay.relay.identity import DeviceIdentity
from blindrelay.relay.limits import Limits
from support.cluster import Store
from support.party import HandClock

pytestmark = pytest.mark.needs("initdb")

RATE = 1_000


@pytest.fixture
async def store(new_database: str) -> AsyncIterator[Store]:
    """The database, without a relay."""
    async with Store.open(new_database) as store:
        yield store


def sender(number: int) -> DeviceIdentity:
    """A device of acme.example."""
    return DeviceIdentity(DeviceAddress("acme.example", "alice", f"d{number}"), number, b"", b"", 2e9)


def node(store: Store, number: int, clock: HandClock) -> tuple[Limits, Charges]:
    """A node's limits, which share."""
    limits = Limits(Settings(tenant_rate=RATE, tenant_burst=RATE), clock)
    assert not limits.sending(sender(number), 1)
    return limits, Charges(store, limits, number, RATE)


async def test_what_is_sent_through_one_node_is_charged_at_the_others(store: Store) -> None:
    """When all has been used up at one, nothing is left at another."""
    clock = HandClock()
    (one, first), (other, second) = node(store, 1, clock), node(store, 2, clock)
    for charges in (first, second, first, second):
        await charges.share()
    for _ in range(RATE):
        one.sending(sender(1), 1)
    await first.share()
    assert not other.sending(sender(2), 1), "nobody has told it yet"
    await second.share()
    assert other.sending(sender(2), 1) > 0


async def test_each_message_is_charged_once(store: Store) -> None:
    """However often nodes tell each other."""
    clock = HandClock()
    (one, first), (other, second) = node(store, 1, clock), node(store, 2, clock)
    for charges in (first, second, first, second):
        await charges.share()
    for _ in range(RATE // 2):
        one.sending(sender(1), 1)
    for _ in range(5):
        await first.share()
        await second.share()
    taken = 0
    while not other.sending(sender(2), 1):
        taken += 1
    assert RATE // 2 - 5 <= taken <= RATE // 2


async def test_who_sends_little_is_not_told_of(store: Store) -> None:
    """A quiet cluster writes nothing."""
    clock = HandClock()
    one, first = node(store, 1, clock)
    one.sending(sender(1), 1)
    await first.share()
    assert store.writes == 0
