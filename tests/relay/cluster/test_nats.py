"""Wake-ups over NATS (`relay/cluster/nats.py`): to whom a node says anything, what it says, and going on with one of three."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from blindrelay.protocol import rpc
from blindrelay.relay.cluster import identity
from blindrelay.relay.cluster.nats import NatsAccess, NatsWakes
from blindrelay.relay.cluster.subjects import Subjects
from support import nats_cluster
from support.cluster import Cluster, cluster
from support.nats import NatsServer
from support.nats_cluster import Account

pytestmark = pytest.mark.needs("initdb", "nats-server")

SOON = 15.0
SECRET = "open-sesame-and-nobody-else"


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(0.02)


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A folder with a CA and the servers' certificate."""
    return nats_cluster.write_certificates(tmp_path / "tls").parent


@pytest.fixture
def account() -> Account:
    """An operator's."""
    return Account()


@pytest.fixture
def servers(tmp_path: Path, tls: Path, account: Account) -> Iterator[list[NatsServer]]:
    """Three servers, with TLS and credentials."""
    with nats_cluster.three(tmp_path, account.configuration, tls) as running:
        yield running


@pytest.fixture
def _woken_or_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for mail by himself before tomorrow."""
    monkeypatch.setattr("blindrelay.relay.cluster.mail.INTERVAL", 864_000.0)


@pytest.fixture
async def nodes(
    tmp_path: Path, new_database: str, servers: list[NatsServer], tls: Path, account: Account
) -> AsyncIterator[Cluster]:
    """Two nodes that find each other's mail by being woken, or not at all."""
    access = {"ca": tls / "ca.crt", "credentials": account.write_user(tmp_path / "nodes.creds")}
    async with cluster(tmp_path, new_database, [server.url for server in servers]) as running:
        await running.stop(*running.nodes)
        for name in ("n1", "n2"):
            await running.start(name, cluster=access)
        await until(lambda: all(node.node is not None and node.node.is_awake for node in running.nodes.values()))
        yield running


@pytest.mark.usefixtures("_woken_or_never")
class TestThree:
    """A cluster of three servers."""

    async def test_a_node_goes_on_when_its_server_dies(self, nodes: Cluster, servers: list[NatsServer]) -> None:
        """`kill -9` of one after the other: with the last one wake-ups go on."""
        acme = await nodes.register()
        alice, bob = acme.device("alice", "d"), acme.device("bob", "d")
        async with nodes.connected("n1", alice) as sender, nodes.connected("n2", bob) as reader:
            await reader.open_inbox()
            for turn in range(3):
                if turn:
                    await asyncio.to_thread(servers[turn - 1].stop, signal.SIGKILL)
                    gone = servers[turn - 1].port
                    await until(lambda gone=gone: all(_at(node) not in {None, gone} for node in nodes.nodes.values()))  # type: ignore[misc]
                number = os.urandom(16)
                assert (await sender.publish(bob.device, correlation_data=number)).reason_code == 0
                async with asyncio.timeout(SOON):
                    assert (await reader.receive()).correlation_data == number

    async def test_what_is_said_is_that_a_mailbox_has_news(
        self, nodes: Cluster, servers: list[NatsServer], tls: Path, account: Account, tmp_path: Path
    ) -> None:
        """Whoever may hear everything hears keyed hashes: no body, no header, no name, no number of an account or a message."""
        heard: list[Msg] = []

        async def hear(message: Msg) -> None:
            heard.append(message)

        options = NatsAccess([servers[1].url], tls / "ca.crt", account.write_user(tmp_path / "spy.creds")).options()
        spy = await nats.connect(**options)
        await spy.subscribe(">", cb=hear)
        await spy.flush()
        acme = await nodes.register()
        alice, bob = acme.device("alice", "d"), acme.device("bob", "d")
        payload, number = os.urandom(1_024), os.urandom(16)
        async with nodes.connected("n1", alice) as sender, nodes.connected("n2", bob) as reader:
            await reader.open_inbox()
            assert (await sender.publish(bob.device, payload, correlation_data=number)).reason_code == 0
            await reader.receive()
            await sender.call(rpc.LOOK_UP_TENANT, rpc.LookUpTenant(tenant=acme.name))
        await until(lambda: bool(heard))
        await spy.close()

        subjects, node = Subjects(identity.cluster_key(tmp_path / "identity")), nodes["n2"].node
        known = nodes["n2"].accounts.device(bob.device)
        assert node is not None
        assert known is not None
        assert {message.subject for message in heard} == {subjects.mail(node.number, known.account_id)}
        for message in heard:
            assert re.fullmatch(r"blindrelay\.[0-9a-f]{16}\.mail\.[0-9]+\.[0-9a-f]{16}", message.subject)
            assert (message.data, message.reply, message.headers) == (b"", "", None)

    async def test_another_cluster_has_other_names_for_the_same_people(self) -> None:
        """The hash is keyed: who knows all account numbers, which are small, learns nothing by trying them."""
        one, other = Subjects(bytes(32)), Subjects(bytes(31) + b"\1")
        assert not {one.hash(number) for number in range(100)} & {other.hash(number) for number in range(100)}


