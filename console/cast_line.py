"""The line to the demonstration's people: what they write goes into the channel `clients`, and into no other.

They are a process of their own, which ends when this is left.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from blindrelay.console.cast.lines import EVENT, Company, Direction, Written
from blindrelay.console.channels import Channel
from blindrelay.console.errors import ConsoleError
from blindrelay.protocol.endpoint import FILE_NAME

# A mail of the script has 4 kB; nobody else writes to us.
_MAX_LINE: Final = 1 << 20
_STOP: Final = 10.0


class CastAway(ConsoleError):
    """The people are not there just now."""


class CastLine:
    """See the module. `at_work` runs it.

    Args:
        relay: the data directory of the relay that they use, where its address and its registration code are.
        clients: where what they write is put.
        options: for the process.
    """

    def __init__(self, relay: Path, clients: Channel, options: Sequence[str] = ()) -> None:
        self._endpoint = relay / FILE_NAME
        self._clients = clients
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self.begun = asyncio.Event()  #: everybody is there
        self.enrolled: dict[str, dict[str, str]] | None = None  #: see `Company`

    async def direct(self, direction: Direction) -> None:
        """Tell them what is to be different. Raises `CastAway`."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise CastAway("the demonstration's people are not there: wait a moment, or start the demonstration again")
        try:
            process.stdin.write(direction.model_dump_json(exclude_none=True).encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise CastAway("the demonstration's people have just left") from None

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """They are there for as long as this is entered."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        self._say("state", state="gathering")
        async with self._started() as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            async for line in process.stdout:
                with contextlib.suppress(ValidationError):
                    self._take(line)
        self._say("state", state="left")

    def _take(self, line: bytes) -> None:
        event = EVENT.validate_json(line)
        values = event.model_dump(mode="json")
        kind = values.pop("event")
        if isinstance(event, Written):
            self._clients.put(event.id, {"kind": kind, **values})
            return
        if isinstance(event, Company):
            self.enrolled = values.pop("enrolled")
            self._say("state", state="playing")
            self.begun.set()
        self._say(kind, **values)

    def _say(self, kind: str, **values: Any) -> None:
        self._clients.put(kind, {"kind": kind, **values}, lasting=True)

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[asyncio.subprocess.Process]:
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "blindrelay.console.cast", str(self._endpoint), *self._options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is ours to deal with
            limit=_MAX_LINE,
        )
        try:
            yield process
        finally:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.close()  # they leave when nobody speaks to them any more
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
