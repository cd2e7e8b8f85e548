"""Work that ends in order when somebody wants it to, whichever signal says so."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, as `asyncio.run` does; SIGTERM cancels it, as Ctrl-C does.

    An exception that a signal raises wherever the loop happens to be would leave the loop itself in the middle of something:
    half of a process started, say, whose end is waited for ever after.

    Raises `KeyboardInterrupt` after a signal, when all has been cleaned up.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)  # signals are the main thread's
    before = signal.getsignal(signal.SIGTERM)

    async def carried_out() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is this one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(carried_out())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)
