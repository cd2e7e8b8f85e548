"""Who an authority is: a root of its own, an officer's certificate, and the key that packages are sealed to.

On disk (directory 0700, files 0600)::

    card.json       what is shown to a relay's operator: root certificate, package key, names. Not secret
    officer.der     the officer's certificate
    secrets.json    root key, officer's key, package key; sealed under a passphrase (argon2id, ChaCha20-Poly1305) when one is
                    given
    relay.json      the relay that was met first, and its certificate: another one is refused later

The certificates follow the profile of `protocol.officers`.
"""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field, ValidationError

from blindrelay.clients.envelope import SealingKeyPair
from blindrelay.clients.errors import (
    AuthorityError,
    AuthorityLocked,
    IdentityRejected,
    StoreDamaged,
    StoreError,
    WrongPassphrase,
)
from blindrelay.clients.vault import Cost, Header, Vault
from blindrelay.policies.exchange import CALL_TYPE, AuthorityCard, RelayIdentity
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.officers import OfficerName, officer_of, verify_officer
from blindrelay.protocol.statements import Wire

CARD: Final = "card.json"
_OFFICER, _SECRETS, _RELAY = "officer.der", "secrets.json", "relay.json"

ROOT_LIFETIME: Final = timedelta(days=3_650)
# Officers change their posts; the root issues them anew.
OFFICER_LIFETIME: Final = timedelta(days=397)
# Clocks differ a little: a certificate is good for those, too, that are behind.
_BACKDATED: Final = timedelta(hours=1)


class _Secrets(Wire):
    root: Annotated[bytes, Field(max_length=1_024, repr=False)]
    officer: Annotated[bytes, Field(max_length=1_024, repr=False)]
    package: Annotated[bytes, Field(min_length=96, max_length=96, repr=False)]


class _SecretsFile(Wire):
    """Exactly one of `plain` and (`header`, `sealed`) is there."""

    plain: Annotated[_Secrets | None, Field(repr=False)] = None
    header: Header | None = None
    sealed: Annotated[bytes | None, Field(max_length=8_192)] = None


