"""Preservation orders (`relay/desk/preservation.py`) and retention: exactly the targets stay, until the order ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blindrelay.policies.request import Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import DataClass
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.ports import PreservationOrder
from blindrelay.relay.desk.preservation import Preservations
from blindrelay.relay.desk.selection import NotSelectable
from blindrelay.relay.ledger import DAY
from blindrelay.relay.retention import Purge
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.sqlite import SqliteStore
from support.disclosure import (
    AUTHORISATION,
    NOW,
    TENANT,
    add_connections,
    add_traffic,
    decision,
    device,
    enrol,
    later,
    span,
    user,
)
from support.ledgered import Calendar, Direct

pytestmark = pytest.mark.both_engines

T = TypeVar("T")

KEPT = Retention(traffic_days=30, access_days=30)
BOTH = frozenset({DataClass.ACCESS, DataClass.TRAFFIC})


class World:
    """A store, its retention and its preservation orders, under a clock."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self.open_store = open_store
        self.clock = Calendar(NOW)
        self.open()

    def open(self) -> None:
        self.store = self.open_store()
        self.direct = Direct(self.store)
        self.preservations = Preservations(self.direct, self.clock)
        self.retention = Purge(self.direct, self.clock, KEPT)

    def restart(self) -> None:
        self.open()

    async def hold(
        self,
        *targets: Target,
        key: str = "d1",
        days: float = 90,
        classes: frozenset[DataClass] = BOTH,
        window: Timespan | None = None,
    ) -> None:
        """Preserve for so many days from `NOW` on."""
        order = PreservationOrder(
            "0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90", key, decision(*targets), AUTHORISATION, "police", "Police",
            classes=classes, targets=targets, window=window, until=later(days),
        )  # fmt: skip
        await self.preservations.hold(order)

    async def purge(self, day: float) -> None:
        """Retention runs `day` days after `NOW`."""
        self.clock.at = NOW + day * DAY
        await self.retention.run()

    def traffic(self) -> list[int]:
        """The numbers of the traffic records that are left."""
        return self._column(tables.traffic.c.id)

    def connections(self) -> list[int]:
        return self._column(tables.access.c.id)

    def _column(self, column: "sqlalchemy.Column[int]") -> list[int]:
        query = sqlalchemy.select(column).order_by(column)
        return self.store.read(lambda connection: list(connection.execute(query).scalars()))


@pytest.fixture
async def world(open_store: Callable[[], Store]) -> World:
    """Bob has accounts 1 and 2, Ann 3, Eve 4. Retention has been by already."""
    world = World(open_store)
    enrol(world.store)
    await world.purge(0)
    return world


async def test_targets_stay_and_all_others_go(world: World) -> None:
    """What the target sent and received outlives the window; what others wrote each other does not."""
    add_traffic(world.store, (1, 3, NOW - 10), (3, 2, NOW - 9), (3, 4, NOW - 8), (None, 1, NOW - 7), (None, 3, NOW - 6))
    add_connections(world.store, (1, NOW - DAY, NOW - DAY), (3, NOW - DAY, NOW - DAY), (2, NOW - DAY, None))
    await world.hold(user("bob"))

    await world.purge(31)

    assert world.traffic() == [1, 2, 4]
    assert world.connections() == [1, 3]


async def test_an_order_ends_by_itself(world: World) -> None:
    """On day 90 it counts no more, and what it kept goes at the next run of retention. Nobody has to end it."""
    add_traffic(world.store, (1, 3, NOW - 10))
    add_connections(world.store, (1, NOW - DAY, NOW - DAY))
    await world.hold(user("bob"))

    await world.purge(89.9)
    assert (world.traffic(), world.connections()) == ([1], [1])
    assert await world.preservations.running(NOW + 89 * DAY) == {
        "0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90/d1": NOW + 90 * DAY
    }
    await world.purge(90)

    assert (world.traffic(), world.connections()) == ([], [])
    assert await world.preservations.running(0) == {}
    query = sqlalchemy.select(tables.preserved_account)
    assert world.store.read(lambda connection: connection.execute(query).all()) == []


async def test_a_renewal_prolongs_what_was_kept(world: World) -> None:
    """On day 80 for another 90 days; what was written in between is not kept by it."""
    add_traffic(world.store, (1, 3, NOW - 10))
    await world.hold(user("bob"))
    add_traffic(world.store, (1, 3, NOW + 10))
    world.clock.at = NOW + 80 * DAY
    await world.hold(user("bob"), days=180)

    await world.purge(179)
    assert world.traffic() == [1]
    await world.purge(180)
    assert world.traffic() == []


