"""What an outcome is called towards the authority: a TaskStatus of TS 103 120."""

from typing import Final

from blindrelay.policies.vocabulary import Ground, Outcome, TaskStatus

_BY_OUTCOME: Final = {
    Outcome.GRANTED: TaskStatus.AWAITING_DISCLOSURE,
    Outcome.NARROWED: TaskStatus.AWAITING_DISCLOSURE,
    Outcome.PRESERVED: TaskStatus.PRESERVED,
    Outcome.REFUSED: TaskStatus.REJECTED,
    Outcome.REDIRECTED: TaskStatus.REJECTED,
    Outcome.HELD: TaskStatus.AWAITING_APPROVAL,
    Outcome.EXPIRED: TaskStatus.EXPIRED,
    Outcome.WITHDRAWN: TaskStatus.CANCELLED,
    Outcome.FRAUD_SUSPECTED: TaskStatus.REJECTED,
}
#: `DisclosureNotAvailable` says that there is nothing; `Rejected` would say that we decline.
_NOTHING_THERE: Final = frozenset({Ground.NOT_HELD, Ground.UNKNOWN_TARGET})


def status_of(outcome: Outcome, ground: Ground | None, approvals: int = 0) -> TaskStatus:
    """The status of a demand, or of a class of it, as it is decided; carrying it out moves it on."""
    if outcome is Outcome.REFUSED and ground in _NOTHING_THERE:
        return TaskStatus.DISCLOSURE_NOT_AVAILABLE
    if outcome is Outcome.REFUSED and ground is Ground.UNAUTHENTICATED:
        return TaskStatus.INVALID
    if outcome.discloses and approvals:
        return TaskStatus.AWAITING_APPROVAL
    return _BY_OUTCOME[outcome]
