"""What is to be done next about a case: a pure function of its file and the time.

The desk carries out what this says and asks again, after every step and after every start. So there is no difference between
going on and resuming, and no list of unfinished business to keep.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import DataDemand
from blindrelay.policies.vocabulary import CaseState, Mode, Outcome
from blindrelay.relay.desk.case import FINAL, Case, grants
from blindrelay.relay.desk.steps import Concern, Work

# A non-disclosure order without an end is looked at again each year; courts have lifted such orders when asked (the
# reference: S15; the US Department of Justice asks for a year or less, 19 October 2017).
GAG_REVIEW: Final = timedelta(days=365)
# What is preserved and about to be produced is kept two weeks at a time, and for two weeks more when one is left: a relay
# that is down for a week has lost nothing of it, and one that never comes back keeps nothing for long.
_LONGER: Final = timedelta(days=14)
_NEARLY_OVER: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Write down whom the register knows by this name."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide, or decide again."""


@dataclass(frozen=True, slots=True)
class MakePackage:
    """Make the package of a demand."""

    demand: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin work, or go on with it until another moment."""

    work: Work
    demand: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """End work."""

    work: Work
    demand: str


@dataclass(frozen=True, slots=True)
class Raise:
    """Show something to a person."""

    concern: Concern
    demand: str | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """Every demand has its end."""

    state: CaseState


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing is owed any more."""


Todo = Authenticate | Decide | MakePackage | Begin | Finish | Raise | Settle | Close


def due(case: Case, now: datetime, *, kept: timedelta, continued: frozenset[str] = frozenset()) -> Iterator[Todo]:
    """What is to be done now, the most urgent first.

    Args:
        case: as its file says.
        now: the time.
        kept: for how long a case stays open after it was settled, and its packages can be fetched.
        continued: preservations (`<case>/<demand>`) that a request which is not settled yet builds on: they are kept.
    """
    if case.is_closed:
        return
    if case.state is CaseState.RECEIVED:
        yield Authenticate()
        return
    verdicts = case.verdicts()
    if case.state is not CaseState.WITHDRAWN and _is_to_be_decided(case, verdicts, now):
        yield Decide()
        return
    if not case.is_test:
        yield from _doing(case, verdicts, now, continued)
    if case.state is CaseState.DECIDED and all(is_settled(case, verdict, now) for verdict in verdicts):
        yield Settle(_settled_state(case, verdicts))
    elif _may_close(case, verdicts, now, kept):
        yield Close()


def _doing(case: Case, verdicts: list[DemandDecision], now: datetime, continued: frozenset[str]) -> Iterator[Todo]:
    """What there is to be done because of what was decided."""
    for verdict in verdicts:
        yield from _ending(case, verdict, now, continued)
    for verdict in verdicts:
        if case.state in {CaseState.DECIDED, CaseState.FULFILLED}:  # a preservation may be prolonged
            yield from _preserving(case, verdict, now)
        if case.state is CaseState.DECIDED:
            yield from _releasing(case, verdict, now)
    for verdict in verdicts:
        yield from _telling(case, verdict, now)
        yield from _raising(case, verdict, now)


def is_settled(case: Case, verdict: DemandDecision, now: datetime) -> bool:
    """Whether what was decided about a demand has been done, or can be done no more. Of a test nothing is done.

    A test is in no report, so that nothing may come of it that belongs into one.
    """
    demand_id = verdict.demand_id
    if case.is_test or verdict.outcome in FINAL or demand_id in case.packages:
        return True
    if verdict.outcome is Outcome.PRESERVED:
        is_too_late = verdict.preserved_until is not None and now >= verdict.preserved_until
        return is_too_late or (Work.PRESERVATION, demand_id) in case.begun
    if verdict.service is not None:
        return (Work.SERVICE, demand_id) in case.ended
    if verdict.stream is not None and now >= verdict.stream.end:
        return not case.is_running(Work.STREAM, demand_id)
    return (Work.STREAM, demand_id) in case.ended


def may_leave(case: Case, verdict: DemandDecision, now: datetime) -> bool:
    """Whether what is granted has the persons and the time that it takes."""
    waits = verdict.release_not_before is not None and now < verdict.release_not_before
    return verdict.outcome.discloses and not waits and not case.is_test and case.is_approved(verdict)


def notice_due(case: Case, now: datetime) -> bool:
    """Whether the users may be told by now."""
    decision = case.decision
    if decision is None or decision.notice_is_open:
        return False
    return decision.notify_not_before is None or now >= decision.notify_not_before


def _is_to_be_decided(case: Case, verdicts: list[DemandDecision], now: datetime) -> bool:
    """Whether there is no decision yet that counts now.

    What is to leave is decided as of when it leaves, for what was in force when it was decided may have ended, and who was
    registered may be so no more. When the instrument ends it is decided again, so that nobody waits for what cannot come.
    """
    if case.decided_at is None or case.is_stale:
        return True
    if case.state is not CaseState.DECIDED or case.decided_at >= now:
        return False
    has_ended = case.decided_at < case.request.authorisation.timespan.end <= now
    return has_ended or any(True for verdict in verdicts for _ in _releasing(case, verdict, now))


