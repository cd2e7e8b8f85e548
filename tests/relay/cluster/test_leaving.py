"""A node stops: its clients are told which others there are, nothing that it acknowledged is lost, and it is gone in time."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import mqtt5
import pytest
from mqtt5 import DisconnectReasonCode

from blindrelay.relay.cluster import node
from support.cluster import Cluster, cluster, node_process
from support.nats import NatsServer
from support.tenants import Tenant
from support.wire import Client

pytestmark = pytest.mark.needs("initdb", "nats-server")

# What a supervisor is told to give it; it asks for eight.
SECONDS = 10.0
# Messages under way at once; a relay takes 128.
WINDOW = 100


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where clients can go on is asked for as long as a busy machine takes: who is named is what these are about."""
    monkeypatch.setattr(node, "_ASKED_FOR", 30.0)


async def told(client: Client) -> tuple[DisconnectReasonCode, list[str]]:
    """Why the relay ends a connection, and where to go on."""
    packet = await client.expect(mqtt5.DisconnectPacket)
    return packet.reason_code, (packet.server_reference or "").split()


async def leaving(nodes: Cluster, name: str, acme: Tenant, *users: str) -> list[tuple[DisconnectReasonCode, list[str]]]:
    """Stop a node; what clients of these users were told that were connected to it."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(nodes.connected(name, acme.device(user, "d"))) for user in users]
        stopping = asyncio.create_task(nodes.stop(name))
        said = [await told(client) for client in clients]
        await stopping
    return said


async def test_clients_are_told_of_the_others_in_turn(tmp_path: Path, new_database: str) -> None:
    """Nobody has configured anything; half of them are sent to each, and know both. The last one knows of nobody."""
    async with cluster(tmp_path, new_database, []) as nodes:
        acme = await nodes.register()
        n2, n3 = nodes["n2"].address, nodes["n3"].address
        said = await leaving(nodes, "n1", acme, "alice", "bob")
        assert all(code is DisconnectReasonCode.USE_ANOTHER_SERVER for code, _ in said)
        assert sorted(where for _, where in said) == sorted([[n2, n3], [n3, n2]])
        assert await leaving(nodes, "n2", acme, "alice") == [(DisconnectReasonCode.USE_ANOTHER_SERVER, [n3])]
        assert await leaving(nodes, "n3", acme, "alice") == [(DisconnectReasonCode.SERVER_SHUTTING_DOWN, [])]


async def test_a_client_goes_on_where_it_was_sent(tmp_path: Path, new_database: str) -> None:
    """With its session, in which a message waits."""
    async with cluster(tmp_path, new_database, [], "n1", "n2") as nodes:
        acme = await nodes.register()
        alice, bob = acme.device("alice", "d"), acme.device("bob", "d")
        async with Client(nodes["n1"], bob) as reader, nodes.connected("n2", alice) as sender:
            await reader.connect(session_expiry_interval=600)
            await reader.open_inbox()
            stopping = asyncio.create_task(nodes.stop("n1"))
            _, (where,) = await told(reader)
            number = os.urandom(16)
            assert (await sender.publish(bob.device, correlation_data=number)).reason_code == 0
            assert where == nodes["n2"].address
            async with Client(nodes["n2"], bob) as again:
                answer = await again.connect(clean_start=False, session_expiry_interval=600)
                assert answer.session_present
                assert (await again.receive()).correlation_data == number
            await stopping


async def test_a_node_that_was_killed_is_not_named(tmp_path: Path, new_database: str) -> None:
    """It is not alive, whatever its row says."""
    async with cluster(tmp_path, new_database, [], "n2", "n3") as nodes:
        acme = await nodes.register()
        async with node_process(nodes, "n1") as doomed:
            await asyncio.to_thread(doomed.kill)
        async with asyncio.timeout(SECONDS):
            # The server notices that its connection has ended.
            while f"127.0.0.1:{doomed.port}" in " ".join(await _others(nodes)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        where = nodes["n3"].address
        assert await leaving(nodes, "n2", acme, "alice") == [(DisconnectReasonCode.USE_ANOTHER_SERVER, [where])]


async def _others(nodes: Cluster) -> list[str]:
    """What n3 would name, which goes on being named itself."""
    node = nodes["n3"].node
    assert node is not None
    found = await node.elsewhere()
    await nodes["n3"].committer.run(
        lambda connection: (
            connection.exec_driver_sql("UPDATE node SET address = %s WHERE id = %s", (nodes["n3"].address, node.number))
            and None
        )
    )
    return found


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"host": "0.0.0.0"}, []),
        ({"proxies": ["10.0.0.0/8"]}, []),
        ({"host": "0.0.0.0", "cluster": {"address": "n2.example:8883"}}, ["n2.example:8883"]),
    ],
    ids=["all addresses", "behind a balancer", "said"],
)
async def test_what_clients_cannot_reach_is_not_named(
    tmp_path: Path, new_database: str, settings: dict[str, Any], named: list[str]
) -> None:
    """A node that listens on every address does not know which one is its clients': it has to be told."""
    async with cluster(tmp_path, new_database, [], "n1") as nodes:
        acme = await nodes.register()
        await nodes.start("n2", **settings)
        (told_,) = await leaving(nodes, "n1", acme, "alice")
        assert told_[1] == named


