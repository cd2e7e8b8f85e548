"""A witness beside the relay that `up` runs: a process of its own, with a key and a folder of its own.

It is what makes every log's policy name a witness from the first day on. It is no protection against whoever runs the relay,
for they run the witness, too: see docs/how-to/run-a-witness.md for one that is. When it ends it is started again.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from blindrelay.cli.ports import free
from blindrelay.policies import leaves
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.relay.config import Settings
from blindrelay.relay.errors import DataDirectoryInUse, ExitStatus, StartupError, Unreadable
from blindrelay.relay.transparency.assembly import policy_file
from blindrelay.relay.transparency.keys import FOLDER as KEYS
from blindrelay.relay.transparency.keys import open_keys

FOLDER: Final = "witness"
# Ten times what a start takes on a slow machine. A stop finishes one cosignature first; being killed does a witness no harm.
# Seconds.
_START: Final = 30.0
_STOP: Final = 1.5
# Before it is started again. Look-ups of what is new wait for five seconds before they are refused.
_PAUSE: Final = 1.0

_log = structlog.get_logger()


class _Announcement(BaseModel):
    """What a witness says when it listens; there is more."""

    model_config = ConfigDict(frozen=True)

    url: str
    key: str
    policy_line: str


@dataclass(slots=True)
class OwnWitness:
    """A witness in `folder`. `attend` runs it.

    Attributes:
        url, key, process_id: of the one that runs, or ran last; of interest once `attend` has been entered.
    """

    folder: Path
    url: str = ""
    key: str = ""
    process_id: int = 0

    @asynccontextmanager
    async def attend(self, settings: Settings) -> AsyncIterator[Settings]:
        """Have the logs of a relay, whose data directory is ours, cosigned. Yields its settings with the witness in them.

        Raises:
            StartupError: it does not start; it has said why on stderr.
        """
        arguments = [str(self.folder), "--json", "--die-with-parent", *_keys(settings)]
        process, line = await self._start(arguments, free(_last_port(settings)))
        watching = asyncio.create_task(self._watch(process, arguments))
        logs = settings.logs.model_copy(update={"witnesses": [line]})
        try:
            yield settings.model_copy(update={"logs": logs})
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _start(self, arguments: list[str], port: int) -> "tuple[asyncio.subprocess.Process, str]":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "blindrelay.cli.main", "witness", "run", *arguments, "--port", str(port)),
            stdout=asyncio.subprocess.PIPE,
            # Its own group: a Ctrl-C is ours to deal with, and the witness is stopped when the relay is done with it.
            start_new_session=True,
        )
        try:
            said = await _announcement(process)
        except BaseException:
            await _stop(process)
            raise
        self.url, self.key, self.process_id = said.url, said.key, process.pid
        return process, said.policy_line

    async def _watch(self, process: "asyncio.subprocess.Process", arguments: list[str]) -> None:
        """Start it again whenever it ends; stop it when this is cancelled."""
        port = urlsplit(self.url).port or 0
        while True:
            try:
                await _listen(process)
                code = await process.wait()
            finally:
                await _stop(process)
            _log.warning("the relay's own witness has ended, and is started again", reason=f"exit code {code}")
            await asyncio.sleep(_PAUSE)
            with contextlib.suppress(StartupError):  # it has said why, and is tried again
                process, _ = await self._start(arguments, port)


def _keys(settings: Settings) -> list[str]:
    """What the logs of a relay are signed with, as options; made, where there is none yet."""
    names = [directory.NAME, *([leaves.NAME] if settings.desk.enabled else [])]
    keys = [key for name in names for key in open_keys(settings.data_dir / KEYS, name, settings.logs.origin)]
    return [word for key in keys for word in ("--log", str(key.verifier))]


def _last_port(settings: Settings) -> int:
    """Where the witness was the last time: policies name its address, and need not change at each start."""
    try:
        trust = Trust.parse(policy_file(settings.data_dir, directory.NAME).read_text("utf-8"))
        ports = [urlsplit(witness.url).port for witness in trust.witnesses if witness.url]
    except (OSError, ValueError):  # Malformed is one
        return 0
    return (ports[0] or 0) if ports else 0


async def _announcement(process: "asyncio.subprocess.Process") -> _Announcement:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
    except TimeoutError:
        raise Unreadable(
            f"the relay's own witness did not start within {_START:g} s; --no-witness does without"
        ) from None
    if line:
        with contextlib.suppress(ValidationError):
            return _Announcement.model_validate_json(line)
    code = await process.wait()
    kind = DataDirectoryInUse if code == ExitStatus.IN_USE else Unreadable
    raise kind(
        "the relay's own witness does not start, and nothing would be published without it; --no-witness does without"
    )


async def _listen(process: "asyncio.subprocess.Process") -> None:
    """Hear what it has to say until it ends: cosignatures are its daily work, anything else is not."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while line := await process.stdout.readline():
        with contextlib.suppress(ValueError, TypeError):
            said = json.loads(line)
            if said["event"] != "cosigned":
                _log.warning("the relay's own witness does not cosign", reason=str(said["event"]))


async def _stop(process: "asyncio.subprocess.Process") -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
