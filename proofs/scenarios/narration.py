"""What happened, in words, for the timeline."""

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.scenarios.model import Scenario
from blindrelay.policies.scenarios.steps import Send, Step
from blindrelay.proofs.scenarios.docket import Filed
from blindrelay.relay.desk.views import CaseDetail


def of_letter(letter: Send) -> str:
    """Who writes to whom. What they write is not repeated: a timeline may be shown to anybody."""
    return f"{letter.sender} writes to {letter.to} ({letter.id})"


def of_step(step: Step, scenario: Scenario) -> str:  # noqa: PLR0911 - one for each action
    """A title for a step that has none."""
    if step.send:
        return of_letter(step.send)
    if step.collect:
        return f"{', '.join(step.collect)} fetch what waits"
    if step.demand:
        return f"{scenario.authorities[step.demand.by].name} hands in a request ({step.demand.case})"
    if step.withdraw:
        return f"The request {step.withdraw} is withdrawn"
    if step.approve:
        return f"{', '.join(step.approve.by)} approve {step.approve.demand}"
    if step.reject:
        return f"{step.reject.by} refuses {step.reject.demand}"
    if step.event:
        return f"{step.event.kind.value.replace('-', ' ')} ({step.event.case})"
    if step.operate:
        return f"The operator: {step.operate.action} in {step.operate.jurisdiction}"
    return "The relay is restarted" if step.restart else "Looking"


def of_answer(filed: Filed, detail: CaseDetail | None) -> list[str]:
    """What an authority was answered."""
    if detail is None or detail.decision is None:
        return [f"not taken: {filed.refusal}" if filed.refusal else "nothing was decided"]
    return [line for demand in detail.decision.demands for line in _of_demand(demand)]


def of_state(detail: CaseDetail | None) -> list[str]:
    """How a case stands."""
    if detail is None or detail.decision is None:
        return []
    outcomes = [line for demand in detail.decision.demands for line in _of_demand(demand)]
    return [f"the case is {detail.view.state}", *outcomes]


def _of_demand(demand: DemandDecision) -> list[str]:
    found = [f"{demand.demand_id}: {demand.outcome}{_ground(demand.ground)}"]
    for one in demand.classes:
        policies = ", ".join(dict.fromkeys(reason.policy_id for reason in one.reasons))
        found.append(f"  {one.data_class}: {one.outcome}{_ground(one.ground)}, by {policies or 'no policy'}")
    if not demand.classes and demand.reasons:
        found.append(f"  by {', '.join(dict.fromkeys(reason.policy_id for reason in demand.reasons))}")
    return found


def _ground(ground: object) -> str:
    return f" ({ground})" if ground else ""
