"""Where a relay's public logs are read, and by what they are to be verified."""

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
from blindrelay.protocol.transparency.policy import Trust

#: Of a relay that listens where relays do: the logs are two ports further.
DEFAULT_PORT: Final = 8885
_MAX_FILE: Final = 65_536


@dataclass(frozen=True, slots=True)
class LogsAddress:
    """A relay's public logs.

    Attributes:
        ca: CA certificates in PEM; no other counts, the system's neither.
        policies: by the log's name: its policy (https://c2sp.org/tlog-policy), where anybody but the relay has said it.
    """

    host: str
    port: int
    ca: bytes = field(repr=False)
    policies: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """What is before everything that the relay shows to everybody."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}/"

    def url(self, log: str) -> str:
        """What is before the paths of a log's files."""
        return f"{self.origin}logs/{log}/"

    @classmethod
    def from_url(cls, url: str, ca: Path, policy: Path | None = None) -> Self:
        """Parse `https://host:port`, or the relay's own `mqtts://host:port`, whose logs are two ports further.

        Raises:
            Malformed: the URL or the policy has another form.
            NotEnrolled: one of the files cannot be read.
        """
        parts = urlsplit(url)
        further = {"https": 0, "mqtts": 2}.get(parts.scheme)
        try:
            port = DEFAULT_PORT if parts.port is None else parts.port + (further or 0)
        except ValueError:
            port = 0
        if further is None or not parts.hostname or not 0 < port < 65_536 or parts.path.strip("/") or parts.query:
            raise Malformed(f"{url[:80]!r} is not where logs are: expected https://host:port, or mqtts://host:port")
        return cls(parts.hostname, port, _read(ca), {} if policy is None else _named(policy))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read what `blindrelay up` wrote; raise `Malformed`, or `NotEnrolled` if that relay serves no logs."""
        try:
            endpoint = Endpoint.read(path)
        except OSError as error:
            raise NotEnrolled(
                f"{path} cannot be read ({error.strerror}); start a relay with `blindrelay up`"
            ) from error
        if endpoint.logs_port is None:
            raise NotEnrolled(f"{path} does not say where its relay's logs are: name the place, https://host:port")
        policies: dict[str, str] = {}
        for policy in (endpoint.directory_policy, endpoint.lawful_access_policy):
            policies |= {} if policy is None else _named(path.parent / policy)
        return cls(endpoint.host, endpoint.logs_port, _read(path.parent / endpoint.ca_certificate), policies)

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The logs of the environment, else those of the relay that runs on this machine.

        `BLINDRELAY_LOGS` says where, or else `BLINDRELAY_URL`; `BLINDRELAY_CA` and `BLINDRELAY_LOG_POLICY` name files.

        Raises:
            NotEnrolled: there are none.
            Malformed: a variable or file is not of its form.
        """
        variables = os.environ if environment is None else environment
        if url := variables.get("BLINDRELAY_LOGS") or variables.get("BLINDRELAY_URL"):
            ca, policy = variables.get("BLINDRELAY_CA"), variables.get("BLINDRELAY_LOG_POLICY")
            if not ca:
                raise NotEnrolled("BLINDRELAY_CA is not set: expected the file of the relay's certificate")
            return cls.from_url(url, Path(ca), Path(policy) if policy else None)
        path = home(variables) / "relay" / FILE_NAME
        if not path.exists():
            raise NotEnrolled(
                f"there are no logs: BLINDRELAY_LOGS is not set, and no relay has left its address in {path}; "
                "start one with `blindrelay up`"
            )
        return cls.from_file(path)


def read_policy(path: Path) -> Trust:
    """The policy in a file.

    Raises:
        NotEnrolled: it cannot be read.
        Malformed: it is none.
    """
    try:
        return Trust.parse(_read(path).decode("utf-8", "replace"))
    except Malformed as error:
        raise Malformed(f"{path} is no policy of a log: {error}") from None


def _named(path: Path) -> dict[str, str]:
    """A policy, by the name of its log: the last part of the origin."""
    trust = read_policy(path)
    return {trust.log.name.rpartition("/")[2]: str(trust)}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE)
    except OSError as error:
        raise NotEnrolled(f"{path}, by which to know the relay, cannot be read: {error.strerror}") from error
