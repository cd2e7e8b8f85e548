"""What an authority and a relay say to each other over HTTPS: the signed calls, and the answers.

A call is a JWS in compact form (RFC 7515), ES256, with the officer's certificate and the authority's root in `x5c`. Its
payload is one of the models below: what it is for, for whom, when, a number that is used once, and the document. Signed for
one purpose it is good for no other.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter

from blindrelay.policies.request import Jurisdiction, LawfulRequest, Name, Target, Timespan
from blindrelay.policies.stream import Position
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    CaseState,
    DataClass,
    Ground,
    Mark,
    Outcome,
    ServiceAction,
    TaskStatus,
)
from blindrelay.protocol.statements import SealingKey, Wire

#: The `typ` of a call's header: bytes that were signed as something else are no call.
CALL_TYPE: Final = "blindrelay-call+jws"
#: The media type of a call (RFC 7515, 9.2.1).
JOSE: Final = "application/jose"
#: How old a call may be, and how far its clock may be ahead. Seconds.
MAX_AGE: Final = 300
MAX_AHEAD: Final = 60
#: How large a call may be, bytes: sixteen demands with a hundred targets each, and then some.
MAX_CALL: Final = 262_144

Pem = Annotated[str, StringConstraints(min_length=1, max_length=8_192)]
DemandId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class CallPurpose(StrEnum):
    """What a call is for."""

    REQUEST = "request"
    STATUS = "status"
    FETCH = "fetch"
    RECEIPT = "receipt"
    WITHDRAW = "withdraw"
    STREAM = "stream"


class AuthorityCard(Wire):
    """How an authority introduces itself: the file that `blindrelay authority init` writes.

    Nothing of it is believed for being written here. The relay's operator compares it with what is known of the authority from
    elsewhere, and states jurisdiction and kind by himself.
    """

    version: Literal["blindrelay-authority-1"] = "blindrelay-authority-1"
    id: Name
    name: Name
    jurisdiction: Jurisdiction
    kind: AuthorityKind
    root_certificate: Pem
    package_key: SealingKey  #: X-Wing: packages are sealed to it
    officers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]


class CaseReference(Wire):
    """A case of the caller's."""

    case_id: UUID


class DemandReference(Wire):
    """A demand of a case of the caller's."""

    case_id: UUID
    demand_id: DemandId


class AnyCall(Wire):
    """What every call says."""

    aud: Name  #: the relay's id
    iat: Annotated[int, Field(ge=0, lt=2**53)]  #: when it was signed, seconds since the epoch
    jti: UUID  #: used once


class RequestCall(AnyCall):
    """Hands a request in."""

    purpose: Literal[CallPurpose.REQUEST] = CallPurpose.REQUEST
    document: LawfulRequest


class StatusCall(AnyCall):
    """Asks where a case stands."""

    purpose: Literal[CallPurpose.STATUS] = CallPurpose.STATUS
    document: CaseReference


class WithdrawCall(AnyCall):
    """Takes a request back."""

    purpose: Literal[CallPurpose.WITHDRAW] = CallPurpose.WITHDRAW
    document: CaseReference


class FetchCall(AnyCall):
    """Asks for a package. Each such call is answered with it at most once."""

    purpose: Literal[CallPurpose.FETCH] = CallPurpose.FETCH
    document: DemandReference


class ReceiptCall(AnyCall):
    """Asks for the proof that the public log has a package, and what came before it."""

    purpose: Literal[CallPurpose.RECEIPT] = CallPurpose.RECEIPT
    document: DemandReference


class StreamCall(AnyCall):
    """Asks for the records of a real-time order, as they happen."""

    purpose: Literal[CallPurpose.STREAM] = CallPurpose.STREAM
    document: DemandReference
    after: Position | None = None  #: of the last event that the caller has; None: from the start of the order


Call = Annotated[
    RequestCall | StatusCall | WithdrawCall | FetchCall | ReceiptCall | StreamCall, Field(discriminator="purpose")
]
CALL: Final[TypeAdapter[RequestCall | StatusCall | WithdrawCall | FetchCall | ReceiptCall | StreamCall]] = TypeAdapter(
    Call
)


class ReasonAnswer(Wire):
    """Why, on what it rests, and how well that is established."""

    policy: str
    text: str
    source: str
    mark: Mark


class ClassAnswer(Wire):
    """What comes of one data class."""

    data_class: DataClass
    outcome: Outcome
    ground: Ground | None
    status: TaskStatus
    targets: tuple[Target, ...]
    window: Timespan | None
    reasons: tuple[ReasonAnswer, ...]
    law: str | None


class DemandAnswer(Wire):
    """What comes of one demand."""

    demand_id: DemandId
    outcome: Outcome
    ground: Ground | None
    status: TaskStatus
    classes: tuple[ClassAnswer, ...]
    reasons: tuple[ReasonAnswer, ...]
    law: str | None
    redirect_to: str | None
    release_not_before: datetime | None
    deadline: datetime | None
    preserved_until: datetime | None
    stream: Timespan | None
    use_restriction: str | None
    follow_up_due: datetime | None
    service: ServiceAction | None
    service_effective: datetime | None
    package_is_ready: bool  #: and may be fetched


class CaseAnswer(Wire):
    """Where a case stands, for the authority whose case it is."""

    case_id: UUID
    request_id: UUID
    state: CaseState
    received_at: datetime
    demands: tuple[DemandAnswer, ...]
    letter: str  #: the same in sentences


class RelayIdentity(Wire):
    """Who a relay is. Public."""

    id: Name
    version: Name
    certificate: Pem  #: of the key that signs packages, notices and statements
    jurisdictions: tuple[Jurisdiction, ...]  #: of which there is a policy pack


class Problem(Wire):
    """Why a call was not carried out (RFC 9457)."""

    type: Annotated[str, StringConstraints(pattern=r"^urn:blindrelay:problem:[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
