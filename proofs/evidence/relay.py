"""The relay under proof, from outside: started, told, looked at and stopped by its process id."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import blindrelay
from blindrelay.proofs.evidence import memory, process
from blindrelay.proofs.evidence.folder import TRACES
from blindrelay.proofs.evidence.sockets import outward
from blindrelay.protocol.errors import BlindrelayError

# For what does not come: on a machine with much else to do everything takes ten times as long. Seconds.
_START: Final = 120.0
#: Walking every use of every instrument takes some time.
_ANSWER: Final = 600.0
_STOP: Final = 60.0
_SCRAPE: Final = 60.0


class RelayGone(BlindrelayError):
    """The relay did not start, did not answer, or left by itself. The message has the end of its log."""


class RelayUnderProof:
    """An async context manager: the relay runs inside.

    Args:
        folder: for its data directory (`relay`), log, temporary files, and what is noted about it.
        settings: of the relay's configuration, beside the data directory. They hold from the next start on.
        saboteur: by name; empty for none.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], saboteur: str = "") -> None:
        self.folder = folder
        self.data = folder / "relay"
        self.log = folder / "relay.log"
        self.port = 0
        self.desk_port = 0
        self.logs_port = 0
        self.operations_port = 0
        self.settings = {"port": 0, **settings}
        if find_spec("opentelemetry.sdk"):
            # All that there is, into a file: what a collector would get.
            place = (folder / TRACES).absolute().as_uri()
            self.settings["operations"] = {"traces": place, "traces_share": 1}
        self._saboteur = saboteur
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Of its process; raise `RelayGone` when there is none."""
        if self._process is None or self._process.returncode is not None:
            raise RelayGone("the relay does not run")
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it listens. Raises `RelayGone`."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        module = "blindrelay.proofs.evidence.child"
        options = ["--clock", str(self.folder / "clock"), "--audit", str(self.folder / "audit.jsonl")]
        options += ["--settings", json.dumps(self.settings), "--saboteur", self._saboteur]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, str(self.data), *options),
                # It leaves when this pipe closes, and is of the harness's process group: one that dies leaves nobody behind.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=1 << 22,
                cwd=self.folder,
                env={
                    **os.environ,
                    "PYTHONPATH": str(Path(blindrelay.__file__).absolute().parents[1]),
                    "PYTHONFAULTHANDLER": "1",
                    "TMPDIR": str(temporary),
                },
            )
        where = await self._answer(_START)
        self.port, self.desk_port, self.logs_port = where["port"], where["desk_port"], where["logs_port"]
        self.operations_port = where["operations_port"]

    async def tell(self, command: str) -> dict[str, Any]:
        """Give it a command (see `child`) and return the answer. Raises `RelayGone`."""
        async with self._turn:
            if self._process is None or self._process.stdin is None:
                raise RelayGone("the relay does not run")
            self._process.stdin.write(f"{command}\n".encode())
            return await self._answer(_ANSWER)

    def dump(self, out: Path) -> int:
        """Write its memory to a file; return how many bytes were looked at. Raises `OSError`, `RelayGone`."""
        return memory.dump(self.pid, out)

    def outward(self) -> list[str]:
        """Peers that its process has connected to, or sends to: not those that have come to where it listens."""
        try:
            return outward(self.pid)
        except (OSError, RelayGone):
            return []

    def offspring(self) -> list[str]:
        """Signs of processes that it has started; see `process.offspring`."""
        with contextlib.suppress(OSError, RelayGone):
            return process.offspring(self.pid)
        return []

    def core_limits(self) -> tuple[str, str] | None:
        """See `process.core_limits`; None when it does not run."""
        with contextlib.suppress(RelayGone):
            return process.core_limits(self.pid)
        return None

    def copy_nameless(self, into: Path) -> int | None:
        """See `process.copy_nameless`; None when it does not run, or the system does not tell."""
        with contextlib.suppress(OSError, RelayGone):
            return process.copy_nameless(self.pid, into)
        return None

    async def wait(self) -> int | None:
        """Wait until it has left by itself; return the exit status. Raises `TimeoutError`."""
        if self._process is None:
            return None
        async with asyncio.timeout(_STOP):
            return await self._process.wait()

    def metrics(self) -> bytes | None:
        """What a collector is shown; None when it does not run."""
        url = f"http://127.0.0.1:{self.operations_port}/metrics"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=_SCRAPE) as answer:
            return bytes(answer.read())
        return None

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Send it a signal and wait for its end; return the exit status. Does nothing when it does not run."""
        process = self._process
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(_STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None
        return process.returncode

    async def _answer(self, patience: float) -> dict[str, Any]:
        process = self._process
        assert process is not None  # noqa: S101 - the callers have started it
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            async with asyncio.timeout(patience):
                line = await process.stdout.readline()
        except TimeoutError:
            raise RelayGone(f"the relay has not answered within {patience:g} s:\n{self._end_of_log()}") from None
        if not line:
            raise RelayGone(f"the relay has left by itself:\n{self._end_of_log()}")
        return dict(json.loads(line))

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])
