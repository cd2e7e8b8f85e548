"""What the process that plays a scenario tells: one JSON object on a line."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Piece(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassShown(_Piece):
    """What came of one data class."""

    data_class: str
    outcome: str
    ground: str | None
    why: str
    policies: tuple[str, ...]


class DemandShown(_Piece):
    """One demand of a case: what was asked for, and what came of it. `outcome` None: nobody has decided."""

    id: str
    asks: str
    outcome: str | None
    ground: str | None
    why: str
    classes: tuple[ClassShown, ...]


class CaseShown(_Piece):
    """A case. `refusal`: why the desk did not take it, if so."""

    name: str
    authority: str
    instrument: str
    state: str
    refusal: str | None
    demands: tuple[DemandShown, ...]


class ServiceShown(_Piece):
    """The service in a jurisdiction. `effective`: epoch seconds."""

    jurisdiction: str
    state: str
    effective: int | None
    overdue: bool
    tenants: tuple[str, ...]


class Frame(_Piece):
    """One line of the timeline, and how everything stands when it has happened.

    Attributes:
        at: epoch seconds, on the scenario's clock.
        failed: expectations that are not met.
        disclosed: bytes of content that anybody was given, or that lie in the clear.
        searched: bytes that were searched for it.
        handed: bytes that authorities and users were given, metadata and answers.
        mail: how many letters were written, and what has become of them.
    """

    event: Literal["frame"] = "frame"
    at: int
    title: str
    details: tuple[str, ...]
    sources: tuple[str, ...]
    checked: int
    failed: tuple[str, ...]
    disclosed: int
    searched: int
    handed: int
    written: int
    refused: int
    services: tuple[ServiceShown, ...]
    cases: tuple[CaseShown, ...]


class Moved(_Piece):
    """How far the playing is."""

    event: Literal["moved"] = "moved"
    what: str
    done: int
    of: int


class Over(_Piece):
    """It has been played. `error`: why not to its end, if so."""

    event: Literal["over"] = "over"
    passed: bool
    error: str | None
    seconds: float


LINE: Final[TypeAdapter[Frame | Moved | Over]] = TypeAdapter(
    Annotated[Frame | Moved | Over, Field(discriminator="event")]
)
