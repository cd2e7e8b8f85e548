"""A request, the facts, the policies: a decision. Pure, so that anybody can decide again from the case file.

decide(request, facts, policies) looks at no clock, no file and no network. What it cannot decide it refuses.
"""

from typing import assert_never

from blindrelay.policies import obligations, reasons
from blindrelay.policies.data import decide_data
from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision, Facts
from blindrelay.policies.matter import Matter
from blindrelay.policies.others import decide_capability, decide_service
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import CapabilityDemand, DataDemand, Demand, LawfulRequest, ServiceDemand
from blindrelay.policies.statuses import status_of
from blindrelay.policies.vocabulary import DataClass, Ground, Outcome


def decide(request: LawfulRequest, facts: Facts, policies: Policies) -> Decision:
    """Decide each demand of a request on its own.

    Args:
        request: what the authority signed, as it was validated.
        facts: everything else that the decision depends on, the time among it.
        policies: the packs that are loaded. Their digest is in the decision.

    Returns:
        The same decision for the same arguments, always. Nothing in it discloses; it says what may be.
    """
    matter = Matter.of(request, facts, policies)
    decision = Decision(
        request_id=str(request.id),
        decided_at=facts.now,
        policies_digest=policies.digest,
        demands=tuple(_decide_or_refuse(matter, demand) for demand in request.demands),
    )
    return obligations.with_notice(matter, decision)


def _decide_or_refuse(matter: Matter, demand: Demand) -> DemandDecision:
    try:
        return _decide(matter, demand)
    except Exception as error:  # noqa: BLE001 - whatever fails, and be it a fault of ours, nothing is disclosed
        return _undecidable(demand, error)


def _decide(matter: Matter, demand: Demand) -> DemandDecision:
    match demand:
        case DataDemand():
            return decide_data(matter, demand)
        case CapabilityDemand():
            return decide_capability(matter, demand)
        case ServiceDemand():
            return decide_service(matter, demand)
    assert_never(demand)


def _undecidable(demand: Demand, error: Exception) -> DemandDecision:
    text = f"The demand could not be decided ({type(error).__name__}). What cannot be decided is refused."
    why = (reasons.of_engine("undecidable", text),)
    status = status_of(Outcome.REFUSED, Ground.UNDECIDABLE)
    asked = [each for each in DataClass if each in demand.classes] if isinstance(demand, DataDemand) else []
    classes = tuple(ClassDecision(each, Outcome.REFUSED, Ground.UNDECIDABLE, status, (), None, why) for each in asked)
    return DemandDecision(
        demand.id, Outcome.REFUSED, Ground.UNDECIDABLE, status, classes, why, escalate_to_counsel=True
    )
