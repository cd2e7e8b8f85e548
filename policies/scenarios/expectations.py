"""What a scenario expects. What is not named is not looked at, except for what holds always (`proofs.scenarios.invariants`)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from blindrelay.policies.scenarios.words import (
    Count,
    DemandName,
    Jurisdiction,
    Label,
    Line,
    Moment,
    Piece,
    Text,
    UserName,
)
from blindrelay.policies.vocabulary import CaseState, DataClass, Ground, Outcome, ServiceAction, TaskStatus

MetadataClass = Literal[DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC]


class WindowExpectation(Piece):
    """What is left of a window."""

    start: Annotated[Moment | None, Field(alias="from")] = None
    """Its first second."""
    until: Moment | None = None
    """Its end, which is not in it."""


class ClassExpectation(Piece):
    """What comes of one data class."""

    outcome: Outcome
    """What came of it."""
    ground: Ground | None = None
    """Why not, or why not all. `null`: there is to be none."""
    status: TaskStatus | None = None
    """What it is called towards the authority (ETSI TS 103 120)."""
    policy: Line | None = None
    """The id of a policy or rule that decided: `us/d-order-traffic`, `engine/scope`. `*` stands for anything."""
    reason: Text | None = None
    """Words that one of the reasons contains, upper and lower case alike."""
    law: Text | None = None
    """Words about what the law says. `null`: nothing is to be said."""
    would_change: Text | None = None
    """Words that a sentence about what would have had to differ contains."""
    targets: tuple[Line, ...] | None = None
    """What is left of the targets, in any order. An empty list: nothing."""
    window: WindowExpectation | None = None
    """What is left of the window."""


class DemandExpectation(Piece):
    """What comes of one demand."""

    outcome: Outcome | None = None
    """The demand's outcome: it sums up its classes."""
    ground: Ground | None = None
    """Why not, or why not all. `null`: there is to be none."""
    status: TaskStatus | None = None
    """What it is called towards the authority (ETSI TS 103 120)."""
    classes: dict[DataClass, Outcome | ClassExpectation] = Field(default_factory=dict)
    """Each data class: its outcome, or more about it."""
    policy: Line | None = None
    """The id of a policy or rule that decided. `*` stands for anything."""
    reason: Text | None = None
    """Words that one of the reasons contains, upper and lower case alike."""
    law: Text | None = None
    """Words about what the law says. `null`: nothing is to be said."""
    would_change: Text | None = None
    """Words that a sentence about what would have had to differ contains."""
    redirect_to: Line | None = None
    """Who is to be asked instead."""
    release_not_before: Moment | None = None
    """Before this nothing may leave. `null`: there is no such moment."""
    deadline: Moment | None = None
    """By when the instrument wants an answer. `null`: it does not say."""
    preserved_until: Moment | None = None
    """Until when the data are kept from deletion. `null`: they are not, or not any more."""
    stream: WindowExpectation | None = None
    """From when until when records are passed on as they arise. `null`: they are not."""
    use_restriction: Text | None = None
    """Words of the restriction of use. `null`: there is none."""
    follow_up_due: Moment | None = None
    """By when a proper order is owed after an emergency. `null`: none is."""
    approvals_needed: int | None = None
    """How many people have to approve."""
    escalates: bool | None = None
    """Whether counsel is to look at it."""
    rests_on_unconfirmed: bool | None = None
    """Whether a legal fact with mark U decided."""
    service: ServiceAction | None = None
    """What is to become of the service. `null`: nothing."""
    service_effective: Moment | None = None
    """From when on."""


class PackageExpectation(Piece):
    """What the authority gets when it fetches the package of a demand, now."""

    released: bool = True
    """Whether there is a package to be fetched."""
    records: dict[MetadataClass, Count] = Field(default_factory=dict)
    """How many records of each class. A class that is not named has none."""
    about: tuple[UserName, ...] | None = None
    """Whose records there are, no more and no fewer. For traffic this is the side that was a target."""


