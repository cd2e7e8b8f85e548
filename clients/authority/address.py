"""Where a relay's desk is, and whose word to take for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from blindrelay.clients.errors import NotEnrolled
from blindrelay.clients.relay_address import home
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed

DEFAULT_PORT: Final = 8884
_MAX_CA: Final = 65_536


@dataclass(frozen=True, slots=True)
class DeskAddress:
    """A relay's desk.

    Attributes:
        ca: the relay's certificate, PEM. It alone counts: no certificate authority of the system's does.
    """

    host: str
    port: int
    ca: bytes = field(repr=False)

    @property
    def url(self) -> str:
        """The origin, `https://host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"

    @classmethod
    def from_url(cls, url: str, ca: Path) -> Self:
        """Parse `https://host:port`.

        Raises:
            Malformed: the URL has another form.
            NotEnrolled: the certificate file cannot be read.
        """
        parts = urlsplit(url)
        try:
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if parts.scheme != "https" or not parts.hostname or not port or parts.path.strip("/") or parts.query:
            raise Malformed(f"{url[:80]!r} is not a desk's address: expected https://host:port")
        return cls(parts.hostname, port, _read(ca))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read what `blindrelay up` wrote; raise `Malformed`, or `NotEnrolled` if that relay has no desk."""
        try:
            endpoint = Endpoint.read(path)
        except OSError as error:
            raise NotEnrolled(
                f"{path} cannot be read ({error.strerror}); start a relay with `blindrelay up`"
            ) from error
        if endpoint.desk_port is None:
            raise NotEnrolled(f"the relay of {path} runs without a lawful desk: its configuration says so")
        return cls(endpoint.host, endpoint.desk_port, _read(path.parent / endpoint.ca_certificate))

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The desk of the environment (`BLINDRELAY_DESK`, `BLINDRELAY_CA`), else of the relay that runs on this machine.

        Raises:
            NotEnrolled: there is none.
            Malformed: a variable or file is not of its form.
        """
        variables = os.environ if environment is None else environment
        if url := variables.get("BLINDRELAY_DESK"):
            ca = variables.get("BLINDRELAY_CA")
            if not ca:
                raise NotEnrolled(
                    "BLINDRELAY_DESK is set but BLINDRELAY_CA is not: expected the relay's certificate file"
                )
            return cls.from_url(url, Path(ca))
        path = home(variables) / "relay" / FILE_NAME
        if not path.exists():
            raise NotEnrolled(f"there is no relay: none has left its address in {path}; start one with `blindrelay up`")
        return cls.from_file(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_CA)
    except OSError as error:
        raise NotEnrolled(f"the relay's certificate {path} cannot be read: {error.strerror}") from error
