"""The relay's configuration: one TOML file, every value with a default, a unit and a reason.

Read from `blindrelay.toml` in the data directory, or from the file that is named on the command line. An unknown key is an
error: a misspelt limit must not silently be the default.
"""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from blindrelay.relay.errors import BadConfiguration

FILE_NAME = "blindrelay.toml"

Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=10_000_000)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Days = Annotated[int, Field(ge=1, le=3_650)]
#: An IPv6 address is in brackets.
HostPort = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$")]


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # ValueError: it is none
    return text


Network = Annotated[str, AfterValidator(_network)]


class _Section(BaseModel):
    # Strict: a quoted number in TOML is somebody's mistake, and saying so is kinder than guessing.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """How much is too much. Rates are per second; a burst is what may come at once after a pause."""

    #: One device. A person writes one message a second at best; a mail to 500 people with several devices each is a burst.
    device_rate: Rate = 2_000
    device_burst: Burst = 4_000
    #: All devices of a tenant: more than one relay can make durable, so that it bites only where tenants share a faster store.
    tenant_rate: Rate = 50_000
    tenant_burst: Burst = 100_000
    #: One sealed connection: it writes to one user alone, and nobody can be held to account for it.
    sealed_rate: Rate = 100
    sealed_burst: Burst = 400
    #: A sender that never falls below its limit for this long is disconnected. Seconds.
    patience: Annotated[float, Field(gt=0, le=3_600)] = 30
    #: Requests (directory, prekeys) of one identity. Meeting 500 devices at once is the first mail to the whole company.
    request_rate: Rate = 100
    request_burst: Burst = 1_000
    #: One-time prekeys that one identity may take: enough to meet a company, too few to drain everybody's in a minute.
    claim_rate: Rate = 20
    claim_burst: Burst = 2_000
    #: Connections: all, of one address, and new ones of one address. A TLS handshake costs about a millisecond of processor.
    max_connections: Count = 20_000
    connections_per_address: Count = 5_000
    handshake_rate: Rate = 200
    handshake_burst: Burst = 2_000
    #: What may wait for one device: a month at 300 messages a day, and 256 MiB.
    mailbox_messages: Count = 10_000
    mailbox_bytes: Annotated[int, Field(ge=1_048_576)] = 268_435_456
    #: Devices of one tenant: what a tenant's CA that runs wild can make the relay remember.
    devices_per_tenant: Count = 100_000


class Retention(_Section):
    """For how long records are kept, in days. The purge job deletes what is older."""

    traffic_days: Days = 30
    access_days: Days = 30


class Desk(_Section):
    """The lawful desk: what authorities are answered, and by what rules of the operator's own."""

    #: Whether there is one. A relay without a desk answers no authority, and keeps what its retention keeps.
    enabled: bool = True
    #: Where it listens. Without a value: the port after the relay's, and a free one when the relay's is 0.
    https_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    #: How many different persons approve before anything leaves.
    approvals: Annotated[int, Field(ge=0, le=5)] = 2
    #: How far back an emergency reaches at most. Hours.
    emergency_hours: Annotated[int, Field(ge=1, le=720)] = 48
    #: More requests of an authority within 24 hours than this are a signal of fraud.
    max_requests_a_day: Annotated[int, Field(ge=1, le=10_000)] = 20
    #: For how long a package waits to be fetched. Days.
    package_days: Days = 30
    #: Jurisdictions whose statutes forbid what another one orders: `{us = ["ch"]}`.
    blocking_statutes: dict[str, list[str]] = {}
    #: Users of the service by jurisdiction, for thresholds of a statute, where more is known than who is enrolled here.
    service_users: dict[str, Count] = {}
    #: Folders with policy packs of the operator's own, besides those that come along.
    packs: Annotated[list[Annotated[Path, Field(strict=False)]], Field(max_length=100)] = []


class Logs(_Section):
    """The public logs: what they are called, where they are read, and whose cosignatures they are published with."""

    #: The first part of both logs' names, for ever: best a name that is yours, without a scheme (`relay.example/2026`). It is
    #: written into the keys on the first start; without a value it is made up then.
    origin: Annotated[str, Field(pattern=r"^[^\s+/]([^\s+]*[^\s+/])?$", max_length=200)] | None = None
    #: Where they are read. Without a value: the second port after the relay's, and a free one when the relay's is 0.
    https_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    #: Witnesses, each as the line of a log policy: `witness <name> <verifier key> <url>`.
    witnesses: Annotated[list[str], Field(max_length=20)] = []
    #: How many of them have to cosign before anything is published. Without a value: all of them.
    quorum: Annotated[int, Field(ge=0, le=20)] | None = None
    #: Older cosignatures are renewed: it is how a reader tells silence from withholding. Seconds.
    refresh_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600


