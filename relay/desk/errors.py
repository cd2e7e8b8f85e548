"""What the desk raises on purpose.

DeskError
 +- CaseNotFound         no such case, or another authority's: the same words for both
 +- RequestConflict      a request id has come before, with another request
 +- NothingToFetch       no package may be handed over for this demand, now
 +- NotPublished         the public log does not show it yet: nothing is handed over before
 +- AlreadyFetched       this very signed fetch has been served
 +- NotAllowed           an operator may not do this: a second approval by the same person, a decision that grants nothing
 +- UnknownOperator      no operator has this token
 +- RegisterError        an authority or operator cannot be entered
 +- AlreadyRecorded      what may happen once has happened
 +- NotRecorded          the case file cannot be written, so nothing is done
 +- CaseFileDamaged      the chain of the case file does not hold
"""

from typing import Final

from blindrelay.protocol.errors import BlindrelayError

NOT_FOUND: Final = "there is no such case"


class DeskError(BlindrelayError):
    """Any error of the desk. The message may be shown to whoever asked."""


class CaseNotFound(DeskError):
    """There is no such case, or it is not the asker's. Nobody learns which."""

    def __init__(self) -> None:
        super().__init__(NOT_FOUND)


class RequestConflict(DeskError):
    """The authority has used this request id before, for another request."""


class NothingToFetch(DeskError):
    """There is no package, not yet, or not any more."""


class NotPublished(DeskError):
    """What is to be handed over is not in the published log `lawful-access`; nothing is handed over before it is."""


class AlreadyFetched(DeskError):
    """A signed fetch is served once; a new one has to be signed."""


class NotAllowed(DeskError):
    """This person may not do this, or not to this demand in its present state."""


class UnknownOperator(DeskError):
    """Nobody is known by this token."""

    def __init__(self) -> None:
        super().__init__("no operator is known by this token")


class RegisterError(DeskError):
    """This cannot be entered into the register; the message says why."""


class AlreadyRecorded(DeskError):
    """What may happen once has happened; nothing was added to the case file."""


class NotRecorded(DeskError):
    """The case file cannot be written: what was asked has not been done and may be asked again."""


class CaseFileDamaged(DeskError):
    """A row of the case file is not the one that was written. Nothing is decided on such a file."""
