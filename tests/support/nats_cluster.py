"""Three NATS servers that are one cluster, with TLS and credentials as operators give them out: real, and gone afterwards."""

import base64
import contextlib
import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nkeys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from .nats import NatsServer


@dataclass(frozen=True)
class Identity:
    """A key of NATS's own kind (Ed25519)."""

    seed: bytes

    @classmethod
    def new(cls, kind: int) -> "Identity":
        """A new one: operator, account or user, by its prefix."""
        return cls(bytes(nkeys.encode_seed(os.urandom(32), kind)))

    @property
    def pair(self) -> Any:
        """What signs."""
        return nkeys.from_seed(bytearray(self.seed))

    @property
    def name(self) -> str:
        """Its public key, as NATS writes it."""
        return str(self.pair.public_key.decode())


def token(issuer: Identity, subject: Identity, kind: str, **claims: object) -> str:
    """What `issuer` says of `subject`: a JWT as `nsc` makes it."""
    body: dict[str, Any] = {
        "iat": int(time.time()),
        "iss": issuer.name,
        "sub": subject.name,
        "name": kind,
        "nats": {"type": kind, "version": 2, **claims},
    }
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().strip("=")
    said = b".".join(map(_encoded, ({"typ": "JWT", "alg": "ed25519-nkey"}, body)))
    return f"{said.decode()}.{_url(issuer.pair.sign(said)).decode()}"


def _encoded(value: object) -> bytes:
    return _url(json.dumps(value, separators=(",", ":")).encode())


def _url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Account:
    """An operator with one account, and the users whom it lets in."""

    def __init__(self) -> None:
        self._operator = Identity.new(nkeys.PREFIX_BYTE_OPERATOR)
        self._account = Identity.new(nkeys.PREFIX_BYTE_ACCOUNT)

    @property
    def configuration(self) -> str:
        """For a server."""
        everything = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
        account = token(self._operator, self._account, "account", limits={**everything, "wildcards": True})
        operator = token(self._operator, self._operator, "operator")
        return f"operator: {operator}\nresolver: MEMORY\nresolver_preload: {{ {self._account.name}: {account} }}\n"

    def write_user(self, path: Path) -> Path:
        """A credentials file of a new user."""
        user = Identity.new(nkeys.PREFIX_BYTE_USER)
        said = token(self._account, user, "user", subs=-1, data=-1, payload=-1)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{said}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )
        return path


def write_certificates(folder: Path) -> Path:
    """A CA, and a certificate of it for 127.0.0.1 (`server.crt`, `server.key`); the file of the CA."""
    folder.mkdir(exist_ok=True)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nats")])
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, public: Any, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(name, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        return builder.add_extension(extension, critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    (folder / "ca.crt").write_bytes(certificate(name, key.public_key(), x509.BasicConstraints(ca=True, path_length=0)))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (folder / "server.crt").write_bytes(certificate(x509.Name([]), own.public_key(), address))
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(pem)
    return folder / "ca.crt"


def server(folder: Path, name: str, configuration: str = "", *, tls: Path | None = None) -> NatsServer:
    """A server that has not been started. `tls`: the folder of its certificate."""
    place = folder / name
    place.mkdir()
    if tls is not None:
        configuration += f'tls {{ cert_file: "{tls / "server.crt"}", key_file: "{tls / "server.key"}" }}\n'
    (place / "nats.conf").write_text(configuration)
    return NatsServer(place, ["-c", str(place / "nats.conf")], "tls" if tls else "nats")


@contextlib.contextmanager
def three(folder: Path, configuration: str, tls: Path) -> Iterator[list[NatsServer]]:
    """A cluster of three."""
    servers: list[NatsServer] = []
    try:
        for name in ("a", "b", "c"):
            routes = f'routes: ["nats://127.0.0.1:{_cluster_port(servers[0])}"]' if servers else ""
            cluster = f'server_name: {name}\ncluster {{ name: test, listen: "127.0.0.1:-1", {routes} }}\n'
            servers.append(server(folder, name, configuration + cluster, tls=tls))
            servers[-1].start()
        yield servers
    finally:
        for each in servers:
            each.stop()


def _cluster_port(running: NatsServer) -> int:
    assert running.process is not None
    ports = json.loads((running.folder / f"nats-server_{running.process.pid}.ports").read_text())
    return int(ports["cluster"][0].rpartition(":")[2])
