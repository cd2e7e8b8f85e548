"""A jurisdiction's instruments, as data: `policies/packs/<jurisdiction>/manifest.yaml`.

The manifest says what the *law* reaches; what the relay holds and what its operator does is decided elsewhere. Each
instrument carries its source and how well it is established.
"""

from datetime import date, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from blindrelay.policies.request import Document, InstrumentId, Jurisdiction, Text
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    Mark,
    Mode,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)

Days = Annotated[int, Field(ge=1, le=3_660)]
SourceKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,20}$")]


class Gag(Document):
    """Whether the user may be told."""

    by_default: bool  #: the instrument itself forbids it; otherwise a non-disclosure order has to say so
    legal_basis: Text | None  #: None: the statute has no such rule
    limit: Text  #: what ends it, or who may be told all the same
    #: Not even that such an instrument exists may be said: a warrant canary would, so there is none.
    existence_secret: bool = False


class AnswerWithin(Document):
    """How soon after receipt an answer is due."""

    routine: timedelta | None = None
    emergency: timedelta | None = None

    def of(self, urgency: Urgency) -> timedelta | None:
        """The shorter clock belongs to the emergency; without one of its own it has the ordinary one."""
        if urgency is Urgency.EMERGENCY and self.emergency is not None:
            return self.emergency
        return self.routine


class Preserve(Document):
    """How long what is preserved is kept, and how often that can be extended, and by how much."""

    days: Days
    extension_days: Annotated[int, Field(ge=0, le=3_660)] = 0
    extensions: Annotated[int, Field(ge=0, le=100)] = 0


class Instrument(Document):
    """One row of the law: who may order what with it, about whom, for how long."""

    id: InstrumentId
    title: Text
    legal_basis: Text
    issuers: Annotated[tuple[AuthorityKind, ...], Field(min_length=1)]
    reach: tuple[DataClass, ...]
    modes: tuple[Mode, ...]
    scopes: tuple[Scope, ...]
    prospective: bool
    needs_judge: bool
    #: The longest term of the instrument, in days from its start.
    max_days: Days | None = None
    answer_within: AnswerWithin | None = None
    #: Disclosure is the provider's choice. It chooses so in an emergency alone, and then gives the least there is.
    voluntary: bool = False
    gag: Gag | None = None
    #: Another state's authority is notified and may object for so many days before anything is handed over.
    notification_days: Days | None = None
    notification_classes: tuple[DataClass, ...] = (DataClass.TRAFFIC, DataClass.CONTENT)
    preserve: Preserve | None = None
    capabilities: tuple[Capability, ...] = ()
    service: tuple[ServiceAction, ...] = ()
    #: Where a class takes another issuer than the rest: EU traffic and content take a judge (art. 4(2)).
    class_issuers: dict[DataClass, tuple[AuthorityKind, ...]] = Field(default_factory=dict)
    #: The instrument binds a service from so many users in the jurisdiction on.
    min_users: Annotated[int, Field(ge=1)] | None = None
    mark: Mark
    sources: tuple[SourceKey, ...]
    notes: Text | None = None

    @field_validator("answer_within", mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        return {"routine": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        keeps = Mode.PRESERVE in self.modes and bool(self.reach)
        for what, wrong in (
            ("modes names preserve without saying for how long", keeps and self.preserve is None),
            ("preserve belongs to mode preserve", Mode.PRESERVE not in self.modes and self.preserve is not None),
            ("modes names build without capabilities", Mode.BUILD in self.modes and not self.capabilities),
            ("capabilities belong to mode build", Mode.BUILD not in self.modes and bool(self.capabilities)),
            ("mode stream reaches into the future: prospective", Mode.STREAM in self.modes and not self.prospective),
            ("classes without a mode", bool(self.reach) and not self.modes),
            ("a fact without a source is unconfirmed: mark U", not self.sources and self.mark is not Mark.UNCONFIRMED),
            ("class_issuers names an issuer who is not in issuers", not self._all_issuers <= set(self.issuers)),
            ("class_issuers names a class that is not in reach", not set(self.class_issuers) <= set(self.reach)),
        ):
            if wrong:
                raise ValueError(what)
        return self

    @property
    def _all_issuers(self) -> set[AuthorityKind]:
        return {kind for kinds in self.class_issuers.values() for kind in kinds}

    def is_notified(self, data_class: DataClass, purpose: Purpose) -> bool:
        """Whether another state's authority may object to this class being handed over."""
        # Connections are traffic data for every purpose but to identify somebody (Reg. 2023/1543 art. 3(10), (11)).
        follows = data_class is DataClass.ACCESS and purpose is not Purpose.IDENTIFY
        counted = DataClass.TRAFFIC if follows else data_class
        return self.notification_days is not None and counted in self.notification_classes

    def issuers_of(self, data_class: DataClass) -> tuple[AuthorityKind, ...]:
        """Who may order this class with it."""
        return self.class_issuers.get(data_class, self.issuers)


class Manifest(Document):
    """A pack's own account of itself."""

    jurisdiction: Jurisdiction
    title: Text
    as_of: date
    not_legal_advice: Text
    simplifies: Annotated[tuple[Text, ...], Field(min_length=1)]
    non_disclosure: Text
    #: The enterprise is asked first, unless that would harm the investigation (Reg. 2023/1543 art. 5(6)).
    processor_redirect: bool = False
    #: States whose authorities and tenants are this jurisdiction's, where it is a union.
    members: tuple[Jurisdiction, ...] = ()
    instruments: Annotated[tuple[Instrument, ...], Field(min_length=1)]
    sources: dict[SourceKey, Text]

    def instrument(self, instrument_id: str) -> Instrument | None:
        """The instrument with this id."""
        return next((instrument for instrument in self.instruments if instrument.id == instrument_id), None)

    def covers(self, jurisdiction: str) -> bool:
        """Whether `jurisdiction` is this one or a member of it."""
        return jurisdiction == self.jurisdiction or jurisdiction in self.members
