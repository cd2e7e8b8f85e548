"""The relay of a run: the real one, on a clock that the harness can step, perhaps with a saboteur in it.

`python -m blindrelay.proofs.chaos.relay FOLDER --clock FILE [--saboteur NAME] [--settings JSON]` writes `ready PORT` to
standard output once it listens, its log to standard error, and leaves on SIGTERM or when its standard input is closed.
"""

import argparse
import json
import mmap
import os
import signal
import struct
import sys
import threading
from pathlib import Path

from blindrelay.proofs.chaos.saboteurs import SABOTEURS
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay import logs
from blindrelay.relay.config import Settings
from blindrelay.relay.process import run
from blindrelay.relay.server import Relay


class SteppedClock(SystemClock):
    """The machine's clock, its wall clock off by what a file says (seconds, little-endian double)."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def now(self) -> float:
        return super().now() + float(struct.unpack("<d", self._offset[:8])[0])


def _leave_with_the_harness() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing ever comes: this waits for the end
    os.kill(os.getpid(), signal.SIGTERM)


def _ready(relay: Relay) -> None:
    sys.stdout.write(f"ready {relay.port}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the relay until it is told to leave."""
    parser = argparse.ArgumentParser(description="The relay of a chaos run.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--saboteur", default="")
    parser.add_argument("--settings", type=json.loads, default={})
    arguments = parser.parse_args()
    if arguments.saboteur:
        SABOTEURS[arguments.saboteur].apply()
    logs.configure(level="debug")
    threading.Thread(target=_leave_with_the_harness, daemon=True).start()
    try:
        ours = {"data_dir": arguments.folder, "port": 0, "desk": {"enabled": False}}
        run(Settings.model_validate(ours | arguments.settings), _ready, SteppedClock(arguments.clock))
    except BlindrelayError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
