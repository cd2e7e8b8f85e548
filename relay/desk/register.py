"""Whom the desk knows: authorities, and which persons of theirs may ask. It is what the operator entered, in the case file.

Nothing here is the authority's word: jurisdiction and kind are confirmed by the operator, and the number that is called back
is one that the operator found elsewhere.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import StringConstraints, TypeAdapter

from blindrelay.policies.exchange import AuthorityCard
from blindrelay.policies.request import Jurisdiction, Name
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.certificates import check_root
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.officers import check_name
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.errors import RegisterError
from blindrelay.relay.desk.journal import Journal, Row, Subject

_MLKEM_BYTES: Final = 1_184

#: `+1 202 555 0100`: what a person dials.
Telephone = Annotated[str, StringConstraints(pattern=r"^[+0-9][0-9 ()./-]{2,40}$")]


class AuthorityEntered(Wire):
    """An authority is known from now on, or what is known of it has changed."""

    step: Literal["authority-entered"] = "authority-entered"
    card: AuthorityCard
    call_back: Telephone | None
    entered_by: Name


class AuthorityStruck(Wire):
    """An authority is not known any more. What it has asked for stays on file."""

    step: Literal["authority-struck"] = "authority-struck"
    id: Name
    entered_by: Name


class ProtectedEntered(Wire):
    """A person whose records are looked at twice: a journalist, a lawyer, a minor, as the tenant has declared."""

    step: Literal["protected-entered"] = "protected-entered"
    user: Name  #: `user@tenant`
    entered_by: Name


Entry = AuthorityEntered | AuthorityStruck | ProtectedEntered
_ENTRIES: Final[dict[str, TypeAdapter[Entry]]] = {
    "authority-entered": TypeAdapter(AuthorityEntered),
    "authority-struck": TypeAdapter(AuthorityStruck),
    "protected-entered": TypeAdapter(ProtectedEntered),
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A registered authority."""

    id: str
    name: str
    jurisdiction: Jurisdiction
    kind: AuthorityKind
    root: x509.Certificate
    package_key: bytes = field(repr=False)  #: X-Wing, 1,216 bytes
    officers: frozenset[str]
    call_back: str | None  #: the number to call, independently sourced; None: emergencies cannot be confirmed

    @property
    def root_der(self) -> bytes:
        """The root certificate, DER."""
        return self.root.public_bytes(Encoding.DER)

    @property
    def root_pem(self) -> str:
        """The root certificate, PEM."""
        return self.root.public_bytes(Encoding.PEM).decode()


class Register:
    """The register. What another process has entered is seen at the next look."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._seen = 0
        self._authorities: dict[str, Authority] = {}
        self._protected: set[str] = set()

    def authority(self, authority_id: str) -> Authority | None:
        """The authority of this id, if it is known."""
        self._refresh()
        return self._authorities.get(authority_id)

    def root_of(self, authority_id: str) -> bytes | None:
        """The DER form of a registered authority's root; None for everybody else."""
        authority = self.authority(authority_id)
        return authority.root_der if authority else None

    def authorities(self) -> list[Authority]:
        """All of them, by id."""
        self._refresh()
        return sorted(self._authorities.values(), key=lambda authority: authority.id)

    def is_protected(self, user: UserAddress) -> bool:
        """Whether the tenant has declared this person to be one to be careful about."""
        self._refresh()
        return str(user) in self._protected

    def enter(  # noqa: PLR0913 - what an operator confirms, each by name
        self,
        card: AuthorityCard,
        *,
        jurisdiction: str,
        kind: AuthorityKind,
        entered_by: str,
        at: datetime,
        call_back: str | None = None,
    ) -> Authority:
        """Enter an authority, or enter it anew. `jurisdiction` and `kind` are what the operator has found out.

        Raises:
            RegisterError: the card says something else, or its certificate or key cannot be used.
        """
        if (card.jurisdiction, card.kind) != (jurisdiction, kind):
            raise RegisterError(
                f"the file says {card.kind} of {card.jurisdiction}, and you say {kind} of {jurisdiction}: "
                "find out which it is before it is entered"
            )
        authority = _authority(card, call_back)
        entry = AuthorityEntered(card=card, call_back=call_back, entered_by=entered_by)
        self._journal.append(Subject.REGISTER, "", at, entry.step, entry.model_dump_json())
        return authority

    def strike(self, authority_id: str, *, entered_by: str, at: datetime) -> None:
        """Take an authority out. Raises `RegisterError` if it is not in."""
        if self.authority(authority_id) is None:
            raise RegisterError(f"no authority {authority_id!r} is registered")
        entry = AuthorityStruck(id=authority_id, entered_by=entered_by)
        self._journal.append(Subject.REGISTER, "", at, entry.step, entry.model_dump_json())

    def protect(self, user: UserAddress, *, entered_by: str, at: datetime) -> None:
        """Mark a person as one to be careful about."""
        entry = ProtectedEntered(user=str(user), entered_by=entered_by)
        self._journal.append(Subject.REGISTER, "", at, entry.step, entry.model_dump_json())

    def _refresh(self) -> None:
        with self._lock:
            if self._journal.last_sequence(Subject.REGISTER) == self._seen:
                return
            for row in self._journal.rows(Subject.REGISTER)[self._seen :]:
                self._take(row)
                self._seen = row.sequence

    def _take(self, row: Row) -> None:
        adapter = _ENTRIES.get(row.step)
        match adapter.validate_json(row.body) if adapter else None:
            case AuthorityEntered() as entry:
                self._authorities[entry.card.id] = _authority(entry.card, entry.call_back)
            case AuthorityStruck() as entry:
                self._authorities.pop(entry.id, None)
            case ProtectedEntered() as entry:
                self._protected.add(entry.user)
            case None:  # an operator's: see `operators`
                pass


def _authority(card: AuthorityCard, call_back: str | None) -> Authority:
    try:
        root = x509.load_pem_x509_certificate(card.root_certificate.encode())
        check_root(root, card.id)
        officers = frozenset(check_name(officer) for officer in card.officers)
    except (ValueError, Malformed, VerificationFailed) as error:
        raise RegisterError(f"the file of {card.id} cannot be used: {error}") from error
    try:
        mlkem.MLKEM768PublicKey.from_public_bytes(card.package_key[:_MLKEM_BYTES])
        x25519.X25519PublicKey.from_public_bytes(card.package_key[_MLKEM_BYTES:])
    except ValueError as error:
        raise RegisterError(f"the package key of {card.id} is no X-Wing public key") from error
    return Authority(
        id=card.id,
        name=card.name,
        jurisdiction=card.jurisdiction,
        kind=card.kind,
        root=root,
        package_key=card.package_key,
        officers=officers,
        call_back=call_back,
    )
