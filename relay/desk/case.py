"""A case, put together from the rows of its file. Nothing is remembered about a case that is not in there.

`TRANSITIONS` is every step there is and the states in which it can be taken:

    received -> authenticated -> decided -> fulfilled | refused | redirected -> closed      or withdrawn, from any but closed
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, Self

from pydantic import ValidationError

from blindrelay.policies.decision import CaseEvent, ClassDecision, Decision, DemandDecision, Facts, Reason
from blindrelay.policies.request import Demand, LawfulRequest
from blindrelay.policies.vocabulary import CaseState, DataClass, EventKind, Ground, Mark, Outcome, TaskStatus
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.errors import CaseFileDamaged
from blindrelay.relay.desk.journal import Row
from blindrelay.relay.desk.steps import STEP, Concern, Step, Work

_S = CaseState
_OPEN: Final[dict[CaseState | None, CaseState]] = {
    state: state for state in (_S.DECIDED, _S.FULFILLED, _S.REFUSED, _S.REDIRECTED)
}
_OWED: Final[dict[CaseState | None, CaseState]] = {**_OPEN, _S.WITHDRAWN: _S.WITHDRAWN}

TRANSITIONS: Final[dict[type[Step], dict[CaseState | None, CaseState]]] = {
    steps.Received: {None: _S.RECEIVED},
    steps.Authenticated: {_S.RECEIVED: _S.AUTHENTICATED},
    steps.Decided: {_S.AUTHENTICATED: _S.DECIDED, **_OPEN},
    steps.Undecided: {_S.AUTHENTICATED: _S.DECIDED, **_OPEN},
    steps.Happened: {_S.RECEIVED: _S.RECEIVED, _S.AUTHENTICATED: _S.AUTHENTICATED, **_OWED},
    steps.Approved: {_S.DECIDED: _S.DECIDED},
    steps.Rejected: {_S.DECIDED: _S.DECIDED},
    steps.Packaged: {_S.DECIDED: _S.DECIDED},
    steps.Released: {_S.DECIDED: _S.DECIDED, _S.FULFILLED: _S.FULFILLED},
    steps.Begun: {**_OWED},
    steps.Ended: {**_OWED},
    steps.Raised: {**_OWED},
    steps.Settled: {_S.DECIDED: _S.DECIDED},  # to the state that it names
    steps.Closed: {
        _S.FULFILLED: _S.CLOSED, _S.REFUSED: _S.CLOSED, _S.REDIRECTED: _S.CLOSED, _S.WITHDRAWN: _S.WITHDRAWN,
    },
}  # fmt: skip

#: What a demand does not come back from. A later decision may take away what was granted, and never gives what was refused.
FINAL: Final = frozenset(
    {Outcome.REFUSED, Outcome.REDIRECTED, Outcome.EXPIRED, Outcome.WITHDRAWN, Outcome.FRAUD_SUSPECTED}
)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person has approved what had this digest."""

    demand: str
    by: str
    grant: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """A package that has been made."""

    digest: str
    size: int
    records: dict[DataClass, int]
    made_at: datetime


