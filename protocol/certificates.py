"""The certificate profile: what a tenant's root and its devices' certificates look like, and how one is checked.

A root is self-signed, names its tenant as common name, and issues end-entity certificates directly (path length 0).
An end-entity certificate carries exactly one subject alternative name, a URI: `blindrelay:<tenant>/<user>/<device>` for
a device, `blindrelay:<tenant>` for the tenant's administrator. Keys are ECDSA P-256. The path is validated by
`cryptography.x509.verification` (RFC 5280); this module adds the binding between the name and the tenant's own root, for
without it any tenant's CA could issue for any other tenant.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from cryptography.x509.verification import VerificationError as PathError

from blindrelay.protocol.address import DeviceAddress, check_tenant
from blindrelay.protocol.errors import Malformed, VerificationFailed

URI_SCHEME = "blindrelay:"

# An OID below 2.25 is a UUID (ITU-T X.667), so it needs no registration. The extension's presence says: this device is a
# compliance archive, and everybody who writes to the user is to be shown so.
ARCHIVE_OID = x509.ObjectIdentifier("2.25.303279417862719905310417120918349124421")


@dataclass(frozen=True, slots=True)
class AdministratorAddress:
    """The tenant's own administration: it may revoke devices, and has no mailbox."""

    tenant: str

    def __post_init__(self) -> None:
        check_tenant(self.tenant)

    def __str__(self) -> str:
        return self.tenant


Subject = DeviceAddress | AdministratorAddress


def subject_uri(subject: Subject) -> str:
    """The URI that names `subject` in a certificate."""
    return f"{URI_SCHEME}{subject}"


def load(der: bytes) -> x509.Certificate:
    """Parse a DER certificate; raise `Malformed`."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise Malformed("not a DER certificate") from error


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the DER form, 32 bytes."""
    return sha256(certificate.public_bytes(Encoding.DER)).digest()


def subject_of(certificate: x509.Certificate) -> Subject:
    """Who a certificate says it is for. It says nothing about whether that is true: see `verify`.

    Raises:
        Malformed: there is not exactly one name, or it is not a `blindrelay:` URI of a device or administrator.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise Malformed("certificate has no readable subject alternative name") from error
    uris = list(names)
    if len(uris) != 1 or not isinstance(uris[0], x509.UniformResourceIdentifier):
        raise Malformed("certificate must have exactly one subject alternative name, a blindrelay: URI")
    uri = uris[0].value
    if not uri.startswith(URI_SCHEME):
        raise Malformed("certificate's subject alternative name is not a blindrelay: URI")
    name = uri[len(URI_SCHEME) :]
    return DeviceAddress.parse(name) if "/" in name else AdministratorAddress(name)


def is_archive(certificate: x509.Certificate) -> bool:
    """Whether the device is a compliance archive."""
    try:
        certificate.extensions.get_extension_for_oid(ARCHIVE_OID)
    except x509.ExtensionNotFound:
        return False
    return True


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The certificate's P-256 key; raise `VerificationFailed("key")` for any other kind."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise VerificationFailed("key", "expected an ECDSA key on P-256")
    return key


def check_root(root: x509.Certificate, tenant: str) -> None:
    """Raise `VerificationFailed("root")` unless `root` is fit to be the CA of `tenant`: its name, key, self-signature."""
    names = root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [tenant]:
        raise VerificationFailed("root", f"its common name must be exactly {tenant!r}")
    public_key(root)
    try:
        root.verify_directly_issued_by(root)
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise VerificationFailed("root", "it is not a self-signed CA certificate") from error
    except Exception as error:  # InvalidSignature is not a ValueError
        raise VerificationFailed("root", "its self-signature does not verify") from error
    if not constraints.ca or constraints.path_length != 0:
        raise VerificationFailed("root", "expected basic constraints CA with path length 0")


def verify(certificate: x509.Certificate, root: x509.Certificate, tenant: str, at: float) -> Subject:
    """Return the subject of `certificate` after checking that `tenant`'s `root` vouches for it at time `at` (epoch seconds).

    Raises:
        Malformed: the certificate names no subject of ours.
        VerificationFailed: "tenant" (it names another tenant), "key" (not P-256), or "chain" (not issued by this root,
            expired, not yet valid, not for client authentication: RFC 5280 section 6).
    """
    subject = subject_of(certificate)
    if subject.tenant != tenant:
        raise VerificationFailed("tenant", f"the certificate names {subject.tenant!r}, the root is that of {tenant!r}")
    public_key(certificate)
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
        .max_chain_depth(0)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, [])
    except PathError as error:
        raise VerificationFailed("chain", str(error)) from error
    return subject
