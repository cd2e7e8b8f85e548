"""Processes that work for a proof: each in a group of its own, ended with its children when whoever started it is done."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import blindrelay
from blindrelay.proofs.checks.model import Finding, Measurement, Verdict

#: So many checks at once.
AT_ONCE: Final = 1 + (os.cpu_count() or 2)
#: Of what a process complains about, the end; characters.
COMPLAINT: Final = 2_000
#: Where files need no disk (Linux).
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what is made in it is a folder of our own
_LINE: Final = 1 << 24
#: Two worlds and what they begin as, and the relay of an attack, are some dozens of megabytes.
_ROOM: Final = 1 << 28
_ROOT: Final = str(Path(blindrelay.__file__).absolute().parents[1])


@contextmanager
def room() -> Iterator[Path]:
    """A folder for what is temporary in processes of ours, gone afterwards: where `TMPDIR` says, or else where files need no
    disk, if there is such a place with room. Worlds sync theirs as the product does."""
    place = None if "TMPDIR" in os.environ else _memory()
    with tempfile.TemporaryDirectory(prefix="blindrelay-proof-", dir=place) as name:
        yield Path(name)


def _memory() -> Path | None:
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > _ROOM
    return MEMORY if usable else None


@asynccontextmanager
async def started(module: str, arguments: Sequence[str], temporary: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process of ours. It is ended, with its children, when this is left.

    Args:
        temporary: where it and its children have what is temporary. They may be ended at any moment, so whoever gives them the
            folder removes it.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,  # it leaves when this is closed
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_LINE,
        env={**os.environ, "PYTHONPATH": _ROOT, "TMPDIR": str(temporary)},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):  # its children, too, if it is gone and they are not
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def everything(stream: asyncio.StreamReader | None) -> str:
    """What comes, to its end."""
    return "" if stream is None else (await stream.read()).decode("utf-8", "replace")


async def verdict(check: str, module: str, arguments: Sequence[str], temporary: Path) -> Verdict:
    """Of a process that carries out a check and prints what came of it. One that does not is no pass."""
    async with started(module, arguments, temporary) as process:
        output, complaint = await asyncio.gather(everything(process.stdout), everything(process.stderr))
        status = await process.wait()
    try:
        return verdict_of(json.loads(output))
    except ValueError:
        return Verdict(check, error=f"it ended with status {status}: {complaint[-COMPLAINT:]}")


def verdict_of(values: dict[str, Any]) -> Verdict:
    """From what a check printed."""
    findings = tuple(Finding(**finding) for finding in values["findings"])
    measured = tuple(Measurement(**measurement) for measurement in values["measured"])
    return Verdict(**{**values, "findings": findings, "skipped": tuple(values["skipped"]), "measured": measured})
