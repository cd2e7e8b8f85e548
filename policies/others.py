"""Demands that are not about data: that something be built, and that the service stop or go on. Neither ever yields data."""

from dataclasses import replace
from typing import Final

from blindrelay.policies import cedar, gates, obligations, reasons
from blindrelay.policies.decision import DemandDecision, Reason
from blindrelay.policies.hurdles import threshold, with_notes
from blindrelay.policies.matter import Matter
from blindrelay.policies.request import CapabilityDemand, ServiceDemand
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import Capability, Ground, Mode, Outcome, Scope

_UNANSWERED: Final = frozenset({Ground.UNAUTHENTICATED, Ground.FRAUD_SIGNAL})


def decide_capability(matter: Matter, demand: CapabilityDemand) -> DemandDecision:
    """Decide whether something is built. Only the use of an export that exists, and weakens nothing, can be granted."""
    found = gates.stop(matter, demand.id, Mode.BUILD)
    if demand.capability is Capability.METADATA_EXPORT and demand.scope is Scope.ACCOUNTS:
        return _export(matter, demand, found)
    if found is not None and found.outcome is Outcome.WITHDRAWN:
        return _stopped(demand.id, found)
    why = _invariants(matter, demand)
    ground = Ground.BULK if demand.capability is Capability.METADATA_EXPORT else Ground.CAPABILITY
    if found is not None and found.ground in _UNANSWERED and found.outcome is not Outcome.HELD:
        ground, why = found.ground, (found.reason, *why)
    if limit := threshold(matter):
        why = (*why, limit)
    law = None if ground in _UNANSWERED else _law_on(matter, demand)
    return DemandDecision(
        demand_id=demand.id,
        outcome=Outcome.REFUSED,
        ground=ground,
        status=status_of(Outcome.REFUSED, ground),
        classes=(),
        reasons=(*why, *_instrument(matter)),
        law=law,
        would_change=(
            "Nothing that an instrument could say would change that. Records of named accounts can be demanded.",
        ),
        escalate_to_counsel=law is not None and not matter.is_voluntary,
    )


def decide_service(matter: Matter, demand: ServiceDemand) -> DemandDecision:
    """Decide about the service in a jurisdiction. Pressure is not an input: no data are traded for it."""
    if found := gates.stop(matter, demand.id, None):
        return _stopped(demand.id, found)
    pack, instrument = matter.pack, matter.instrument
    if pack is None or instrument is None:
        return _refused(demand.id, Ground.OUT_OF_REACH, (reasons.of_engine("instrument", "No instrument is known."),))
    if demand.addressee != "operator":
        text = (
            "The order is addressed to somebody else. It is recorded, and obeyed by nobody here until one comes that is "
            "addressed to the operator."
        )
        why = (reasons.of_engine("addressee", text), *_instrument(matter))
        change = "An order, shown to be authentic, that is addressed to the operator."
        return _decided(demand.id, Outcome.HELD, Ground.UNAUTHENTICATED, why, change)
    if demand.action not in instrument.service:
        text = f"{reasons.cited(instrument)} does not order that a service {demand.action}."
        change = "An instrument under which that can be ordered."
        return _refused(demand.id, Ground.OUT_OF_REACH, (reasons.of_instrument(pack, instrument, text),), change)
    return _service(matter, demand)


def _service(matter: Matter, demand: ServiceDemand) -> DemandDecision:
    questions = [
        cedar.Question(
            matter.principal,
            demand.action,
            cedar.service(demand.jurisdiction),
            matter.context(issuer, Scope.ALL_USERS, prospective=demand.effective > matter.facts.received_at),
        )
        for issuer in matter.issuers_for()
    ]
    answers = matter.evaluator.ask_all(questions)
    if failed := [error for answer in answers for error in answer.failed]:
        text = f"The policies could not be evaluated ({failed[0]}). What cannot be decided is refused."
        return _refused(demand.id, Ground.UNDECIDABLE, (reasons.of_engine("undecidable", text),))
    permits = [answer for answer in answers if answer.allowed]
    if not permits:
        policies = {policy.id: policy for answer in answers for policy in answer.determining}
        why = (*(reasons.of_policy(policy) for policy in policies.values()), *_instrument(matter))
        return _refused(demand.id, Ground.OUT_OF_REACH, why, "An order that a policy of the pack follows.")
    outcome = Outcome.GRANTED
    needed = obligations.approvals(matter, Outcome.GRANTED)
    nothing = reasons.of_engine(
        "service", "The order is about the service. No data leave because of it, and none are offered to avert it."
    )
    return DemandDecision(
        demand_id=demand.id,
        outcome=outcome,
        ground=None,
        status=status_of(outcome, None, needed),
        classes=(),
        reasons=(*(reasons.of_policy(policy) for policy in permits[0].determining), nothing, *_instrument(matter)),
        deadline=obligations.deadline(matter, None),
        approvals_needed=needed,
        service=demand.action,
        service_effective=demand.effective,
        service_jurisdiction=demand.jurisdiction,
    )


