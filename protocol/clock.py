"""Time is handed in: everything that asks what time it is asks one of these."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two different questions: what date is it, and how long did that take."""

    def now(self) -> float:
        """Seconds since the Unix epoch. May jump when somebody sets the clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment. Never goes back: for time-outs and intervals."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
