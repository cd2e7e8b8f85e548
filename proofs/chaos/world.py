"""The relay as a process of its own, with its own data folder: started, killed, frozen and restarted by its process id."""

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from blindrelay.proofs.chaos.history import Level
from blindrelay.protocol.errors import BlindrelayError

# Interpreter, imports and store; under strace and on a busy machine. Seconds.
START_PATIENCE = 30.0
# What a relay promises, whatever its clients do (`drain_seconds`, and the interpreter's own end). Seconds.
STOP_PATIENCE = 10.0


class RelayLeft(BlindrelayError):
    """The relay's process ended by itself; the message holds the end of its log."""


class World:
    """One relay and its data folder. It ends only what it has started.

    Args:
        folder: for the data folder (`data`), the log and the clock. Must exist.
        saboteur: a deliberate fault of the relay's, by name; empty for none.
        wrapper: a command to run the relay under, such as strace with its options.
        data: another data folder than `folder / "data"`.
        settings: the relay's, besides; as `config.Settings` has them, in JSON.
    """

    def __init__(
        self,
        folder: Path,
        *,
        saboteur: str = "",
        wrapper: Sequence[str] = (),
        data: Path | None = None,
        settings: str = "",
    ) -> None:
        self.data = data or folder / "data"
        self.log = folder / "relay.log"
        self.port = 0
        self.wrapper = tuple(wrapper)
        self.starts = 0
        self.idle: Level | None = None
        self._saboteur = saboteur
        self._settings = settings
        self._clock = folder / "clock"
        self._clock.write_bytes(struct.pack("<d", 0.0))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def database(self) -> Path:
        """The relay's database file."""
        return self.data / "relay.db"

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the relay, wait until it listens, and note what it takes with nobody connected (`idle`).

        Raises RelayLeft when it ends before that, TimeoutError when it does neither.
        """
        self.starts += 1
        command = [
            *self.wrapper,
            sys.executable,
            "-m",
            "blindrelay.proofs.chaos.relay",
            str(self.data),
            "--clock",
            str(self._clock),
            "--saboteur",
            self._saboteur,
            "--settings",
            self._settings or "{}",
        ]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                # It leaves when this pipe closes: a harness that dies leaves nobody behind.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        output = self._process.stdout
        line = b"" if output is None else await asyncio.wait_for(output.readline(), START_PATIENCE)
        if not line.startswith(b"ready "):
            await self.wait(STOP_PATIENCE)  # its output ends a moment before it does, and its exit status counts
            raise RelayLeft(f"the relay did not start:\n{self.log_end()}")
        self.port = int(line.split()[1])
        self.idle = self.level()

    async def kill(self) -> None:
        """SIGKILL to the relay and whatever it runs under. Does nothing when it does not run."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._reap()

    async def terminate(self) -> int:
        """SIGTERM; return the exit status. Kills and raises TimeoutError when it does not leave."""
        self.signal(signal.SIGTERM)
        return await self.wait(STOP_PATIENCE)

    async def wait(self, patience: float) -> int:
        """Wait until it has left by itself; return its exit status, negative for a signal. Raises TimeoutError."""
        try:
            async with asyncio.timeout(patience):
                return await self._reap()
        except TimeoutError:
            await self.kill()
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the relay's process group. Does nothing when it does not run."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def step_clock(self, offset: float) -> None:
        """Let the relay's wall clock be `offset` seconds off, from now on."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("<d", offset))

    def level(self) -> Level:
        """What the process takes now."""
        if self._process is None:
            raise RelayLeft("the relay does not run")
        folder = Path(f"/proc/{self._process.pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text(encoding="ascii").splitlines())
        return Level(
            resident=int(status["VmRSS"].split()[0]) * 1024,
            descriptors=len(list((folder / "fd").iterdir())),
            threads=int(status["Threads"]),
        )

    def processor(self) -> tuple[float, float]:
        """Seconds for which it had a processor, and for which it wanted one and had to wait, so far."""
        ran, waited = 0, 0
        for file in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat") if self._process is not None else ():
            with contextlib.suppress(OSError):  # a thread that has just ended
                numbers = file.read_text(encoding="ascii").split()
                ran, waited = ran + int(numbers[0]), waited + int(numbers[1])
        return ran / 1e9, waited / 1e9

    def log_end(self) -> str:
        """The last lines of what it wrote to standard error."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def errors(self) -> list[str]:
        """The lines of its log that speak of an error: one that nobody has expected, or worse."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [
            line for line in lines if '"level": "error"' in line or '"level": "critical"' in line or "Traceback" in line
        ]

    async def _reap(self) -> int:
        if self._process is None:
            return 0
        output = self._process.stdout
        # Read to its end: a process counts as gone when its pipes are, and one that nobody reads may never be.
        status, _ = await asyncio.gather(
            self._process.wait(), output.read() if output is not None else asyncio.sleep(0)
        )
        if self._process.stdin is not None:
            self._process.stdin.close()
        return status
