"""Work in threads."""

import asyncio
import gc
import threading
from typing import Any

from blindrelay.relay.threads import in_thread


async def test_what_fails_after_nobody_waits_for_it_is_nobodys_error() -> None:
    """A database that is gone fails slowly, and whoever asked has had a time limit: that is no error of the relay's."""
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: told.append(context))
    has_begun, may_fail = asyncio.Event(), threading.Event()

    def fail() -> None:
        loop.call_soon_threadsafe(has_begun.set)
        may_fail.wait(60)
        raise OSError

    async def give_up() -> None:
        waiting = asyncio.ensure_future(in_thread(fail))
        await has_begun.wait()
        waiting.cancel()
        loop.call_soon(may_fail.set)
        await asyncio.wait([waiting])
        assert waiting.cancelled()

    await give_up()
    gc.collect()
    assert told == []
