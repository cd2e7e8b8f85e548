"""How a case looks: to the authority whose it is, and to the people at the desk."""

from collections.abc import Mapping
from datetime import datetime

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.vocabulary import Outcome, TaskStatus, Urgency
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.case import FINAL, Case, grant_digest
from blindrelay.relay.desk.journal import Row
from blindrelay.relay.desk.ports import Making
from blindrelay.relay.desk.rules import Rules
from blindrelay.relay.desk.signals import signals
from blindrelay.relay.desk.steps import STEP, Step, Work
from blindrelay.relay.desk.views import (
    ApprovalView,
    CaseDetail,
    CaseSummary,
    CaseView,
    DemandView,
    EventView,
    PackageView,
)


def case_view(case: Case, rules: Rules, now: datetime) -> CaseView:
    """For the authority."""
    answer = case.answer()
    return CaseView(
        case_id=case.case_id,
        request_id=str(case.request.id),
        authority_id=case.authority_id,
        state=case.state,
        received_at=case.received_at,
        decided_at=case.decided_at,
        demands=tuple(_demand(case, demand.id, now) for demand in case.request.demands),
        letter=rules.letter(case.request, answer, case.facts) if answer else "",
        policies_digest=answer.policies_digest if answer else None,
    )


def summary(case: Case, now: datetime, making: Mapping[str, Making]) -> CaseSummary:
    """For the operators' list. `making`: how far packages are that are being made, by demand."""
    request, verdicts = case.request, case.verdicts()
    deadlines = [verdict.deadline for verdict in verdicts if verdict.deadline and verdict.outcome not in FINAL]
    return CaseSummary(
        case_id=case.case_id,
        authority_id=case.authority_id,
        officer=request.officer,
        jurisdiction=request.authorisation.jurisdiction,
        instrument=request.authorisation.instrument,
        state=case.state,
        is_emergency=request.authorisation.urgency is Urgency.EMERGENCY,
        received_at=case.received_at,
        deadline=min(deadlines, default=None),
        outcomes=tuple((verdict.demand_id, verdict.outcome) for verdict in verdicts),
        waits_for=tuple(
            text for verdict in verdicts for text in _waits_for(case, verdict, now, making.get(verdict.demand_id))
        ),
        signals=(*(signals(request, case.facts) if case.facts else ()), *_concerns(case)),
        is_test=case.is_test,
    )


def detail(case: Case, rows: list[Row], rules: Rules, now: datetime, making: Mapping[str, Making]) -> CaseDetail:
    """Everything, for operators."""
    counting = {
        (approval.demand, approval.grant)
        for approval in case.approvals
        if (verdict := case.verdict(approval.demand)) and approval.grant == grant_digest(verdict)
    }
    return CaseDetail(
        summary=summary(case, now, making),
        request=case.request,
        decision=case.answer(),
        view=case_view(case, rules, now),
        approvals=tuple(
            ApprovalView(a.demand, a.by, a.at, counts=(a.demand, a.grant) in counting) for a in case.approvals
        ),
        happened=tuple((event.kind, event.at) for event in case.happened),
        history=tuple(
            EventView(row.sequence, row.at, row.step, _sentence(STEP.validate_json(row.body)), row.digest)
            for row in rows
        ),
    )


def _demand(case: Case, demand_id: str, now: datetime) -> DemandView:
    verdict = case.verdict(demand_id)
    package = case.packages.get(demand_id)
    until = case.begun.get((Work.PRESERVATION, demand_id))
    return DemandView(
        demand_id=demand_id,
        outcome=verdict.outcome if verdict else None,
        status=_status(case, verdict) if verdict else TaskStatus.AWAITING_APPROVAL,
        decision=verdict,
        package=PackageView(
            package.digest, package.size, package.records, package.made_at, len(case.released.get(demand_id, ()))
        )
        if package
        else None,
        stream_is_active=case.is_running(Work.STREAM, demand_id)
        and verdict is not None
        and verdict.stream is not None
        and verdict.stream.contains(now),
        preserved_until=until if case.is_running(Work.PRESERVATION, demand_id) else None,
    )


