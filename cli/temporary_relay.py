"""A relay for one command: in a process of its own, with a data directory that goes away with it."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindrelay.cli.own_witness import OwnWitness
from blindrelay.cli.places import relay_directory
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
        async with relay_process(Path(folder), "--no-witness") as relay:
            yield RelayAddress.from_file(relay.data / FILE_NAME)


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """A relay, and the witness that it has started."""

    data: Path
    process_id: int
    witness: OwnWitness | None


@asynccontextmanager
async def relay_process(home: Path, *options: str, desk: bool = False) -> AsyncIterator[RelayProcess]:
    """`blindrelay up` in the home `home` and on a free port, stopped in the end.

    Args:
        desk: whether it has a lawful desk; without one it starts sooner.

    Raises:
        RelayUnreachable: it did not start; what it said is on stderr.
    """
    data = relay_directory(home)
    arguments = ["up", "--home", str(home), "--data-dir", str(data), "--host", "127.0.0.1", "--port", "0"]
    arguments += ["--log-level", "error", "--json", *([] if desk else ["--no-desk"]), *options]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "blindrelay.cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        # Its own group: a Ctrl-C is ours to deal with, and it is stopped when the clients are done.
        start_new_session=True,
    )
    try:
        said = json.loads(await _announced(process))["witness"]
        witness = None if said is None else OwnWitness(**{**said, "folder": Path(said["folder"])})
        yield RelayProcess(data, process.pid, witness)
    finally:
        await _stopped(process)


async def _announced(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
    except TimeoutError:
        raise RelayUnreachable(f"the temporary relay did not start within {_START:g} s") from None
    if not line:
        raise RelayUnreachable(f"the temporary relay ended with exit code {await process.wait()} before it was ready")
    return line


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
