"""The relay of a run: the real one, on a clock that the harness can step, perhaps with a saboteur in it.

`python -m blindrelay.proofs.chaos.relay FOLDER --clock FILE [--saboteur NAME]` writes `ready PORT` to standard output once it
listens, and leaves on SIGTERM or when its standard input is closed.
"""

import argparse
import asyncio
import mmap
import signal
import struct
import sys
from pathlib import Path

from blindrelay.proofs.chaos import saboteurs
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.config import Settings
from blindrelay.relay.server import Relay


class SteppedClock(SystemClock):
    """The machine's clock, its wall clock off by what a file says (seconds, little-endian double)."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def now(self) -> float:
        return super().now() + float(struct.unpack("<d", self._offset[:8])[0])
