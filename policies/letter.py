"""A decision as a letter: what a lawyer could send, with every sentence resting on something that can be looked up.

The letter is made from the decision, and decides nothing. It names targets only where something about them is granted, and
says of a target that does not exist what it says of one about which nothing is held.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from blindrelay.policies import reasons
from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision, Facts, Reason
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import CapabilityDemand, DataDemand, Demand, LawfulRequest, ServiceDemand, Timespan
from blindrelay.policies.vocabulary import Ground, Mark, Mode, Outcome

NO_ADVICE: Final = "This letter states how the operator has decided, and on what that rests. It is no legal advice."

OUTCOMES: Final = {
    Outcome.GRANTED: "granted",
    Outcome.NARROWED: "granted in part",
    Outcome.PRESERVED: "kept from deletion; nothing is disclosed",
    Outcome.REFUSED: "refused",
    Outcome.REDIRECTED: "not answered here, and referred",
    Outcome.HELD: "held, and nothing leaves until what is missing has been done",
    Outcome.EXPIRED: "not answered",
    Outcome.WITHDRAWN: "withdrawn by the authority",
    Outcome.FRAUD_SUSPECTED: "not answered",
}
GROUNDS: Final = {
    Ground.NOT_HELD: "the relay does not have it",
    Ground.OUT_OF_REACH: "the instrument does not reach it",
    Ground.WRONG_AUTHORITY: "the instrument has to be issued by somebody else",
    Ground.BULK: "it is about everybody",
    Ground.CAPABILITY: "it would have something built that is not built for anybody",
    Ground.EXPIRED: "the instrument is not in force, or its term is over",
    Ground.CONFLICT: "another country's statute forbids it",
    Ground.NO_JURISDICTION: "another jurisdiction's law applies",
    Ground.UNAUTHENTICATED: "it is not shown who asks",
    # To the authority this is the same: whether somebody exists is a record about them.
    Ground.UNKNOWN_TARGET: "the relay does not have it",
    Ground.CONTROLLER_FIRST: "the enterprise is to be asked first",
    Ground.NOT_APPROVED: "a person's approval is missing",
    Ground.AWAITING_NOTIFICATION: "another authority has to be notified first",
    Ground.OBJECTED: "the notified authority has objected",
    Ground.FRAUD_SIGNAL: "it is not certain that the request is genuine",
    Ground.UNDECIDABLE: "it could not be decided, and what cannot be decided is refused",
}


def write(decision: Decision, request: LawfulRequest, policies: Policies, facts: Facts | None = None) -> str:
    """Write a decision down for the authority that asked.

    Args:
        decision: what `decide` gave.
        request: what it was given.
        policies: for the title of the instrument and what the pack says of itself.
        facts: for the authority's name and the time of receipt; without them the letter has the request's own.
    """
    demands = {demand.id: demand for demand in request.demands}
    paragraphs = [
        *_head(decision, request, policies, facts),
        *(part for found in decision.demands for part in _demand(demands[found.demand_id], found)),
        *(() if request.authorisation.is_test else _notice(decision)),
        *_unconfirmed(decision),
        *_foot(decision, request, policies),
    ]
    return "\n".join(paragraphs).strip() + "\n"


def _head(decision: Decision, request: LawfulRequest, policies: Policies, facts: Facts | None) -> Iterator[str]:
    stated = request.authorisation
    pack = policies.pack_of(stated.instrument)
    row = pack.manifest.instrument(stated.instrument) if pack else None
    under = reasons.cited(row) if row else stated.instrument
    received = facts.received_at if facts else request.timestamp
    yield _line(f"To {facts.authority.name if facts else request.sender}, for {request.officer}")
    yield _line(f"Your reference: {stated.reference}, under {under}")
    yield _line(f"Request {request.id}, received {moment(received)}, decided {moment(decision.decided_at)}")
    yield ""
    yield _line("Each demand was decided on its own, and each kind of data on its own.")
    if stated.is_test:
        yield _line(f"{reasons.TEST} What follows is how it would have been decided.")


def _demand(demand: Demand, found: DemandDecision) -> Iterator[str]:
    yield ""
    yield _line(f"{_asked(demand)} {_came_of_it(found.outcome, found.ground)}")
    yield from _said(found.reasons)
    yield from _beside(found.law, found.would_change)
    for each in found.classes:
        yield ""
        yield _line(_of_class(each), "  ")
        yield from _said(each.reasons, "  ")
        yield from _beside(each.law, each.would_change, "  ")
    terms = list(_terms(found))
    if terms:
        yield ""
        for term in terms:
            yield _line(term, "  ")


def _asked(demand: Demand) -> str:
    match demand:
        case DataDemand(mode=Mode.STREAM):
            return f'Demand "{demand.id}", for {reasons.in_words(demand.classes)} as they arise:'
        case DataDemand(mode=Mode.PRESERVE):
            return f'Demand "{demand.id}", to preserve {reasons.in_words(demand.classes)}:'
        case DataDemand():
            return f'Demand "{demand.id}", for {reasons.in_words(demand.classes)}:'
        case CapabilityDemand():
            return f'Demand "{demand.id}", for the capability "{demand.capability.replace("-", " ")}":'
        case ServiceDemand():
            return f'Demand "{demand.id}", to {demand.action} the service in {demand.jurisdiction}:'


def _came_of_it(outcome: Outcome, ground: Ground | None) -> str:
    if ground is None or outcome is Outcome.WITHDRAWN:
        return f"{OUTCOMES[outcome]}."
    if outcome.discloses or outcome is Outcome.PRESERVED:
        return f"{OUTCOMES[outcome]}; not the rest, since {GROUNDS[ground]}."
    return f"{OUTCOMES[outcome]}, since {GROUNDS[ground]}."


def _of_class(found: ClassDecision) -> str:
    words = reasons.in_words([found.data_class])
    text = f"{words[0].upper()}{words[1:]}: {_came_of_it(found.outcome, found.ground)}"
    if not found.targets or found.window is None:
        return text
    names = reasons.listed([target.value for target in found.targets])
    return f"{text} For {names}, {span(found.window)}."


def _said(found: Iterable[Reason], indent: str = "") -> Iterator[str]:
    for reason in found:
        basis = "; ".join(part for part in (reason.policy_id, reason.source, reason.location) if part)
        yield _line(f"- {reason.text} [{basis}]", f"{indent}  ")


def _beside(law: str | None, would_change: tuple[str, ...], indent: str = "") -> Iterator[str]:
    if law:
        yield _line(f"The law, beside the operator's policy: {law}", f"{indent}  ")
    if would_change:
        yield _line(f"What would have had to differ: {' '.join(would_change)}", f"{indent}  ")


def _terms(found: DemandDecision) -> Iterator[str]:
    if found.redirect_to:
        yield f"Please turn to: {found.redirect_to}."
    if found.approvals_needed:
        yield f"Before anything leaves, {found.approvals_needed} different persons of the operator's approve it."
    if found.release_not_before:
        yield f"Nothing leaves before {moment(found.release_not_before)}: until then the notified authority may object."
    if found.deadline:
        yield f"The instrument wants an answer by {moment(found.deadline)}."
    if found.stream:
        yield f"Records are passed on as they arise, {span(found.stream)}, and stop by themselves."
    if found.preserved_until:
        yield f"What exists is kept until {moment(found.preserved_until)}, and then left to retention."
    if found.use_restriction:
        yield found.use_restriction
    if found.follow_up_due:
        yield f"The process that this emergency went without is owed by {moment(found.follow_up_due)}."
    if found.service and found.service_effective:
        yield f"The order is to {found.service} the service in {found.service_jurisdiction}, {moment(found.service_effective)}."


def _notice(decision: Decision) -> Iterator[str]:
    if not any(found.outcome.discloses for found in decision.demands):
        return
    yield ""
    if decision.notice_is_open:
        yield _line(
            "The users concerned are not told while the order not to tell them stands. It states no end, and is looked at "
            "again after a year."
        )
    elif decision.notify_not_before:
        yield _line(f"The users concerned are told on {moment(decision.notify_not_before)}, and not before.")
    else:
        yield _line("There is no order not to tell the users concerned: they are told as soon as records have left.")


def _unconfirmed(decision: Decision) -> Iterator[str]:
    found = {
        reason.policy_id: reason
        for demand in decision.demands
        for reason in (*demand.reasons, *(each for of in demand.classes for each in of.reasons))
        if reason.mark is Mark.UNCONFIRMED
    }
    if found:
        rests = reasons.listed([f"{reason.policy_id} ({reason.source})" for reason in found.values()])
        yield ""
        yield _line(f"This decision rests on facts that the operator has not been able to confirm: {rests}.")


def _foot(decision: Decision, request: LawfulRequest, policies: Policies) -> Iterator[str]:
    pack = policies.pack_of(request.authorisation.instrument)
    yield ""
    if pack is not None:
        yield _line(
            f"The law of this jurisdiction ({pack.manifest.title}) is taken as of {pack.manifest.as_of:%d %B %Y}."
        )
    yield _line(
        f"Decided with the policies of digest {decision.policies_digest}. Whoever has the case file and these policies comes "
        "to the same decision."
    )
    yield _line(NO_ADVICE)


def moment(at: datetime) -> str:
    """`10 September 2026 10:00:00 UTC`."""
    return f"{at:%d %B %Y %H:%M:%S %Z}".lstrip("0")


def span(window: Timespan) -> str:
    """`from ... until, and without, ...`."""
    return f"from {moment(window.start)} until, and without, {moment(window.end)}"


def _line(text: str, indent: str = "") -> str:
    """A paragraph is a line: whoever shows it breaks it, and whoever searches it finds what is in it."""
    return indent + " ".join(text.split())
