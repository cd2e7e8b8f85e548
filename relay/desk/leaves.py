"""What of a case file enters the log `lawful-access`: pure functions from rows to entries (`blindrelay.policies.leaves`)."""

from typing import Any

from blindrelay.policies.leaves import (
    Accounts,
    Asked,
    DecisionTold,
    DemandTold,
    NoticeTold,
    PackageTold,
    ReleaseTold,
    RequestTold,
    SettledTold,
    StreamTold,
    Told,
    WithdrawalTold,
)
from blindrelay.policies.vocabulary import Urgency
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.report import Band, asked, disclosed, specified
from blindrelay.relay.desk.steps import STEP, Step, Work


def told_of(case: Case, body: str, index: int, label: str) -> Told:
    """What is told of a row that the log has at `index`; `case` is as it was just after it."""
    kind, fields = _said(case, STEP.validate_json(body))
    return kind.model_validate({"index": index, "case": label, **fields})


def _said(case: Case, step: Step) -> tuple[type[Told], dict[str, Any]]:
    kind: type[Told] = DecisionTold
    fields: dict[str, Any] = {}
    match step:
        case steps.Received():
            kind, fields = RequestTold, _request(case)
        case steps.Packaged():
            kind = PackageTold
        case steps.Released():
            kind, fields = ReleaseTold, {"accounts": _accounts(len(disclosed(case)))}
        case steps.Begun() | steps.Ended(work=Work.STREAM):
            ended = isinstance(step, steps.Ended)
            kind, fields = StreamTold, {"ended": ended, "accounts": _accounts(len(disclosed(case)))}
        case steps.Ended():
            kind, fields = NoticeTold, {"accounts": _accounts(step.count or 0)}
        case steps.Happened():
            kind, fields = WithdrawalTold, {"demands": _demands(case), "seconds": _seconds(case)}
        case steps.Settled():
            kind, fields = SettledTold, {"seconds": _seconds(case)}
        case _:
            fields = {"demands": _demands(case)}
    return kind, fields


def _request(case: Case) -> dict[str, Any]:
    authorisation = case.request.authorisation
    return {
        "received": case.received_at.date(),
        "jurisdiction": authorisation.jurisdiction,
        "instrument": authorisation.instrument,
        "emergency": authorisation.urgency is Urgency.EMERGENCY,
        "accounts": _accounts(len(specified(case.request))),
    }


def _demands(case: Case) -> tuple[DemandTold, ...]:
    return tuple(
        DemandTold(
            outcome=verdict.outcome,
            ground=verdict.ground,
            asked=tuple(Asked.model_validate({"what": what, "outcome": one}) for what, one in asked(case, verdict)),
        )
        for verdict in case.verdicts()
    )


def _accounts(count: int) -> Accounts:
    band = Band.of_accounts(count)
    return Accounts(at_least=band.at_least, at_most=band.at_most)


def _seconds(case: Case) -> int:
    settled = case.settled_at or case.received_at
    return max(0, int((settled - case.received_at).total_seconds()))
