"""TCP ports in tests that run beside each other: a port that was given up is another process's a moment later."""

import contextlib
import socket
from collections.abc import Iterator

import psutil


@contextlib.contextmanager
def held_port() -> Iterator[socket.socket]:
    """A port of the loopback on which nobody listens, and nobody but whoever is handed the socket can."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        yield door


def number(door: socket.socket) -> int:
    """The port of a socket."""
    return int(door.getsockname()[1])


def listens(port: int) -> bool:
    """Whether this process listens on a port. Connecting to it would ask whichever process has it by now."""
    connections = psutil.Process().net_connections("tcp")
    return any(found.status == psutil.CONN_LISTEN and found.laddr.port == port for found in connections)
