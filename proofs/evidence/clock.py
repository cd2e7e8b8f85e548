"""A clock that several processes share and the harness moves forward: the machine's, ahead by what a file says."""

import mmap
import struct
from pathlib import Path
from typing import Final

from blindrelay.protocol.clock import SystemClock

_OFFSET: Final = struct.Struct("<d")
_HOUR: Final = 3_600.0


class TurnedClock(SystemClock):
    """Ahead by the seconds in `path`, wall clock and monotonic clock alike: for who reads it, the time has passed."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_OFFSET.pack(0.0))
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), _OFFSET.size)

    def now(self) -> float:
        return super().now() + self._ahead()

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead()

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody who has this clock. Never back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._offset[: _OFFSET.size] = _OFFSET.pack(self._ahead() + seconds)

    def turn_to_next_hour(self) -> int:
        """Let the next full hour begin, and return when that was, in epoch seconds.

        Connections are kept by the hour: those of before are of an hour that is over, and those to come of this one or a later
        one, in whichever minute that is done.
        """
        # A little more than is needed: of seconds as a float there may be a little less than there should be.
        self.advance(_HOUR - self.now() % _HOUR + 0.5)
        return int(self.now() // _HOUR * _HOUR)

    def _ahead(self) -> float:
        return float(_OFFSET.unpack(self._offset[: _OFFSET.size])[0])
