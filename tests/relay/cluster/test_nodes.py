"""Several nodes are one relay: a device may be at any of them, and move, and what holds at one holds at all.

Each of these holds with NATS and without.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import mqtt5
import pytest
from mqtt5 import ConnAckReasonCode, DisconnectReasonCode
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from blindrelay.protocol import rpc, topics
from blindrelay.relay.cluster.sessions import SharedSessions, _claim, _save
from blindrelay.relay.errors import NodeNameTaken, OfficeTaken, StoreAway
from blindrelay.relay.sessions import SessionRecord
from blindrelay.relay.store import tables
from support.cluster import Cluster, Store
from support.wire import Client

pytestmark = pytest.mark.needs("initdb", "nats-server")

T = TypeVar("T")

# A second or so: what is not woken is looked for once a second, on a machine that may be busy.
SOON = 8.0


def _waiting(connection: Connection) -> bool:
    query = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(connection.exec_driver_sql(query).scalar())


class TestMail:
    """What is taken at one node is delivered at another."""

    async def test_across_nodes(self, nodes: Cluster) -> None:
        """In the order of acceptance, each once, and nothing is left behind when it has been acknowledged."""
        acme = await nodes.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with nodes.connected("n1", alice) as sender, nodes.connected("n3", bob) as reader:
            await reader.open_inbox()
            sent = [os.urandom(16) for _ in range(20)]
            for number in sent:
                assert (await sender.publish(bob.device, correlation_data=number)).reason_code == 0
            assert [(await reader.receive()).correlation_data for _ in sent] == sent
        async with nodes.connected("n2", bob, clean_start=False) as reader:
            await reader.open_inbox()
            assert (await sender_then(nodes, alice, bob.device, b"\1" * 16)).reason_code == 0
            # What was acknowledged as the connection to n3 ended may not be known at n2: delivery is at least once.
            while (packet := await reader.receive()).correlation_data != b"\1" * 16:
                assert packet.correlation_data in sent
                assert packet.duplicate

    async def test_while_nobody_is_there(self, nodes: Cluster) -> None:
        """It waits, and is handed over at whichever node the device comes to."""
        acme = await nodes.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with nodes.connected("n2", bob):
            pass
        async with nodes.connected("n1", alice) as sender:
            assert (await sender.publish(bob.device)).reason_code == 0
        for node in ("n1", "n2", "n3"):
            async with nodes.connected(node, bob) as reader:
                await reader.open_inbox()
                assert await reader.expect(mqtt5.PublishPacket), "it has not been acknowledged, so it waits"

    async def test_one_message_sent_to_two_nodes_is_stored_once(self, nodes: Cluster) -> None:
        """Whoever has no answer repeats, perhaps elsewhere; both get their PUBACK."""
        acme = await nodes.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        number, payload = os.urandom(16), os.urandom(1_024)
        async with nodes.connected("n3", bob) as reader, nodes.connected("n1", alice, client_id="") as one:
            await reader.open_inbox()
            async with nodes.connected("n2", alice, client_id="") as other:
                answers = await asyncio.gather(
                    one.publish(bob.device, payload, correlation_data=number),
                    other.publish(bob.device, payload, correlation_data=number),
                )
                last = os.urandom(16)
                await other.publish(bob.device, correlation_data=last)
            assert [answer.reason_code for answer in answers] == [0, 0]
            assert [(await reader.receive()).correlation_data for _ in range(2)] == [number, last]

    async def test_order_is_kept_while_the_sender_moves(self, nodes: Cluster) -> None:
        """It repeats at the next node what it has no answer to, and goes on."""
        acme = await nodes.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        numbers = [number.to_bytes(16) for number in range(60)]
        payload = os.urandom(1_024)
        async with nodes.connected("n2", bob) as reader:
            await reader.open_inbox()
            at = 0
            for turn in range(6):
                async with nodes.connected(("n1", "n3", "n2")[turn % 3], alice, clean_start=False) as sender:
                    for count, number in enumerate(numbers[at:], 1):
                        packet = mqtt5.PublishPacket(
                            topics.to(bob.device),
                            payload,
                            qos=mqtt5.QoS.AT_LEAST_ONCE,
                            packet_id=count,
                            correlation_data=number,
                        )
                        sender.send(packet)
                    for _ in range(len(numbers) // 6):  # the connection breaks with the others on their way
                        assert (await sender.expect(mqtt5.PubAckPacket)).reason_code == 0
                at += len(numbers) // 6
            received = [(await reader.receive()).correlation_data for _ in numbers]
            assert received == numbers


async def sender_then(nodes: Cluster, badge: object, to: object, number: bytes) -> mqtt5.PubAckPacket:
    """Send one message from a node of its own."""
    async with nodes.connected("n1", badge) as sender:  # type: ignore[arg-type]
        return await sender.publish(to, correlation_data=number)  # type: ignore[arg-type]


async def disconnected(client: Client) -> DisconnectReasonCode:
    """Why the relay has ended a connection."""
    async with asyncio.timeout(SOON):
        return (await client.expect(mqtt5.DisconnectPacket)).reason_code


async def ended(client: Client) -> None:
    """A connection comes, and goes in the end: with a word, or without one before it was admitted."""
    with contextlib.suppress(EOFError):
        await client.connect()
        assert await disconnected(client) is DisconnectReasonCode.SESSION_TAKEN_OVER


@contextlib.asynccontextmanager
async def reading_at_n1(nodes: Cluster) -> AsyncIterator[tuple[SessionRecord, Store]]:
    """A device reads its mail there; what another node claims its session with, and the database."""
    bob = (await nodes.register()).device("bob", "phone")
    async with nodes.connected("n1", bob, session_expiry_interval=600) as first:
        await first.open_inbox()
        (record,) = [peer.record for peer in nodes["n1"].exchange.peers]
        assert record is not None
        async with Store.open(nodes.database) as store:
            yield SessionRecord(record.account_id, record.client_id, 600), store


class TestSessions:
    """A device has one connection over all nodes."""

    async def test_the_newer_connection_takes_over(self, nodes: Cluster) -> None:
        """DISCONNECT 0x8E at the node that had it; the session that was to be kept is there."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600) as old:
            await old.open_inbox()
            async with Client(nodes["n2"], bob) as new:
                answer = await new.connect(clean_start=False, session_expiry_interval=600)
                assert answer.session_present
                assert await disconnected(old) is DisconnectReasonCode.SESSION_TAKEN_OVER
                assert (await sender_then(nodes, (await alice_of(nodes)), bob.device, b"\2" * 16)).reason_code == 0
                assert (await new.receive()).correlation_data == b"\2" * 16, "subscriptions are part of the session"

    async def test_of_two_that_come_at_once_one_stays(self, nodes: Cluster) -> None:
        """Whichever: exactly one goes on, and it is the one that the database says."""
        bob = (await nodes.register()).device("bob", "phone")
        for _ in range(5):
            async with Client(nodes["n1"], bob) as one, Client(nodes["n2"], bob) as other:
                ends = [asyncio.create_task(ended(client)) for client in (one, other)]
                done, pending = await asyncio.wait(ends, timeout=SOON, return_when=asyncio.FIRST_COMPLETED)
                assert (len(done), len(pending)) == (1, 1)
                await done.pop()
                (stays,) = pending
                stays.cancel()
                await asyncio.gather(stays, return_exceptions=True)
                client = (one, other)[ends.index(stays)]
                client.send(mqtt5.PingReqPacket())
                while not isinstance(await client.read(), mqtt5.PingRespPacket):
                    pass  # its CONNACK, perhaps

    async def test_what_ends_late_ends_nothing_of_the_newer(self, nodes: Cluster) -> None:
        """The node that has lost a session still writes down its end; the session is another epoch's by then."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600) as old, Client(nodes["n2"], bob) as new:
            await new.connect(clean_start=False, session_expiry_interval=600)
            await new.open_inbox()
            assert await disconnected(old) is DisconnectReasonCode.SESSION_TAKEN_OVER
            await nodes["n1"].exchange.at_rest()
            assert (await sender_then(nodes, await alice_of(nodes), bob.device, b"\3" * 16)).reason_code == 0
            assert (await new.receive()).correlation_data == b"\3" * 16
        async with Client(nodes["n3"], bob) as third:
            assert (await third.connect(clean_start=False, session_expiry_interval=600)).session_present

    async def test_no_subscription_is_granted_of_a_session_that_is_elsewhere(
        self, nodes: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has it does not know of that; a client that was told otherwise would wait for its mail for ever."""
        bob = (await nodes.register()).device("bob", "phone")
        monkeypatch.setattr(nodes["n1"].exchange, "taken_over", lambda epochs: None)  # it does not know yet
        async with nodes.connected("n1", bob, session_expiry_interval=600) as old, Client(nodes["n2"], bob) as new:
            await new.connect(clean_start=False, session_expiry_interval=600)
            wanted = mqtt5.TopicFilter(topics.inbox(bob.device), max_qos=mqtt5.QoS.AT_LEAST_ONCE)
            old.send(mqtt5.SubscribePacket(1, [wanted]))
            assert await disconnected(old) is DisconnectReasonCode.SESSION_TAKEN_OVER

    async def test_a_subscription_waits_for_whoever_has_the_row(self, nodes: Cluster) -> None:
        """It is durable when it is granted; what ends waits for nobody, and is not written then."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600), Store.open(nodes.database) as store:
            (record,) = [peer.record for peer in nodes["n1"].exchange.peers]
            assert record is not None

            def save(connection: Connection) -> bool:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
                return _save(connection, record)

            with store.engine.begin() as claiming:
                claiming.exec_driver_sql(
                    "SELECT * FROM presence WHERE account_id = %s FOR UPDATE", (record.account_id,)
                )
                with pytest.raises(OperationalError, match="lock timeout"):
                    await store.run(save)
                record.ended_at = 1
                assert not await store.run(save)
                record.ended_at = None
            assert await store.run(save)

    async def test_of_two_that_claim_at_once_the_second_sees_what_the_first_wrote(self, nodes: Cluster) -> None:
        """It waits for the row, and goes on from the epoch that is there then: two never have the same one."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600), Store.open(nodes.database) as store:
            (record,) = [peer.record for peer in nodes["n1"].exchange.peers]
            assert record is not None

            def claim() -> tuple[int, int]:
                mine = SessionRecord(record.account_id, record.client_id, 600)
                with store.engine.begin() as connection:
                    claimed = _claim(connection, mine, 99, lambda: 1_000, None)
                return claimed.epoch, claimed.sent_up_to

            with store.engine.begin() as first:
                first.exec_driver_sql(
                    "UPDATE presence SET epoch = 41, session_node = 0, sent_up_to = 5 WHERE account_id = %s",
                    (record.account_id,),
                )
                claiming = asyncio.create_task(asyncio.to_thread(claim))
                async with asyncio.timeout(SOON):
                    while not await store.read(_waiting):  # noqa: ASYNC110 - it is the database that is waited for
                        await asyncio.sleep(0.01)
            assert await claiming == (42, 5)

    async def test_what_one_node_has_sent_is_a_repetition_at_the_third(self, nodes: Cluster) -> None:
        """Though the second, which was not told, has sent little of it again, and has ended in good order [3.3.1-1]."""
        bob = (await nodes.register()).device("bob", "phone")
        session = {"clean_start": False, "session_expiry_interval": 600}
        async with nodes.connected("n1", bob, session_expiry_interval=600) as first, Client(nodes["n2"], bob) as second:
            await first.open_inbox()
            alice, sent = await alice_of(nodes), [bytes([number]) * 16 for number in range(5)]
            for number in sent:
                assert (await sender_then(nodes, alice, bob.device, number)).reason_code == 0
            assert [(await first.expect(mqtt5.PublishPacket)).correlation_data for _ in sent] == sent
            await second.connect(**session, receive_max=1)
            assert (await second.expect(mqtt5.PublishPacket)).duplicate
        for node in nodes.nodes.values():
            async with asyncio.timeout(SOON):
                while node.exchange.peers:  # noqa: ASYNC110 - it is the network that is waited for
                    await asyncio.sleep(0.01)
            await node.exchange.at_rest()
        async with nodes.connected("n3", bob, **session) as third:
            assert [(await third.receive()).duplicate for _ in sent] == [True] * len(sent)

    async def test_what_was_sent_while_a_node_waited_for_the_session_is_a_repetition(self, nodes: Cluster) -> None:
        """It has the session from when the database says so, and not from when it asked; whoever had it hears of that later."""
        now = 1_000
        async with reading_at_n1(nodes) as (claimed, store):

            async def late(write: Callable[[Connection], T]) -> T:
                nonlocal now
                now += 5
                return await Store.run(store, write)

            store.run = late  # type: ignore[method-assign]
            sessions = SharedSessions(store, lambda: now, 99)
            assert await sessions.claim(claimed, clean_start=False, present=False, is_awaited=lambda: True)
        assert claimed.unknown_until == 1_005 + 1

    async def test_what_a_node_sent_that_was_taken_for_dead_is_a_repetition(self, nodes: Cluster) -> None:
        """It had lost the database for a moment, and sent on when it was back, after a sweep that had not seen it [3.3.1-1]."""
        now = 1_000
        async with reading_at_n1(nodes) as (claimed, store):
            sessions = SharedSessions(store, lambda: now, 99)
            with store.engine.begin() as unseen:
                number = unseen.exec_driver_sql("SELECT session_node FROM presence").scalar_one()
                unseen.exec_driver_sql("UPDATE presence SET session_node = 1000000")
            await sessions.purge()
            with store.engine.begin() as back:
                assert back.exec_driver_sql("SELECT ended_at FROM session").scalar_one() == now
                back.exec_driver_sql("UPDATE presence SET session_node = %s", (number,))
            now += 300
            assert await sessions.claim(claimed, clean_start=False, present=False, is_awaited=lambda: True)
        assert claimed.unknown_until >= now

    async def test_a_clean_start_that_the_database_hears_of_late_takes_nothing_away(self, nodes: Cluster) -> None:
        """Its client has given up, was let in by another node, and relies on the subscription that it made there."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600):
            (record,) = [peer.record for peer in nodes["n1"].exchange.peers]
            assert record is not None
            given_up = SessionRecord(record.account_id, record.client_id, 600)
        async with Store.open(nodes.database) as store:

            async def late(write: Callable[[Connection], T]) -> T:
                async with nodes.connected("n2", bob, session_expiry_interval=600) as elsewhere:
                    await elsewhere.open_inbox()
                await nodes["n2"].exchange.at_rest()
                return await Store.run(store, write)

            store.run = late  # type: ignore[method-assign]
            sessions = SharedSessions(store, lambda: 1_000, 99)
            with pytest.raises(StoreAway, match="another connection has had the session"):
                await sessions.claim(given_up, clean_start=True, present=False, is_awaited=lambda: True)
        async with nodes.connected("n3", bob, clean_start=False, session_expiry_interval=600) as again:
            assert (await sender_then(nodes, await alice_of(nodes), bob.device, b"x" * 16)).reason_code == 0
            assert (await again.receive()).correlation_data == b"x" * 16

    async def test_a_clean_start_that_nobody_waits_for_is_none(self, nodes: Cluster) -> None:
        """The client was gone before the database answered."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, session_expiry_interval=600) as reader:
            await reader.open_inbox()
            (record,) = [peer.record for peer in nodes["n1"].exchange.peers]
            assert record is not None
            async with Store.open(nodes.database) as store:
                gone = SessionRecord(record.account_id, record.client_id, 600)
                sessions = SharedSessions(store, lambda: 1_000, 99)
                assert not await sessions.claim(gone, clean_start=True, present=False, is_awaited=lambda: False)
                assert (gone.epoch, store.writes) == (0, 0)

    async def test_one_that_was_taken_and_ended_before_anybody_looked_is_taken(self, nodes: Cluster) -> None:
        """The node that had it is told late: by then nobody has it, and it is not that node's any more either."""
        bob = (await nodes.register()).device("bob", "phone")
        feed = nodes["n1"].node._feed
        async with nodes.connected("n1", bob, session_expiry_interval=600) as old:
            await feed.stop()
            async with nodes.connected("n2", bob, clean_start=False, session_expiry_interval=600):
                pass
            await nodes["n2"].exchange.at_rest()
            feed._task = asyncio.create_task(feed._follow())
            assert await disconnected(old) is DisconnectReasonCode.SESSION_TAKEN_OVER

    async def test_an_inbox_has_one_reader_over_all_nodes(self, nodes: Cluster) -> None:
        """Two sessions of one device, of which the second subscribes."""
        bob = (await nodes.register()).device("bob", "phone")
        async with nodes.connected("n1", bob, client_id="") as first, nodes.connected("n2", bob, client_id="") as other:
            await first.open_inbox()
            await other.open_inbox()
            assert await disconnected(first) is DisconnectReasonCode.SESSION_TAKEN_OVER


