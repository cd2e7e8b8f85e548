"""A relay as a process of its own: signals, file modes, no core dumps, and an end that comes in time."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from asyncio import sslproto
from collections.abc import Callable
from typing import Final

from blindrelay.protocol.clock import Clock
from blindrelay.relay import logs
from blindrelay.relay.config import Settings
from blindrelay.relay.server import Attend, Relay
from blindrelay.relay.watchdog import Watchdog

# How long the store's thread waits for the interpreter at most while the loop is busy. At Python's 5 ms the committer alone
# took 17,000 msg/s beside a loop that works 30 us a message; at 1 ms, 26,000. Seconds.
_SWITCH_INTERVAL: Final = 0.001


async def serve(
    settings: Settings, ready: Callable[[Relay], None], clock: Clock | None = None, attend: Attend | None = None
) -> None:
    """Run a relay until SIGTERM or SIGINT; `ready` is called once it listens. `attend`: see `Relay`.

    After a signal the process has `drain_seconds`: it ends then, with `ExitStatus.LATE`, wherever it is.

    Raises:
        StartupError: it cannot start.
        StoreFailed: its store failed; connections have been closed by then.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    watchdog = Watchdog(settings.drain_seconds)

    def leave() -> None:
        watchdog.start()
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    async with Relay(settings, clock, attend=attend) as relay:
        ready(relay)
        failing = asyncio.ensure_future(relay.wait_failed())
        stopping = asyncio.ensure_future(asked.wait())
        try:
            done, _ = await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            failing.cancel()
        if failing in done:
            await failing


def harden() -> None:
    """Make this process one that keeps what it holds to itself: files for the owner alone, no core dumps.

    Also lifts the soft limit of open files to the hard one: a connection is a file.
    """
    os.umask(0o077)
    # With 0, Linux would still hand a core to a program that collects them; 1 is its word for none at all (`fs/coredump.c`).
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    least = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(
    settings: Settings, ready: Callable[[Relay], None], clock: Clock | None = None, attend: Attend | None = None
) -> None:
    """`serve` in a process of its own, on uvloop where there is one. Raises what `serve` raises."""
    harden()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        logs.take_over(runner.get_loop())
        runner.run(serve(settings, ready, clock, attend))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform != "win32":
        with contextlib.suppress(ImportError):
            import uvloop  # noqa: PLC0415 - it is optional

            return uvloop.new_event_loop
    # asyncio's own TLS keeps 256 KiB for each connection; 16 KiB, one TLS record, does.
    sslproto.SSLProtocol.max_size = 16_384
    return None
