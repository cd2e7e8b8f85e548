"""A tenant's own certificate authority. It stays with the enterprise: the relay gets to see the root certificate alone.

On disk (directories 0700, files 0600)::

    root.der            the root certificate
    secrets.json        root key and tenant secret; sealed under a passphrase (argon2id, ChaCha20-Poly1305) when one is given
    issued/<sha256>.der every certificate that was issued, so that it can be revoked
    revoked/<sha256>.json every revocation that was signed, by its certificate
    left/<sha256>.json  every leaving that was signed, by its digest in the public log, and for which relay

Certificates follow the profile of `protocol.certificates`: ECDSA P-256, one URI as subject alternative name, the subject
empty (RFC 5280, 4.1.2.6: the alternative name is critical then).
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field, ValidationError

from blindrelay.clients.errors import AuthorityError, AuthorityLocked, StoreDamaged, WrongPassphrase
from blindrelay.clients.vault import Cost, Header, Vault
from blindrelay.protocol.address import DeviceAddress, UserAddress, check_tenant
from blindrelay.protocol.certificates import (
    ARCHIVE_OID,
    AdministratorAddress,
    Subject,
    fingerprint,
    load,
    subject_of,
    subject_uri,
)
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import TOKEN_LENGTH, DeliveryToken
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.statements import Key32, Leaving, Purpose, Revocation, RevocationReason, Signed, Wire
from blindrelay.protocol.transparency.directory import signed_digest

ROOT_LIFETIME = timedelta(days=3_650)
# A year and a month, so that there is time to renew; the relay and all contacts refuse it afterwards.
DEVICE_LIFETIME = timedelta(days=397)
# Clocks differ a little: a certificate is good for those, too, that are behind.
_BACKDATED = timedelta(hours=1)

_ROOT, _SECRETS, _ISSUED, _REVOKED, _LEFT = "root.der", "secrets.json", "issued", "revoked", "left"


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when certificates are good, where that is not to be counted from the clock of the moment.

    For a world whose clock is not the machine's: TLS handshakes ask the machine, everybody else asks the clock that they
    were given, and a certificate has to satisfy both.
    """

    not_before: datetime
    not_after: datetime


class _Secrets(Wire):
    key: Annotated[bytes, Field(max_length=1_024, repr=False)]
    secret: Annotated[Key32, Field(repr=False)]


class _SecretsFile(Wire):
    """Exactly one of `plain` and (`header`, `sealed`) is there."""

    plain: Annotated[_Secrets | None, Field(repr=False)] = None
    header: Header | None = None
    sealed: Annotated[bytes | None, Field(max_length=4_096)] = None


class _Left(Wire):
    """A leaving, and where the relay is that it was signed for (host:port)."""

    relay: str
    leaving: Signed


