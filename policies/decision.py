"""What is decided, and from which facts. All of it is data: a decision can be replayed from its case file.

decide(request, facts, policies) -> Decision          blindrelay.policies.engine
"""

from dataclasses import dataclass, field
from datetime import datetime

from blindrelay.policies.request import Target, Timespan
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    DataClass,
    EventKind,
    Ground,
    Mark,
    Outcome,
    ServiceAction,
    TaskStatus,
)


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """What the relay's own register says about who asks; nothing of it is the authority's word."""

    id: str
    name: str
    jurisdiction: str
    kind: AuthorityKind
    is_registered: bool  #: and its certificate and signature have been verified
    officer_is_enrolled: bool
    #: Of the call-back on an independently sourced number: None not made, True confirmed, False denied.
    call_back_confirmed: bool | None = None
    requests_last_day: int = 0


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What is known about one target. `tenant` and `jurisdictions` are known where the enterprise is, whoever is asked about:
    so that an answer about the jurisdiction tells nothing about a person."""

    target: Target
    exists: bool
    tenant: str | None
    jurisdictions: frozenset[str]  #: of the tenant
    tenant_size: int = 0  #: users
    is_protected: bool = False  #: a journalist, lawyer, minor ..., as the tenant has declared


@dataclass(frozen=True, slots=True)
class PreservationFacts:
    """A preservation of the same authority's that a demand continues.

    Attributes:
        reference: `<case id>/<demand id>`, as the demand names it.
        until: `DemandDecision.preserved_until` of that demand.
        extensions: `DemandDecision.extensions` of that demand: how often it has been extended.
        classes, targets: what is preserved.
    """

    reference: str
    until: datetime
    extensions: int
    classes: frozenset[DataClass]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """Something that happened after the request came: an objection, a confirmation, a renewal."""

    kind: EventKind
    at: datetime
    demand: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorPolicy:
    """What the operator decides for itself, within the law."""

    emergency_hours: int = 48
    approvals: int = 2  #: different persons, before anything leaves
    max_requests_a_day: int = 20
    follow_up_hours: int = 48  #: within these the process that an emergency went without is owed (as in 18 USC 3125)
    service_users: dict[str, int] = field(default_factory=dict)  #: users by jurisdiction, for thresholds of a statute


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything but the request that a decision depends on: the clock, the register, metadata about the targets."""

    now: datetime
    received_at: datetime
    authority: AuthorityFacts
    targets: tuple[TargetFacts, ...]
    operator: OperatorPolicy
    events: tuple[CaseEvent, ...] = ()  #: in the order in which they were written down
    #: The oldest record that retention has left, per class.
    retained_since: dict[DataClass, datetime] = field(default_factory=dict)
    #: Jurisdictions whose statutes forbid what this one orders.
    blocking_statutes: frozenset[str] = frozenset()
    #: What the demands of this request continue. One that is not among these is not known.
    preservations: tuple[PreservationFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a sentence a lawyer can read, and on what it rests."""

    policy_id: str  #: `<pack>/<@id>`, or `engine/<rule>`
    text: str
    source: str  #: statute, article, or "operator policy"
    mark: Mark
    location: str | None = None  #: `packs/us/stored.cedar:12`


@dataclass(frozen=True, slots=True)
class ClassDecision:
    """What comes of one data class of a demand."""

    data_class: DataClass
    outcome: Outcome
    ground: Ground | None
    status: TaskStatus
    targets: tuple[Target, ...]  #: what is left of them; empty when nothing is disclosed
    window: Timespan | None  #: what is left of it
    reasons: tuple[Reason, ...]
    #: What the law says where the operator does not follow, or where nothing is held.
    law: str | None = None
    #: What would have had to differ, one sentence each.
    would_change: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemandDecision:
    """What comes of one demand; `outcome` sums up its classes. Capability and service demands have no classes."""

    demand_id: str
    outcome: Outcome
    ground: Ground | None
    status: TaskStatus
    classes: tuple[ClassDecision, ...]
    reasons: tuple[Reason, ...]
    law: str | None = None
    would_change: tuple[str, ...] = ()
    redirect_to: str | None = None  #: the tenant, or "mutual legal assistance"
    #: Not before this moment may anything leave (a notified authority may still object).
    release_not_before: datetime | None = None
    deadline: datetime | None = None  #: by when the instrument wants an answer
    preserved_until: datetime | None = None
    extensions: int = 0  #: how often that moment has been moved
    stream: Timespan | None = None
    approvals_needed: int = 0
    use_restriction: str | None = None
    follow_up_due: datetime | None = None
    service: ServiceAction | None = None
    service_effective: datetime | None = None
    service_jurisdiction: str | None = None
    escalate_to_counsel: bool = False

    @property
    def rests_on_unconfirmed(self) -> bool:
        """Whether a fact marked U decided."""
        reasons = (*self.reasons, *(reason for item in self.classes for reason in item.reasons))
        return any(reason.mark is Mark.UNCONFIRMED for reason in reasons)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request."""

    request_id: str
    decided_at: datetime
    policies_digest: str  #: SHA-256 over the policy files and manifests, in hex
    demands: tuple[DemandDecision, ...]
    #: The user is told not before this moment; None: at once. `notice_is_open`: there is no end to the non-disclosure order.
    notify_not_before: datetime | None = None
    notice_is_open: bool = False
