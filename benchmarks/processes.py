"""Starting and ending the programs of a measurement, each in its own process and ended by its own id."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 15.0


class Failed(Exception):
    """A program of the measurement did not do its part; the message says which and what it said."""


@dataclass(slots=True)
class Program:
    """A server that is being measured."""

    process: asyncio.subprocess.Process
    host: str
    port: int
    # What it told about itself when it was ready.
    facts: dict[str, Any]

    def memory(self) -> int:
        """Resident bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu(self) -> float:
        """Seconds of CPU time so far, all threads."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def held_port() -> Iterator[int]:
    """A TCP port of the loopback interface that Linux gives to nobody but a server that asks for this very one.

    It is bound and not listened on. A server that sets SO_REUSEADDR, as they all do, may still listen there; ports that the
    kernel picks, for servers and for outgoing connections, are others.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


async def start(arguments: Sequence[str], **streams: Any) -> asyncio.subprocess.Process:
    """Start a program with the repository as its working directory."""
    return await asyncio.create_subprocess_exec(
        *arguments, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, **streams
    )


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, then make it end."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def serving(module: str, *options: str) -> AsyncIterator[Program]:
    """A Python module of ours that serves: it writes one line of JSON with its `port` and other facts when it is ready."""
    process = await start([sys.executable, "-m", module, *options], stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise Failed(f"{module} ended with exit code {await process.wait()} before it was ready")
        facts = json.loads(line)
        yield Program(process, "127.0.0.1", facts["port"], facts)
    finally:
        await stop(process)


async def ask(module: str, job: BaseModel) -> bytes:
    """Run a Python module of ours with a job on its standard input; return what it answers."""
    process = await start([sys.executable, "-m", module], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    try:
        answer, _ = await process.communicate(job.model_dump_json().encode())
    finally:
        await stop(process)
    if process.returncode:
        raise Failed(f"{module} ended with exit code {process.returncode}")
    return answer
