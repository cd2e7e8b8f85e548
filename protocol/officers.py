"""Officers' certificates: who may speak for an authority.

An authority has a root of its own, as an enterprise has: self-signed, its common name the authority's id, path length 0. It
issues one certificate for each officer, with exactly one subject alternative name, the URI
`blindrelay-authority:<authority>/<officer>`, both parts percent-encoded (RFC 3986, 2.1). Keys are ECDSA P-256. The path is
validated by `cryptography.x509.verification` (RFC 5280). Whether a root is an authority's is what a relay's register says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote, unquote

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from cryptography.x509.verification import VerificationError as PathError

from blindrelay.protocol.certificates import check_root, public_key
from blindrelay.protocol.errors import Malformed, VerificationFailed

URI_SCHEME: Final = "blindrelay-authority:"
#: How long an authority's id or an officer's name may be, characters.
MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class OfficerName:
    """An officer of an authority, as the authority itself has named the two."""

    authority: str
    officer: str

    def __post_init__(self) -> None:
        check_name(self.authority)
        check_name(self.officer)

    @property
    def uri(self) -> str:
        """What stands in the certificate."""
        return f"{URI_SCHEME}{quote(self.authority, safe='')}/{quote(self.officer, safe='')}"

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read what `uri` wrote; raise `Malformed` for anything that it would not have written."""
        scheme, _, rest = uri.partition(":")
        parts = rest.split("/")
        if f"{scheme}:" != URI_SCHEME or len(parts) != 2:
            raise Malformed(f"the certificate's subject alternative name is not {URI_SCHEME}<authority>/<officer>")
        try:
            name = cls(*(unquote(part, errors="strict") for part in parts))
        except UnicodeDecodeError as error:
            raise Malformed("the certificate's subject alternative name is not percent-encoded UTF-8") from error
        if name.uri != uri:  # two spellings of one name would be two officers somewhere
            raise Malformed("the certificate's subject alternative name is encoded in another way than ours")
        return name


def check_name(name: str) -> str:
    """Return `name` if it can name an authority or officer; raise `Malformed`."""
    if not 1 <= len(name) <= MAX_NAME or name != name.strip() or not name.isprintable():
        raise Malformed(f"a name has 1 to {MAX_NAME} printable characters, and no space at its ends")
    return name


def officer_of(certificate: x509.Certificate) -> OfficerName:
    """Whom a certificate names. It says nothing about whether that is true: see `verify_officer`.

    Raises:
        Malformed: there is not exactly one name, or it is none of an officer.
    """
    try:
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise Malformed("the certificate has no readable subject alternative name") from error
    if len(names) != 1 or not isinstance(names[0], x509.UniformResourceIdentifier):
        raise Malformed("the certificate must have exactly one subject alternative name, an officer's URI")
    return OfficerName.parse(names[0].value)


def verify_officer(certificate: x509.Certificate, root: x509.Certificate, at: float) -> OfficerName:
    """Return the officer whom `root` vouches for with `certificate` at time `at` (epoch seconds).

    Whether `root` is the authority's own is not looked at: the caller compares it with the register.

    Raises:
        Malformed: the certificate names no officer.
        VerificationFailed: "root" (not fit to be the CA of the authority that is named), "key" (not P-256) or "chain" (not
            issued by this root, expired, not yet valid, for another use: RFC 5280 section 6).
    """
    name = officer_of(certificate)
    public_key(certificate)
    check_root(root, name.authority)
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
    return name
