"""HTTPS to the relay of a data directory: the standard library's, for a relay that is installed alone has no other.

The relay's certificate alone counts, and where its doors are stands in the file that it leaves while it runs.
"""

import ssl
from http.client import HTTPSConnection
from pathlib import Path

from blindrelay.console.errors import ConsoleError
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint


class NoDoor(ConsoleError):
    """The relay has no such door."""


def to_desk(relay: Path, patience: float) -> HTTPSConnection:
    """A connection to the lawful desk. Raises `NoDoor`, `Malformed`, `OSError`, as the other one does."""
    endpoint = Endpoint.read(relay / FILE_NAME)
    if endpoint.desk_port is None:
        raise NoDoor("this relay runs without a lawful desk")
    return _connect(relay, endpoint, endpoint.desk_port, patience)


def to_logs(relay: Path, endpoint: Endpoint, patience: float) -> HTTPSConnection:
    """A connection to the public logs."""
    if endpoint.logs_port is None:
        raise NoDoor("this relay is too old to have public logs")
    return _connect(relay, endpoint, endpoint.logs_port, patience)


def _connect(relay: Path, endpoint: Endpoint, port: int, patience: float) -> HTTPSConnection:
    context = ssl.create_default_context(cafile=str(relay / endpoint.ca_certificate))
    return HTTPSConnection(endpoint.host, port, timeout=patience, context=context)