async def alice_of(nodes: Cluster) -> object:
    """Another device, of another tenant."""
    return (await nodes.register("globex.example")).device("alice", "laptop")


class TestChanges:
    """What changes at one node has changed at all."""

    async def test_a_tenant_and_a_device_are_known_everywhere_at_once(self, nodes: Cluster) -> None:
        """Whoever has been answered may go on at another node."""
        for number in range(3):
            acme = await nodes.register(f"acme{number}.example")
            alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
            async with nodes.connected("n2", bob), nodes.connected("n3", alice) as sender:
                assert (await sender.publish(bob.device)).reason_code == 0

    async def test_a_revocation_cuts_a_connection_at_another_node(self, nodes: Cluster) -> None:
        """And the certificate is refused at all of them."""
        acme = await nodes.register()
        bob = acme.device("bob", "phone")
        async with nodes.connected("n3", bob) as reader, nodes.connected("n1", acme.administrator()) as administrator:
            await administrator.call(rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=acme.revocation(bob)))
            assert await disconnected(reader) is DisconnectReasonCode.NOT_AUTHORIZED
            for node in nodes.nodes.values():
                async with Client(node, bob) as again:
                    assert (await again.connect()).reason_code == ConnAckReasonCode.NOT_AUTHORIZED


class TestNodes:
    """Nodes come and go."""

    async def test_two_nodes_do_not_have_one_name(self, nodes: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second does not start, and says what to do."""
        monkeypatch.setattr("blindrelay.relay.cluster.presence._NAME_PATIENCE", 0.1)
        nodes.folder /= "elsewhere"
        nodes.folder.mkdir()
        (nodes.folder / "identity").symlink_to(nodes.folder.parent / "identity")
        with pytest.raises(NodeNameTaken, match="a node called n2 is running on this database: stop that one, or"):
            await nodes.relay("n2").start()

    async def test_a_name_is_free_when_its_node_has_stopped(self, nodes: Cluster) -> None:
        """At once."""
        await nodes.stop("n2")
        await nodes.start("n2")

    async def test_one_node_leads_and_another_goes_on(self, nodes: Cluster) -> None:
        """The log is published whoever leads, and never by two."""
        for turn in range(3):
            async with asyncio.timeout(SOON):
                while not (leading := [name for name, node in nodes.nodes.items() if node.node.is_leading]):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert len(leading) == 1
            acme = await nodes.register(f"acme{turn}.example")
            for node in nodes.nodes.values():
                async with Client(node, acme.administrator()) as anybody:
                    await anybody.connect()
                    found = await anybody.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant=acme.name))
                    assert found.root == acme.root_der
            if len(nodes.nodes) > 1:
                await nodes.stop(leading[0])


class TestService:
    """Where the service is suspended, it is at every node."""

    async def test_a_suspension_sends_devices_away_wherever_they_are(self, nodes: Cluster) -> None:
        """It is written down at one node. Devices of other jurisdictions go on."""
        acme, globex = await nodes.register(), await nodes.register("globex.example")
        await nodes["n1"].tenants.move(acme.name, "pk")
        change = {
            "key": "order", "jurisdiction": "pk", "action": "suspend", "state": "suspended", "changed_at": 1,
            "made_by": "operator", "note": "",
        }  # fmt: skip
        suspend = tables.service_change.insert().values(change)
        async with (
            nodes.connected("n2", acme.device("alice", "a")) as alice,
            nodes.connected("n3", acme.device("bob", "b")) as bob,
            nodes.connected("n3", globex.device("carol", "c")) as carol,
        ):
            await nodes["n1"].committer.run(lambda connection: connection.execute(suspend) and None)
            assert await disconnected(alice) is DisconnectReasonCode.ADMINISTRATIVE_ACTION
            assert await disconnected(bob) is DisconnectReasonCode.ADMINISTRATIVE_ACTION
            carol.send(mqtt5.PingReqPacket())
            await carol.expect(mqtt5.PingRespPacket)

    async def test_there_is_one_desk(self, nodes: Cluster) -> None:
        """Its case file is a file: a second node with a desk would begin a second one, and does not start."""
        await nodes.stop("n2", "n3")
        await nodes.start("n2", desk={"enabled": True})
        with pytest.raises(
            OfficeTaken, match="the lawful desk is at another node of this relay: start this one without"
        ):
            await nodes.relay("n3", desk={"enabled": True}).start()
        await nodes.start("n3")