def _at(relay: Any) -> int | None:
    """The port of the server that a node is connected to; None: to none."""
    client = relay.node._wakes._client
    if client is None or not client.is_connected:
        return None
    return int(client.connected_url.port)


async def refused(access: NatsAccess, words: str) -> None:
    """A node with this access complains in these words, and is not connected. (A server that turns somebody away also hangs up,
    and that may be what is seen first.)"""
    with capture_logs() as said:
        wakes = NatsWakes(access, "n1")
        await wakes.start()
        try:
            await until(lambda: any(words in reason for reason in reasons(said)))
            assert not wakes.is_connected
        finally:
            await wakes.stop()
    assert SECRET not in str(said)


def reasons(said: list[Any]) -> list[str]:
    """What was complained of."""
    warnings = [line for line in said if line["log_level"] == "warning"]
    assert all(line["event"] == "nats cannot be used: nodes look for news by themselves" for line in warnings)
    return [line["reason"] for line in warnings]


class TestRefused:
    """A server that is not what it is to be is not used, and it is said what to do."""

    async def test_one_that_nobody_vouches_for(
        self, servers: list[NatsServer], account: Account, tmp_path: Path
    ) -> None:
        """Another CA's."""
        other = nats_cluster.write_certificates(tmp_path / "other")
        access = NatsAccess([servers[0].url], other, account.write_user(tmp_path / "creds"))
        await refused(access, "is not signed by --cluster-ca")

    async def test_one_for_another_name(self, servers: list[NatsServer], tls: Path) -> None:
        """The certificate is for 127.0.0.1."""
        access = NatsAccess([f"tls://localhost:{servers[0].port}"], tls / "ca.crt")
        await refused(access, "or is for another name")

    @pytest.mark.parametrize("who", ["somebody", "nobody"])
    async def test_wrong_credentials(self, servers: list[NatsServer], tls: Path, tmp_path: Path, who: str) -> None:
        """Another operator's, or none."""
        credentials = Account().write_user(tmp_path / "creds") if who == "somebody" else None
        await refused(NatsAccess([servers[0].url], tls / "ca.crt", credentials), "does not accept what it is shown")

    async def test_a_wrong_token(self, tmp_path: Path, tls: Path) -> None:
        """Which is in no message."""
        (tmp_path / "token").write_text(SECRET)
        server = nats_cluster.server(tmp_path, "one", 'authorization { token: "another one" }\n', tls=tls)
        await asyncio.to_thread(server.start)
        try:
            access = NatsAccess([server.url], tls / "ca.crt", token=tmp_path / "token")
            await refused(access, "see --cluster-creds and --cluster-token-file")
        finally:
            await asyncio.to_thread(server.stop)

    @pytest.mark.parametrize("how", ["by its address", "by its CA"])
    async def test_one_without_tls_where_it_is_expected(self, tmp_path: Path, tls: Path, how: str) -> None:
        """A real one, that would let the node in."""
        (tmp_path / "token").write_text(SECRET)
        server = nats_cluster.server(tmp_path, "plain", f'authorization {{ token: "{SECRET}" }}\n')
        await asyncio.to_thread(server.start)
        try:
            url = server.url.replace("nats:", "tls:") if how == "by its address" else server.url
            ca = tls / "ca.crt" if how == "by its CA" else None
            words = "does not speak TLS, and tls:// or --cluster-ca asks for it: it was told nothing"
            await refused(NatsAccess([url], ca, token=tmp_path / "token"), words)
        finally:
            await asyncio.to_thread(server.stop)

    async def test_who_is_in_between_and_says_there_is_no_tls_learns_nothing(self, tmp_path: Path, tls: Path) -> None:
        """Not one byte: the token would be among the first ones."""
        (tmp_path / "token").write_text(SECRET)
        heard = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"server_id":"x","version":"2.11.0","max_payload":1024,"auth_required":true}\r\n')
            while data := await reader.read(1_000):
                heard.extend(data)
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listening:
            url = f"tls://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            await refused(NatsAccess([url], tls / "ca.crt", token=tmp_path / "token"), "does not speak TLS")
        assert bytes(heard) == b""

    async def test_one_that_is_not_there(self, tls: Path) -> None:
        await refused(NatsAccess(["tls://127.0.0.1:1"], tls / "ca.crt"), "no server answers")

    async def test_each_complaint_is_made_once(self, servers: list[NatsServer], tls: Path, tmp_path: Path) -> None:
        """Three servers that all refuse, and are tried for ever."""
        with capture_logs() as said:
            wakes = NatsWakes(NatsAccess([server.url for server in servers], tls / "ca.crt"), "n1")
            await wakes.start()
            await until(lambda: sum(_turned_away(server) for server in servers) > len(servers))
            async with asyncio.timeout(SOON):  # which it does at any moment of its trying
                await wakes.stop()
        assert len(reasons(said)) == len(set(reasons(said)))


def _turned_away(server: NatsServer) -> int:
    """How often a server has let somebody not in, by its log."""
    return (server.folder / "log").read_text().lower().count("authentication error")
