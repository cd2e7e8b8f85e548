"""Connections that a balancer hands on (`relay/mqtt/proxied.py`): whose they are, and who may say so."""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.relay.config import BadConfiguration, load
from blindrelay.relay.mqtt.listener import Listener, TimeLimits, listening_socket
from blindrelay.relay.mqtt.proxied import NoHeader, Proxies, behind
from support.twin import Bench

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TIMES = TimeLimits(handshake=0.2, sweep=0.01, linger=0.1)


def header(client: str, *, command: int = 0x21, more: bytes = b"") -> bytes:
    """What HAProxy says first of this client's connection."""
    address = ipaddress.ip_address(client)
    family = 0x11 if address.version == 4 else 0x21
    rest = address.packed + address.packed + struct.pack("!HH", 40_000, 8_883) + more
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


@asynccontextmanager
async def listening(bench: Bench, *proxies: str) -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener(bench.exchange, bench.twin, bench.twin.clock, tls=None, times=TIMES, proxies=proxies)
    port = listener.start(listening_socket("127.0.0.1", 0))
    try:
        yield listener, port
    finally:
        await listener.close()


async def said(port: int, *pieces: bytes) -> bytes:
    """Send these, and what is answered before the connection ends or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            return await reader.read(65_536)
    except ConnectionError:
        return b""
    finally:
        writer.close()


CONNECT = mqtt5.ConnectPacket("c1").write()


@pytest.mark.parametrize("client", ["192.0.2.7", "2001:db8::7"])
async def test_limits_and_records_are_the_clients(bench: Bench, client: str) -> None:
    """The address is the one that the balancer says, however the header is cut; what is behind it is read as ever."""
    async with listening(bench, "127.0.0.0/8") as (listener, port):
        whole = header(client, more=b"\x04\x00\x01x") + CONNECT
        answer = await said(port, *(whole[n : n + 5] for n in range(0, len(whole), 5)))
        packet, _ = mqtt5.read(memoryview(answer))
        assert isinstance(packet, mqtt5.ConnAckPacket)
    assert listener.connections == set()
    assert bench.twin.addresses == [client]


async def test_a_balancer_that_speaks_for_itself_is_itself(bench: Bench) -> None:
    """Command LOCAL: its own health check."""
    async with listening(bench, "127.0.0.1/32") as (_, port):
        assert await said(port, header("192.0.2.7", command=0x20) + CONNECT)
    assert bench.twin.addresses == ["127.0.0.1"]


@pytest.mark.parametrize(
    "first",
    [
        CONNECT,
        header("192.0.2.7", command=0x22),
        header("192.0.2.7", command=0x31),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 4) + bytes(4),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x31, 216) + bytes(216),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 60_000),
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
        SIGNATURE,
    ],
    ids=["none", "no command", "version 3", "short", "unix", "long", "version 1", "part of one"],
)
async def test_a_balancer_without_a_header_is_hung_up_on(bench: Bench, first: bytes) -> None:
    """What does not begin with one is nobody's connection; one that never comes is not waited for."""
    async with listening(bench, "127.0.0.1/32") as (_, port):
        assert await said(port, first) == b""
    assert bench.twin.addresses == []


async def test_nobody_else_says_who_they_are(bench: Bench) -> None:
    """A header from an address that is no balancer's is no MQTT, and ends the connection."""
    async with listening(bench, "10.0.0.0/8") as (_, port):
        assert await said(port, header("192.0.2.7") + CONNECT) == b""
    assert bench.twin.addresses == ["127.0.0.1"]


async def test_stopping_ends_what_has_not_been_said(bench: Bench) -> None:
    """A balancer that is in the middle of its header does not keep the relay."""
    async with listening(bench, "127.0.0.1/32") as (listener, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SIGNATURE)
        await writer.drain()
        async with asyncio.timeout(10):
            await listener.stop_accepting()
        writer.close()


@given(st.binary(max_size=80))
def test_whatever_comes_first_is_an_address_or_no_header(data: bytes) -> None:
    """Nothing else is raised because of what a peer sends."""

    async def read() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            try:
                found = await behind(ours)
            except NoHeader:
                return
            assert found is None or ipaddress.ip_address(found)

    asyncio.run(read())


def test_networks_of_both_families() -> None:
    """An IPv4 client of an IPv6 socket is known by its IPv4 address."""
    proxies = Proxies(["10.0.0.0/8", "fd00::/8"])
    assert "10.1.2.3" in proxies
    assert "::ffff:10.1.2.3" in proxies
    assert "fd00::1%eth0" in proxies
    assert "192.0.2.1" not in proxies
    assert "10.1.2.3" not in Proxies([])


def test_what_is_no_network_is_no_configuration(tmp_path: object) -> None:
    """A host name would be asked for at each connection, or once and never again."""
    with pytest.raises(BadConfiguration, match="proxies"):
        load(None, None, proxies=["balancer"])