class StreamExpectation(Piece):
    """What has come over a real-time order since it was first looked at."""

    records: dict[MetadataClass, Count]
    """How many records of each class, in all."""
    ended: bool = False
    """Whether the order has come to its end by itself."""


class NoticeExpectation(Piece):
    """What a user's devices were told."""

    count: Count
    """How many notices there are, in all."""
    mentions: tuple[Line, ...] = ()
    """Words that the notices contain, upper and lower case alike."""


class CaseExpectation(Piece):
    """How a case stands."""

    state: CaseState | None = None
    """Its state."""
    admitted: bool = True
    """Whether the request was taken at all. `false`: it could not be authenticated, nothing was told, and that is recorded."""
    letter: tuple[Line, ...] = ()
    """Words that the answer to the authority contains."""
    letter_lacks: tuple[Line, ...] = ()
    """Words that it must not contain."""
    history: tuple[Line, ...] = ()
    """Steps of the case file that there are, in this order; others may stand between them."""
    waits_for: tuple[Line, ...] | None = None
    """What people have to do, each containing these words. An empty list: nothing."""
    signals: tuple[Line, ...] | None = None
    """Signals of fraud, each containing these words. An empty list: none."""
    listed: bool | None = None
    """Whether the order is on a list that a statute wants sent, for the agency to confirm (India: every fifteen days)."""
    notify_not_before: Moment | None = None
    """When users are told at the earliest. `null`: at once."""
    notice_is_open: bool | None = None
    """Whether nobody knows when users may be told."""


class ServiceState(StrEnum):
    """What state the service in a jurisdiction is in."""

    RUNNING = "running"
    NOTICED = "noticed"
    SUSPENDED = "suspended"
    RESCINDED = "rescinded"


class ServiceExpectation(Piece):
    """The service in a jurisdiction."""

    state: ServiceState
    """Its state."""
    effective: Moment | None = None
    """When a suspension that was announced takes effect."""
    overdue: bool | None = None
    """Whether that date has passed and somebody has to say what now."""


class MailState(StrEnum):
    """What has become of a letter."""

    WAITING = "waiting"  #: accepted, and not fetched
    DELIVERED = "delivered"  #: decrypted on a device of every recipient, word for word
    REFUSED = "refused"  #: the relay did not take it, or did not let its sender in
    EXPIRED = "expired"  #: accepted, never fetched, and deleted when its time was over


class MailExpectation(Piece):
    """A letter that was not taken, and why."""

    state: MailState
    """What has become of it."""
    reason: Line | None = None
    """Words of the reason that the sender was given."""


class Expectations(Piece):
    """What is to be so when the step is done."""

    decisions: dict[DemandName, Outcome | DemandExpectation] = Field(default_factory=dict)
    """By `case/demand`."""
    packages: dict[DemandName, PackageExpectation] = Field(default_factory=dict)
    """By `case/demand`. Looking fetches the package, with the authority's own key."""
    streams: dict[DemandName, StreamExpectation] = Field(default_factory=dict)
    """By `case/demand`."""
    cases: dict[Label, CaseExpectation] = Field(default_factory=dict)
    """By case."""
    notices: dict[UserName, Count | NoticeExpectation] = Field(default_factory=dict)
    """By user. Looking connects the user's devices."""
    service: dict[Jurisdiction, ServiceState | ServiceExpectation] = Field(default_factory=dict)
    """By jurisdiction."""
    mail: dict[Label, MailState | MailExpectation] = Field(default_factory=dict)
    """By letter."""
    reported: dict[Jurisdiction, Count] = Field(default_factory=dict)
    """How many requests of a jurisdiction a transparency report up to now counts."""
    canary: dict[Jurisdiction, bool] = Field(default_factory=dict)
    """Whether the warrant-canary statement of now speaks for a jurisdiction."""
