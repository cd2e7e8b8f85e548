"""The data directory: what a relay keeps on disk besides messages, and who may look at it.

| file                | what it is                                                                |
|---------------------|---------------------------------------------------------------------------|
| `lock`              | held (flock) while a relay runs                                           |
| `version`           | the layout's version, a number                                            |
| `relay.key`, `.crt` | the relay's own TLS key and certificate (PEM); clients trust the latter   |
| `registration-code` | whoever holds it may register tenants                                     |
| `relay.db`          | the store                                                                 |
| `logs/`             | the public logs, as they are published; policies to verify them by        |
| `log-keys/`         | what the logs are signed with, apart from the TLS key                     |
| `blindrelay.toml`   | configuration, if anybody wrote one                                       |
| `moved-to`          | where the state is now, after `blindrelay store copy`                     |

The directory has mode 0700 and every file 0600. There is no key of a tenant or device in it.

What a relay is known by (`relay.key`, `relay.crt`, `registration-code`, `log-keys/`, the desk's key) is in an identity
directory instead when several nodes are one relay: all have the same, none writes it (`blindrelay.relay.cluster.identity`).
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blindrelay.relay import config, files
from blindrelay.relay.errors import BadConfiguration, DataDirectoryInUse, NewerVersion, Unreadable

#: The layout of the directory. The database has a version of its own.
LAYOUT_VERSION = 1
#: There when the state has been moved to another store: that one's address.
MOVED = "moved-to"
# Nobody renews it: clients trust this very certificate, and a new one is made by deleting both files.
CERTIFICATE_LIFETIME = timedelta(days=3_650)
_CODE_BYTES = 20
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600


class DataDirectory:
    """An open data directory, locked against other relays. A context manager; `close` gives the lock back."""

    def __init__(self, path: Path, identity: Path, lock: int, registration_code: str) -> None:
        self.path = path
        self.identity = identity
        self._lock: int | None = lock
        self._registration_code = registration_code

    @classmethod
    def open(
        cls, path: Path, *, now: float, lifetime: timedelta = CERTIFICATE_LIFETIME, identity: Path | None = None
    ) -> Self:
        """Open `path`, creating what is not there; a new certificate is good from `now` (epoch seconds) for `lifetime`.

        `identity`: where that is which the nodes of one relay have in common; nothing is created there.

        Raises:
            DataDirectoryInUse: a relay runs on it.
            NewerVersion: a newer release wrote it.
            Unreadable: a file in it cannot be read, written or understood.
        """
        try:
            path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            path.chmod(_DIRECTORY_MODE)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        except OSError as error:
            raise Unreadable(f"{path} cannot be used as a data directory: {error.strerror}") from error
        try:
            return cls._fill(path, lock, now, lifetime, identity)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def _fill(cls, path: Path, lock: int, now: float, lifetime: timedelta, identity: Path | None) -> Self:
        _lock(path, lock)
        try:
            _check_version(path / "version")
            if identity is None:
                create_identity(path, now, lifetime)
            return cls(path, identity or path, lock, registration_code(identity or path))
        except OSError as error:
            raise Unreadable(f"{error.filename or path} cannot be read or written: {error.strerror}") from error

    @property
    def key(self) -> Path:
        """The relay's TLS private key."""
        return self.identity / "relay.key"

    @property
    def certificate(self) -> Path:
        """The relay's TLS certificate: what clients trust."""
        return self.identity / "relay.crt"

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "relay.db"

    @property
    def configuration(self) -> Path:
        """The configuration file, whether there is one or not."""
        return self.path / config.FILE_NAME

    @property
    def registration_code(self) -> str:
        """Whoever holds it may register tenants."""
        return self._registration_code

    def refuse_moved(self) -> None:
        """Raise `BadConfiguration` when the state is in another store by now: what is here is older, and to go on with it would
        be to hand out prekeys again, and messages that have been read."""
        marker = self.path / MOVED
        if marker.exists():
            raise BadConfiguration(
                f"the state of {self.path} has been moved to {marker.read_text().strip()}: start the relay with --store and "
                f"that. To go back to what it was before, and lose what has come since, delete {marker}"
            )

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)

    def keep_locked(self) -> None:
        """Let `close` leave the lock to the end of the process: something may still be written."""
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the data directory of a relay that does not run, so that none starts on it; nothing in it is made or changed.

    Raises `DataDirectoryInUse`, `NewerVersion`, `Unreadable`.
    """
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    except OSError as error:
        raise Unreadable(f"{path} cannot be used as a data directory: {error.strerror}") from error
    try:
        _lock(path, lock)
        if (path / "version").exists():
            _check_version(path / "version")
        yield
    finally:
        os.close(lock)


def _lock(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataDirectoryInUse(
            f"{path} is in use by another relay: stop that one, or choose another directory"
        ) from error


def _check_version(path: Path) -> None:
    if not path.exists():
        files.write_durably(path, f"{LAYOUT_VERSION}\n".encode())
        return
    text = path.read_bytes().decode("ascii", "replace").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Unreadable(f"{path} is damaged: expected a number, the version of the data directory's layout")
    if int(text) > LAYOUT_VERSION:
        raise NewerVersion(
            f"{path.parent} was written by a newer release (layout {text}, this one knows {LAYOUT_VERSION}): "
            "install that release, or choose another directory"
        )


def create_identity(
    folder: Path, now: float, lifetime: timedelta = CERTIFICATE_LIFETIME, hosts: Sequence[str] = ()
) -> None:
    """Make the TLS key and certificate and the registration code that are not in `folder` yet.

    The certificate is good for localhost and for `hosts`, names or addresses. Raises `OSError`; `Unreadable`: one of key and
    certificate is there without the other.
    """
    _create_certificate(folder, now, lifetime, hosts)
    path = folder / "registration-code"
    if not path.exists():
        files.write_durably(path, f"{secrets.token_urlsafe(_CODE_BYTES)}\n".encode())
    path.chmod(_FILE_MODE)


def registration_code(folder: Path) -> str:
    """The registration code in `folder`. Raises `OSError`; `Unreadable`: it is none."""
    path = folder / "registration-code"
    code = path.read_bytes().decode("ascii", "replace").strip()
    # An empty file must not mean that an empty password registers tenants.
    if len(code) < 16 or not code.isascii():
        raise Unreadable(f"{path} is damaged: expected a registration code; delete the file to get a new one")
    return code


def _create_certificate(folder: Path, now: float, lifetime: timedelta, hosts: Sequence[str]) -> None:
    key_path, certificate_path = folder / "relay.key", folder / "relay.crt"
    if certificate_path.exists() != key_path.exists():
        lost, left = (key_path, certificate_path) if certificate_path.exists() else (certificate_path, key_path)
        raise Unreadable(f"{lost} is missing: restore it, or delete {left} too to get a new certificate")
    if certificate_path.exists():
        key_path.chmod(_FILE_MODE)
        return
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = _self_signed(key, datetime.fromtimestamp(now, UTC), lifetime, hosts)
    files.write_durably(key_path, pem)
    files.write_durably(certificate_path, certificate.public_bytes(Encoding.PEM))


def _self_signed(
    key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta, hosts: Sequence[str]
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blindrelay")])
    public_key = key.public_key()
    names = [_general_name(host) for host in dict.fromkeys(("localhost", "127.0.0.1", "::1", *hosts))]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clients' clocks differ
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
