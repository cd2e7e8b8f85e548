"""Ports of this machine that are preferred and not insisted on."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free(port: int) -> int:
    """The port if nobody listens there on the loopback, else 0: any free one."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return port
    except OSError:
        return 0
