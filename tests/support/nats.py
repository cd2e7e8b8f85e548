"""A NATS server of the test's own: real, on a free port of the loopback, and gone afterwards."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from blindrelay.proofs.engines.nats import NatsServer, program

__all__ = ["NatsServer", "nats_server", "program"]


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
