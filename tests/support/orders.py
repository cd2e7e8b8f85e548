"""What the desk orders, without a desk: the values that its ports are given."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import Authorisation, Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import DataClass, Outcome, Purpose, ServiceAction, TaskStatus, Urgency
from blindrelay.relay.desk.ports import NoticeOrder, ServiceOrder

DAY = timedelta(days=1)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def authorisation(jurisdiction: str = "us", instrument: str = "us/d-order") -> Authorisation:
    """An instrument that is in force."""
    return Authorisation(
        reference="No. 17",
        instrument=instrument,
        jurisdiction=jurisdiction,
        timespan=Timespan(start=MAY, end=MAY + 90 * DAY),
        approvals=[],
        urgency=Urgency.ROUTINE,
        non_disclosure=None,
        purpose=Purpose.INVESTIGATE,
        offence_max_years=None,
    )


def _decision() -> DemandDecision:
    return DemandDecision("d1", Outcome.GRANTED, None, TaskStatus.DISCLOSED, (), ())


def service_order(action: ServiceAction, jurisdiction: str, effective: datetime, *, case: str = "case") -> ServiceOrder:
    """The regulator of a jurisdiction wants something about the service there."""
    return ServiceOrder(
        case,
        "d1",
        _decision(),
        authorisation(jurisdiction, f"{jurisdiction}/shutdown"),
        "regulator",
        "The Regulator",
        action=action,
        jurisdiction=jurisdiction,
        effective=effective,
        ordered_at=effective - DAY,
    )


def notice_order(
    *users: str,
    classes: Iterable[DataClass] = (DataClass.SUBSCRIBER, DataClass.TRAFFIC),
    window: Timespan | None = None,
    case: str = "case",
) -> NoticeOrder:
    """Records about these users were disclosed to a court."""
    return NoticeOrder(
        case,
        "d1",
        _decision(),
        authorisation(),
        "court",
        "The District Court",
        classes=frozenset(classes),
        targets=tuple(Target(format=TargetFormat.USER, value=user) for user in users),
        window=window or Timespan(start=MAY, end=MAY + DAY),
        disclosed_at=MAY + 2 * DAY,
    )
