"""Makes what the services of docker-compose.yml keep from each other: keys, passwords, certificates. Once; what is there stays.

Each folder below /secrets is a volume, and goes to those alone that need it:

    identity/   what the nodes are known by                              relay, desk
    node/       how a node gets into the database and into NATS          relay, desk
    migrate/    the owner of the tables                                  migrate
    postgres/   the database's own certificate, and its passwords        postgres
    nats/       likewise                                                 nats1, nats2, nats3
    people/     by what clients know the relay; the registration code    demo
    logs/       by what the public logs are known: no secret             witness

/witness is the folder of the witness. Runs as the user of the image; nothing of it is in the environment or in an image.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from blindrelay.policies import leaves
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.transparency import directory
from blindrelay.relay.cluster import identity
from blindrelay.relay.transparency.keys import FOLDER as LOG_KEYS
from blindrelay.relay.transparency.keys import open_keys
from blindrelay.witness.folder import Folder

PLACE = Path("/secrets")
WITNESS = Path("/witness")
#: Names by which clients reach the relay from outside, and the address that they are sent to when a node leaves.
HOSTS = os.environ.get("RELAY_HOSTS", "localhost 127.0.0.1").split()
ADDRESS = os.environ.get("RELAY_ADDRESS", "localhost:8883")
ORIGIN = os.environ.get("LOG_ORIGIN") or None
_DAYS = timedelta(days=3_650)


def write(path: str, text: str | bytes, mode: int = 0o444) -> None:
    """A file that is not there yet. Its volume is what keeps it from others."""
    file = PLACE / path
    if not file.exists():
        partial = file.with_name(f".{file.name}.partial")
        partial.write_bytes(text if isinstance(text, bytes) else text.encode())
        partial.chmod(mode)
        partial.replace(file)


def password(path: str) -> str:
    """The password in this file, made now if there is none."""
    write(path, secrets.token_hex(24))
    return (PLACE / path).read_text()


def certificates() -> None:
    """A CA that nobody has afterwards, and a certificate of it for each server within."""
    if (PLACE / "nats" / "server.key").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blindrelay compose")])
    now = datetime.now(UTC)
    ca = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    for place in ("node", "migrate", "nats"):
        write(f"{place}/ca.crt", ca.public_bytes(Encoding.PEM))
    for place, hosts in (("postgres", ["postgres"]), ("nats", ["nats1", "nats2", "nats3"])):
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder(name, x509.Name([]), own.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _DAYS)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write(f"{place}/server.crt", certificate.public_bytes(Encoding.PEM))
        write(f"{place}/server.key", own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def database() -> None:
    """Two logins: one owns the tables, one reads and writes rows."""
    write("postgres/superuser", secrets.token_hex(24))
    for login, place in (("owner", "migrate"), ("relay", "node")):
        word = password(f"postgres/{login}")
        ca = f"/run/secrets/{place}/ca.crt"
        write(f"{place}/store", f"postgresql://{login}:{word}@postgres/blindrelay?sslmode=verify-full&sslrootcert={ca}")


def nats() -> None:
    """A token for the nodes, and a password for the servers among themselves."""
    token, word = secrets.token_hex(24), secrets.token_hex(24)
    if not (PLACE / "nats" / "auth.conf").exists():
        write("node/nats.token", token)
        write("nats/auth.conf", f'authorization {{ token: "{token}" }}\n')
        routes = ", ".join(f'"nats://route:{word}@nats{number}:6222"' for number in (1, 2, 3))
        write(
            "nats/cluster.conf",
            "cluster {\n  name: blindrelay\n  port: 6222\n"
            f'  authorization {{ user: route, password: "{word}" }}\n  routes: [{routes}]\n'
            "  tls { cert_file: /run/secrets/nats/server.crt, key_file: /run/secrets/nats/server.key, "
            "ca_file: /run/secrets/nats/ca.crt }\n}\n",
        )


def relay() -> None:
    """The identity, the witness, the configuration of a node, and what clients are told."""
    identity.create(PLACE / "identity", SystemClock(), hosts=[*HOSTS, "balancer"], origin=ORIGIN)
    if not (WITNESS / "witness.key").exists():
        with Folder.open(WITNESS, "witness", SystemClock()):
            pass  # it has its key now
    line = f"witness witness {Folder.read(WITNESS).keys[-1].verifier} http://witness:7380"
    write(
        "node/relay.toml",
        f'elsewhere = ["{ADDRESS}"]\n'
        "# The balancer says whose each connection is; nobody else is in its network.\n"
        'proxies = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]\n'
        f'[logs]\nwitnesses = ["{line}"]\n',
    )
    for name in (directory.NAME, leaves.NAME):
        keys = open_keys(PLACE / "identity" / LOG_KEYS, name, None)
        write(f"logs/{name}.keys", "".join(f"{key.verifier}\n" for key in keys))
    write("people/relay.crt", (PLACE / "identity" / "relay.crt").read_bytes())
    write("people/registration-code", (PLACE / "identity" / "registration-code").read_bytes())
    Endpoint(
        host="balancer",
        port=8_883,
        ca_certificate="relay.crt",
        registration_code="registration-code",
        desk_port=8_884,
        logs_port=8_885,
    ).write(PLACE / "people" / "endpoint.json")


certificates()
database()
nats()
relay()
