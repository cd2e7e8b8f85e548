"""What a data demand brings with it once its classes are decided: dates, approvals, what is owed afterwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from blindrelay.policies import reasons
from blindrelay.policies.decision import Decision, DemandDecision, Reason
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import DataDemand
from blindrelay.policies.vocabulary import EventKind, Outcome

#: Whoever reviews does not release (the FBI's advice after the forged emergencies of 2021, among others).
EMERGENCY_APPROVALS: Final = 2
#: A non-disclosure order without an end is looked at again after a year (DOJ memorandum of 19 October 2017).
UNDATED_GAG_REVIEW: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Kept:
    """Until when something is preserved, and how often that moment has been moved."""

    until: datetime
    extensions: int
    reasons: tuple[Reason, ...] = ()


def kept(matter: Matter, demand: DataDemand) -> Kept | None:
    """How long a preservation lasts: its term, its extensions, or until an order that is on its way can be carried out."""
    instrument = matter.instrument
    if instrument is None or instrument.preserve is None:
        return None
    terms = instrument.preserve
    by_days = timedelta(days=terms.extension_days)
    until, extensions = matter.facts.received_at + timedelta(days=terms.days), 0
    earlier = next((each for each in matter.facts.preservations if each.reference == demand.continues), None)
    if earlier is not None:
        until, extensions = earlier.until + by_days, earlier.extensions + 1
    notes: list[Reason] = []
    for event in sorted(matter.events(demand.id), key=lambda each: each.at):
        if event.kind is EventKind.RENEWAL and event.at < until and extensions < terms.extensions:
            until, extensions = until + by_days, extensions + 1
        elif event.kind is EventKind.RENEWAL:
            text = f"The renewal of {event.at:%d %B %Y} came too late, or is one more than the instrument allows."
            notes.append(reasons.of_engine("preservation", text, instrument.legal_basis, instrument.mark))
        elif event.kind is EventKind.CONFIRMATION and event.at < until:
            until = max(until, matter.term_end)
            text = "An order to produce has been confirmed: what is preserved is kept for it while the instrument is in force."
            notes.append(reasons.of_engine("preservation", text, instrument.legal_basis, instrument.mark))
    return Kept(until, extensions, tuple(notes))


def deadline(matter: Matter, release_not_before: datetime | None) -> datetime | None:
    """By when an answer is due. Never before the data may leave."""
    if matter.instrument is None or matter.instrument.answer_within is None:
        return None
    within = matter.instrument.answer_within.of(matter.authorisation.urgency)
    if within is None:
        return None
    due = matter.facts.received_at + within
    return max(due, release_not_before) if release_not_before else due


def follow_up(matter: Matter, demand_id: str, outcome: Outcome) -> datetime | None:
    """By when the process is owed that an emergency went without."""
    if not (outcome.discloses and matter.is_voluntary):
        return None
    if matter.latest(demand_id, EventKind.FOLLOW_UP) is not None:
        return None
    return matter.facts.received_at + timedelta(hours=matter.facts.operator.follow_up_hours)


def approvals(matter: Matter, outcome: Outcome) -> int:
    """How many different persons have to approve before anything leaves."""
    if not outcome.discloses or matter.authorisation.is_test:
        return 0
    least = EMERGENCY_APPROVALS if matter.is_emergency else 0
    return max(matter.facts.operator.approvals, least)


def is_for_counsel(matter: Matter, demand: DataDemand, decided: DemandDecision) -> bool:
    """Whether a lawyer is to look at it: conflicts, protected persons, what is overdue, what law may compel all the same."""
    protected = any(matter.target(target).is_protected for target in demand.targets)
    overdue = decided.follow_up_due is not None and matter.facts.now >= decided.follow_up_due
    crosses_borders = matter.authorisation.mutual_assistance_reference is not None
    lawful_bulk = any(each.law and each.ground == "bulk" for each in decided.classes)
    conflicts = any(each.ground in {"conflict", "objected"} for each in decided.classes)
    fraud = decided.outcome is Outcome.FRAUD_SUSPECTED
    return protected or overdue or crosses_borders or lawful_bulk or conflicts or fraud or has_stale_gag(matter)


def has_stale_gag(matter: Matter) -> bool:
    """Whether a silence without an end has lasted for a year."""
    opened = matter.facts.received_at
    return silence(matter)[1] and matter.facts.now - opened >= UNDATED_GAG_REVIEW


def silence(matter: Matter) -> tuple[datetime | None, bool]:
    """Until when the users are not told, and whether that has no end. (None, False): they are told at once."""
    ordered, instrument = matter.authorisation.non_disclosure, matter.instrument
    if ordered is not None:
        return ordered.until, ordered.until is None
    by_default = instrument is not None and instrument.gag is not None and instrument.gag.by_default
    return None, by_default


def with_notice(matter: Matter, decision: Decision) -> Decision:
    """Add when the users are told."""
    until, is_open = silence(matter)
    owed = [demand.follow_up_due for demand in decision.demands if demand.follow_up_due]
    moments = [moment for moment in (until, *owed) if moment]
    return Decision(
        decision.request_id,
        decision.decided_at,
        decision.policies_digest,
        decision.demands,
        notify_not_before=max(moments) if moments and not is_open else None,
        notice_is_open=is_open,
    )
