"""Tenants and their devices' certificates, made with `cryptography` directly: independent of what our clients do.

`Tenant.issue` signs anything, wrong names and times included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.statements import (
    DeviceStatement,
    Leaving,
    Prekey,
    Purpose,
    Revocation,
    RevocationReason,
    Signed,
)

HOUR = 3_600.0
SIGNING = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
CERTIFYING = x509.KeyUsage(False, False, False, False, False, True, False, False, False)


@dataclass(frozen=True)
class Badge:
    """A certificate with its key, and the files that programs want them in."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate_file: Path
    key_file: Path
    address: DeviceAddress | None = None

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def device(self) -> DeviceAddress:
        assert self.address is not None
        return self.address

    def statement(self, sequence: int = 1, token: DeliveryToken | None = None, **changes: object) -> Signed:
        """A signed statement; its keys are made up, for the relay does not use them."""
        values: dict[str, object] = {
            "device": self.device,
            "sequence": sequence,
            "issued_at": 1_800_000_000,
            "identity_key": bytes([1]) * 32,
            "signing_key": bytes([2]) * 32,
            "sealing_key": bytes([3]) * 1_216,
            "token_verifier": (token or DeliveryToken(bytes(32))).verifier,
        }
        return Signed.create(Purpose.STATEMENT, DeviceStatement.model_validate({**values, **changes}), self.key)

    def prekey(self, number: int, kind: str = "one-time", device: DeviceAddress | None = None) -> Signed:
        content = Prekey.model_validate(
            {"device": device or self.device, "kind": kind, "key": number.to_bytes(32, "big")}
        )
        return Signed.create(Purpose.PREKEY, content, self.key)


class Tenant:
    """A tenant's CA. Files are written to `folder`."""

    def __init__(self, name: str, folder: Path, *, common_name: str | None = None) -> None:
        self.name = name
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._serial = 0
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
        self.root = (
            self._builder(subject, subject, self.key.public_key(), -HOUR, 1_000 * HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(CERTIFYING, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def root_der(self) -> bytes:
        return self.root.public_bytes(Encoding.DER)

    def device(self, user: str, device: str, **options: object) -> Badge:
        """A device's ordinary certificate."""
        address = DeviceAddress(self.name, user, device)
        badge = self.issue(f"blindrelay:{address}", **options)  # type: ignore[arg-type]
        return Badge(badge.certificate, badge.key, badge.certificate_file, badge.key_file, address)

    def administrator(self) -> Badge:
        """The administrator's certificate."""
        return self.issue(f"blindrelay:{self.name}")

    def issue(
        self,
        *uris: str,
        names: Sequence[x509.GeneralName] = (),
        start: float = -HOUR,
        end: float = 24 * HOUR,
        key: ec.EllipticCurvePrivateKey | None = None,
        signer: Self | None = None,
    ) -> Badge:
        """A certificate for these URIs; `signer` signs it with another key than the one it says."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = [*map(x509.UniformResourceIdentifier, uris), *names]
        builder = self._builder(x509.Name([]), self.root.subject, key.public_key(), start, end)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
        certificate = (
            builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
            .add_extension(SIGNING, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign((signer or self).key, hashes.SHA256())
        )
        return self._write(certificate, key)

    def self_signed(self, uri: str) -> Badge:
        """A certificate that nobody but its own key vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        certificate = (
            self._builder(name, name, key.public_key(), -HOUR, HOUR)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        return self._write(certificate, key)

    def revocation(
        self, badge: Badge, reason: RevocationReason = RevocationReason.KEY_COMPROMISE, signer: Self | None = None
    ) -> Signed:
        """The tenant's word that the certificate is withdrawn."""
        content = Revocation(
            device=badge.device,
            certificate=fingerprint(badge.certificate),
            revoked_at=1_800_000_000,
            reason=reason,
        )
        return Signed.create(Purpose.REVOCATION, content, (signer or self).key)

    def leaving(self, log: str, signer: Self | None = None, **changes: object) -> Signed:
        """The tenant's word that it leaves the relay with this log."""
        values = {"tenant": self.name, "root": fingerprint(self.root), "log": log, "left_at": 1_800_000_000, **changes}
        return Signed.create(Purpose.LEAVING, Leaving.model_validate(values), (signer or self).key)

    def _write(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Badge:
        self._serial += 1
        certificate_file, key_file = (self.folder / f"{self.name}-{self._serial}.{kind}" for kind in ("crt", "key"))
        certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Badge(certificate, key, certificate_file, key_file)

    @staticmethod
    def _builder(
        subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: float, end: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(seconds=start))
            .not_valid_after(now + timedelta(seconds=end))
        )
