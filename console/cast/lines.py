"""What the cast is told, and what it tells: one JSON object on a line."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: Messages a second, at most: ten times what one can follow.
MAX_RATE: Final = 100.0


class Way(StrEnum):
    """In which posture they write."""

    STANDARD = "standard"
    SEALED = "sealed"
    BOTH = "both"  #: everything twice, so that one can compare


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Direction(_Line):
    """What is to be different from now on; None stays as it is.

    Attributes:
        rate: messages a second; 0: one at a time, slowly, so that one can follow it.
        say: words that are said next.
    """

    paused: bool | None = None
    way: Way | None = None
    rate: Annotated[float | None, Field(ge=0, le=MAX_RATE)] = None
    say: Annotated[str | None, Field(min_length=1, max_length=500, repr=False)] = None


class Person(_Line):
    """Somebody who takes part: `alice@acme.example`, and what their devices are called."""

    address: str
    devices: tuple[str, ...]


class Company(_Line):
    """Everybody is there; it begins. `enrolled`: by enterprise, SHA-256 (hex) of each certificate that it has issued, and
    for which device."""

    event: Literal["company"] = "company"
    people: tuple[Person, ...]
    enrolled: dict[str, dict[str, str]]


class Directed(_Line):
    """How they are directed now."""

    event: Literal["directed"] = "directed"
    paused: bool
    way: Way
    rate: float


class Trouble(_Line):
    """Why nothing happens, in words; empty when it goes on."""

    event: Literal["trouble"] = "trouble"
    reason: str


class Written(_Line):
    """One message, as far as it has come.

    Attributes:
        id: in hex; what is known of one of before is replaced.
        number: which one it is.
        pair: two messages with the same words, in one posture each, have the number of the first.
        sender: the device that sends it.
        to: whom, or the members of the group.
        at: epoch seconds.
        envelopes: the relay's message id (hex) of each envelope, and the device that it is for.
        stages: how far it has come with each person: `waiting`, `accepted`, `delivered`, `read`, `refused`.
    """

    event: Literal["written"] = "written"
    id: str
    number: int
    pair: int
    sender: str
    to: tuple[str, ...]
    group: str | None = None
    subject: str | None = None
    attachments: tuple[str, ...] = ()
    text: Annotated[str, Field(repr=False)]
    posture: Literal["standard", "sealed"]
    at: float
    envelopes: dict[str, str]
    stages: dict[str, str]


Event = Annotated[Company | Directed | Trouble | Written, Field(discriminator="event")]
EVENT: Final[TypeAdapter[Company | Directed | Trouble | Written]] = TypeAdapter(Event)