class AuthorityIdentity:
    """An authority, speaking through one of its officers.

    Attributes:
        card: how it introduces itself.
        officer: who speaks.
        certificate: the officer's.
        package_key: what its packages are sealed to.
        root: the certificate that a relay's register holds.
    """

    def __init__(self, card: AuthorityCard, certificate: x509.Certificate, secrets: _Secrets, directory: Path) -> None:
        self.card = card
        self.certificate = certificate
        self.officer = officer_of(certificate).officer
        self.directory = directory
        self.package_key = SealingKeyPair.from_seeds(secrets.package)
        self.root = x509.load_pem_x509_certificate(card.root_certificate.encode())
        self._root_key = _load_key(secrets.root)
        self._key = _load_key(secrets.officer)
        if public_key(certificate) != self._key.public_key() or self.package_key.public != card.package_key:
            raise Malformed("keys and certificates do not belong together")

    def __repr__(self) -> str:
        return f"AuthorityIdentity({self.card.id}, {self.officer})"

    @classmethod
    def create(
        cls,
        directory: Path,
        name: OfficerName,
        title: str,
        jurisdiction: str,
        kind: AuthorityKind,
        clock: Clock,
        passphrase: str | None = None,
        cost: Cost | None = None,
    ) -> "AuthorityIdentity":
        """Make an authority and its first officer.

        Args:
            directory: where it is kept; it must not hold one already.
            name: the authority's id, and the officer's name.
            title: what the authority is called in letters.
            jurisdiction, kind: what it says of itself; the operator of a relay confirms it, or does not.
            clock: for validity periods.
            passphrase: under which the secrets are sealed; without one the files' mode alone protects them.
            cost: of trying passphrases.

        Raises:
            AuthorityError: there is one already, or the directory cannot be written.
            Malformed: a name or the jurisdiction is none.
        """
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        package = SealingKeyPair.generate()
        root = _make_root(name.authority, root_key, clock)
        try:
            card = AuthorityCard(
                id=name.authority,
                name=title,
                jurisdiction=jurisdiction,
                kind=kind,
                root_certificate=root.public_bytes(Encoding.PEM).decode(),
                package_key=package.public,
                officers=(name.officer,),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Malformed(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        certificate = _issue(name, key, root, root_key, clock)
        secrets = _Secrets(root=_key_bytes(root_key), officer=_key_bytes(key), package=package.seeds)
        files = {
            _SECRETS: _seal(secrets, passphrase, cost or Cost()).model_dump_json(exclude_none=True).encode(),
            _OFFICER: certificate.public_bytes(Encoding.DER),
            CARD: card.model_dump_json(indent=2).encode() + b"\n",
        }
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
            for file, data in files.items():
                _write(directory / file, data)
        except FileExistsError:
            raise AuthorityError(f"{directory} holds an authority already: use it, or choose another place") from None
        except OSError as error:
            raise AuthorityError(f"{directory} cannot be written: {error.strerror}") from None
        return cls(card, certificate, secrets, directory)

    @classmethod
    def open(cls, directory: Path, passphrase: str | None = None) -> "AuthorityIdentity":
        """Open an authority on disk.

        Raises:
            AuthorityError: there is none, or it is damaged.
            AuthorityLocked: `passphrase` is missing or wrong.
        """
        try:
            card = AuthorityCard.model_validate_json((directory / CARD).read_bytes())
            certificate = load((directory / _OFFICER).read_bytes())
            file = _SecretsFile.model_validate_json((directory / _SECRETS).read_bytes())
            return cls(card, certificate, _unseal(file, passphrase), directory)
        except FileNotFoundError:
            raise AuthorityError(
                f"there is no authority in {directory}: make one with `blindrelay authority init`"
            ) from None
        except OSError as error:
            raise AuthorityError(f"the authority in {directory} cannot be read: {error.strerror}") from None
        except WrongPassphrase:
            raise AuthorityLocked(f"the passphrase does not open the authority in {directory}") from None
        except (Malformed, VerificationFailed, StoreDamaged, ValueError):
            raise AuthorityError(f"the authority in {directory} is damaged: restore it from a backup") from None

    @property
    def name(self) -> OfficerName:
        """The authority's id and the officer's name."""
        return OfficerName(self.card.id, self.officer)

    def speaking_as(self, officer: str, clock: Clock) -> "AuthorityIdentity":
        """The same authority by another officer, with a key of their own; it is in memory alone.

        Whether a relay listens to that officer is for its register. Raises `Malformed` for what is no name.
        """
        name, key = OfficerName(self.card.id, officer), ec.generate_private_key(ec.SECP256R1())
        secrets = _Secrets(root=_key_bytes(self._root_key), officer=_key_bytes(key), package=self.package_key.seeds)
        certificate = _issue(name, key, self.root, self._root_key, clock)
        return AuthorityIdentity(self.card, certificate, secrets, self.directory)

    def sign(self, payload: bytes) -> bytes:
        """A JWS in compact form (RFC 7515) over a call's JSON: ES256, with the certificates in `x5c`."""
        chain = [
            base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
            for certificate in (self.certificate, self.root)
        ]
        headers = {"typ": CALL_TYPE, "x5c": chain}
        return jwt.api_jws.encode(payload, self._key, "ES256", headers).encode()

    def check_valid(self, clock: Clock) -> None:
        """Raise `IdentityRejected` if the officer's certificate is not valid now: a relay would not say why it refuses."""
        try:
            verify_officer(self.certificate, self.root, clock.now())
        except VerificationFailed as error:
            raise IdentityRejected(str(self.officer), error.check, f"{error.reason}; `authority renew`") from None

    def renew(self, clock: Clock) -> None:
        """Issue the officer's certificate anew, for the same key. The relay need not be told: its register has the root.

        Raises:
            StoreError: it cannot be written.
        """
        certificate = _issue(self.name, self._key, self.root, self._root_key, clock)
        replace(self.directory / _OFFICER, certificate.public_bytes(Encoding.DER))
        self.certificate = certificate

    def relay(self) -> RelayIdentity | None:
        """The relay that this authority has met; None when it has met none.

        Raises:
            StoreDamaged: what is remembered of it cannot be read.
        """
        path = self.directory / _RELAY
        try:
            return RelayIdentity.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            raise StoreDamaged(f"{path} cannot be read: restore it from a backup") from None

    def meet(self, relay: RelayIdentity) -> RelayIdentity:
        """Remember `relay`, the first time; afterwards it must be the same one.

        Raises:
            IdentityRejected: another relay answers now, with another id or certificate.
            StoreError: it cannot be remembered.
        """
        known = self.relay()
        if known is None:
            replace(self.directory / _RELAY, relay.model_dump_json(indent=2).encode())
            return relay
        if (known.id, known.certificate) != (relay.id, relay.certificate):
            raise IdentityRejected(relay.id, "relay", f"{known.id} was met before, with another certificate")
        return relay


def replace(path: Path, data: bytes) -> None:
    """Create or replace a file, 0600, whole or not at all. Raises `StoreError`."""
    partial = path.with_name(f".{path.name}.new")
    try:
        partial.unlink(missing_ok=True)
        _write(partial, data)
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def _make_root(authority: str, key: ec.EllipticCurvePrivateKey, clock: Clock) -> x509.Certificate:
    now = datetime.fromtimestamp(int(clock.now()), UTC)
    # RFC 5280, appendix A.1: a common name has 64 characters at most, which `cryptography` holds to.
    try:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, authority)])
    except ValueError as error:
        raise Malformed(f"{authority[:80]!r} is no authority's id: expected 1 to 64 characters") from error
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def _issue(
    name: OfficerName,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    clock: Clock,
) -> x509.Certificate:
    now = datetime.fromtimestamp(int(clock.now()), UTC)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name.uri)])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + OFFICER_LIFETIME, root.not_valid_after_utc))
        .add_extension(names, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, SHA256())
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _load_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Malformed("a key is of another kind than it should be")
    return key


def _seal(secrets: _Secrets, passphrase: str | None, cost: Cost) -> _SecretsFile:
    if passphrase is None:
        return _SecretsFile(plain=secrets)
    vault = Vault.new()
    sealed = vault.seal("authority-identity", b"", secrets.model_dump_json().encode())
    return _SecretsFile(header=vault.lock(passphrase, cost), sealed=sealed)


def _unseal(file: _SecretsFile, passphrase: str | None) -> _Secrets:
    if file.plain is not None:
        return file.plain
    if file.header is None or file.sealed is None:
        raise Malformed("there are no secrets in it")
    if passphrase is None:
        raise AuthorityLocked("the authority is sealed under a passphrase: give it")
    opened = Vault.unlock(file.header, passphrase).open("authority-identity", b"", file.sealed)
    return _Secrets.model_validate_json(opened)


def _write(path: Path, data: bytes) -> None:
    """Write a new file, 0600, on stable storage when this returns."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
