"""Sockets around the session: time limits, bounded buffers, slow and silent peers, on the loopback.

Bug classes M1, M2, M8, M9, M10, M11, Q2, Q5. The clock stands still unless a test moves it; the sweep runs on the loop's time.
"""

import asyncio
import datetime
import errno
import math
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import mqtt5
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mqtt5 import ConnAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.relay.errors import ConnectRefused
from blindrelay.relay.mqtt import listener as module
from blindrelay.relay.mqtt.listener import ANSWERS_LIMIT, WRITE_HIGH, Connection, Listener, TimeLimits, listening_socket
from blindrelay.relay.peer import Hold
from support import ports
from support.twin import Bench, message, number_of, subscribe_to

TIMES = TimeLimits(handshake=0.1, sweep=0.01, linger=0.1)
T = TypeVar("T")


class Client:
    """A client of a few lines: packets out, packets in, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._buffer = b""

    def send(self, *packets: Any) -> None:
        self.writer.write(b"".join(packet if isinstance(packet, bytes) else packet.write() for packet in packets))

    async def receive(self, kind: type[T]) -> T:
        """The next packet, which is of this kind."""
        while True:
            try:
                packet, size = mqtt5.read(memoryview(self._buffer))
            except IndexError:
                data = await asyncio.wait_for(self.reader.read(65_536), 10)
                if not data:
                    raise EOFError from None
                self._buffer += data
                continue
            self._buffer = self._buffer[size:]
            assert isinstance(packet, kind), packet
            return packet

    async def ended(self) -> bytes:
        """What still comes until the connection is closed, which it is within the test's time."""
        try:
            return self._buffer + await asyncio.wait_for(self.reader.read(-1), 10)
        except ConnectionResetError:
            return self._buffer


class Server:
    """A listener on a bench, and clients to it."""

    def __init__(self, bench: Bench, tls: ssl.SSLContext | None = None, times: TimeLimits = TIMES) -> None:
        self.bench = bench
        self.listener = Listener(bench.exchange, bench.twin, bench.twin.clock, tls=tls, times=times)
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self, **options: Any) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self._writers.append(writer)
        return Client(reader, writer)

    async def connect(self, number: int, *, subscribe: bool = False, **options: Any) -> Client:
        client = await self.open()
        client.send(mqtt5.ConnectPacket(options.pop("client_id", f"c{number}"), **options))
        assert (await client.receive(mqtt5.ConnAckPacket)).reason_code == ConnAckReasonCode.SUCCESS
        if subscribe:
            client.send(subscribe_to(f"inbox/{number}"))
            await client.receive(mqtt5.SubAckPacket)
        return client

    def connection_of(self, client_id: str) -> Connection:
        (found,) = (connection for connection in self.listener.connections if connection.client_id == client_id)
        return found

    async def empty(self) -> None:
        """Wait until no connection is left."""
        await asyncio.wait_for(self.listener._empty.wait(), 10)

    async def close(self) -> None:
        await self.listener.close()
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def serving(bench: Bench, **options: Any) -> AsyncIterator[Server]:
    server = Server(bench, **options)
    server.port = server.listener.start(listening_socket("127.0.0.1", 0))
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def server(bench: Bench) -> AsyncIterator[Server]:
    async with serving(bench) as server:
        yield server


async def moment(seconds: float = 0.05) -> None:
    """A few sweeps."""
    await asyncio.sleep(seconds)


async def test_message_over_the_loopback(server: Server) -> None:
    """From socket to socket, through listener, session, exchange and back."""
    bob, alice = await server.connect(2, subscribe=True), await server.connect(1)
    alice.send(message(1))
    assert (await alice.receive(mqtt5.PubAckPacket)).packet_id == 1
    received = await bob.receive(mqtt5.PublishPacket)
    assert number_of(received) == 1
    bob.send(mqtt5.PubAckPacket(received.packet_id or 0), mqtt5.DisconnectPacket())
    assert await bob.ended() == b""
    assert server.bench.committer.stored(2) == []


async def test_no_answer_waits_for_an_acknowledgement(server: Server) -> None:
    """What is accepted sends small packets at once (TCP_NODELAY)."""
    await server.connect(1)
    (connection,) = server.listener.connections
    assert connection._transport is not None
    accepted = connection._transport.get_extra_info("socket")

    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_everything_in_one_segment(server: Server) -> None:
    """CONNECT with all that follows behind it, DISCONNECT included: what was published before it is taken."""
    client = await server.open()
    client.send(
        mqtt5.ConnectPacket("c1"),
        subscribe_to("inbox/1"),
        message(1, to=1),
        mqtt5.PingReqPacket(),
        mqtt5.DisconnectPacket(),
    )
    for kind in (mqtt5.ConnAckPacket, mqtt5.PingRespPacket):
        await client.receive(kind)
    assert await client.ended() == b""  # whoever leaves is told nothing more
    assert server.bench.committer.traffic() == 1


