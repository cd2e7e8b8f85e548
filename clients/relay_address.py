"""Which relay to use: said by the caller, by the environment, or by the relay that runs on this machine.

| variable                       | meaning                                                              |
|--------------------------------|----------------------------------------------------------------------|
| `BLINDRELAY_URL`               | `mqtts://host:port`                                                  |
| `BLINDRELAY_CA`                | file with the CA certificate that vouches for the relay, PEM         |
| `BLINDRELAY_REGISTRATION_CODE` | the code that lets an enterprise register itself                     |
| `BLINDRELAY_LOG_POLICY`        | file with the policy of the relay's log `directory`                  |
| `BLINDRELAY_HOME`              | where `blindrelay up` keeps its things: `relay/endpoint.json` there  |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed

DEFAULT_PORT: Final = 8883
_MAX_CA: Final = 65_536


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """A relay, and whose word to take for it.

    Attributes:
        ca: CA certificates in PEM. The system's certificate authorities do not count.
        registration_code: only who registers an enterprise needs it.
        log_policy: by what to verify the log `directory` (https://c2sp.org/tlog-policy): its key, and the witnesses. None: what
            the relay says when it is first asked counts.
    """

    host: str
    port: int
    ca: bytes = field(repr=False)
    registration_code: str | None = field(default=None, repr=False)
    log_policy: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, ca: Path, registration_code: str | None = None, log_policy: Path | None = None) -> Self:
        """Parse `mqtts://host:port`.

        Raises:
            Malformed: the URL has another form.
            NotEnrolled: one of the files cannot be read.
        """
        parts = urlsplit(url)
        try:
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if parts.scheme != "mqtts" or not parts.hostname or not port or parts.path.strip("/"):
            raise Malformed(f"{url[:80]!r} is not a relay's address: expected mqtts://host:port")
        return cls(parts.hostname, port, _read(ca), registration_code, _policy(log_policy))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read what `blindrelay up` wrote; raise `Malformed` or `NotEnrolled`."""
        try:
            endpoint = Endpoint.read(path)
        except OSError as error:
            raise NotEnrolled(
                f"{path} cannot be read ({error.strerror}); start a relay with `blindrelay up`"
            ) from error
        code: str | None = None
        if endpoint.registration_code is not None:
            file = path.parent / endpoint.registration_code
            # Not ours to read when the relay runs as somebody else: then an administrator passes the code by hand.
            code = file.read_text().strip() if os.access(file, os.R_OK) else None
        policy = None if endpoint.directory_policy is None else path.parent / endpoint.directory_policy
        return cls(endpoint.host, endpoint.port, _read(path.parent / endpoint.ca_certificate), code, _policy(policy))

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The relay of the environment, else the one that runs on this machine.

        Raises:
            NotEnrolled: there is neither.
            Malformed: a variable or file is not of its form.
        """
        variables = os.environ if environment is None else environment
        if url := variables.get("BLINDRELAY_URL"):
            ca = variables.get("BLINDRELAY_CA")
            if not ca:
                raise NotEnrolled(
                    "BLINDRELAY_URL is set but BLINDRELAY_CA is not: expected the relay's CA certificate file"
                )
            policy = variables.get("BLINDRELAY_LOG_POLICY")
            return cls.from_url(
                url, Path(ca), variables.get("BLINDRELAY_REGISTRATION_CODE"), Path(policy) if policy else None
            )
        path = home(variables) / "relay" / FILE_NAME
        if not path.exists():
            raise NotEnrolled(
                f"there is no relay: BLINDRELAY_URL is not set, and none has left its address in {path}; "
                "start one with `blindrelay up`"
            )
        return cls.from_file(path)


def home(environment: Mapping[str, str] | None = None) -> Path:
    """Where everything is kept by default: `BLINDRELAY_HOME`, else `~/.local/share/blindrelay`."""
    variables = os.environ if environment is None else environment
    if chosen := variables.get("BLINDRELAY_HOME"):
        return Path(chosen)
    base = variables.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "blindrelay"


def _policy(path: Path | None) -> str | None:
    return None if path is None else _read(path).decode("utf-8", "replace")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_CA)
    except OSError as error:
        raise NotEnrolled(f"{path}, by which to know the relay, cannot be read: {error.strerror}") from error
