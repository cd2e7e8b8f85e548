"""A loop that does not wait, and its clock."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

from blindrelay.proofs.traffic.hurry import HurryingLoop, LoopClock


def run(loop: HurryingLoop, what: Coroutine[Any, Any, Any]) -> Any:
    """Run something on it, to its end."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(what)


def test_a_day_passes_by_the_loops_clock_and_not_by_the_walls() -> None:
    """Who sleeps wakes up at the right time, in the right order."""
    loop, began = HurryingLoop(), time.monotonic()
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, hours: int) -> None:
        await asyncio.sleep(3_600 * hours)
        woken.append((name, int(loop.time() // 3_600)))

    async def all_of_them() -> None:
        await asyncio.gather(sleeper("late", 24), sleeper("early", 1), sleeper("noon", 12))

    run(loop, all_of_them())

    assert woken == [("early", 1), ("noon", 12), ("late", 24)]
    assert time.monotonic() - began < 3_600


def test_the_clock_does_not_hurry_while_a_thread_works() -> None:
    """What a thread is asked for within a minute comes within a minute."""
    loop, go_on = HurryingLoop(), threading.Event()

    async def ask() -> str:
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        async with asyncio.timeout(60):
            await asyncio.to_thread(go_on.wait)
        return "answered"

    assert run(loop, ask()) == "answered"
    assert loop.time() < 60


def test_the_clock_does_not_hurry_while_somebody_waits_for_the_other_side() -> None:
    """`busy` says that an answer is on its way; until it is not, nobody's patience runs out."""
    answered = threading.Event()
    loop = HurryingLoop(lambda: not answered.is_set())

    async def ask() -> float:
        began = loop.time()
        loop.call_later(0.01, answered.set)
        loop.call_later(3_600, lambda: None)
        while not answered.is_set():  # noqa: ASYNC110 - a thread's event
            await asyncio.sleep(0.001)
        return loop.time() - began

    assert run(loop, ask()) < 60


def test_sockets_work_as_on_any_loop() -> None:
    """What one side writes the other side reads."""

    async def talk() -> bytes:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.readexactly(5))
            writer.close()

        async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            found = await heard
            writer.close()
            await writer.wait_closed()
        return found

    assert run(HurryingLoop(), talk()) == b"hello"


def test_a_clock_shows_what_the_loop_shows() -> None:
    """From its epoch on."""
    loop = HurryingLoop()

    async def look() -> tuple[float, float]:
        clock = LoopClock(loop, epoch=1_000_000.0)
        await asyncio.sleep(5_000)
        return clock.now(), clock.monotonic()

    now, monotonic = run(loop, look())
    assert 1_005_000 <= now < 1_006_000
    assert 5_000 <= monotonic < 6_000
