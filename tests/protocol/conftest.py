"""A certificate authority in a dozen lines, for tests that need certificates of every wrong kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = 1_800_000_000


def usage(**bits: bool) -> x509.KeyUsage:
    """A key usage extension with only these bits."""
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names})


@dataclass
class Authority:
    """A tenant's CA that will sign anything."""

    root: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def of(cls, common_name: str, *, path_length: int | None = 0, curve: ec.EllipticCurve | None = None) -> "Authority":
        key = ec.generate_private_key(curve or ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            cls.builder(name, name, key.public_key(), -60, 3600)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @staticmethod
    def builder(
        subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: int, end: int
    ) -> x509.CertificateBuilder:
        moment = datetime.fromtimestamp(NOW, UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment + timedelta(seconds=start))
            .not_valid_after(moment + timedelta(seconds=end))
        )

    def issue(
        self,
        *uris: str,
        key: ec.EllipticCurvePrivateKey | None = None,
        start: int = -60,
        end: int = 3600,
        purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = [*map(x509.UniformResourceIdentifier, uris), *names]
        builder = self.builder(x509.Name([]), self.root.subject, key.public_key(), start, end)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            builder.add_extension(identifier, critical=False)
            .add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="session")
def authority() -> Callable[..., Authority]:
    """Make an authority for a tenant."""
    return Authority.of
