"""A recorded TLS 1.3 connection is opened with the client's key log, and with nothing less."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from blindrelay.proofs.evidence.tap import Tap
from blindrelay.proofs.evidence.tls import KeyLog, Opened, Unreadable, open_connection
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.datadir import DataDirectory
from support.altered import flipped

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(folder: Path, tickets: int = 0) -> AsyncIterator[int]:
    """A TLS server that answers each line with the same line backwards; yields its port."""
    with DataDirectory.open(folder / "relay", now=SystemClock().now()) as data:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = tickets
        context.load_cert_chain(data.certificate, data.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line[::-1])
        writer.close()

    running = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with running:
        yield running.sockets[0].getsockname()[1]


def context_of(folder: Path) -> ssl.SSLContext:
    """A client's, with a key log."""
    context = ssl.create_default_context(cafile=str(folder / "relay" / "relay.crt"))
    context.keylog_filename = str(folder / "keylog")
    return context


async def speak(port: int, context: ssl.SSLContext, lines: list[bytes]) -> None:
    """Say some lines, one after the other, and read the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    for line in lines:
        writer.write(line)
        await reader.readexactly(len(line))
    writer.close()
    await writer.wait_closed()


async def recorded(folder: Path, lines: list[bytes], tickets: int = 0) -> tuple[bytes, bytes]:
    """What a tap kept of such a conversation."""
    wire = folder / "wire"
    wire.mkdir()
    async with server(folder, tickets) as port, Tap.open(wire, "test") as tap:
        tap.target = port
        await speak(tap.port, context_of(folder), lines)
    (place,) = wire.glob("*.json")
    assert json.loads(place.read_bytes())["closed"] is not None
    return place.with_suffix(".up").read_bytes(), place.with_suffix(".down").read_bytes()


async def test_what_was_said_is_read(tmp_path: Path) -> None:
    """Record by record, in both directions, the handshake's own records left out."""
    lines = [b"hello\n", b"x" * 40_000 + b"\n", b"bye\n"]
    up, down = await recorded(tmp_path, lines)

    opened = open_connection(up, down, KeyLog(tmp_path / "keylog"))

    assert isinstance(opened, Opened)
    assert b"".join(opened.sent) == b"".join(lines)
    assert b"".join(opened.answered) == b"".join(line[::-1] for line in lines)
    assert len(opened.sent) >= len(lines)
    assert b"hello" not in up


async def test_tickets_are_seen(tmp_path: Path) -> None:
    """A ticket would tie a later connection to this one; a client that has none shows none."""
    up, down = await recorded(tmp_path, [b"hello\n"], tickets=2)

    opened = open_connection(up, down, KeyLog(tmp_path / "keylog"))

    assert len(set(opened.tickets)) == 2
    assert opened.hello.tickets == ()


async def test_without_its_secrets_it_stays_closed(tmp_path: Path) -> None:
    """A connection that nobody has logged is reported, not passed over."""
    up, down = await recorded(tmp_path, [b"hello\n"])

    with pytest.raises(Unreadable, match="nobody's key log"):
        open_connection(up, down, KeyLog(tmp_path / "none"))


async def test_altered_record_does_not_open(tmp_path: Path) -> None:
    """What is shown was sent."""
    up, down = await recorded(tmp_path, [b"hello\n"])

    with pytest.raises(Unreadable, match="do not open"):
        open_connection(flipped(up), down, KeyLog(tmp_path / "keylog"))


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
def test_what_is_no_tls_is_refused(data: bytes, tmp_path: Path) -> None:
    """Plain text on a port for TLS is a finding, and no traceback."""
    with pytest.raises(Unreadable):
        open_connection(data, data, KeyLog(tmp_path / "none"))
