"""A relay for one command: in a process of its own, with a data directory that goes away with it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from blindrelay.clients.errors import RelayUnreachable
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.endpoint import FILE_NAME

# Ten times what a start takes on a slow machine; a stop finishes its commits first. Seconds.
_START: Final = 30.0
_STOP: Final = 20.0


@asynccontextmanager
async def temporary_relay() -> AsyncIterator[RelayAddress]:
    """A relay that goes away with everything it has.

    Raises:
        RelayUnreachable: it did not start; what it said is on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="blindrelay-") as folder:
        data = Path(folder) / "relay"
        async with relay_process(data):
            yield RelayAddress.from_file(data / FILE_NAME)


@asynccontextmanager
async def relay_process(data: Path) -> AsyncIterator[int]:
    """`blindrelay up` on the data directory `data` and a free port, stopped in the end; yields its process id.

    Raises:
        RelayUnreachable: it did not start; what it said is on stderr.
    """
    arguments = ["up", "--data-dir", str(data), "--host", "127.0.0.1", "--port", "0", "--log-level", "error", "--json"]
    arguments.append("--no-desk")  # no authority meets it, and it starts sooner
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "blindrelay.cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        # Its own group: a Ctrl-C is ours to deal with, and it is stopped when the clients are done.
        start_new_session=True,
    )
    try:
        await _announced(process)
        yield process.pid
    finally:
        await _stopped(process)


async def _announced(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
    except TimeoutError:
        raise RelayUnreachable(f"the temporary relay did not start within {_START:g} s") from None
    if not line:
        raise RelayUnreachable(f"the temporary relay ended with exit code {await process.wait()} before it was ready")


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