async def test_one_byte_at_a_time(server: Server) -> None:
    """Nothing depends on how the network cuts."""
    client = await server.open()
    client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in mqtt5.ConnectPacket("c1").write() + message(1).write()[:40]:
        client.send(bytes([byte]))
        await client.writer.drain()
        await asyncio.sleep(0)
    await client.receive(mqtt5.ConnAckPacket)
    client.send(message(1).write()[40:])
    await client.receive(mqtt5.PubAckPacket)


# What ends a connection.


@pytest.mark.parametrize("first", [b"\x32", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\x00"])
async def test_stranger_is_closed_at_its_first_byte(server: Server, first: bytes) -> None:
    """[3.1.0-1], classes M2 and M8: nothing is said, the socket is given back."""
    client = await server.open()
    client.send(first)
    assert await client.ended() == b""
    await server.empty()
    assert server.bench.twin.connected == []


async def test_refused_connect_is_closed(server: Server) -> None:
    """[3.2.2-7], class M8: CONNACK, then the socket is closed although the client keeps its end open."""
    server.bench.twin.refuse_connect = ConnectRefused(ConnAckReasonCode.NOT_AUTHORIZED, "no")
    client = await server.open()
    client.send(mqtt5.ConnectPacket("c1"), message(1))
    assert (await client.receive(mqtt5.ConnAckPacket)).reason_code == ConnAckReasonCode.NOT_AUTHORIZED
    assert await client.ended() == b""
    await server.empty()


async def test_claims_of_256_mib_cost_nothing(server: Server) -> None:
    """Class M1: 200 connections that each claim 256 MiB are closed at their header; nothing is collected."""
    clients = [await server.open() for _ in range(200)]
    for client in clients:
        client.send(b"\x10\xff\xff\xff\x7f" + b"x" * 10)
    for client in clients:
        assert (await client.receive(mqtt5.ConnAckPacket)).reason_code == ConnAckReasonCode.PACKET_TOO_LARGE
        await client.ended()
    await server.empty()


async def test_silent_connection_is_closed(server: Server) -> None:
    """Class M9: from the accepted connection to a whole CONNECT there is so much time and no more, bytes dripped or not."""
    silent, dripping = await server.open(), await server.open()
    await moment()
    for byte in mqtt5.ConnectPacket("c1").write()[:9]:
        dripping.send(bytes([byte]))
        server.bench.twin.clock.advance(TIMES.connect / 9)
        await moment(0.03)
    assert await silent.ended() == await dripping.ended() == b""


async def test_dripping_peers_do_not_keep_others_waiting(server: Server) -> None:
    """Class M9: 200 half CONNECTs, and a good client has its PUBACK within a second."""
    for _ in range(200):
        (await server.open()).send(b"\x10")
    async with asyncio.timeout(1):
        alice = await server.connect(1)
        alice.send(message(1))
        await alice.receive(mqtt5.PubAckPacket)


async def test_half_a_packet_has_a_time_limit(server: Server) -> None:
    """Class M9: its bytes move nothing, only whole packets do."""
    client = await server.connect(1, keep_alive=1_000)
    client.send(message(1).write()[:100])
    await moment()
    server.bench.twin.clock.advance(TIMES.packet / 2)
    client.send(message(1).write()[100:200])
    await moment()
    server.bench.twin.clock.advance(TIMES.packet / 2)
    assert (await client.receive(mqtt5.DisconnectPacket)).reason_code == Code.MAX_CONNECT_TIME
    await client.ended()


async def test_keep_alive(server: Server) -> None:
    """[3.1.2-22]: DISCONNECT 0x8D after one and a half times the interval without a packet of the client's."""
    client = await server.connect(2, subscribe=True, keep_alive=10)
    server.bench.twin.clock.advance(14.9)
    await moment()
    client.send(mqtt5.PingReqPacket())
    await client.receive(mqtt5.PingRespPacket)
    server.bench.twin.clock.advance(10)
    alice = await server.connect(1)
    alice.send(message(1))  # what we send to the client does not keep it alive
    await client.receive(mqtt5.PublishPacket)
    server.bench.twin.clock.advance(5)
    assert (await client.receive(mqtt5.DisconnectPacket)).reason_code == Code.KEEP_ALIVE_TIMEOUT
    assert await client.ended() == b""


async def test_keep_alive_stands_still_while_we_do_not_read(server: Server) -> None:
    """A peer that we do not listen to is not silent."""
    client = await server.connect(1, keep_alive=10)
    connection = server.connection_of("c1")
    connection.hold(Hold.RATE)
    server.bench.twin.clock.advance(1_000)
    await moment()
    connection.unhold(Hold.RATE)
    await moment()
    client.send(mqtt5.PingReqPacket())
    await client.receive(mqtt5.PingRespPacket)


async def test_peer_that_keeps_its_end_open_is_cut(server: Server) -> None:
    """[3.14.4-1], [3.14.4-2]: after DISCONNECT the connection ends, even if the peer does not read what we still had."""
    client = await server.connect(2, subscribe=True)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await flood(server, 60)
    server.bench.exchange.disconnect(lambda identity: getattr(identity, "account_id", 0) == 2)
    connection = next(iter(found for found in server.listener.connections if found.session.state.name == "CLOSED"))
    assert connection in server.listener.connections
    await moment()
    server.bench.twin.clock.advance(TIMES.linger)
    await moment()
    assert connection not in server.listener.connections


# Slow readers.


async def flood(server: Server, count: int) -> None:
    """Alice sends `count` of the largest messages to account 2."""
    alice = await server.connect(1)
    for number in range(1, count + 1):
        alice.send(message(number, size=262_144))
        await alice.receive(mqtt5.PubAckPacket)
    alice.send(mqtt5.DisconnectPacket())
    await alice.ended()


async def test_client_that_does_not_read_costs_bounded_memory_and_nobody_else(server: Server) -> None:
    """Class Q2: 40 MiB wait for it in the store and not in its buffers; others are served; it gets all once it reads."""
    slow = await server.connect(2, subscribe=True)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await flood(server, 160)
    connection = server.connection_of("c2")
    assert connection._transport is not None
    buffered = connection._transport.get_write_buffer_size()
    assert 0 < buffered < 2 * WRITE_HIGH + 300_000
    assert server.bench.exchange.held_bytes < 1_200_000
    bob = await server.connect(3, subscribe=True)
    alice = await server.connect(1)
    alice.send(message(1_000, to=3))
    assert number_of(await bob.receive(mqtt5.PublishPacket)) == 1_000

    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    for expected in range(1, 161):
        packet = await slow.receive(mqtt5.PublishPacket)
        assert number_of(packet) == expected
        slow.send(mqtt5.PubAckPacket(packet.packet_id or 0))


async def test_client_that_takes_nothing_for_long_is_cut(server: Server) -> None:
    """Class Q2: a connection whose buffers stay full has a time limit, and its mail waits in the store."""
    slow = await server.connect(2, subscribe=True)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await flood(server, 60)
    connection = server.connection_of("c2")
    server.bench.twin.clock.advance(TIMES.stall)
    await moment()
    assert connection not in server.listener.connections
    assert len(server.bench.committer.stored(2)) == 60


async def test_client_that_asks_and_does_not_read_is_not_read(server: Server) -> None:
    """Class Q2: PINGRESPs for one who does not take them are bounded: we stop reading, and go on when it reads."""
    slow = await server.connect(2, subscribe=True)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await flood(server, 60)
    connection = server.connection_of("c2")
    assert not connection.writable
    pings = ANSWERS_LIMIT // 2 + 1_000
    slow.send(b"\xc0\x00" * pings)
    await moment()
    assert connection.held == Hold.ANSWERS
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    received = 0
    while received < pings:
        packet = await slow.receive(object)
        received += isinstance(packet, mqtt5.PingRespPacket)
        if isinstance(packet, mqtt5.PublishPacket):
            slow.send(mqtt5.PubAckPacket(packet.packet_id or 0))
    assert connection.held == Hold(0)


async def test_kernel_buffers_are_bounded(server: Server) -> None:
    """Class Q2: what the kernel takes for a peer that does not read is bounded by us, not by its own adaptation."""
    await server.connect(1)
    accepted = server.connection_of("c1")._transport.get_extra_info("socket")  # type: ignore[union-attr]
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * module.SEND_BUFFER


# Many.


async def test_all_drop_and_come_back_at_once(server: Server) -> None:
    """Class Q5: 100 clients with sessions to keep, all gone and all back; every session is present."""
    clients = [await server.connect(number, session_expiry_interval=60) for number in range(1, 101)]
    for client in clients:
        client.writer.transport.abort()
    back = await asyncio.gather(*(server.open() for _ in range(100)))
    for number, client in enumerate(back, 1):
        client.send(mqtt5.ConnectPacket(f"c{number}", session_expiry_interval=60))
    answers = [await client.receive(mqtt5.ConnAckPacket) for client in back]
    assert all(answer.session_present for answer in answers)


async def test_address_over_its_limit_is_closed_before_the_handshake(server: Server) -> None:
    """Class M10: it costs an accept and nothing more, and those that are there go on."""
    alice = await server.connect(1)
    server.bench.twin.refused_addresses.add("127.0.0.1")
    refused = await server.open()
    assert await refused.ended() == b""
    alice.send(mqtt5.PingReqPacket())
    await alice.receive(mqtt5.PingRespPacket)
    server.bench.twin.refused_addresses.clear()
    await server.connect(2)


async def test_out_of_file_descriptors(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Class M11: accept fails, the relay stays alive and takes connections again when it can."""
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]

    async def failing(listening: socket.socket) -> Any:
        if failures:
            raise OSError(failures.pop(), "no more")
        return await accept(listening)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with serving(bench) as server:
        await server.connect(1)
    assert failures == []


async def test_stop_accepting(server: Server) -> None:
    """2.14: no new connections; those that are there go on."""
    alice = await server.connect(1)
    await server.listener.stop_accepting()
    assert not ports.listens(server.port)
    alice.send(mqtt5.PingReqPacket())
    await alice.receive(mqtt5.PingRespPacket)


async def test_shutdown_says_so(server: Server) -> None:
    """2.14: DISCONNECT 0x8B, then the end."""
    alice = await server.connect(1)
    await server.listener.stop_accepting()
    await server.bench.exchange.stop()
    await server.listener.close()
    assert (await alice.receive(mqtt5.DisconnectPacket)).reason_code == Code.SERVER_SHUTTING_DOWN
    assert await alice.ended() == b""


# TLS.


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext, bytes]:
    """A server's context, a client's with a certificate that it accepts, and that certificate."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.verify_mode = ssl.CERT_OPTIONAL
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / "cert", folder / "key")
        context.load_verify_locations(folder / "cert")
    return server, client, certificate.public_bytes(serialization.Encoding.DER)


async def test_certificate_reaches_admission(
    bench: Bench, contexts: tuple[ssl.SSLContext, ssl.SSLContext, bytes]
) -> None:
    """What the handshake has verified is what admission decides on; None without a certificate."""
    seen: list[tuple[bytes | None, str]] = []
    admit = bench.twin.admit
    bench.twin.admit = lambda der, address, connect: seen.append((der, address)) or admit(der, address, connect)  # type: ignore[method-assign,func-returns-value]
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    async with serving(bench, tls=contexts[0]) as server:
        for context in (contexts[1], anonymous):
            client = await server.open(ssl=context, server_hostname="localhost")
            client.send(mqtt5.ConnectPacket("c1"))
            await client.receive(mqtt5.ConnAckPacket)
    assert seen == [(contexts[2], "127.0.0.1"), (None, "127.0.0.1")]


async def test_handshake_has_a_time_limit(bench: Bench, contexts: tuple[ssl.SSLContext, ssl.SSLContext, bytes]) -> None:
    """Class M9: a peer that says nothing is gone after it, and its place is free."""
    async with serving(bench, tls=contexts[0]) as server:
        silent = await server.open()
        assert await silent.ended() == b""
        while bench.twin.connected:
            await moment(0.01)


async def test_garbage_instead_of_a_handshake(
    bench: Bench, contexts: tuple[ssl.SSLContext, ssl.SSLContext, bytes]
) -> None:
    """Class M10: closed, counted out, and the next one is served."""
    async with serving(bench, tls=contexts[0]) as server:
        garbage = await server.open()
        garbage.send(mqtt5.ConnectPacket("c1"))
        await garbage.ended()
        client = await server.open(ssl=contexts[1], server_hostname="localhost")
        client.send(mqtt5.ConnectPacket("c1"))
        await client.receive(mqtt5.ConnAckPacket)


def test_time_limits_are_finite() -> None:
    """Nobody may keep us waiting for ever."""
    assert all(0 < getattr(TimeLimits(), name) < math.inf for name in TimeLimits.__slots__)
