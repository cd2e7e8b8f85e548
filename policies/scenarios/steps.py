"""What happens in a scenario: letters, demands, approvals, events. A step does one thing, and says what is to be so then."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from blindrelay.policies.request import MAX_DEMANDS, DeliveryType
from blindrelay.policies.scenarios.expectations import Expectations
from blindrelay.policies.scenarios.words import DemandName, Jurisdiction, Label, Line, Moment, Piece, Text, UserName
from blindrelay.policies.scenarios.world import Instrument, Span
from blindrelay.policies.vocabulary import Capability, DataClass, EventKind, Mode, Scope, ServiceAction

#: A canary of fewer characters could turn up by chance.
MIN_CANARY: Final = 12


class DataAsk(Piece):
    """Data: classes, of targets, in a window."""

    id: Label
    """Its name in this case."""
    classes: Annotated[frozenset[DataClass], Field(min_length=1)]
    """What is asked for."""
    targets: Annotated[tuple[Line, ...], Field(min_length=1)]
    """`alice@acme.example`, `acme.example/alice/laptop`, `acme.example` for everybody of it, or `*` for everybody."""
    window: Span
    """From when until when."""
    mode: Literal[Mode.STORED, Mode.PRESERVE, Mode.STREAM] = Mode.STORED
    """From what is stored, kept from deletion, or as it happens."""
    delivery_type: DeliveryType | None = None
    """For mode `stream`. Left out: `IRIOnly`."""
    continues: DemandName | None = None
    """The preservation that this renews or takes up."""


class CapabilityAsk(Piece):
    """Something that is to be built."""

    id: Label
    """Its name in this case."""
    capability: Capability
    """What."""
    scope: Scope = Scope.ALL_USERS
    """For whom."""
    description: Text
    """In the authority's own words."""


class ServiceAsk(Piece):
    """Something about the service itself."""

    id: Label
    """Its name in this case."""
    service: ServiceAction
    """What."""
    jurisdiction: Jurisdiction
    """Where."""
    effective: Moment
    """From when on."""
    addressee: Literal["operator", "other"] = "operator"
    """To whom it is addressed; one to somebody else is recorded, and obeyed by nobody here."""


def _kind(value: Any) -> str:
    """Which of the three it is, by what it names."""
    names = value if isinstance(value, dict) else vars(value)
    return "capability" if "capability" in names else "service" if "service" in names else "data"


Ask = Annotated[
    Annotated[DataAsk, Tag("data")]
    | Annotated[CapabilityAsk, Tag("capability")]
    | Annotated[ServiceAsk, Tag("service")],
    Discriminator(_kind),
]


class Demand(Piece):
    """An authority signs a request and hands it in."""

    case: Label
    """What the case is called in this scenario."""
    by: Label
    """The authority."""
    officer: Line | None = None
    """Who asks; left out, the first officer who is enrolled."""
    under: Label | Instrument
    """The instrument: one of `instruments`, or written here."""
    asks: Annotated[tuple[Ask, ...], Field(min_length=1, max_length=MAX_DEMANDS)]
    """What it asks for. Each is decided alone."""


class Send(Piece):
    """Somebody writes to somebody. What they write is the canary: it must be in no byte that the relay has or gives."""

    id: Label
    """What the letter is called in this scenario."""
    sender: Annotated[UserName, Field(alias="from")]
    """Who writes, from the first of their devices."""
    to: UserName
    """To whom."""
    text: Annotated[Text, Field(min_length=MIN_CANARY)]
    """What. At least twelve characters, so that they cannot be anywhere by chance."""
    fetched: bool = True
    """Whether the recipient's devices fetch it at once. Otherwise it waits for `collect`."""


class Letter(Send):
    """A line of the traffic."""

    at: Moment
    """When."""
    only_in: tuple[Label, ...] = ()
    """The variants in which it is written; left out, all."""


class Approve(Piece):
    """People of the operator's approve a demand."""

    demand: DemandName
    """Which."""
    by: Annotated[tuple[Label, ...], Field(min_length=1)]
    """Who, one after the other."""
    refused: bool = False
    """Whether the last of them is not allowed to: the same person twice, say."""


class Reject(Piece):
    """A person refuses what the policies would grant."""

    demand: DemandName
    """Which."""
    by: Label
    """Who."""
    reason: Text
    """Why."""


class Event(Piece):
    """Something that happens to a case from outside."""

    case: Label
    """Which."""
    kind: EventKind
    """What."""
    demand: Label | None = None
    """Which demand of it; left out, all."""
    by: Label | None = None
    """Who enters it; left out, the first of the operator's people."""
    note: str = ""
    """For the case file."""


class ServiceEvent(Piece):
    """The operator carries out, or takes back, what was announced about the service in a jurisdiction."""

    jurisdiction: Jurisdiction
    """Where."""
    action: ServiceAction
    """What."""
    effective: Moment | None = None
    """From when on; left out, now."""
    by: Label | None = None
    """Who; left out, the first of the operator's people."""


class Step(Piece):
    """Something happens, and something is expected."""

    at: Moment | None = None
    """When."""
    after: timedelta | None = None
    """How long after the step before: `P10D`, `PT8H`."""
    title: Line | None = None
    """What it is, for the timeline."""
    sources: tuple[Label, ...] = ()
    """Keys of `sources` that say so."""
    only_in: tuple[Label, ...] = ()
    """The variants to which it belongs; left out, all."""
    send: Send | None = None
    """Somebody writes."""
    collect: tuple[UserName, ...] = ()
    """The devices of these people connect, and fetch what waits for them."""
    demand: Demand | None = None
    """An authority hands in a request."""
    withdraw: Label | None = None
    """The authority takes the request of this case back."""
    approve: Approve | None = None
    """People approve."""
    reject: Reject | None = None
    """A person refuses."""
    event: Event | None = None
    """Something happens to a case."""
    operate: ServiceEvent | None = None
    """The operator acts on the service in a jurisdiction."""
    restart: bool = False
    """The relay is stopped and started again."""
    expect: Expectations = Expectations()
    """What is to be so when this is done."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.at is not None and self.after is not None:
            raise ValueError("a step has `at` or `after`, not both")
        if self.after is not None and self.after < timedelta(0):
            raise ValueError("`after` goes forward")
        if len(self.actions) > 1:
            raise ValueError(f"a step does one thing, this one does {len(self.actions)}: {', '.join(self.actions)}")
        return self

    @property
    def actions(self) -> list[str]:
        """The names of what it does."""
        names = ("send", "collect", "demand", "withdraw", "approve", "reject", "event", "operate", "restart")
        return [name for name in names if getattr(self, name)]
