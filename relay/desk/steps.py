"""What can be written into a case file: one closed model for each kind of row, in JSON."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from blindrelay.policies.decision import Decision, Facts
from blindrelay.policies.request import Document, LawfulRequest
from blindrelay.policies.vocabulary import CaseState, DataClass, EventKind

#: Who did what the clock did.
CLOCK: Final = "clock"


class Work(StrEnum):
    """What the desk does about a demand, once or until it ends."""

    PRESERVATION = "preservation"
    STREAM = "stream"
    SERVICE = "service"
    NOTICE = "notice"


class Concern(StrEnum):
    """What a person has to look into."""

    FOLLOW_UP_OVERDUE = (
        "follow-up-overdue"  #: an emergency was answered, and the process that was promised has not come
    )
    UNDATED_GAG = "undated-gag"  #: for a year now the user may not be told, and no end is named
    COUNSEL = "counsel"  #: the decision itself asks for a lawyer
    FRAUD = "fraud"  #: somebody has used an agency's name: the agency is to be told, and whoever pursues that


class Received(Document):
    """A request has come; its signature had been verified."""

    step: Literal["received"] = "received"
    request: LawfulRequest
    jws: str


class Authenticated(Document):
    """It is from whom it says, and the register knows them."""

    step: Literal["authenticated"] = "authenticated"
    name: str
    officer_is_enrolled: bool


class Decided(Document):
    """What came of it, and everything that it was decided from."""

    step: Literal["decided"] = "decided"
    facts: Facts
    decision: Decision


class Undecided(Document):
    """The decision could not be made: nothing is disclosed. `error` is the name of what went wrong."""

    step: Literal["undecided"] = "undecided"
    error: str
    decision: Decision  #: refuses everything


class Happened(Document):
    """Something that the policies know of has happened since."""

    step: Literal["happened"] = "happened"
    kind: EventKind
    demand: str | None
    by: str
    note: str = ""


class Approved(Document):
    """A person approves what is granted. `grant` is the digest of just that."""

    step: Literal["approved"] = "approved"
    demand: str
    by: str
    grant: str


class Rejected(Document):
    """A person refuses what would be granted."""

    step: Literal["rejected"] = "rejected"
    demand: str
    by: str
    reason: str


class Packaged(Document):
    """A package has been made and can be fetched."""

    step: Literal["packaged"] = "packaged"
    demand: str
    grant: str
    digest: str
    size: int
    records: dict[DataClass, int]


class Released(Document):
    """A package is about to be handed over, to the signed call `fetch`."""

    step: Literal["released"] = "released"
    demand: str
    fetch: str


class Begun(Document):
    """Work is about to be done; `until`: when it ends by itself."""

    step: Literal["begun"] = "begun"
    work: Work
    demand: str
    until: datetime | None = None


class Ended(Document):
    """Work has been done, or has come to its end. `count`: of accounts that were told."""

    step: Literal["ended"] = "ended"
    work: Work
    demand: str
    count: int | None = None


class Raised(Document):
    """A person has to look into this."""

    step: Literal["raised"] = "raised"
    concern: Concern
    demand: str | None = None


class Settled(Document):
    """All demands have their end: nothing more is disclosed than has been."""

    step: Literal["settled"] = "settled"
    state: Literal[CaseState.FULFILLED, CaseState.REFUSED, CaseState.REDIRECTED]


class Closed(Document):
    """Nothing is owed any more; packages are deleted."""

    step: Literal["closed"] = "closed"


class TurnedAway(Document):
    """At the door: something came that is no authenticated request. `digest`: SHA-256 of what came, in hex."""

    step: Literal["turned-away"] = "turned-away"
    reason: str
    digest: str


class Listed(Document):
    """The orders of a period, for the agencies to confirm."""

    step: Literal["listed"] = "listed"
    jurisdiction: str
    start: datetime
    end: datetime
    cases: tuple[str, ...]


Step = (
    Received
    | Authenticated
    | Decided
    | Undecided
    | Happened
    | Approved
    | Rejected
    | Packaged
    | Released
    | Begun
    | Ended
    | Raised
    | Settled
    | Closed
)
STEP: Final[TypeAdapter[Step]] = TypeAdapter(Annotated[Step, Field(discriminator="step")])