@dataclass(slots=True)
class Case:
    """Where a case stands. `apply` takes the rows of its file, one after the other; nothing else changes it."""

    case_id: str
    authority_id: str
    request: LawfulRequest
    received_at: datetime
    state: CaseState = CaseState.RECEIVED
    authority_name: str = ""
    facts: Facts | None = None
    decision: Decision | None = None
    decided_at: datetime | None = None
    settled_at: datetime | None = None
    is_closed: bool = False
    #: Something has happened since it was decided.
    is_stale: bool = False
    happened: list[CaseEvent] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    packages: dict[str, Package] = field(default_factory=dict)
    #: What was granted when it was carried out, though it may have been taken back since.
    carried: dict[str, DemandDecision] = field(default_factory=dict)
    released: dict[str, list[datetime]] = field(default_factory=dict)
    begun: dict[tuple[Work, str], datetime | None] = field(default_factory=dict)
    ended: dict[tuple[Work, str], datetime] = field(default_factory=dict)
    raised: dict[tuple[Concern, str | None], datetime] = field(default_factory=dict)
    rows: int = 0
    _latched: dict[str, DemandDecision] = field(default_factory=dict)

    @classmethod
    def restore(cls, rows: Iterable[Row]) -> Self:
        """A case from its file. Raises `CaseFileDamaged` when the rows make no case."""
        first, *others = rows
        received = _step(first)
        if not isinstance(received, steps.Received):
            raise CaseFileDamaged(f"case {first.case_id} does not begin with a request")
        case = cls(first.case_id, first.authority_id, received.request, first.at, rows=1)
        for row in others:
            case.apply(row)
        return case

    def apply(self, row: Row) -> None:
        """Take a row. Raises `CaseFileDamaged` for a step that cannot be taken now; nothing has changed then."""
        step = _step(row)
        self.check(step)
        self.state = step.state if isinstance(step, steps.Settled) else TRANSITIONS[type(step)][self.state]
        self.rows += 1
        self._take(step, row.at)

    def check(self, step: Step) -> None:
        """Raise `CaseFileDamaged` unless this step can be taken now."""
        if self.is_closed or self.state not in TRANSITIONS[type(step)]:
            raise CaseFileDamaged(f"case {self.case_id} is {self.state}: {step.step} does not come after that")

    def _take(self, step: Step, at: datetime) -> None:
        match step:
            case steps.Authenticated():
                self.authority_name = step.name
            case steps.Decided():
                self.facts = step.facts
                self._decide(step.decision, at)
            case steps.Undecided():
                self._decide(step.decision, at)
            case steps.Happened():
                self._happen(step, at)
            case steps.Approved():
                self.approvals.append(Approval(step.demand, step.by, step.grant, at))
            case steps.Rejected():
                self.rejected.add(step.demand)
            case steps.Packaged():
                self._carry(step.demand)
                self.packages[step.demand] = Package(step.digest, step.size, step.records, at)
            case steps.Released():
                self.released.setdefault(step.demand, []).append(at)
            case steps.Settled():
                self.settled_at = at
            case steps.Closed():
                self.is_closed = True
            case _:
                self._take_work(step, at)

    def _take_work(self, step: Step, at: datetime) -> None:
        match step:
            case steps.Begun():
                if step.work in {Work.STREAM, Work.PRESERVATION}:
                    self._carry(step.demand)
                self.begun[step.work, step.demand] = step.until
                self.ended.pop((step.work, step.demand), None)
            case steps.Ended():
                self.ended[step.work, step.demand] = at
            case steps.Raised():
                self.raised[step.concern, step.demand] = at

    def _happen(self, step: steps.Happened, at: datetime) -> None:
        self.happened.append(CaseEvent(step.kind, at, step.demand))
        if step.kind is EventKind.WITHDRAWAL:
            self.state = CaseState.WITHDRAWN
            self.settled_at = at
        else:
            self.is_stale = True

    def _decide(self, decision: Decision, at: datetime) -> None:
        self.decision, self.decided_at, self.is_stale = decision, at, False
        for demand in decision.demands:
            if demand.outcome in FINAL:
                self._latched.setdefault(demand.demand_id, demand)

    def _carry(self, demand_id: str) -> None:
        verdict = self.verdict(demand_id)
        if verdict is not None:
            self.carried[demand_id] = verdict

    # Questions.

    @property
    def is_test(self) -> bool:
        """Whether the authority has marked its request as a test (TS 103 120, IsTest): it is decided, and nothing is done."""
        return self.request.authorisation.is_test

    def demand(self, demand_id: str) -> Demand | None:
        """The demand of this id."""
        return next((demand for demand in self.request.demands if demand.id == demand_id), None)

    def verdict(self, demand_id: str) -> DemandDecision | None:
        """What holds for a demand now: the latest decision, what persons and the authority have done, and what was final."""
        found = self._latched.get(demand_id) or self._latest(demand_id)
        if found is not None and found.outcome is Outcome.EXPIRED and demand_id in self.packages:
            found = self.carried[demand_id]  # it was produced in time, and waits to be fetched
        if found is None or found.outcome in FINAL:
            return found
        if self.state is CaseState.WITHDRAWN:
            return _cut(found, Outcome.WITHDRAWN, None, TaskStatus.CANCELLED, _WITHDRAWN)
        if demand_id in self.rejected:
            return _cut(found, Outcome.REFUSED, Ground.NOT_APPROVED, TaskStatus.REJECTED, _REJECTED)
        return found

    def _latest(self, demand_id: str) -> DemandDecision | None:
        if self.decision is None:
            return None
        return next((found for found in self.decision.demands if found.demand_id == demand_id), None)

    def verdicts(self) -> list[DemandDecision]:
        """`verdict` of every demand, in the request's order; empty before there is a decision."""
        found = (self.verdict(demand.id) for demand in self.request.demands)
        return [verdict for verdict in found if verdict is not None]

    def answer(self) -> Decision | None:
        """The decision as it holds now."""
        if self.decision is None:
            return None
        return dataclasses.replace(self.decision, demands=tuple(self.verdicts()))

    def persons(self, verdict: DemandDecision) -> list[str]:
        """Who has approved what is granted now, in order; approvals of anything else do not count."""
        grant = grant_digest(verdict)
        return [a.by for a in self.approvals if a.demand == verdict.demand_id and a.grant == grant]

    def is_approved(self, verdict: DemandDecision) -> bool:
        """Whether as many different persons have approved as it takes."""
        return len(set(self.persons(verdict))) >= verdict.approvals_needed

    @property
    def preserves(self) -> bool:
        """Whether something is kept from deletion."""
        return any(self.is_running(work, demand_id) for work, demand_id in self.begun if work is Work.PRESERVATION)

    def is_followed_up(self, demand_id: str) -> bool:
        """Whether the process has come that an emergency went without."""
        return any(found.kind is EventKind.FOLLOW_UP and found.demand in {None, demand_id} for found in self.happened)

    def is_running(self, work: Work, demand_id: str) -> bool:
        """Whether it has begun and not ended."""
        return (work, demand_id) in self.begun and (work, demand_id) not in self.ended


