"""Requests and facts, plain ones, for tests of the engine: each test says what it is about and nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from blindrelay.policies.decision import (
    AuthorityFacts,
    CaseEvent,
    ClassDecision,
    Decision,
    Facts,
    OperatorPolicy,
    TargetFacts,
)
from blindrelay.policies.engine import decide
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import (
    Approval,
    Authorisation,
    CapabilityDemand,
    DataDemand,
    DeliveryType,
    Demand,
    LawfulRequest,
    ServiceDemand,
    Target,
    TargetFormat,
    Timespan,
)
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    EventKind,
    Mode,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)

RECEIVED = datetime(2026, 9, 10, 10, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: What a data demand has unless a test says otherwise.
WINDOW = Timespan(start=RECEIVED - 9 * DAY, end=RECEIVED - DAY)
TERM = Timespan(start=RECEIVED - DAY, end=RECEIVED + 29 * DAY)
BOB = Target(format=TargetFormat.USER, value="bob@globex.example")
ALICE = Target(format=TargetFormat.USER, value="alice@acme.example")
NOBODY = Target(format=TargetFormat.USER, value="nobody@globex.example")
GLOBEX = Target(format=TargetFormat.TENANT, value="globex.example")
EVERYBODY = Target(format=TargetFormat.ALL_USERS, value="*")
_SCOPES = {
    TargetFormat.USER: Scope.ACCOUNTS,
    TargetFormat.DEVICE: Scope.ACCOUNTS,
    TargetFormat.TENANT: Scope.TENANT,
    TargetFormat.ALL_USERS: Scope.ALL_USERS,
}


def data(
    *classes: DataClass,
    targets: Iterable[Target] = (BOB,),
    mode: Any = Mode.STORED,
    window: Timespan = WINDOW,
    demand_id: str = "data",
    delivery: DeliveryType = DeliveryType.IRI_ONLY,
    continues: str | None = None,
) -> DataDemand:
    """A demand for data; of all three metadata classes when none is named."""
    targets = tuple(targets)
    return DataDemand(
        id=demand_id,
        classes=frozenset(classes or (DataClass.SUBSCRIBER, DataClass.ACCESS, DataClass.TRAFFIC)),
        mode=mode,
        scope=_SCOPES[targets[0].format],
        targets=targets,
        window=window,
        delivery_type=delivery if mode is Mode.STREAM else None,
        continues=continues,
    )


def capability(wanted: Capability, scope: Scope = Scope.ACCOUNTS) -> CapabilityDemand:
    """A demand that something be built."""
    return CapabilityDemand(id="build", capability=wanted, scope=scope, description="as ordered")


def service(action: ServiceAction, jurisdiction: str = "pk", addressee: Any = "operator") -> ServiceDemand:
    """A demand about the service."""
    effective = RECEIVED + 90 * DAY
    return ServiceDemand(
        id="service", action=action, jurisdiction=jurisdiction, effective=effective, addressee=addressee
    )


def request(
    instrument: str,
    *demands: Demand,
    issued_by: AuthorityKind | None = AuthorityKind.JUDGE,
    term: Timespan = TERM,
    **stated: Any,
) -> LawfulRequest:
    """A request under an instrument, issued by a judge unless a test says otherwise; `stated` goes into the authorisation."""
    approval = issued_by and Approval(role=issued_by, name="Somebody", reference="1", timestamp=term.start)
    values: dict[str, Any] = {
        "reference": "REF-1",
        "instrument": instrument,
        "jurisdiction": instrument.partition("/")[0],
        "timespan": term,
        "approvals": [approval] if approval else [],
        "urgency": Urgency.ROUTINE,
        "non_disclosure": None,
        "purpose": Purpose.INVESTIGATE,
        "offence_max_years": 5,
    }
    return LawfulRequest(
        id=UUID(int=1),
        sender="authority",
        officer="An Officer",
        receiver="relay",
        timestamp=RECEIVED,
        authorisation=Authorisation(**(values | stated)),
        demands=demands or (data(),),
    )


def facts(
    made: LawfulRequest,
    *,
    kind: AuthorityKind = AuthorityKind.POLICE,
    jurisdiction: str | None = None,
    tenants: frozenset[str] | None = None,
    now: datetime = RECEIVED,
    events: Iterable[CaseEvent] = (),
    authority: dict[str, Any] | None = None,
    operator: dict[str, Any] | None = None,
    **more: Any,
) -> Facts:
    """The facts of an ordinary case: the authority is known, and so are all targets but `nobody`, in its jurisdiction."""
    home = made.authorisation.jurisdiction
    known = AuthorityFacts("authority", "The Authority", jurisdiction or home, kind, True, True)
    wanted = dict.fromkeys(
        target for demand in made.demands if isinstance(demand, DataDemand) for target in demand.targets
    )
    of = frozenset({home}) if tenants is None else tenants
    return Facts(
        now=now,
        received_at=RECEIVED,
        authority=replace(known, **(authority or {})),
        targets=tuple(
            TargetFacts(target, target != NOBODY, target.value.rpartition("@")[2], of, tenant_size=12)
            for target in wanted
        ),
        operator=replace(OperatorPolicy(), **(operator or {})),
        events=tuple(events),
        **more,
    )


def event(kind: EventKind, after: timedelta, demand: str | None = None) -> CaseEvent:
    """Something that happened so long after receipt."""
    return CaseEvent(kind, RECEIVED + after, demand)


def decided(policies: Policies, made: LawfulRequest, **about: Any) -> Decision:
    """Decide with the facts of an ordinary case, and what is said about them."""
    return decide(made, facts(made, **about), policies)


def by_class(decision: Decision, demand: int = 0) -> dict[DataClass, ClassDecision]:
    """What came of each class of a demand."""
    return {each.data_class: each for each in decision.demands[demand].classes}