class Operations(_Section):
    """The operations endpoint: health, metrics and status, in plain HTTP, for whoever runs the relay."""

    enabled: bool = True
    #: Whoever reaches it sees how much the relay does, and nothing of anybody: the loopback, or a network of the operator's.
    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    #: Without a value: the third port after the relay's, and a free one when the relay's is 0.
    http_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    #: Where traces go: an OTLP collector's URL (`http://127.0.0.1:4318/v1/traces`), or `file:///path` for a JSON object a line.
    #: Without a value there are none. It needs `blindrelay[traces]`.
    traces: Annotated[str, Field(pattern=r"^(https?://|file:///)\S+$", max_length=1_000)] | None = None
    #: The share of them that is sent, from 0 to 1.
    traces_share: Annotated[float, Field(ge=0, le=1)] = 0.01


Url = Annotated[str, Field(pattern=r"^(nats|tls)://[^\s/]+$", max_length=300)]
File = Annotated[Path, Field(strict=False)]


class Cluster(_Section):
    """This relay as one of several nodes, over the database that `store` names."""

    #: What this node is called; no two that run have the same name.
    node: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    #: NATS servers, by which nodes wake each other up. None: each looks for what is new, once a second.
    servers: Annotated[list[Url], Field(max_length=20)] = []
    #: The directory that all nodes have the same of: `blindrelay node init`.
    identity_dir: File
    #: Where clients reach this node, for those that another one sends here when it stops. Without a value: where it listens, if
    #: that is one address, and no balancer is in front of it.
    address: HostPort | None = None
    #: Certificates (PEM) by which the NATS servers are known; without it, those that the system trusts.
    ca: File | None = None
    #: A credentials file (JWT and seed) or a file with a token, for NATS servers that ask for one.
    credentials: File | None = None
    token: File | None = None


def default_data_directory() -> Path:
    """Where a user's programs keep data (XDG Base Directory Specification): `~/.local/share/blindrelay/relay`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "blindrelay" / "relay"


class Settings(_Section):
    """Everything that may be configured."""

    #: What the relay keeps on disk: see `datadir`.
    data_dir: Annotated[Path, Field(strict=False, default_factory=default_data_directory)]
    #: A PostgreSQL database instead of SQLite in the data directory: `postgresql://USER@HOST/DATABASE`.
    store: Annotated[SecretStr, Field(strict=False)] | None = None
    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    #: 8883 is IANA's port for MQTT over TLS; 0 takes a free one.
    port: Annotated[int, Field(ge=0, le=65_535)] = 8883
    #: Whether senders without certificate are admitted to whoever gave them a delivery token (posture `sealed`).
    sealed: bool = True
    #: How long a stop may take, from the signal to the end of the process, whatever clients and disks do. Seconds.
    drain_seconds: Annotated[float, Field(ge=1, le=3_600)] = 8
    #: Where clients are to go on when this relay stops: other nodes, or the balancer in front of them, as `host:port`.
    elsewhere: Annotated[list[HostPort], Field(max_length=8)] = []
    #: Balancers in front of the relay's port, as networks (`10.0.0.0/8`): each connection from there begins with the PROXY
    #: protocol (version 2), which says whose it is.
    proxies: Annotated[list[Network], Field(max_length=32)] = []
    limits: Limits = Limits()
    retention: Retention = Retention()
    desk: Desk = Desk()
    logs: Logs = Logs()
    operations: Operations = Operations()
    cluster: Cluster | None = None

    @property
    def desk_port(self) -> int:
        """Where the desk is to listen; 0: a free port."""
        if self.desk.https_port is not None:
            return self.desk.https_port
        return self.port + 1 if 0 < self.port < 65_535 else 0

    @property
    def logs_port(self) -> int:
        """Where the public logs are to be read; 0: a free port."""
        if self.logs.https_port is not None:
            return self.logs.https_port
        return self.port + 2 if 0 < self.port < 65_534 else 0

    @property
    def operations_port(self) -> int:
        """Where the operations endpoint is to listen; 0: a free port."""
        if self.operations.http_port is not None:
            return self.operations.http_port
        return self.port + 3 if 0 < self.port < 65_533 else 0


def load(data_dir: Path | None = None, file: Path | None = None, **overrides: object) -> Settings:
    """Read `file`, or else `blindrelay.toml` in the data directory if it is there; the command line's `overrides` count more:
    of a section, those of its keys that are given.

    `data_dir` None: the one that the file names, or the default.

    Raises:
        BadConfiguration: it cannot be read, is not TOML, or a value is not what its key demands: the message names the
            file, the key, the value and what was expected.
    """
    path = file or (data_dir or default_data_directory()) / FILE_NAME
    values = _read(path, required=file is not None)
    if data_dir is not None:
        values["data_dir"] = data_dir
    for key, value in overrides.items():
        section = values.get(key)
        values[key] = {**section, **value} if isinstance(section, dict) and isinstance(value, dict) else value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadConfiguration(f"{path}: {_sentence(error)}") from error


def _read(path: Path, *, required: bool) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        if required:
            raise BadConfiguration(f"{path} does not exist: name a configuration file that does") from error
        return {}
    except OSError as error:
        raise BadConfiguration(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} is not a TOML file: {error}") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting {key!r}: see the reference for those that there are"
    expected = first["msg"].removeprefix("Input should be ")
    return f"{key} = {first['input']!r:.80}: expected {expected}"