def _step(row: Row) -> Step:
    try:
        return STEP.validate_json(row.body)
    except ValidationError as error:
        raise CaseFileDamaged(
            f"row {row.sequence} of case {row.case_id} says what this release does not understand: start the release that "
            "wrote it, or restore the case file from a backup"
        ) from error


def grants(verdict: DemandDecision) -> list[ClassDecision]:
    """The classes of which something may leave."""
    return [item for item in verdict.classes if item.outcome.discloses]


def grant_digest(verdict: DemandDecision) -> str:
    """SHA-256, in hex, of what is granted: classes, targets, windows. What is approved is this and nothing else."""
    what = [
        [
            item.data_class.value,
            sorted([target.format.value, target.value] for target in item.targets),
            [item.window.start.timestamp(), item.window.end.timestamp()] if item.window else None,
        ]
        for item in sorted(grants(verdict), key=lambda item: item.data_class)
    ]
    stream = [verdict.stream.start.timestamp(), verdict.stream.end.timestamp()] if verdict.stream else None
    effective = verdict.service_effective.timestamp() if verdict.service_effective else None
    service = [verdict.service, verdict.service_jurisdiction, effective]
    return sha256(json.dumps([verdict.demand_id, what, stream, service], separators=(",", ":")).encode()).hexdigest()


_WITHDRAWN: Final = Reason(
    "desk/withdrawn", "The authority has taken the request back.", "operator policy", Mark.CONFIRMED
)
_REJECTED: Final = Reason(
    "desk/not-approved",
    "A person of the relay's operator has examined the request and has not approved it.",
    "operator policy",
    Mark.CONFIRMED,
)


def _cut(
    found: DemandDecision, outcome: Outcome, ground: Ground | None, status: TaskStatus, reason: Reason
) -> DemandDecision:
    """`found`, with nothing granted any more."""
    classes = tuple(
        dataclasses.replace(
            item, outcome=outcome, ground=ground, status=status, targets=(), window=None, reasons=(reason,)
        )
        if item.outcome not in FINAL
        else item
        for item in found.classes
    )
    return dataclasses.replace(
        found,
        outcome=outcome,
        ground=ground,
        status=status,
        classes=classes,
        reasons=(reason,),
        release_not_before=None,
        stream=None,
        preserved_until=None,
        service=None,
        approvals_needed=0,
    )
