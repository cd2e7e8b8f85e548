"""Authorities: identities as `blindrelay authority init` makes them, calls that they sign, and requests that are valid."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.vault import CHEAP
from blindrelay.policies.exchange import AuthorityCard
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.officers import OfficerName
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.register import Register


def at(clock: Clock) -> datetime:
    """The moment that a clock shows."""
    return datetime.fromtimestamp(clock.now(), UTC)


def authority(folder: Path, clock: Clock, name: str = "us-court", officer: str = "J. Doe") -> AuthorityIdentity:
    """A new authority: a court of the United States."""
    return AuthorityIdentity.create(
        folder / name, OfficerName(name, officer), "District Court", "us", AuthorityKind.JUDGE, clock, cost=CHEAP
    )


def enter(journal: Journal, card: AuthorityCard, clock: Clock) -> None:
    """Register an authority as an operator would who believes its card."""
    Register(journal).enter(card, jurisdiction=card.jurisdiction, kind=card.kind, entered_by="ada", at=at(clock))


@dataclass(frozen=True, slots=True)
class Caller:
    """An authority's side of a call."""

    identity: AuthorityIdentity
    relay_id: str
    clock: Clock

    def claims(self, purpose: str, document: object, /, **changes: object) -> dict[str, Any]:
        """What a call says; `changes` replace claims, None leaves one out."""
        claims = {
            "aud": self.relay_id,
            "iat": int(self.clock.now()),
            "jti": str(uuid4()),
            "purpose": purpose,
            "document": document,
            **changes,
        }
        return {key: value for key, value in claims.items() if value is not None}

    def call(self, purpose: str, document: object, /, **changes: object) -> bytes:
        """A signed call."""
        return self.signed(json.dumps(self.claims(purpose, document, **changes)).encode())

    def signed(self, payload: bytes) -> bytes:
        """Any bytes, signed as a call is."""
        return self.identity.sign(payload)

    def request(self, **changes: object) -> dict[str, Any]:
        """A request for traffic records of one account under a court order, as JSON; `changes` replace fields."""
        now = at(self.clock)
        document = LawfulRequest.model_validate(
            {
                "id": uuid4(),
                "sender": self.identity.card.id,
                "officer": self.identity.officer,
                "receiver": self.relay_id,
                "timestamp": now,
                "authorisation": {
                    "reference": "26-cv-1",
                    "instrument": "us/d-order",
                    "jurisdiction": "us",
                    "timespan": {"start": now - timedelta(days=10), "end": now + timedelta(days=10)},
                    "approvals": [{"role": "judge", "name": "Hon. J. Doe", "reference": "26-cv-1", "timestamp": now}],
                    "urgency": "routine",
                    "non_disclosure": None,
                    "purpose": "investigate",
                    "offence_max_years": 5,
                },
                "demands": [
                    {
                        "kind": "data",
                        "id": "d1",
                        "classes": ["TRAFFIC"],
                        "mode": "stored",
                        "scope": "accounts",
                        "targets": [{"format": "user", "value": "bob@globex.example"}],
                        "window": {"start": now - timedelta(days=5), "end": now},
                    }
                ],
            }
        )
        return document.model_dump(mode="json") | changes

    def hand_in(self, **changes: object) -> bytes:
        """A signed request."""
        return self.call("request", self.request(**changes))


def compact(header: object, payload: bytes, signature: bytes) -> bytes:
    """A JWS from its parts, however wrong they are."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in (head, payload, signature))


def issue(identity: AuthorityIdentity, officer: str, clock: Clock) -> x509.Certificate:
    """A certificate of the authority's own root that names another officer, for the same key."""
    now = at(clock)
    name = OfficerName(identity.card.id, officer)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(identity.root.subject)
        .public_key(identity._key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name.uri)]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(identity._root_key.public_key()), critical=False
        )
        .sign(identity._root_key, SHA256())
    )
