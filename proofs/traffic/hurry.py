"""An event loop that does not wait: when there is nothing to do but wait for a timer, its clock goes on to that timer.

What is played on it takes as long as it takes to do, and by its clock as long as people take. Sockets, threads and timers work
as on any other loop. While a thread works that the loop has started, or `busy` says so, the clock runs as the wall's does:
whoever has an answer coming through a socket has to say so, for a socket does not tell.
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final

#: How often one looks whether somebody is still waited for. Seconds.
_LOOK: Final = 0.002


class _Selector(selectors.DefaultSelector):
    """Waits for as long as `is_busy`, and no longer; what was not waited for is `skipped`."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self.is_busy: Callable[[], bool] = lambda: False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector.select`."""
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        began = time.monotonic()
        while timeout is None or (left := began + timeout - time.monotonic()) > 0:
            if timeout is not None and not self.is_busy():
                self.skipped += left
                return []
            if found := super().select(_LOOK):
                return found
        return []


class HurryingLoop(asyncio.SelectorEventLoop):
    """See the module. `busy`: whether somebody waits for an answer."""

    def __init__(self, busy: Callable[[], bool] = lambda: False) -> None:
        self._hurried = _Selector()
        self._began = time.monotonic()
        super().__init__(self._hurried)
        self._working = 0
        self.busy = busy
        self._hurried.is_busy = lambda: self._working > 0 or self.busy()

    def time(self) -> float:
        """Seconds since the loop was made, those included that nobody has waited for."""
        return time.monotonic() - self._began + self._hurried.skipped

    def run_in_executor(  # type: ignore[override]  # what it takes and gives is the original's
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> Any:
        """As usual; the clock does not hurry on while it works."""
        self._working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self._working -= 1


class LoopClock:
    """A `Clock` that goes as the loop does; `epoch`: what it showed when the loop was made."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float) -> None:
        self._loop = loop
        self._epoch = epoch

    def now(self) -> float:
        """Epoch seconds."""
        return self._epoch + self._loop.time()

    def monotonic(self) -> float:
        """Seconds."""
        return self._loop.time()