class Authority:
    """The CA of one tenant, in memory or in a directory."""

    def __init__(
        self,
        root: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        secret: bytes,
        clock: Clock,
        directory: Path | None = None,
        validity: Validity | None = None,
    ) -> None:
        self.root = root
        self.tenant = _common_name(root)
        self._key = key
        self._secret = secret
        self._clock = clock
        self._directory = directory
        self._validity = validity
        self._issued: list[x509.Certificate] = [] if directory is None else _issued_in(directory)
        self._left: list[_Left] = [] if directory is None else _left_in(directory)

    def __repr__(self) -> str:
        return f"Authority({self.tenant})"

    @classmethod
    def create(
        cls,
        tenant: str,
        clock: Clock,
        directory: Path | None = None,
        passphrase: str | None = None,
        cost: Cost | None = None,
        *,
        validity: Validity | None = None,
    ) -> "Authority":
        """Make a tenant's root.

        Args:
            tenant: its name, a domain.
            clock: for validity periods.
            directory: where to keep it; in memory alone when None. It must not hold an authority already.
            passphrase: under which the secrets are sealed; without one the files' mode alone protects them.
            cost: of trying passphrases.
            validity: of the root, and of everything that this object issues; from now on, when None.

        Raises:
            Malformed: `tenant` is not a tenant's name.
            AuthorityError: there is an authority already, or the directory cannot be written.
        """
        check_tenant(tenant)
        key, secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(32)
        root = _make_root(tenant, key, validity or _from_now(clock, ROOT_LIFETIME))
        if directory is not None:
            secrets = _Secrets(key=_key_bytes(key), secret=secret)
            try:
                _lay_out(directory, root, _seal(secrets, passphrase, cost or Cost()))
            except FileExistsError:
                raise AuthorityError(
                    f"{directory} holds an authority already: open that, or choose another place"
                ) from None
            except OSError as error:
                raise AuthorityError(f"{directory} cannot be written: {error.strerror}") from None
        return cls(root, key, secret, clock, directory, validity)

    @classmethod
    def open(cls, directory: Path, clock: Clock, passphrase: str | None = None) -> "Authority":
        """Open an authority on disk.

        Raises:
            AuthorityError: there is none, or it is damaged.
            AuthorityLocked: `passphrase` is missing or wrong.
        """
        try:
            root = load((directory / _ROOT).read_bytes())
            file = _SecretsFile.model_validate_json((directory / _SECRETS).read_bytes())
            secrets = _unseal(file, passphrase)
            return cls(root, _load_key(secrets.key), secrets.secret, clock, directory)
        except FileNotFoundError:
            raise AuthorityError(f"there is no authority in {directory}: create the tenant first") from None
        except OSError as error:
            raise AuthorityError(f"the authority in {directory} cannot be read: {error.strerror}") from None
        except WrongPassphrase:
            raise AuthorityLocked(f"the passphrase does not open the authority in {directory}") from None
        except (Malformed, ValidationError, StoreDamaged, ValueError):
            raise AuthorityError(f"the authority in {directory} is damaged: restore it from a backup") from None

    def issue_device(
        self, address: DeviceAddress, key: ec.EllipticCurvePublicKey, *, archive: bool = False
    ) -> x509.Certificate:
        """Certify a device's key. With `archive` it is marked as a compliance archive, which everybody is shown.

        Raises:
            AuthorityError: the device is another tenant's, or the certificate cannot be stored.
        """
        if address.tenant != self.tenant:
            raise AuthorityError(f"{address} is not a device of {self.tenant}: an enterprise enrols its own alone")
        certificate = self._issue(address, key, archive=archive)
        if self._directory is not None:
            try:
                _write(
                    self._directory / _ISSUED / f"{fingerprint(certificate).hex()}.der",
                    certificate.public_bytes(Encoding.DER),
                )
            except OSError as error:
                raise AuthorityError(f"the new certificate cannot be stored: {error.strerror}") from None
        self._issued.append(certificate)
        return certificate

    def issue_administrator(self, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Certify the key with which the tenant's administration talks to the relay (revoke, look up)."""
        return self._issue(AdministratorAddress(self.tenant), key, archive=False)

    def certificates(self, address: DeviceAddress) -> list[x509.Certificate]:
        """All that were issued to a device, oldest first."""
        return [certificate for certificate in self._issued if subject_of(certificate) == address]

    def devices(self) -> list[DeviceAddress]:
        """All that were ever enrolled, sorted."""
        subjects = {subject_of(certificate) for certificate in self._issued}
        return sorted(subject for subject in subjects if isinstance(subject, DeviceAddress))

    def revoke(self, certificate: x509.Certificate, reason: RevocationReason = RevocationReason.UNSPECIFIED) -> Signed:
        """A signed `Revocation` of a device's certificate, for the relay.

        Raises:
            AuthorityError: it is not a device of this tenant, or the revocation cannot be stored.
        """
        subject = subject_of(certificate)
        if not isinstance(subject, DeviceAddress) or subject.tenant != self.tenant:
            raise AuthorityError(f"{subject} is not a device of {self.tenant}: an enterprise revokes its own alone")
        revocation = Revocation(
            device=subject,
            certificate=fingerprint(certificate),
            revoked_at=int(self._clock.now()),
            reason=reason,
        )
        signed = Signed.create(Purpose.REVOCATION, revocation, self._key)
        self._keep_revocation(revocation.certificate, signed)
        return signed

    def _keep_revocation(self, certificate: bytes, signed: Signed) -> None:
        """Keep it before anybody is told: what was decided here stays decided when the relay cannot be reached."""
        if self._directory is None:
            return
        path = self._directory / _REVOKED / f"{certificate.hex()}.json"
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if not path.exists():
                _write(path, signed.model_dump_json().encode())
        except OSError as error:
            raise AuthorityError(f"the revocation cannot be stored: {error.strerror}") from None

    def leave(self, log: str, relay: str) -> Signed:
        """A signed `Leaving` for the relay whose log `directory` has this verifier key; `relay` is where it is (host:port).

        Raises:
            AuthorityError: it cannot be stored.
        """
        root = fingerprint(self.root)
        content = Leaving(tenant=self.tenant, root=root, log=log, left_at=int(self._clock.now()))
        left = _Left(relay=relay, leaving=Signed.create(Purpose.LEAVING, content, self._key))
        if self._directory is not None:
            path = self._directory / _LEFT / f"{signed_digest(left.leaving)}.json"
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                _write(path, left.model_dump_json().encode())
            except OSError as error:
                raise AuthorityError(f"the leaving cannot be stored: {error.strerror}") from None
        self._left.append(left)
        return left.leaving

    def has_left(self, relay: str) -> bool:
        """Whether a leaving was signed for the relay that is there (host:port)."""
        return any(left.relay == relay for left in self._left)

    def delivery_token(self, user: UserAddress) -> DeliveryToken:
        """The user's delivery token: the same for all of their devices, and derived, so that nothing has to be kept."""
        info = b"blindrelay/delivery-token/1\0" + str(user).encode()
        return DeliveryToken(HKDF(algorithm=SHA256(), length=TOKEN_LENGTH, salt=None, info=info).derive(self._secret))

    def _issue(self, subject: Subject, key: ec.EllipticCurvePublicKey, *, archive: bool) -> x509.Certificate:
        validity = self._validity or _from_now(self._clock, DEVICE_LIFETIME)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject_uri(subject))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(validity.not_before)
            .not_valid_after(min(validity.not_after, self.root.not_valid_after_utc))
            .add_extension(names, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if archive:
            # The value is a DER NULL: the extension's presence is all it says.
            builder = builder.add_extension(x509.UnrecognizedExtension(ARCHIVE_OID, b"\x05\x00"), critical=False)
        return builder.sign(self._key, SHA256())


@dataclass(frozen=True, slots=True)
class Certificates:
    """What an authority has signed: nothing of it is secret.

    Attributes:
        root: its root.
        issued: devices' certificates, oldest first.
        revoked: SHA-256 of those that it has withdrawn.
        left: digests of the leavings that it has signed, as the public log has them.
    """

    root: x509.Certificate
    issued: tuple[x509.Certificate, ...]
    revoked: frozenset[bytes]
    left: frozenset[str] = frozenset()

    @property
    def tenant(self) -> str:
        """Whose they are. Raises `Malformed` if the root is no tenant's."""
        return _common_name(self.root)


def read_certificates(directory: Path) -> Certificates:
    """What the authority in `directory` has signed. Its secrets are not opened for it.

    Raises:
        AuthorityError: there is none, or it is damaged.
    """
    try:
        revoked = frozenset(bytes.fromhex(path.stem) for path in (directory / _REVOKED).glob("*.json"))
        left = frozenset(path.stem for path in (directory / _LEFT).glob("*.json"))
        return Certificates(load((directory / _ROOT).read_bytes()), tuple(_issued_in(directory)), revoked, left)
    except FileNotFoundError:
        raise AuthorityError(f"there is no authority in {directory}: create the tenant first") from None
    except OSError as error:
        raise AuthorityError(f"the authority in {directory} cannot be read: {error.strerror}") from None
    except ValueError:  # Malformed is one
        raise AuthorityError(f"the authority in {directory} is damaged: restore it from a backup") from None


def _from_now(clock: Clock, lifetime: timedelta) -> Validity:
    now = datetime.fromtimestamp(int(clock.now()), UTC)
    return Validity(now - _BACKDATED, now + lifetime)


def _make_root(tenant: str, key: ec.EllipticCurvePrivateKey, validity: Validity) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, tenant)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
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


