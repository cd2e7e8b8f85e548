"""Many clients who want nothing but to be connected, and all come back at the same moment.

They are a process of their own (`visitors`). In the harness's, two thousand handshakes would keep its proxies from their work,
which are on every way between nodes and database: what is slow then is not what is looked at.
"""

import asyncio
import contextlib
import os
import signal
import sys
from types import TracebackType
from typing import Final, Self

from blindrelay.proofs.chaos.matrix.visitors import PRESENCE, VISIT, Visit

_COMPLAINT: Final = 1_000


class CrowdFailed(Exception):
    """The crowd's process has ended by itself; the end of what it complained about."""


class Crowd:
    """Devices that connect, and stay. An async context manager; inside, all are there. Entering raises `CrowdFailed`."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._times = 0
        self._present = 0
        self._everybody = asyncio.Event()
        self._process: asyncio.subprocess.Process
        self._listening: asyncio.Task[None]
        self._complaint: str | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "blindrelay.proofs.chaos.matrix.visitors"),
            stdin=asyncio.subprocess.PIPE,  # it leaves when this pipe closes: nobody is left behind
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._write(VISIT.dump_json(self._visit))
        self._listening = asyncio.create_task(self._listen())
        try:
            await self.wait_for_all()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def __len__(self) -> int:
        return self._visit.count

    @property
    def present(self) -> int:
        """How many are connected."""
        return self._present

    def leave_at_once(self) -> None:
        """Everybody drops the connection without a word; all come back without waiting."""
        self._everybody.clear()
        self._present = 0
        self._times += 1
        self._write(b"leave")

    async def wait_for_all(self) -> None:
        """Wait until everybody is connected. Raises `CrowdFailed`."""
        await self._everybody.wait()
        if self._complaint is not None:
            raise CrowdFailed(f"the crowd's process has ended: {self._complaint}")

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(line + b"\n")

    async def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - they are pipes
        assert self._process.stderr is not None  # noqa: S101
        async for line in self._process.stdout:
            presence = PRESENCE.validate_json(line)
            if presence.times < self._times:  # of before they left
                continue
            self._present = presence.present
            if self._present == len(self):
                self._everybody.set()
            else:
                self._everybody.clear()
        self._complaint = (await self._process.stderr.read()).decode("utf-8", "replace")[-_COMPLAINT:]
        self._everybody.set()  # nobody waits for them any more

    async def _end(self) -> None:
        self._listening.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
