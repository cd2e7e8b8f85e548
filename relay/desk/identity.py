"""Who the relay is towards authorities and users: a key that signs packages, notices and statements, and its certificate."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.clock import Clock
from blindrelay.relay.errors import Unreadable

_KEY: Final = "desk.key"
_CERTIFICATE: Final = "desk.crt"
# Authorities and devices keep the certificate and compare: nobody renews it. Days.
_VALID: Final = 3_650


@dataclass(frozen=True, slots=True)
class DeskIdentity:
    """The desk's P-256 key and self-signed certificate: `desk.key` and `desk.crt`, mode 0600, in the data directory.

    `id` is what a request names as its receiver: the first 32 hex digits of the SHA-256 of the certificate.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def open(cls, folder: Path, clock: Clock) -> Self:
        """Read the identity in `folder`; make it if there is none.

        Raises:
            Unreadable: one of the two files is missing or damaged, or the folder cannot be written.
        """
        key_path, certificate_path = folder / _KEY, folder / _CERTIFICATE
        try:
            if not certificate_path.exists():
                # The certificate comes last: a key without one was left by a crash, and nobody has seen it.
                _make(key_path, certificate_path, clock)
            key = load_pem_private_key(key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        except OSError as error:
            raise Unreadable(f"{error.filename or folder} cannot be read or written: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise Unreadable(f"{key_path} or {certificate_path} is damaged: restore both from a backup") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise Unreadable(f"{key_path} is not the key of {certificate_path}: restore both from a backup")
        return cls(key, certificate)

    @property
    def id(self) -> str:
        """The relay's name in requests."""
        return fingerprint(self.certificate).hex()[:32]

    @property
    def pem(self) -> str:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over `data`, DER. Whoever signs puts into `data` what it is for."""
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def _make(key_path: Path, certificate_path: Path, clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(clock.now(), UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blindrelay lawful desk")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + timedelta(days=_VALID))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_private(certificate_path, certificate.public_bytes(Encoding.PEM))


def write_private(path: Path, data: bytes) -> None:
    """Create or replace `path` (mode 0600), whole or not at all, and durably."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
