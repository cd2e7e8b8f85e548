"""Real-time orders of a relay that has several nodes (`relay/cluster/connections.py`): a target may connect to any of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEnd
from blindrelay.policies.vocabulary import DataClass
from blindrelay.relay.cluster.connections import SharedConnections
from blindrelay.relay.cluster.watches import forget_watches
from blindrelay.relay.desk.following import Watched
from blindrelay.relay.desk.ports import StreamOrder, Streams
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from support.cluster import Cluster, Store, cluster
from support.disclosure import AUTHORISATION, decision, enrol, span
from support.tenants import Badge, Tenant

pytestmark = pytest.mark.needs("initdb")

SOON = 15.0
ACCESS = frozenset({DataClass.ACCESS})
KEY = "case/d1"


class Direct:
    """What `enrol` asks of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def commit(self, accepted: object, removed: object, writes: Any) -> Any:
        with self._store.engine.begin() as connection:
            results = [write(connection) for write in writes]
        return type("Committed", (), {"results": results})


@pytest.fixture
async def store(new_database: str) -> AsyncIterator[Store]:
    """A database in which bob has accounts 1 and 2, and Ann 3."""
    async with Store.open(new_database) as store:
        enrol(Direct(store))  # type: ignore[arg-type]
        yield store


def watched(*targets: tuple[str, str], since: float = -60, until: float = 3_600) -> Watched:
    """An order about these; times are from now on."""
    now = int(time.time())
    found = tuple(Target(format=TargetFormat(form), value=value) for form, value in targets)
    return Watched(found, ACCESS, int(now + since), int(now + until), now, 0, ())


BOB = ("user", "bob@globex.example")


async def connect(store: Store, account: int) -> int:
    """A connection begins, at whichever node."""
    insert = (
        tables.access.insert()
        .values(account_id=account, opened_hour=1, address="192.0.2.7")
        .returning(tables.access.c.id)
    )
    return int(await store.run(lambda connection: connection.execute(insert).scalar_one()))


async def disconnect(store: Store, number: int) -> None:
    """It ends."""
    update = tables.access.update().where(tables.access.c.id == number).values(closed_hour=2)
    await store.run(lambda connection: connection.execute(update))


async def seen(connections: SharedConnections) -> list[tuple[int, int | None]]:
    """What has happened: whose, and whether it is the end."""
    return [(event.record.account_id, event.record.closed_hour) for event in await connections.happened()]


async def left(store: Store) -> int:
    """How much of what was told of is still there."""
    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.connection_event)
    return int(await store.read(lambda connection: connection.execute(count).scalar_one()))


class TestTold:
    """What the database tells of."""

    async def test_nothing_without_an_order(self, store: Store) -> None:
        connections = SharedConnections(store)
        await connections.watch(())
        await disconnect(store, await connect(store, 1))
        assert await seen(connections) == []
        assert await left(store) == 0

    async def test_targets_connections_each_once_and_nobody_elses(self, store: Store) -> None:
        """The beginning as it was, though the end has come by now; what has been read is deleted."""
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(BOB))])
        number = await connect(store, 2)
        await connect(store, 3)
        await disconnect(store, number)
        assert await seen(connections) == [(2, None), (2, 2)]
        await connect(store, 1)
        assert await seen(connections) == [(1, None)]
        assert await seen(connections) == []
        assert await left(store) == 0

    async def test_of_one_device_and_not_of_the_users_others(self, store: Store) -> None:
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(("device", "globex.example/bob/laptop")))])
        await connect(store, 1)
        await connect(store, 2)
        assert await seen(connections) == [(2, None)]

    @pytest.mark.parametrize(("since", "until"), [(60, 3_600), (-3_600, -1)], ids=["before it", "after it"])
    async def test_nothing_outside_of_the_order(self, store: Store, since: float, until: float) -> None:
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(BOB, since=since, until=until))])
        await connect(store, 1)
        assert await left(store) == 0

    async def test_nothing_of_an_order_that_has_ended(self, store: Store) -> None:
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(BOB))])
        await connections.watch([])
        await connect(store, 1)
        assert await left(store) == 0

    async def test_a_device_that_comes_for_the_first_time(self, store: Store) -> None:
        """Its account did not exist when the order began."""
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(BOB))])
        new = tables.device.insert().values(
            account_id=9, tenant="globex.example", user="bob", device="new", certificate=b"", registered_day=1
        )
        await store.run(lambda connection: connection.execute(new))
        await connect(store, 9)
        assert await seen(connections) == [(9, None)]

    async def test_what_is_being_recorded_as_an_order_begins(self, store: Store) -> None:
        """Whoever is told that it is watched has waited for those who may not have seen that."""
        connections = SharedConnections(store)
        with store.engine.begin() as slow:
            slow.execute(tables.access.insert().values(account_id=3, opened_hour=1, address=""))
            watching = asyncio.create_task(asyncio.to_thread(asyncio.run, connections.watch([(KEY, watched(BOB))])))
            done, _ = await asyncio.wait([watching], timeout=0.3)
            assert not done
        await watching
        await connect(store, 1)
        assert await seen(connections) == [(1, None)]

    async def test_a_lower_number_never_comes_after_a_higher_one(self, store: Store) -> None:
        """Of two that are recorded at once the one with the lower number may be committed later: it is waited for."""
        connections = SharedConnections(store)
        await connections.watch([(KEY, watched(BOB))])
        with store.engine.begin() as slow:
            slow.execute(tables.access.insert().values(account_id=1, opened_hour=1, address=""))
            await connect(store, 2)
            reading = asyncio.create_task(asyncio.to_thread(asyncio.run, seen(connections)))
            done, _ = await asyncio.wait([reading], timeout=0.3)
            assert not done
        assert await reading == [(1, None), (2, None)]

    async def test_a_desk_that_starts_anew_hears_nothing_of_before(self, store: Store) -> None:
        """Its readers are told that it did not watch then."""
        await SharedConnections(store).watch([(KEY, watched(BOB))])
        await connect(store, 1)
        connections = SharedConnections(store)
        await connections.watch(())
        assert await seen(connections) == []
        assert await left(store) == 0

    async def test_what_a_dead_desk_has_left_goes(self, store: Store) -> None:
        await SharedConnections(store).watch([(KEY, watched(BOB, until=1))])
        await connect(store, 1)
        now = int(time.time())
        await store.run(forget_watches(now + 10, now + 10))
        assert await left(store) == 0
        count = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.connection_watch)
        assert await store.read(lambda connection: connection.execute(count).scalar_one()) == 0


