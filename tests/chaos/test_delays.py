"""A network that is late, and sometimes later."""

import asyncio
import random

from blindrelay.proofs.chaos.delays import SEGMENT, Latency
from blindrelay.proofs.chaos.proxy import Flow, Proxy


def test_without_loss_everything_takes_as_long() -> None:
    """Whatever its size."""
    assert {Latency(0.3, 0.0).of(size) for size in (1, SEGMENT, 100 * SEGMENT)} == {0.3}


def test_so_many_segments_are_sent_again() -> None:
    """5 % take a round trip more at least; what is larger has more segments to be lost."""
    latency = Latency(0.3, 0.05, random.Random(1))
    late = sum(latency.of(100) > 0.8 for _ in range(10_000))
    assert 400 < late < 600
    assert sum(latency.of(20 * SEGMENT) > 0.8 for _ in range(1_000)) > 500


async def test_bytes_arrive_late_and_in_order() -> None:
    """Not one connection only: each has its own way."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.latency = Latency(0.05, 0.2, random.Random(1))
        await proxy.let(Flow.LOSSY)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        loop, sent = asyncio.get_running_loop(), b""
        began = loop.time()
        for number in range(20):
            sent += b"%d " % number
            writer.write(b"%d " % number)
            await writer.drain()
        assert await reader.readexactly(len(sent)) == sent
        assert loop.time() - began >= 0.1, "there and back"
        writer.close()
