"""Parts of a cluster fail: what was acknowledged is there, whoever is left goes on, and nobody is waited for who is dead."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from blindrelay.protocol import rpc
from blindrelay.relay.store import tables
from support import ports
from support.cluster import Cluster, cluster, node_process
from support.nats import NatsServer, nats_server
from support.wire import Client

pytestmark = pytest.mark.needs("initdb", "nats-server")

# A second or so, on a machine that may be busy.
SOON = 8.0


@pytest.fixture
async def pair(tmp_path: Path, new_database: str, nats: NatsServer) -> AsyncIterator[Cluster]:
    """Two nodes, n2 and n3."""
    async with cluster(tmp_path, new_database, [nats.url], "n2", "n3") as running:
        yield running


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(0.02)


class TestNats:
    """Wake-ups are lost."""

    async def test_a_node_starts_without_it_and_uses_it_when_it_is_there(
        self, tmp_path: Path, new_database: str
    ) -> None:
        """Mail gets through before, while and after."""
        with ports.held_port() as door:
            port = ports.number(door)
        server = NatsServer(tmp_path, port=port)
        async with cluster(tmp_path, new_database, [server.url], "n1", "n2") as nodes:
            acme = await nodes.register()
            alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
            async with nodes.connected("n1", alice) as sender, nodes.connected("n2", bob) as reader:
                await reader.open_inbox()
                for turn in range(3):
                    if turn == 1:
                        await asyncio.to_thread(server.start)
                        await until(lambda: all(node.node.is_awake for node in nodes.nodes.values()))
                    if turn == 2:
                        await asyncio.to_thread(server.stop)
                        await until(lambda: not any(node.node.is_awake for node in nodes.nodes.values()))
                    number = os.urandom(16)
                    assert (await sender.publish(bob.device, correlation_data=number)).reason_code == 0
                    assert (await reader.receive()).correlation_data == number

    async def test_a_token_is_asked_for(self, tmp_path: Path, new_database: str) -> None:
        """Out of a file, whose content is in no message."""
        (tmp_path / "token").write_text("open-sesame\n")
        with nats_server("--auth", "open-sesame") as server:
            async with cluster(tmp_path, new_database, [server.url], "n1") as nodes:
                await until(lambda: nodes["n1"].node._wakes._is_lost)
                assert not nodes["n1"].node.is_awake
                await nodes.start("n2", cluster={"token": tmp_path / "token"})
                await until(lambda: nodes["n2"].node.is_awake)


class TestDeadNodes:
    """A node is killed."""

    async def test_what_it_has_acknowledged_is_delivered_by_another(self, pair: Cluster) -> None:
        """`kill -9` with mail that nobody has fetched, and with the session of whoever fetches it."""
        acme = await pair.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with (
            node_process(pair, "n1") as doomed,
            Client(doomed, bob) as reader,  # type: ignore[arg-type]
            Client(doomed, alice) as sender,  # type: ignore[arg-type]
        ):
            await reader.connect(session_expiry_interval=600)
            await reader.open_inbox()
            await sender.connect()
            sent = [os.urandom(16) for _ in range(50)]
            for number in sent:
                assert (await sender.publish(bob.device, correlation_data=number)).reason_code == 0
            await asyncio.to_thread(doomed.kill)
        async with Client(pair["n2"], bob) as reader:
            assert (await reader.connect(clean_start=False, session_expiry_interval=600)).session_present
            received = [await reader.receive() for _ in sent]
            assert [packet.correlation_data for packet in received] == sent
            assert all(packet.duplicate for packet in received), "nobody knows which of them were sent before"

    async def test_another_node_leads(self, pair: Cluster) -> None:
        """At once: the lead was given back by the database."""
        await until(lambda: any(node.node.is_leading for node in pair.nodes.values()))
        await pair.stop("n2", "n3")
        async with node_process(pair, "n1") as doomed:
            async with Client(doomed) as anybody:  # type: ignore[arg-type]
                assert anybody
            await pair.start("n2")
            assert not pair["n2"].node.is_leading
            await asyncio.to_thread(doomed.kill)
            await until(lambda: pair["n2"].node.is_leading)
        acme = await pair.register()
        async with pair.connected("n2", acme.administrator()) as anybody:
            await anybody.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant=acme.name))

    async def test_its_name_is_free(self, pair: Cluster) -> None:
        """For whoever starts it again, which is the first thing that one does."""
        async with node_process(pair, "n1") as doomed:
            await asyncio.to_thread(doomed.kill)
        await pair.start("n1")


class TestLostConnections:
    """The database cuts a node off."""

    async def test_a_node_that_has_lost_its_own_stops_leading_and_comes_back(self, pair: Cluster) -> None:
        """Its lock went with the connection. Another node may lead from then on; what it follows it still follows."""
        await until(lambda: any(node.node.is_leading for node in pair.nodes.values()))
        (name,) = [name for name, node in pair.nodes.items() if node.node.is_leading]
        node, other = pair[name].node, pair["n3" if name == "n2" else "n2"].node
        backend = node._presence._backend
        await pair[name].committer.run(
            lambda connection: connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (backend,)) and None
        )
        await until(lambda: node._presence._backend != backend and node._presence.is_here)
        await until(lambda: node.is_leading != other.is_leading)
        acme = await pair.register()
        bob = acme.device("bob", "phone")
        async with pair.connected(name, bob) as reader, pair.connected("n2", acme.administrator()) as administrator:
            await administrator.call(rpc.REVOKE_DEVICE, rpc.RevokeDevice(revocation=acme.revocation(bob)))
            async with asyncio.timeout(SOON):
                await reader.wait_closed()

    async def test_a_return_that_fails_leaves_no_connection(
        self, pair: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that stayed open would hold locks that the node itself waits for the next time."""

        async def fail(connection: object) -> None:
            raise psycopg.OperationalError

        presence = pair["n2"].node._presence
        await presence.rest()
        monkeypatch.setattr(presence, "_take_name", fail)
        opened = []
        connect = psycopg.AsyncConnection.connect

        async def remember(*place: object, **options: object) -> object:
            opened.append(await connect(*place, **options))
            return opened[-1]

        monkeypatch.setattr(psycopg.AsyncConnection, "connect", remember)
        presence._backend = 0  # its own is not to be ended here
        with pytest.raises(psycopg.OperationalError):
            await presence._return()
        assert [connection.closed for connection in opened] == [True]