def streams_of(relay: Relay) -> Streams:
    """The desk's real-time orders."""
    assert relay.desk is not None
    return relay.desk._ports.streams


async def begin(streams: Streams, acme: Tenant, *, until: float = 3_600, since: float = 2) -> None:
    """An order about bob of that tenant, and its first second."""
    target = Target(format=TargetFormat.USER, value=f"bob@{acme.name}")
    now = int(time.time())
    await streams.begin(
        StreamOrder(
            "case", "d1", decision(target), AUTHORISATION, "police", "Police",
            classes=frozenset({DataClass.ACCESS, DataClass.TRAFFIC}), targets=(target,), span=span(now + since, now + until),
        )
    )  # fmt: skip
    while time.time() < now + since:  # noqa: ASYNC110 - the clock is waited for
        await asyncio.sleep(0.02)


async def come_and_go(nodes: Cluster, name: str, badge: Badge) -> None:
    """A connection to a node, and its end."""
    async with nodes.connected(name, badge):
        pass
    await nodes[name].exchange.at_rest()


async def test_a_target_that_connects_to_another_node_is_told_of(tmp_path: Path, new_database: str) -> None:
    """The desk is at n1. Beginning and end, wherever; traffic in between; nothing of others; no gap, for nothing is missing."""
    async with cluster(tmp_path, new_database, [], "n2", "n3") as nodes:
        await nodes.start("n1", desk={"enabled": True, "https_port": 0})
        acme = await nodes.register()
        alice, bob = acme.device("alice", "d"), acme.device("bob", "d")
        await come_and_go(nodes, "n3", bob)
        streams = streams_of(nodes["n1"])
        await begin(streams, acme)
        async with aclosing(streams.follow(KEY)) as events, asyncio.timeout(SOON):  # type: ignore[type-var]
            for name in ("n2", "n3", "n1"):
                await come_and_go(nodes, name, alice)
                await come_and_go(nodes, name, bob)
                found = [(await anext(events)).record for _ in range(2)]
                assert all(isinstance(record, AccessRecord) for record in found)
                known = nodes["n1"].accounts.device(bob.device)
                assert known is not None
                assert {record.account_id for record in found} == {known.account_id}  # type: ignore[union-attr]
                assert [record.closed is None for record in found] == [True, False]  # type: ignore[union-attr]
            async with nodes.connected("n2", alice) as sender:
                assert (await sender.publish(bob.device)).reason_code == 0
            assert isinstance((await anext(events)).record, TrafficRecord)


async def test_a_new_device_of_the_target_at_another_node_is_told_of(tmp_path: Path, new_database: str) -> None:
    """It is enrolled there by connecting: the first that is heard of it."""
    async with cluster(tmp_path, new_database, [], "n2") as nodes:
        await nodes.start("n1", desk={"enabled": True, "https_port": 0})
        acme = await nodes.register()
        streams = streams_of(nodes["n1"])
        await begin(streams, acme)
        async with aclosing(streams.follow(KEY)) as events, asyncio.timeout(SOON):  # type: ignore[type-var]
            await come_and_go(nodes, "n2", acme.device("bob", "new"))
            assert isinstance((await anext(events)).record, AccessRecord)


async def test_what_happens_while_nobody_reads_is_kept_for_the_reader(tmp_path: Path, new_database: str) -> None:
    """And an order ends by itself, with all of it: nothing of what comes after."""
    async with cluster(tmp_path, new_database, [], "n2") as nodes:
        await nodes.start("n1", desk={"enabled": True, "https_port": 0})
        acme = await nodes.register()
        bob = acme.device("bob", "d")
        streams = streams_of(nodes["n1"])
        await begin(streams, acme, until=5)
        ends = time.time() + 4
        await come_and_go(nodes, "n2", bob)
        while time.time() < ends + 0.1:  # noqa: ASYNC110 - the clock is waited for
            await asyncio.sleep(0.05)
        await come_and_go(nodes, "n2", bob)
        async with aclosing(streams.follow(KEY)) as events, asyncio.timeout(SOON):  # type: ignore[type-var]
            found = [event.record async for event in events]
        assert [type(record) for record in found] == [AccessRecord, AccessRecord, StreamEnd]
        assert found[-1] == StreamEnd(reason=EndReason.ORDER_ENDED)


async def test_an_order_that_has_begun_before_says_what_was_not_seen(tmp_path: Path, new_database: str) -> None:
    """There is no loss without a gap."""
    async with cluster(tmp_path, new_database, [], "n2") as nodes:
        await nodes.start("n1", desk={"enabled": True, "https_port": 0})
        acme = await nodes.register()
        streams = streams_of(nodes["n1"])
        await begin(streams, acme, since=-60)
        async with aclosing(streams.follow(KEY)) as events, asyncio.timeout(SOON):  # type: ignore[type-var]
            assert (await anext(events)).record == Gap(data_class=DataClass.ACCESS, reason=GapReason.NOT_WATCHED)