def _status(case: Case, verdict: DemandDecision) -> TaskStatus:
    demand_id = verdict.demand_id
    if verdict.outcome in FINAL:
        return verdict.status
    if case.is_test:
        return TaskStatus.CANCELLED
    if verdict.outcome is Outcome.HELD:
        return verdict.status
    if demand_id in case.packages:
        return TaskStatus.DISCLOSED
    for work, running in ((Work.PRESERVATION, TaskStatus.PRESERVED), (Work.STREAM, TaskStatus.ACTIVE)):
        if (work, demand_id) in case.begun:
            return running if case.is_running(work, demand_id) else TaskStatus.EXPIRED
    granted = TaskStatus.AWAITING_DISCLOSURE if case.is_approved(verdict) else TaskStatus.AWAITING_APPROVAL
    return granted if verdict.outcome.discloses else verdict.status


def _waits_for(case: Case, verdict: DemandDecision, now: datetime, making: Making | None) -> list[str]:
    demand_id = verdict.demand_id
    if making is not None:
        return [f"{demand_id}: its package, {making.done:,} of {making.of:,} records gone through"]
    if verdict.outcome in FINAL or case.settled_at is not None:
        return []
    if verdict.outcome is Outcome.HELD:
        ground = f" ({verdict.ground})" if verdict.ground else ""
        called = case.facts is not None and case.facts.authority.call_back_confirmed is not None
        is_emergency = case.request.authorisation.urgency is Urgency.EMERGENCY
        what = "a call back" if is_emergency and not called else "an event"
        return [f"{demand_id}: {what}{ground}"]
    found = []
    if verdict.outcome.discloses and not case.is_approved(verdict):
        have = len(set(case.persons(verdict)))
        found.append(f"{demand_id}: approval {have + 1} of {verdict.approvals_needed}")
    if verdict.release_not_before is not None and now < verdict.release_not_before:
        found.append(f"{demand_id}: not before {verdict.release_not_before.isoformat()}")
    return found


_CONCERNS = {
    steps.Concern.FOLLOW_UP_OVERDUE: "the process that was owed after the emergency has not come",
    steps.Concern.UNDATED_GAG: "for a year or more the user may not be told, and no end is named",
    steps.Concern.COUNSEL: "a lawyer is to look at it",
    steps.Concern.FRAUD: "fraud is suspected: tell the agency whose name was used, and the national contact for cybercrime",
}


def _concerns(case: Case) -> tuple[str, ...]:
    return tuple(
        f"{demand}: {_CONCERNS[concern]}" if demand else _CONCERNS[concern]
        for concern, demand in case.raised
        if concern is not steps.Concern.FOLLOW_UP_OVERDUE or not case.is_followed_up(demand or "")
    )


def _sentence(step: Step) -> str:  # noqa: PLR0911, PLR0912 - one line for each kind of row
    match step:
        case steps.Received():
            return f"request {step.request.id} of {step.request.sender}, by {step.request.officer}"
        case steps.Authenticated():
            return f"from {step.name}; the officer is {'' if step.officer_is_enrolled else 'not '}enrolled"
        case steps.Decided() | steps.Undecided():
            outcomes = ", ".join(f"{demand.demand_id} {demand.outcome}" for demand in step.decision.demands)
            return f"decided: {outcomes}" if isinstance(step, steps.Decided) else f"{step.error}: {outcomes}"
        case steps.Happened():
            about = f" for {step.demand}" if step.demand else ""
            note = f": {step.note}" if step.note else ""
            return f"{step.kind}{about}, by {step.by}{note}"
        case steps.Approved():
            return f"{step.by} approves {step.demand}"
        case steps.Rejected():
            return f"{step.by} does not approve {step.demand}: {step.reason}"
        case steps.Packaged():
            return f"package of {step.demand}: {sum(step.records.values())} records, {step.size} bytes, {step.digest}"
        case steps.Released():
            return f"package of {step.demand} handed over to call {step.fetch}"
        case steps.Begun():
            until = f" until {step.until.isoformat()}" if step.until else ""
            return f"{step.work} of {step.demand} begins{until}"
        case steps.Ended():
            told = f", {step.count} accounts told" if step.count is not None else ""
            return f"{step.work} of {step.demand} is done{told}"
        case steps.Raised():
            return f"{step.demand}: {_CONCERNS[step.concern]}" if step.demand else _CONCERNS[step.concern]
        case steps.Settled():
            return f"{step.state}"
        case steps.Closed():
            return "closed"
