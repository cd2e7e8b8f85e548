"""What an authority is shown of its case: what its letter says, in a form for programs. The rest is for the operator.

That an account does not exist is subscriber data itself, so it reads as data that are not held.
"""

from uuid import UUID

from blindrelay.policies.decision import ClassDecision, Reason
from blindrelay.policies.exchange import CaseAnswer, ClassAnswer, DemandAnswer, ReasonAnswer
from blindrelay.policies.vocabulary import Ground, Outcome, TaskStatus
from blindrelay.relay.desk.views import CaseView, DemandView

_GROUNDS = {Ground.UNKNOWN_TARGET: Ground.NOT_HELD}


def case_answer(view: CaseView) -> CaseAnswer:
    """The whole case."""
    return CaseAnswer(
        case_id=UUID(view.case_id),
        request_id=UUID(view.request_id),
        state=view.state,
        received_at=view.received_at,
        demands=tuple(_demand(demand) for demand in view.demands),
        letter=view.letter,
    )


def _demand(view: DemandView) -> DemandAnswer:
    decision = view.decision
    if decision is None:
        return _undecided(view)
    return DemandAnswer(
        demand_id=view.demand_id,
        outcome=decision.outcome,
        ground=_ground(decision.ground),
        status=view.status,
        classes=tuple(_class(item, view.status) for item in decision.classes),
        reasons=_reasons(decision.reasons),
        law=decision.law,
        redirect_to=decision.redirect_to,
        release_not_before=decision.release_not_before,
        deadline=decision.deadline,
        preserved_until=view.preserved_until,
        stream=decision.stream,
        use_restriction=decision.use_restriction,
        follow_up_due=decision.follow_up_due,
        service=decision.service,
        service_effective=decision.service_effective,
        package_is_ready=view.status is TaskStatus.DISCLOSED and view.package is not None,
    )


def _undecided(view: DemandView) -> DemandAnswer:
    return DemandAnswer(
        demand_id=view.demand_id,
        outcome=view.outcome or Outcome.HELD,
        ground=None,
        status=view.status,
        classes=(),
        reasons=(),
        law=None,
        redirect_to=None,
        release_not_before=None,
        deadline=None,
        preserved_until=view.preserved_until,
        stream=None,
        use_restriction=None,
        follow_up_due=None,
        service=None,
        service_effective=None,
        package_is_ready=False,
    )


def _class(decision: ClassDecision, carried: TaskStatus) -> ClassAnswer:
    """`carried`: how far the demand is, and with it every class of which something was granted."""
    is_given = decision.outcome.discloses or decision.outcome is Outcome.PRESERVED
    return ClassAnswer(
        data_class=decision.data_class,
        outcome=decision.outcome,
        ground=_ground(decision.ground),
        status=carried if is_given else decision.status,
        targets=decision.targets,
        window=decision.window,
        reasons=_reasons(decision.reasons),
        law=decision.law,
    )


def _ground(ground: Ground | None) -> Ground | None:
    return _GROUNDS.get(ground, ground) if ground is not None else None


def _reasons(reasons: tuple[Reason, ...]) -> tuple[ReasonAnswer, ...]:
    return tuple(
        ReasonAnswer(policy=reason.policy_id, text=reason.text, source=reason.source, mark=reason.mark)
        for reason in reasons
    )
