"""Which rows of a case file the log `lawful-access` has, and what its commitments say (`blindrelay.policies.leaves`)."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from blindrelay.policies.leaves import LoggedStep, Opening
from blindrelay.policies.vocabulary import EventKind
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.steps import STEP, Step, Work


@dataclass(frozen=True, slots=True)
class Committed:
    """A row that the log has: where, with which salt, and whether it has been told of."""

    number: int
    salt: bytes = field(repr=False)
    opening: Opening
    is_told: bool


#: Steps of which a transparency report shows something, or which a package rests on.
_LOGGED: Final[dict[type[Step], LoggedStep]] = {
    steps.Received: "request",
    steps.Decided: "decision",
    steps.Undecided: "decision",
    steps.Rejected: "decision",
    steps.Packaged: "package",
    steps.Released: "release",
    steps.Settled: "settled",
}


def opening_of(case_id: str, sequence: int, body: str) -> Opening | None:
    """What the commitment of a row says; None for a row that the log does not have."""
    step = STEP.validate_json(body)
    logged = _logged(step)
    if logged is None:
        return None
    return Opening.model_validate(
        {
            "step": logged,
            "case": case_id,
            "sequence": sequence,
            "row": sha256(body.encode()).hexdigest(),
            "demand": getattr(step, "demand", None),
            "document": _document(step),
        }
    )


def _logged(step: Step) -> LoggedStep | None:
    match step:
        case steps.Happened(kind=EventKind.WITHDRAWAL):
            return "withdrawal"
        case steps.Begun(work=Work.STREAM) | steps.Ended(work=Work.STREAM):
            return "stream"
        case steps.Ended(work=Work.NOTICE):
            return "notice"
        case _:
            return _LOGGED.get(type(step))


def _document(step: Step) -> str | None:
    match step:
        case steps.Received():
            return sha256(step.jws.encode()).hexdigest()
        case steps.Packaged():
            return step.digest
        case _:
            return None
