"""The process: see the package."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from blindrelay.console.playing.frames import frame
from blindrelay.console.playing.lines import Frame, Moved, Over
from blindrelay.policies.scenarios.document import read
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.scenarios.player import Player


def _tell(line: Frame | Moved | Over) -> None:
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()


async def _play(file: Path, variant: str | None) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="blindrelay-scenario-") as folder:
        player = Player(
            read(file),
            variant,
            Path(folder),
            lambda what, done, of: _tell(Moved(what=what, done=done, of=of)),
            lambda entry: _tell(frame(player, entry)),
        )
        error = await player.play()
    findings = [finding for entry in player.entries for finding in entry.findings]
    _tell(Over(passed=error is None and not findings, error=error, seconds=round(time.monotonic() - began, 1)))


def main() -> None:
    """Parse the arguments and play."""
    parser = argparse.ArgumentParser(description="Play a scenario, frame by frame.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--variant")
    arguments = parser.parse_args()
    leave_with_the_parent()
    asyncio.run(_play(arguments.file, arguments.variant))


if __name__ == "__main__":
    main()
