"""Commands of ours that take a while, in a process of their own: what they say while they work, and what came of it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any, Final

# A proof with a thousand findings; and what a command may complain about.
_MAX_LINE: Final = 1 << 24
_SHOWN: Final = 300


class Errand:
    """`blindrelay <arguments> --json`, at most once at a time.

    Attributes:
        running: whether it is under way.
        said: the last thing that it said of its progress.
        told: the JSON objects that it printed, so far or the last time.
        failure: why nothing came of it, if so.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.said = ""
        self.told: list[dict[str, Any]] = []
        self.failure = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, unless it is under way."""
        if not self.running:
            self.said, self.told, self.failure = "it begins", [], ""
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def state(self) -> dict[str, Any]:
        """For the page."""
        return {"running": self.running, "said": self.said, "told": self.told, "failure": self.failure}

    async def _run(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "blindrelay.cli.main", *self._arguments, "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_MAX_LINE,
        )
        try:
            await asyncio.gather(self._listen(process), self._hear(process))
            code = await process.wait()
            if not self.told:
                self.failure = self.said or f"it ended with exit code {code}"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            with contextlib.suppress(ValueError):
                self.told.append(json.loads(line))

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        async for line in process.stderr:
            if words := line.decode("utf-8", "replace").strip():
                self.said = words[:_SHOWN]
