"""A lawful-access request, as an authority writes it. Names follow ETSI TS 103 120 where it has one.

The document is what an authority signs (`blindrelay.relay.desk`), and what a scenario writes down. Nothing in it is
defaulted in an authority's favour: an axis that is not stated is an error, never a wide reading.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    Mode,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)

#: The version of the document. One that is not known is refused.
VERSION: Final = "blindrelay-lawful-request-1"
MAX_DEMANDS = 16
MAX_TARGETS = 100

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
#: ISO 3166-1 alpha-2 in lower case, or `eu`.
Jurisdiction = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
#: `<jurisdiction>/<instrument>`, as the pack's manifest names it: `us/d-order`.
InstrumentId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}/[a-z0-9][a-z0-9-]{0,60}$")]


class Document(BaseModel):
    """Unknown keys are errors: what we do not understand we do not act on."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Timespan(Document):
    """From `start` up to and without `end`, with time zones."""

    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self

    def contains(self, moment: datetime) -> bool:
        """Whether `moment` is in it."""
        return self.start <= moment < self.end


class TargetFormat(StrEnum):
    """What a target's value is."""

    USER = "user"  #: `bob@globex.example`
    DEVICE = "device"  #: `globex.example/bob/phone`
    TENANT = "tenant"  #: `globex.example`
    ALL_USERS = "all-users"  #: the value is `*`


class Target(Document):
    """Whom a demand is about (TS 103 120 RequestValue: FormatOwner is `blindrelay`)."""

    format: TargetFormat
    value: Name


class Approval(Document):
    """Who issued or approved the instrument (ApprovalDetails)."""

    role: AuthorityKind
    name: Name
    reference: Name
    timestamp: AwareDatetime
    is_emergency: bool = False


class DeliveryType(StrEnum):
    """What a real-time order wants delivered (TaskDeliveryType).

    Only the first can be carried out; the others are refused, never downgraded.
    """

    IRI_ONLY = "IRIOnly"
    CC_ONLY = "CCOnly"
    IRI_AND_CC = "IRIandCC"


class NonDisclosure(Document):
    """An order not to tell the user. Without one, the user is told. `until` None: without an end, which is looked at again
    after a year."""

    legal_basis: Text
    until: AwareDatetime | None


class Authorisation(Document):
    """The instrument that the request rests on (AuthorisationObject)."""

    reference: Name  #: the issuer's own number
    instrument: InstrumentId
    jurisdiction: Jurisdiction
    timespan: Timespan  #: when the instrument itself is in force
    approvals: Annotated[list[Approval], Field(max_length=8)]
    urgency: Urgency
    non_disclosure: NonDisclosure | None
    purpose: Purpose
    #: Highest penalty of the offence, in years; None: not stated, which satisfies no threshold.
    offence_max_years: Annotated[int, Field(ge=0, le=100)] | None
    #: Reg. 2023/1543 art. 8: the enforcing authority has been notified.
    enforcing_authority_notified: bool = False
    #: Why the enterprise itself cannot be asked first; None: nothing was said.
    harm_to_investigation: Text | None = None
    #: Why life or limb is in danger, for an emergency.
    emergency_grounds: Text | None = None
    #: A mutual-assistance request comes with the requested state's own order.
    mutual_assistance_reference: Name | None = None
    is_test: bool = False


class DataDemand(Document):
    """Data: classes x mode x scope, for targets and a window."""

    kind: Literal["data"] = "data"
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    classes: Annotated[frozenset[DataClass], Field(min_length=1)]
    mode: Literal[Mode.STORED, Mode.PRESERVE, Mode.STREAM]
    scope: Scope
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=MAX_TARGETS)]
    window: Timespan
    delivery_type: DeliveryType | None = None
    #: A renewal or production names the preservation it continues: the case and demand, `<case id>/<demand id>`.
    continues: Name | None = None

    @model_validator(mode="after")
    def _scope_is_what_the_targets_say(self) -> Self:
        formats = {target.format for target in self.targets}
        expected = {
            Scope.ACCOUNTS: {TargetFormat.USER, TargetFormat.DEVICE},
            Scope.TENANT: {TargetFormat.TENANT},
            Scope.ALL_USERS: {TargetFormat.ALL_USERS},
        }[self.scope]
        if not formats <= expected:
            raise ValueError(f"scope {self.scope} takes targets of format {', '.join(sorted(expected))}")
        if (self.mode is Mode.STREAM) != (self.delivery_type is not None):
            raise ValueError("delivery_type belongs to mode stream, and is required there")
        return self


class CapabilityDemand(Document):
    """Something is to be built: mode `build`."""

    kind: Literal["capability"] = "capability"
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    capability: Capability
    scope: Scope
    description: Text


class ServiceDemand(Document):
    """The service in a jurisdiction is to be suspended, or that is to be taken back."""

    kind: Literal["service"] = "service"
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    action: ServiceAction
    jurisdiction: Jurisdiction
    effective: AwareDatetime
    #: To whom the order is addressed. One that is addressed to somebody else is recorded and obeyed by nobody here.
    addressee: Literal["operator", "other"] = "operator"


Demand = Annotated[DataDemand | CapabilityDemand | ServiceDemand, Field(discriminator="kind")]


class LawfulRequest(Document):
    """What an authority signs. Each demand is decided on its own."""

    version: Literal["blindrelay-lawful-request-1"] = VERSION
    id: UUID
    sender: Name  #: the authority's id in the relay's register
    officer: Name  #: who asks
    receiver: Name  #: the relay's id; a request for another relay is refused
    timestamp: AwareDatetime
    authorisation: Authorisation
    demands: Annotated[tuple[Demand, ...], Field(min_length=1, max_length=MAX_DEMANDS)]

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [demand.id for demand in self.demands]
        if len(set(ids)) != len(ids):
            raise ValueError("two demands have the same id")
        return self
