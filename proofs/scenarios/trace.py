"""How a decision came about: which policies, from which attributes, and what would have had to differ."""

from dataclasses import fields

from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision, Facts, Reason
from blindrelay.policies.request import LawfulRequest
from blindrelay.proofs.scenarios.comparison import words


def trace(request: LawfulRequest, decision: Decision, facts: Facts | None, demand_id: str) -> tuple[str, ...]:
    """Lines about one demand."""
    found = [
        f"decided {words(decision.decided_at)} with policies {decision.policies_digest[:16]}",
        *_attributes(request, facts),
    ]
    for demand in decision.demands:
        if demand.demand_id == demand_id:
            found += _demand(demand)
    return tuple(found)


def _attributes(request: LawfulRequest, facts: Facts | None) -> list[str]:
    instrument = request.authorisation
    issuers = ", ".join(approval.role.value for approval in instrument.approvals) or "nobody"
    term = f"{words(instrument.timespan.start)} to {words(instrument.timespan.end)}"
    stated = {
        "urgency": instrument.urgency,
        "purpose": instrument.purpose,
        "offence, years": instrument.offence_max_years,
        "notified": instrument.enforcing_authority_notified,
        "harm stated": instrument.harm_to_investigation is not None,
    }
    found = [f"instrument: {instrument.instrument}, issued by {issuers}, in force {term}", words(stated)]
    if facts is not None:
        authority = facts.authority
        found.append(
            f"authority: {authority.id}, {authority.kind} of {authority.jurisdiction}, registered: "
            f"{words(authority.is_registered)}, officer enrolled: {words(authority.officer_is_enrolled)}, "
            f"called back: {words(authority.call_back_confirmed)}"
        )
        found += [
            f"target: {one.target.value}, exists: {words(one.exists)}, jurisdictions: {words(one.jurisdictions)}"
            for one in facts.targets
        ]
        found += [f"event: {event.kind} at {words(event.at)}" for event in facts.events]
    return found


def _demand(demand: DemandDecision) -> list[str]:
    ground = f" ({demand.ground})" if demand.ground else ""
    found = [f"{demand.demand_id}: {demand.outcome}{ground}, {demand.status}"]
    found += [f"  {name.replace('_', ' ')}: {words(value)}" for name, value in _obligations(demand)]
    found += _because(demand)
    for one in demand.classes:
        ground = f" ({one.ground})" if one.ground else ""
        found.append(f"  {one.data_class}: {one.outcome}{ground}")
        found += [f"  {line}" for line in _because(one)]
    return found


def _obligations(demand: DemandDecision) -> list[tuple[str, object]]:
    skip = {"demand_id", "outcome", "ground", "status", "classes", "reasons", "law", "would_change"}
    found = [(field.name, getattr(demand, field.name)) for field in fields(demand) if field.name not in skip]
    return [(name, value) for name, value in found if value not in (None, False, 0)]


def _because(decided: DemandDecision | ClassDecision) -> list[str]:
    found = [_reason(reason) for reason in decided.reasons]
    if decided.law:
        found.append(f"  the law: {decided.law}")
    return found + [f"  would change it: {change}" for change in decided.would_change]


def _reason(reason: Reason) -> str:
    place = f" at {reason.location}" if reason.location else ""
    return f"  {reason.policy_id} [{reason.mark.value}]{place}: {reason.text} ({reason.source})"