async def test_what_existed_is_kept_and_what_comes_later_is_not(world: World) -> None:
    """A record of the same second, a connection of the same hour, a new device: behind the order, and not under it."""
    add_traffic(world.store, (1, 3, NOW))
    add_connections(world.store, (1, NOW, NOW))
    await world.hold(user("bob"))
    add_traffic(world.store, (1, 3, NOW), (5, 1, NOW - 1))
    add_connections(world.store, (1, NOW, NOW))

    await world.purge(40)

    assert (world.traffic(), world.connections()) == ([1], [1])


async def test_a_new_device_of_the_target_is_not_under_the_order(world: World) -> None:
    """Also when the order is given again, as at each start."""
    await world.hold(user("bob"))

    def enrol_another(connection: sqlalchemy.Connection) -> None:
        values = {"tenant": TENANT, "user": "bob", "device": "tablet", "registered_day": 19_000, "certificate": b""}
        connection.execute(sqlalchemy.insert(tables.device).values(account_id=5, **values))

    await world.direct.run(enrol_another)
    await world.hold(user("bob"))

    query = sqlalchemy.select(tables.preserved_account.c.account_id)
    assert world.store.read(lambda connection: list(connection.execute(query).scalars())) == [1, 2]


async def test_an_order_survives_a_restart(world: World) -> None:
    """It is in the database that retention works on: there is no moment at which it is not known."""
    add_traffic(world.store, (1, 3, NOW - 10), (3, 4, NOW - 10))
    await world.hold(user("bob"))

    world.restart()
    await world.purge(40)

    assert world.traffic() == [1]


async def test_window_and_classes_of_the_order_count(world: World) -> None:
    """What is outside of the window, or of another class, goes when its time has come."""
    add_traffic(world.store, (1, 3, NOW - 2 * DAY), (1, 3, NOW - DAY), (1, 3, NOW - 10))
    add_connections(world.store, (1, NOW - DAY, NOW - DAY))
    await world.hold(user("bob"), classes=frozenset({DataClass.TRAFFIC}), window=span(NOW - DAY, NOW - 10))

    await world.purge(40)

    assert (world.traffic(), world.connections()) == ([2], [])


async def test_a_device_is_a_target_of_its_own(world: World) -> None:
    """An order about the phone does not keep what the laptop wrote."""
    add_traffic(world.store, (1, 3, NOW - 10), (2, 3, NOW - 10))
    await world.hold(device("bob", "laptop"))

    await world.purge(40)

    assert world.traffic() == [2]


@pytest.mark.engine("sqlite")  # the other does not give them again
async def test_numbers_that_are_given_again_keep_nothing(world: World) -> None:
    """When retention has emptied the table, its numbers begin anew: what is written then came after the order."""
    add_traffic(world.store, *[(1, 3, NOW - 10)] * 5)
    await world.hold(user("eve"), days=200)
    await world.purge(40)
    add_traffic(world.store, (4, 4, NOW + 40 * DAY))
    assert world.traffic() == [1]

    await world.purge(80)

    assert world.traffic() == []


async def test_orders_are_independent(world: World) -> None:
    """A record stays as long as any order keeps it."""
    add_traffic(world.store, (1, 3, NOW - 10), (4, 4, NOW - 10))
    await world.hold(user("bob"), key="d1", days=60)
    await world.hold(user("ann"), key="d2", days=90)
    await world.hold(user("eve"), key="d3", days=90)
    await world.preservations.let_go("0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90/d3")

    await world.purge(61)
    assert world.traffic() == [1]
    await world.purge(90)
    assert world.traffic() == []


async def test_ending_an_order_that_is_none_does_nothing(world: World) -> None:
    """Twice, or of a key that never was."""
    await world.preservations.let_go("nobody/d1")
    await world.hold(user("bob"))
    for _ in range(2):
        await world.preservations.let_go("0d8f4a1e-5b7f-4a3c-9b51-3d2a6c7e8f90/d1")

    assert await world.preservations.running(NOW) == {}


@pytest.mark.parametrize("target", [("tenant", TENANT), ("all-users", "*")])
async def test_there_is_no_order_about_everybody(world: World, target: tuple[str, str]) -> None:
    """Retention for a tenant or everybody cannot be stopped; nothing of such an order is kept."""
    everybody = Target(format=TargetFormat(target[0]), value=target[1])
    with pytest.raises(NotSelectable):
        await world.hold(user("bob"), everybody)

    assert await world.preservations.running(NOW) == {}