def _ending(case: Case, verdict: DemandDecision, now: datetime, continued: frozenset[str]) -> Iterator[Todo]:
    demand_id = verdict.demand_id
    if case.is_running(Work.STREAM, demand_id):
        until = case.begun[Work.STREAM, demand_id]
        if not verdict.outcome.discloses or (until is not None and now >= until):
            yield Finish(Work.STREAM, demand_id)
    if case.is_running(Work.PRESERVATION, demand_id):
        until = verdict.preserved_until
        is_over = verdict.outcome is not Outcome.PRESERVED or (until is not None and now >= until)
        if f"{case.case_id}/{demand_id}" in continued:
            yield from _kept_for_production(case, demand_id, now)
        elif is_over:
            yield Finish(Work.PRESERVATION, demand_id)


def _kept_for_production(case: Case, demand_id: str, now: datetime) -> Iterator[Todo]:
    """What somebody waits for is kept though its own term ends: a little longer each time, for an order ends by itself."""
    ends = case.begun[Work.PRESERVATION, demand_id]
    if ends is not None and ends < now + _NEARLY_OVER:
        yield Begin(Work.PRESERVATION, demand_id, now + _LONGER)


def _releasing(case: Case, verdict: DemandDecision, now: datetime) -> Iterator[Todo]:
    demand_id = verdict.demand_id
    if not may_leave(case, verdict, now):
        return
    if verdict.service is not None:
        if (Work.SERVICE, demand_id) not in case.ended:
            yield Begin(Work.SERVICE, demand_id)
    elif verdict.stream is not None:
        is_new = case.begun.get((Work.STREAM, demand_id)) != verdict.stream.end and now < verdict.stream.end
        if is_new and (Work.STREAM, demand_id) not in case.ended:
            yield Begin(Work.STREAM, demand_id, verdict.stream.end)
    elif demand_id not in case.packages and _is_stored(case, verdict):
        yield MakePackage(demand_id)


def _preserving(case: Case, verdict: DemandDecision, now: datetime) -> Iterator[Todo]:
    demand_id, until = verdict.demand_id, verdict.preserved_until
    if verdict.outcome is not Outcome.PRESERVED or until is None or now >= until:
        return
    ends = case.begun.get((Work.PRESERVATION, demand_id))
    # Never shorter: it may have been kept beyond its term for an order to produce it.
    if (ends is None or ends < until) and (Work.PRESERVATION, demand_id) not in case.ended:
        yield Begin(Work.PRESERVATION, demand_id, until)


def _telling(case: Case, verdict: DemandDecision, now: datetime) -> Iterator[Todo]:
    demand_id = verdict.demand_id
    if (Work.NOTICE, demand_id) not in case.ended and owes_notice(case, demand_id) and notice_due(case, now):
        yield Begin(Work.NOTICE, demand_id)


def owes_notice(case: Case, demand_id: str) -> bool:
    """Whether records about somebody have left, or may have. A request that was taken back before owes nothing."""
    package = case.packages.get(demand_id)
    if package is not None and any(package.records.values()):
        return case.state is not CaseState.WITHDRAWN or demand_id in case.released
    return (Work.STREAM, demand_id) in case.ended


def _raising(case: Case, verdict: DemandDecision, now: datetime) -> Iterator[Todo]:
    demand_id = verdict.demand_id
    if verdict.escalate_to_counsel and (Concern.COUNSEL, demand_id) not in case.raised:
        yield Raise(Concern.COUNSEL, demand_id)
    if verdict.outcome is Outcome.FRAUD_SUSPECTED and (Concern.FRAUD, demand_id) not in case.raised:
        yield Raise(Concern.FRAUD, demand_id)
    is_overdue = verdict.follow_up_due is not None and now >= verdict.follow_up_due and _has_left(case, demand_id)
    if is_overdue and not case.is_followed_up(demand_id) and (Concern.FOLLOW_UP_OVERDUE, demand_id) not in case.raised:
        yield Raise(Concern.FOLLOW_UP_OVERDUE, demand_id)
    if case.decision is not None and case.decision.notice_is_open and owes_notice(case, demand_id):
        since = case.raised.get((Concern.UNDATED_GAG, demand_id), case.received_at)
        if now >= since + GAG_REVIEW:
            yield Raise(Concern.UNDATED_GAG, demand_id)


def _has_left(case: Case, demand_id: str) -> bool:
    return demand_id in case.packages or (Work.STREAM, demand_id) in case.begun


def _settled_state(case: Case, verdicts: list[DemandDecision]) -> CaseState:
    if case.packages or case.begun:
        return CaseState.FULFILLED
    if any(verdict.outcome is Outcome.REDIRECTED for verdict in verdicts):
        return CaseState.REDIRECTED
    return CaseState.REFUSED


def _may_close(case: Case, verdicts: list[DemandDecision], now: datetime, kept: timedelta) -> bool:
    if case.settled_at is None or now < case.settled_at + kept:
        return False
    for verdict in verdicts:
        demand_id = verdict.demand_id
        if any(case.is_running(work, demand_id) for work in (Work.STREAM, Work.PRESERVATION)):
            return False
        if owes_notice(case, demand_id) and (Work.NOTICE, demand_id) not in case.ended:
            return False
        if verdict.follow_up_due and _has_left(case, demand_id) and not case.is_followed_up(demand_id):
            return False
    return True


def _is_stored(case: Case, verdict: DemandDecision) -> bool:
    demand = case.demand(verdict.demand_id)
    return isinstance(demand, DataDemand) and demand.mode is Mode.STORED and bool(grants(verdict))
