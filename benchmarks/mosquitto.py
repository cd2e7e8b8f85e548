"""Mosquitto as it comes, in memory: a measure of what the machine and the load generator can do."""

import asyncio
import getpass
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.processes import Failed, Program, held_port, start, stop

_START_SECONDS = 5.0


def installed() -> str | None:
    """The path of the program, if there is one."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@asynccontextmanager
async def broker(folder: Path, tls: tuple[Path, Path, Path] | None) -> AsyncIterator[Program]:
    """Mosquitto on a free port, without persistence. `tls`: server certificate, its key, and the roots of the clients."""
    with held_port() as port:
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "persistence false",
            "log_type error",
            "max_inflight_messages 128",
            "max_queued_messages 100000",
            # Started as root it would change to an account that cannot read the keys.
            f"user {getpass.getuser()}",
        ]
        if tls is not None:
            certificate, key, roots = tls
            lines += [f"certfile {certificate}", f"keyfile {key}", f"cafile {roots}"]
            lines += ["require_certificate true", "tls_version tlsv1.3"]
        config = folder / "mosquitto.conf"
        await asyncio.to_thread(config.write_text, "\n".join(lines) + "\n")
        # It complains of every connection that is cut in the end.
        silence = asyncio.subprocess.DEVNULL
        process = await start([str(installed()), "-c", str(config)], stdout=silence, stderr=silence)
        try:
            await _listening(port, process)
            yield Program(process, "127.0.0.1", port, {})
        finally:
            await stop(process)


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.returncode is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.05)
    raise Failed("mosquitto did not start to listen")