async def test_content_is_not_kept(world: World) -> None:
    """Waiting envelopes have an expiry of their own, and no order prolongs it."""
    with pytest.raises(NotSelectable):
        await world.hold(user("bob"), classes=frozenset({DataClass.TRAFFIC, DataClass.CONTENT}))


async def test_an_order_that_comes_while_retention_runs_is_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the deletion: the deleting statement itself looks again."""
    add_traffic(world.store, (1, 3, NOW - 40 * DAY), (3, 4, NOW - 40 * DAY))
    run = world.direct.run
    is_held = False

    async def interposed(write: Callable[[sqlalchemy.Connection], T]) -> T:
        nonlocal is_held
        if not is_held:
            is_held = True
            await world.hold(user("bob"))
        return await run(write)

    monkeypatch.setattr(world.direct, "run", interposed)

    await world.purge(0)

    assert world.traffic() == [1]


@pytest.mark.engine("sqlite")
async def test_retention_does_not_read_all_orders_for_each_record(world: World) -> None:
    """The exemption is looked up by account: a thousand orders do not make it slow."""
    query = (
        "EXPLAIN QUERY PLAN SELECT id FROM traffic WHERE EXISTS (SELECT 1 FROM preserved_account a "
        "JOIN preservation p ON p.key = a.key WHERE a.account_id IN (traffic.sender_id, traffic.recipient_id))"
    )
    plan = world.store.read(lambda connection: connection.exec_driver_sql(query).all())

    assert any("SEARCH a USING PRIMARY KEY (account_id=?)" in row[3] for row in plan), plan


@pytest.mark.engine("postgresql")
async def test_what_is_kept_of_a_day_outlives_it(world: World) -> None:
    """With PostgreSQL: the day's partition goes, and what an order keeps of it is where records are that belong to no day."""
    add_traffic(world.store, (1, 3, NOW), (3, 4, NOW), (3, 1, NOW))
    await world.hold(user("bob"))

    def partitions() -> set[str]:
        query = "SELECT tableoid::regclass::text FROM traffic"
        return world.store.read(lambda connection: set(connection.exec_driver_sql(query).scalars()))

    assert partitions() == {f"traffic_d{NOW // DAY}"}
    await world.purge(31)
    assert (world.traffic(), partitions()) == ([1, 3], {"traffic_other"})
    await world.purge(90)
    assert world.traffic() == []


accounts = st.integers(1, 4)


class Preserving(RuleBasedStateMachine):
    """Any messages, orders, renewals and days: what should be there is there, and nothing else."""

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        import asyncio
        import tempfile

        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(lambda: SqliteStore.open(Path(self.folder.name) / "relay.db", reserve_bytes=0))
        enrol(self.world.store)
        self.now = float(NOW)
        self.messages: dict[int, tuple[int, int, int]] = {}
        self.orders: dict[str, tuple[set[int], set[int], float]] = {}

    @rule(sender=accounts, recipient=accounts)
    def write(self, sender: int, recipient: int) -> None:
        number = max(self.world.traffic(), default=0) + 1
        add_traffic(self.world.store, (sender, recipient, int(self.now)))
        self.messages[number] = (sender, recipient, int(self.now))

    @rule(name=st.sampled_from(["bob", "ann", "eve"]), key=st.sampled_from(["a", "b"]), days=st.integers(1, 90))
    def hold(self, name: str, key: str, days: int) -> None:
        after = self.now - NOW
        self.world.clock.at = self.now
        self.loop.run_until_complete(self.world.hold(user(name), key=key, days=after / DAY + days))
        mine = {"bob": {1, 2}, "ann": {3}, "eve": {4}}[name]
        known = self.orders.get(key)
        self.orders[key] = (*(known[:2] if known else (mine, set(self.messages))), self.now + days * DAY)

    @rule(days=st.integers(0, 40))
    def wait(self, days: int) -> None:
        self.now += days * DAY
        self.loop.run_until_complete(self.world.purge((self.now - NOW) / DAY))
        for number, (sender, recipient, at) in list(self.messages.items()):
            is_kept = any(
                {sender, recipient} & who and number in existed and self.now < ends
                for who, existed, ends in self.orders.values()
            )
            if at < self.now - 30 * DAY and not is_kept:
                del self.messages[number]
                for _, existed, _ in self.orders.values():
                    existed.discard(number)
        self.orders = {key: order for key, order in self.orders.items() if self.now < order[2]}

    @invariant()
    def exactly_the_expected_is_there(self) -> None:
        if hasattr(self, "world"):
            assert self.world.traffic() == sorted(self.messages)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.store.close()
            self.loop.close()
            self.folder.cleanup()


TestPreserving = Preserving.TestCase
TestPreserving.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
