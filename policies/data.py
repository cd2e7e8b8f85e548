"""A demand for data, decided: its classes one by one, then what sums them up."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from blindrelay.policies import classes, gates, narrowing, obligations, reasons, release
from blindrelay.policies.classes import Permitted
from blindrelay.policies.decision import ClassDecision, DemandDecision, Reason
from blindrelay.policies.hurdles import Inquiry, refused
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import DataDemand, Timespan
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import Ground, Mark, Mode, Outcome

#: What a demand is called of which nothing leaves, by what its classes are called: the first of these that is among them.
_PRECEDENCE: Final = (
    Outcome.PRESERVED,
    Outcome.FRAUD_SUSPECTED,
    Outcome.WITHDRAWN,
    Outcome.HELD,
    Outcome.REDIRECTED,
    Outcome.EXPIRED,
    Outcome.REFUSED,
)
#: These are about the request, so that they are the demand's even where each class is refused for what it is.
_OF_THE_REQUEST: Final = frozenset({Outcome.FRAUD_SUSPECTED, Outcome.WITHDRAWN})


def decide_data(matter: Matter, demand: DataDemand) -> DemandDecision:
    """Decide a demand for data."""
    found = gates.stop(matter, demand.id, demand.mode)
    inquiry = Inquiry(matter, demand, found, narrowing.window(matter, demand), narrowing.targets(matter, demand))
    judged = classes.judge(inquiry)
    wait = release.wait_for(matter, demand)
    decided = tuple(
        release.settle(matter, demand, each, wait) if isinstance(each, Permitted) else each for each in judged
    )
    permitted = tuple(each for each in judged if isinstance(each, Permitted))
    keep = obligations.kept(matter, demand) if demand.mode is Mode.PRESERVE else None
    if keep is not None and matter.facts.now >= keep.until:
        decided = tuple(_lapsed(each, keep) for each in decided)
    outcome, ground = _sum(decided, found)
    needed = obligations.approvals(matter, outcome)
    may_leave = outcome.discloses
    summary = DemandDecision(
        demand_id=demand.id,
        outcome=outcome,
        ground=ground,
        status=status_of(outcome, ground, needed),
        classes=decided,
        reasons=_reasons(matter, demand, found, outcome, keep),
        redirect_to=found.redirect_to if found else release.redirected_to(demand, decided, permitted),
        release_not_before=wait.until if may_leave and _is_covered(matter, decided) else None,
        deadline=_deadline(matter, found, wait),
        preserved_until=keep.until if keep and outcome is Outcome.PRESERVED else None,
        extensions=keep.extensions if keep and outcome is Outcome.PRESERVED else 0,
        stream=_stream(demand, decided),
        approvals_needed=needed,
        use_restriction=wait.use_restriction if may_leave and _is_covered(matter, decided) else None,
        follow_up_due=obligations.follow_up(matter, demand.id, outcome),
    )
    return replace(summary, escalate_to_counsel=obligations.is_for_counsel(matter, demand, summary))


def _sum(decided: tuple[ClassDecision, ...], found: gates.Stop | None) -> tuple[Outcome, Ground | None]:
    if found is not None and found.outcome in _OF_THE_REQUEST:
        return found.outcome, found.ground
    outcomes = {each.outcome for each in decided}
    if any(outcome.discloses for outcome in outcomes):
        outcome = Outcome.GRANTED if outcomes == {Outcome.GRANTED} else Outcome.NARROWED
        grounds = [each.ground for each in decided if each.ground]
    else:
        outcome = next(each for each in _PRECEDENCE if each in outcomes)
        grounds = [each.ground for each in decided if each.ground and outcome in {each.outcome, Outcome.PRESERVED}]
    return outcome, Ground.BULK if Ground.BULK in grounds else next(iter(grounds), None)


def _lapsed(decided: ClassDecision, keep: obligations.Kept) -> ClassDecision:
    if decided.outcome is not Outcome.PRESERVED:
        return decided
    text = f"The preservation ended on {keep.until:%d %B %Y %H:%M %Z}; what it kept has been left to retention."
    why = (reasons.of_engine("preservation", text), *decided.reasons)
    change = ("A renewal, or an order to produce, before that moment.",)
    return refused(decided.data_class, Ground.EXPIRED, why, change, Outcome.EXPIRED)


def _reasons(
    matter: Matter, demand: DataDemand, found: gates.Stop | None, outcome: Outcome, keep: obligations.Kept | None
) -> tuple[Reason, ...]:
    """What the whole demand rests on."""
    said: list[Reason] = [found.reason] if found else []
    is_authentic = found is None or found.ground is not Ground.UNAUTHENTICATED
    if matter.pack is not None and matter.instrument is not None and is_authentic:
        issuers = matter.issuers_for() or matter.issuers
        text = f"{reasons.cited(matter.instrument)}, stated to be issued or approved by {reasons.issuers_in_words(issuers)}."
        said.append(reasons.of_instrument(matter.pack, matter.instrument, text))
    if found is None and keep is not None:
        said.extend(keep.reasons)
    harm = matter.authorisation.harm_to_investigation
    if harm and outcome.discloses and matter.pack is not None and matter.pack.manifest.processor_redirect:
        text = f"The enterprise was not asked first, since the authority states that this would harm the investigation: {harm}"
        said.append(reasons.of_engine("controller", text, release.CONTROLLER, Mark.UNCONFIRMED))
    if matter.authorisation.is_test:
        said.append(reasons.of_engine("test", reasons.TEST))
    return tuple(said)


def _is_covered(matter: Matter, decided: tuple[ClassDecision, ...]) -> bool:
    """Whether a class that leaves is one that another authority was notified of."""
    return matter.instrument is not None and any(
        each.outcome.discloses and matter.instrument.is_notified(each.data_class, matter.authorisation.purpose)
        for each in decided
    )


def _deadline(matter: Matter, found: gates.Stop | None, wait: release.Wait) -> datetime | None:
    if found is not None and found.ground is Ground.UNAUTHENTICATED:
        return None
    return obligations.deadline(matter, wait.until)


def _stream(demand: DataDemand, decided: tuple[ClassDecision, ...]) -> Timespan | None:
    if demand.mode is not Mode.STREAM:
        return None
    return next((each.window for each in decided if each.outcome.discloses), None)
