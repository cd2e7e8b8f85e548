"""What the desk is given and what it shows: frozen values, for the doors and the operators."""

from dataclasses import dataclass, field
from datetime import datetime

from blindrelay.policies.decision import Decision, DemandDecision
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import CaseState, DataClass, EventKind, Outcome, TaskStatus


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request whose signature, certificate, freshness and sender have been verified. `jws` is what was signed."""

    authority_id: str
    request: LawfulRequest
    jws: str = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package that has been made and logged. `digest` is the SHA-256 of the sealed file, in hex."""

    digest: str
    size: int  #: bytes
    records: dict[DataClass, int]
    made_at: datetime
    fetched: int = 0  #: how often it has been handed over


@dataclass(frozen=True, slots=True)
class DemandView:
    """Where one demand stands. `decision` is the one in force; None while there is none."""

    demand_id: str
    outcome: Outcome | None
    status: TaskStatus
    decision: DemandDecision | None
    package: PackageView | None = None
    #: From when on, and up to when, records are streamed; None without a real-time order.
    stream_is_active: bool = False
    preserved_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """What an authority may see of its case. What is said of unknown targets is what is said of data that is not held."""

    case_id: str
    request_id: str
    authority_id: str
    state: CaseState
    received_at: datetime
    decided_at: datetime | None
    demands: tuple[DemandView, ...]
    letter: str  #: the answer, in sentences
    policies_digest: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """A person of ours has approved a demand as it was granted then; `counts` is False when the grant has changed since."""

    demand_id: str
    operator: str
    at: datetime
    counts: bool


@dataclass(frozen=True, slots=True)
class EventView:
    """One row of the case file, for people."""

    sequence: int
    at: datetime
    step: str
    text: str
    digest: str  #: of the chain, up to and with this row, in hex


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A line of the operators' list."""

    case_id: str
    authority_id: str
    officer: str
    jurisdiction: str
    instrument: str
    state: CaseState
    is_emergency: bool
    received_at: datetime
    deadline: datetime | None
    outcomes: tuple[tuple[str, Outcome | None], ...]
    #: What somebody has to do: `approve d1`, `call back`, ...
    waits_for: tuple[str, ...]
    signals: tuple[str, ...]
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """Everything about a case, for operators."""

    summary: CaseSummary
    request: LawfulRequest
    decision: Decision | None
    view: CaseView
    approvals: tuple[ApprovalView, ...]
    happened: tuple[tuple[EventKind, datetime], ...]
    history: tuple[EventView, ...]


@dataclass(frozen=True, slots=True)
class OrderList:
    """The orders of a jurisdiction in a period, for the agencies to confirm (India: rule 18 of the 2009 Rules)."""

    jurisdiction: str
    start: datetime
    end: datetime
    cases: tuple[str, ...]
    confirmed: tuple[str, ...]