def _common_name(root: x509.Certificate) -> str:
    values = [name.value for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(values) != 1:
        raise Malformed("the root certificate names no tenant")
    return check_tenant(str(values[0]))


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _load_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Malformed("the root key is of another kind than it should be")
    return key


def _seal(secrets: _Secrets, passphrase: str | None, cost: Cost) -> _SecretsFile:
    if passphrase is None:
        return _SecretsFile(plain=secrets)
    vault = Vault.new()
    sealed = vault.seal("authority", b"", secrets.model_dump_json().encode())
    return _SecretsFile(header=vault.lock(passphrase, cost), sealed=sealed)


def _unseal(file: _SecretsFile, passphrase: str | None) -> _Secrets:
    if file.plain is not None:
        return file.plain
    if file.header is None or file.sealed is None:
        raise Malformed("there are no secrets in it")
    if passphrase is None:
        raise AuthorityLocked("the authority is sealed under a passphrase: give it")
    return _Secrets.model_validate_json(Vault.unlock(file.header, passphrase).open("authority", b"", file.sealed))


def _lay_out(directory: Path, root: x509.Certificate, secrets: _SecretsFile) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    (directory / _ISSUED).mkdir(mode=0o700)
    _write(directory / _SECRETS, secrets.model_dump_json(exclude_none=True).encode())
    _write(directory / _ROOT, root.public_bytes(Encoding.DER))


def _write(path: Path, data: bytes) -> None:
    """Write a new file, 0600, on stable storage when this returns."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _issued_in(directory: Path) -> list[x509.Certificate]:
    found = [load(path.read_bytes()) for path in (directory / _ISSUED).glob("*.der")]
    return sorted(found, key=lambda certificate: certificate.not_valid_before_utc)


def _left_in(directory: Path) -> list[_Left]:
    return [_Left.model_validate_json(path.read_bytes()) for path in sorted((directory / _LEFT).glob("*.json"))]
