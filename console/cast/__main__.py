"""The process: see the package."""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

import structlog
from pydantic import ValidationError

from blindrelay.clients.relay_address import RelayAddress
from blindrelay.console.cast.lines import Company, Directed, Direction, Trouble, Written
from blindrelay.console.cast.people import enrolled
from blindrelay.console.cast.stage import BEAT, Stage


def _tell(event: Company | Directed | Trouble | Written) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


async def _listen(stage: Stage) -> None:
    """Do what is said, until nobody says anything any more."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        with contextlib.suppress(ValidationError):
            stage.direct(Direction.model_validate_json(line))


async def _perform(stage: Stage, relay: RelayAddress) -> None:
    async with enrolled(relay, stage.arrived, stage.told) as stage.people:
        await stage.perform()


async def _run(endpoint: Path, beat: float, *, paused: bool) -> None:
    stage = Stage(_tell, beat=beat, paused=paused)
    performing = asyncio.create_task(_perform(stage, RelayAddress.from_file(endpoint)))
    listening = asyncio.create_task(_listen(stage))
    done, _ = await asyncio.wait({performing, listening}, return_when=asyncio.FIRST_COMPLETED)
    for task in (performing, listening):
        task.cancel()
    await asyncio.gather(performing, listening, return_exceptions=True)
    if performing in done:
        performing.result()


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description="The demonstration's people.")
    parser.add_argument("endpoint", type=Path, help="the relay's endpoint.json")
    parser.add_argument("--beat", type=float, default=BEAT, help="seconds for which one looks at a thing")
    parser.add_argument("--paused", action="store_true", help="do not begin before it is said")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_run(arguments.endpoint, arguments.beat, paused=arguments.paused))


if __name__ == "__main__":
    main()
