"""The world of a scenario: enterprises, authorities, the operator, and the instruments that demands rest on."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from blindrelay.policies.request import InstrumentId
from blindrelay.policies.scenarios.words import (
    Jurisdiction,
    Label,
    Line,
    LocalName,
    Moment,
    Number,
    Piece,
    TenantName,
    Text,
)
from blindrelay.policies.vocabulary import AuthorityKind, Purpose, Urgency

MAX_MORE_USERS: Final = 500


class Tenant(Piece):
    """An enterprise with its own certificate authority. Its people are enrolled before the scenario starts."""

    name: TenantName
    """A domain."""
    jurisdiction: Jurisdiction | None = None
    """Whose law it is under, as the operator has entered it."""
    users: dict[LocalName, tuple[LocalName, ...]]
    """Each person's devices."""
    more_users: Annotated[int, Field(ge=0, le=MAX_MORE_USERS)] = 0
    """So many others, each with a device, who do nothing."""
    protected: tuple[LocalName, ...] = ()
    """Users whom the tenant has declared to be journalists, lawyers, minors and the like."""

    @model_validator(mode="after")
    def _protected_are_users(self) -> Self:
        if strangers := set(self.protected) - set(self.users):
            raise ValueError(f"protected names nobody of users: {', '.join(sorted(strangers))}")
        if empty := [user for user, devices in self.users.items() if not devices]:
            raise ValueError(f"{', '.join(empty)}: expected at least one device")
        return self


class Authority(Piece):
    """Who asks. It has its own keys; what the relay believes of it is in the relay's register."""

    name: Line
    """What it is called."""
    jurisdiction: Jurisdiction
    """Whose."""
    kind: AuthorityKind
    """What it is."""
    officers: tuple[Line, ...] = ()
    """People who are enrolled in the relay's register."""
    registered: bool = True
    """Whether the relay knows it. One that is not known gets no answer but no."""


class Retention(Piece):
    """For how long records are kept. Days."""

    traffic_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    """Of messages."""
    access_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    """Of connections."""


class Operator(Piece):
    """What the operator has decided for itself. What is left out is the relay's default."""

    people: tuple[Label, ...] = ("anna", "boris")
    """Who may approve; each has a token of their own."""
    approvals: Annotated[int, Field(ge=0, le=5)] = 2
    """How many of them have to, before anything leaves."""
    emergency_hours: Annotated[int, Field(ge=1, le=720)] = 48
    """How far back an emergency reaches."""
    max_requests_a_day: Annotated[int, Field(ge=1)] = 20
    """More from one officer is looked at by counsel."""
    service_users: dict[Jurisdiction, Number] = Field(default_factory=dict)
    """Users by jurisdiction, for thresholds of a statute."""
    blocking_statutes: dict[Jurisdiction, tuple[Jurisdiction, ...]] = Field(default_factory=dict)
    """By jurisdiction of the order: those whose statutes forbid what it orders."""
    retention: Retention = Retention()
    """How long records are kept."""


class Issuer(Piece):
    """Who issued or approved an instrument."""

    role: AuthorityKind
    """What they are."""
    name: Line
    """Who they are."""
    reference: Line | None = None
    """Their own number; the instrument's, when left out."""
    at: Moment | None = None
    """When; the start of the instrument, when left out."""
    emergency: bool = False
    """Whether it was approved as an emergency."""


class NonDisclosure(Piece):
    """An order not to tell the user."""

    legal_basis: Text
    """What it rests on."""
    until: Moment | None = None
    """When it ends. Without a date it is looked at again after a year."""


class Span(Piece):
    """From when until when."""

    start: Annotated[Moment, Field(alias="from")]
    """The first second."""
    until: Moment
    """The end, which is not in it."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.until:
            raise ValueError("`from` must be before `until`")
        return self


class Instrument(Piece):
    """What a demand rests on."""

    id: InstrumentId
    """As the pack's manifest names it: `us/d-order`."""
    reference: Line
    """The issuer's own number."""
    issued_by: AuthorityKind | tuple[Issuer, ...]
    """Who issued it: what they are, or a list of who approved it."""
    valid: Span
    """When it is in force."""
    purpose: Purpose = Purpose.INVESTIGATE
    """What the data are for."""
    urgency: Urgency = Urgency.ROUTINE
    """How soon."""
    emergency_grounds: Text | None = None
    """Why life or limb is in danger."""
    offence_max_years: Annotated[int, Field(ge=0, le=100)] | None = None
    """Highest penalty of the offence; left out, it satisfies no threshold."""
    non_disclosure: NonDisclosure | None = None
    """Left out: users are told."""
    enforcing_authority_notified: bool = False
    """Regulation (EU) 2023/1543, article 8."""
    harm_to_investigation: Text | None = None
    """Why the enterprise itself cannot be asked first."""
    mutual_assistance_reference: Line | None = None
    """The requested state's own order."""