def _export(matter: Matter, demand: CapabilityDemand, found: gates.Stop | None) -> DemandDecision:
    """Use of an export that exists is judged as records are: what it may hold is for data demands to say, class by class."""
    pack, instrument = matter.pack, matter.instrument
    if found is not None:
        return _stopped(demand.id, found)
    if pack is None or instrument is None or demand.capability not in instrument.capabilities:
        why = (
            reasons.of_engine("capability", "The instrument does not order the use of an export."),
            *_instrument(matter),
        )
        return _refused(demand.id, Ground.OUT_OF_REACH, why, "An instrument that orders the use of what exists.")
    if instrument.voluntary:
        text = f"{reasons.cited(instrument)} is voluntary. It may be declined, and the operator declines it."
        why = (reasons.of_instrument(pack, instrument, text),)
        declined = _refused(demand.id, Ground.OUT_OF_REACH, why, "An instrument that compels.")
        return replace(declined, law=_law_on(matter, demand))
    text = (
        "The export that exists may be used: nothing is built and nothing weakened. What it exports takes a demand for "
        "records of named accounts."
    )
    needed = obligations.approvals(matter, Outcome.GRANTED)
    return DemandDecision(
        demand_id=demand.id,
        outcome=Outcome.GRANTED,
        ground=None,
        status=status_of(Outcome.GRANTED, None, needed),
        classes=(),
        reasons=(reasons.of_engine("capability", text), *_instrument(matter)),
        approvals_needed=needed,
    )


def _invariants(matter: Matter, demand: CapabilityDemand) -> tuple[Reason, ...]:
    kinds = ["Capability"] if demand.capability is not Capability.METADATA_EXPORT else []
    kinds += ["Bulk"] if demand.scope is not Scope.ACCOUNTS else []
    context = matter.context(matter.issuers[0], demand.scope, Mode.BUILD)
    questions = [
        cedar.Question(matter.principal, "demand", cedar.forbidden(kind, demand.capability), context) for kind in kinds
    ]
    answers = matter.evaluator.ask_all(questions)
    return tuple(
        reasons.of_policy(policy) for answer in answers for policy in answer.determining if policy.effect == "forbid"
    )


def _law_on(matter: Matter, demand: CapabilityDemand) -> str | None:
    """What the law says about the capability. That it is refused is the operator's position and no statement about the law."""
    instrument = matter.instrument
    if instrument is None:
        return None
    if instrument.voluntary:
        said = f"{reasons.cited(instrument)} is voluntary: it may be declined."
    elif demand.capability in instrument.capabilities:
        said = (
            f"{reasons.cited(instrument)} may order it: the law may compel what is refused here. The refusal is the "
            "position of the operator."
        )
    else:
        said = f"{reasons.cited(instrument)} is not taken to order it. The refusal is the position of the operator in any case."
    return with_notes(instrument, said)


def _instrument(matter: Matter) -> tuple[Reason, ...]:
    if matter.pack is None or matter.instrument is None:
        return ()
    return (reasons.of_instrument(matter.pack, matter.instrument, f"{reasons.cited(matter.instrument)}."),)


def _stopped(demand_id: str, found: gates.Stop) -> DemandDecision:
    return DemandDecision(
        demand_id=demand_id,
        outcome=found.outcome,
        ground=found.ground,
        status=status_of(found.outcome, found.ground),
        classes=(),
        reasons=(found.reason,),
        would_change=found.would_change,
        redirect_to=found.redirect_to,
        escalate_to_counsel=found.outcome is Outcome.FRAUD_SUSPECTED,
    )


def _refused(demand_id: str, ground: Ground, why: tuple[Reason, ...], change: str = "") -> DemandDecision:
    return _decided(demand_id, Outcome.REFUSED, ground, why, change)


def _decided(
    demand_id: str, outcome: Outcome, ground: Ground, why: tuple[Reason, ...], change: str = ""
) -> DemandDecision:
    changes = (change,) if change else ()
    return DemandDecision(demand_id, outcome, ground, status_of(outcome, ground), (), why, would_change=changes)