class TestLateWrites:
    """A node goes on with what another has taken over."""

    async def test_what_a_stopped_node_held_is_not_stored_twice(
        self, pair: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It took a message, and stood still. The sender repeated it elsewhere, and so many others that nobody remembers it."""
        acme = await pair.register()
        alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
        async with pair.connected("n3", bob):
            pass
        held, number, payload = threading.Event(), os.urandom(16), os.urandom(1_024)
        commit = pair["n2"].store.commit

        def late(accepted, removed, writes=()):  # type: ignore[no-untyped-def]
            if accepted:
                held.wait(60)
            return commit(accepted, removed, writes)

        async with pair.connected("n2", alice) as stuck:
            monkeypatch.setattr(pair["n2"].store, "commit", late)
            sending = asyncio.create_task(stuck.publish(bob.device, payload, correlation_data=number))
            await until(lambda: any(peer.undecided for peer in pair["n2"].exchange.peers))
            async with pair.connected("n3", alice) as sender:
                assert (await sender.publish(bob.device, payload, correlation_data=number)).reason_code == 0
                for _ in range(600):
                    assert (await sender.publish(bob.device)).reason_code == 0
                held.set()
                await pair["n2"].committer.run(lambda connection: None)  # comes after what it held
                await asyncio.gather(sending, return_exceptions=True)
        stored = sqlalchemy.select(sqlalchemy.func.count()).where(tables.traffic.c.message_id == number)
        assert await pair["n3"].committer.read(lambda connection: connection.execute(stored).scalar_one()) == 1
