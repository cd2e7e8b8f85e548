"""The network that misbehaves on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from blindrelay.proofs.chaos.proxy import Cut, Flow, Proxy


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1_000):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def network() -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through a proxy to somebody who echoes."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, reader, writer
        writer.transport.abort()


async def test_bytes_pass() -> None:
    """What goes in comes out."""
    async with network() as (_, reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"


@pytest.mark.parametrize("flow", [Flow.HELD, Flow.ANSWERS_HELD])
async def test_a_held_network_keeps_what_it_holds(flow: Flow) -> None:
    """Nothing arrives while it is held, and everything when it is opened again."""
    async with network() as (proxy, reader, writer):
        await proxy.let(flow)
        writer.write(b"hello")
        answer = asyncio.ensure_future(reader.readexactly(5))
        done, _ = await asyncio.wait({answer}, timeout=0.1)
        assert not done
        await proxy.let(Flow.OPEN)
        assert await answer == b"hello"


async def test_a_reset_is_felt_by_the_client() -> None:
    """Every connection ends at once, without a goodbye."""
    async with network() as (proxy, reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        assert proxy.reset() == 1
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_a_cut_comes_after_so_many_bytes() -> None:
    """The client gets what fits, and then nothing."""
    async with network() as (proxy, reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.cut_after(3)
        writer.write(b"again")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(4)


async def test_a_relay_that_is_down_is_a_connection_that_ends() -> None:
    """Whoever connects while there is nobody behind the proxy is sent away."""
    async with Proxy(1) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


async def test_a_refused_network_has_no_connections() -> None:
    """Those that there are end, and none comes."""
    async with network() as (proxy, reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        await proxy.let(Flow.REFUSED)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        again, other = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await again.read() == b""
        other.close()


@pytest.mark.parametrize(("cut", "arrived"), [(Cut.AFTER, b"commit"), (Cut.WITHIN, b"commi")])
async def test_whoever_watches_ends_a_connection_at_what_is_said(cut: Cut, arrived: bytes) -> None:
    """The other side hears all of it, or all but the last byte; the answer never comes."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            heard.put_nowait(data)
            writer.write(b"done")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.watch = lambda _, said: cut if said == b"commit" else None
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"begin")
        assert await reader.readexactly(4) == b"done"
        writer.write(b"commit")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert [await heard.get(), await heard.get()] == [b"begin", arrived]
        writer.close()
