"""The end of a process that does not come to its end.

A stop waits for the disk, for threads and for peers, each of them for a bounded time. What bounds them runs on the event loop
and needs an interpreter that goes on; this does not.
"""

import os
import threading

import structlog

from blindrelay.relay.errors import ExitStatus

_log = structlog.get_logger()


class Watchdog:
    """Ends this process, from a thread of its own, `seconds` after `start`, unless it has come to its end by itself.

    It is safe at any moment: what has been acknowledged is on stable storage, and a start goes on from there.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, _leave)
        self._timer.daemon = True
        self._started = False

    def start(self) -> None:
        """Begin to count; the second time nothing happens."""
        if not self._started:
            self._started = True
            self._timer.start()


def _leave() -> None:
    _log.error("the relay did not come to its end in time, and leaves")
    os._exit(ExitStatus.LATE)
