"""A proxy in front of PostgreSQL that can lose a connection at the worst moment.

The database is on a Unix socket, the proxy on a port of the loopback. `cut(needle)` ends the connection on which a client
sends bytes with `needle` in them: before the server has got them, or after it has answered and before the client hears it.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_CHUNK = 1 << 16


@dataclass
class Proxy:
    """A running proxy."""

    server: Path
    listening: socket.socket
    is_down: bool = False
    cuts: int = 0
    _needle: bytes | None = None
    _heard: bool = False
    _open: set[socket.socket] = field(default_factory=set)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def url(self, url: str) -> str:
        """The address of a database by way of the proxy."""
        parts = urlsplit(url)
        return f"postgresql://{parts.username}@127.0.0.1:{self.port}{parts.path}"

    def cut(self, needle: bytes, *, heard: bool) -> None:
        """Cut the next connection that says `needle`; `heard`: once the server has answered."""
        self._needle, self._heard = needle, heard

    def go_down(self) -> None:
        """Cut all connections, and take no other until `come_up`."""
        self.is_down = True
        for end in list(self._open):
            _close(end)

    def come_up(self) -> None:
        self.is_down = False

    def serve(self) -> None:
        """Take connections until the listening socket is closed."""
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.server))
            self._open |= {client, server}
            losing = threading.Event()
            for pump in (self._up, self._down):
                threading.Thread(target=pump, args=(client, server, losing), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_CHUNK):
                if self._needle is not None and self._needle in data:
                    self._needle = None
                    self.cuts += 1
                    if not self._heard:
                        break
                    losing.set()
                server.sendall(data)
        if not losing.is_set():
            self._end(client, server)

    def _down(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_CHUNK):
                if losing.is_set():
                    break
                client.sendall(data)
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            _close(end)
            self._open.discard(end)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(folder: Path) -> Iterator[Proxy]:
    """A proxy in front of the server whose socket is in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Proxy(folder / ".s.PGSQL.5432", listening)
        thread = threading.Thread(target=running.serve, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            running.go_down()
            _close(listening)
            thread.join()