async def test_what_the_operator_names_counts_more(tmp_path: Path, new_database: str) -> None:
    """The balancer, for one."""
    async with cluster(tmp_path, new_database, [], "n1") as nodes:
        acme = await nodes.register()
        await nodes.start("n2", elsewhere=["balancer.example:8883"])
        (told_,) = await leaving(nodes, "n2", acme, "alice")
        assert told_ == (DisconnectReasonCode.USE_ANOTHER_SERVER, ["balancer.example:8883"])


async def test_sigterm_under_load_loses_nothing(tmp_path: Path, new_database: str, nats: NatsServer) -> None:
    """Three nodes, one of them a process. What it has acknowledged comes, in order and once, whichever node it comes from."""
    async with cluster(tmp_path, new_database, [nats.url], "n2", "n3") as nodes:
        acme = await nodes.register()
        alice, bob = acme.device("alice", "d"), acme.device("bob", "d")
        async with nodes.connected("n3", bob, receive_max=65_535) as reader, node_process(nodes, "n1") as doomed:
            await reader.open_inbox()
            async with Client(doomed, alice) as sender:  # type: ignore[arg-type]
                assert (await sender.connect()).reason_code == 0
                acknowledged, where = await _send_until_told(sender, bob, doomed.process)
                assert sorted(where) == sorted(node.address for node in nodes.nodes.values())
            begun = time.monotonic()
            assert await asyncio.to_thread(doomed.process.wait, SECONDS) == 0
            assert time.monotonic() - begun < SECONDS
            received = [(await reader.receive()).correlation_data for _ in acknowledged]
            assert received == acknowledged


async def _send_until_told(sender: Client, bob: Any, process: Any) -> tuple[list[bytes], list[str]]:
    """Send without a pause, SIGTERM after a while, until the node says goodbye: what it has acknowledged, and where to go."""
    sent: dict[int, bytes] = {}
    acknowledged: list[bytes] = []

    def send() -> None:
        packet_id = len(sent) + 1
        sent[packet_id] = packet_id.to_bytes(16)
        sender.send(_message(bob, packet_id, sent[packet_id]))

    for _ in range(WINDOW):
        send()
    while not isinstance(packet := await sender.read(), mqtt5.DisconnectPacket):
        assert isinstance(packet, mqtt5.PubAckPacket)
        assert packet.reason_code == 0
        acknowledged.append(sent[packet.packet_id])
        if len(acknowledged) == 3 * WINDOW:
            process.send_signal(signal.SIGTERM)
        send()
    assert packet.reason_code is DisconnectReasonCode.USE_ANOTHER_SERVER
    return acknowledged, (packet.server_reference or "").split()


def _message(bob: Any, packet_id: int, number: bytes) -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket(
        f"v1/to/{bob.device}", bytes(1_024), qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id, correlation_data=number
    )
