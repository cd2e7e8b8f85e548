"""A desk on twins: the case file, the register and the metadata are real; what it acts through writes down what it was given.

`Script` decides as a test says, so that the desk's own rules can be tested apart from the policies'.
"""

import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy

from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision, Facts, Reason
from blindrelay.policies.exchange import AuthorityCard
from blindrelay.policies.request import DataDemand, LawfulRequest, ServiceDemand
from blindrelay.policies.stream import StreamEvent
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    EventKind,
    Ground,
    Mark,
    Mode,
    Outcome,
    TaskStatus,
)
from blindrelay.relay.config import Desk as DeskSettings
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.ports import (
    Making,
    NoticeOrder,
    PackageDigest,
    PackageOrder,
    PreservationOrder,
    ServiceOrder,
    StreamOrder,
)
from blindrelay.relay.desk.views import CaseView, VerifiedRequest
from blindrelay.relay.desk.work import Ports
from blindrelay.relay.store import tables
from blindrelay.relay.store.metadata import OpenMetadata, open_metadata_reader
from blindrelay.relay.store.sqlite import SqliteStore

from .authorities import authority
from .twin import TwinClock

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def still_clock(at: datetime = START) -> TwinClock:
    """A clock that stands at `at`."""
    clock = TwinClock()
    clock.wall = at.timestamp()
    return clock


@dataclass
class Script:
    """Decides by `outcomes` (demand id -> decision), `GRANTED` for every other; counts how often it is asked."""

    outcomes: dict[str, Callable[[Facts], DemandDecision]] = field(default_factory=dict)
    notify_not_before: datetime | None = None
    notice_is_open: bool = False
    asked: list[Facts] = field(default_factory=list)
    digest: str = "0" * 64

    def decide(self, request: LawfulRequest, facts: Facts) -> Decision:
        self.asked.append(facts)
        return Decision(
            request_id=str(request.id),
            decided_at=facts.now,
            policies_digest=self.digest,
            demands=tuple(self._demand(demand, facts) for demand in request.demands),
            notify_not_before=self.notify_not_before,
            notice_is_open=self.notice_is_open,
        )

    def _demand(self, demand: object, facts: Facts) -> DemandDecision:
        assert isinstance(demand, DataDemand | ServiceDemand)
        if chosen := self.outcomes.get(demand.id):
            return dataclasses.replace(chosen(facts), demand_id=demand.id)
        if isinstance(demand, ServiceDemand):
            return served(demand, facts)
        return granted(demand, facts)

    def letter(self, request: LawfulRequest, decision: Decision, facts: Facts | None) -> str:
        del request, facts
        return "\n".join(f"{demand.demand_id}: {demand.outcome}" for demand in decision.demands)


WHY = Reason("test/why", "Because the test says so.", "test", Mark.CONFIRMED)


def granted(demand: DataDemand, facts: Facts, **changes: object) -> DemandDecision:
    """All that is asked for, as far as it is metadata, in the demand's mode."""
    is_preserved = demand.mode is Mode.PRESERVE
    outcome = Outcome.PRESERVED if is_preserved else Outcome.GRANTED
    classes = tuple(
        ClassDecision(data_class, outcome, None, TaskStatus.AWAITING_DISCLOSURE, demand.targets, demand.window, (WHY,))
        for data_class in sorted(demand.classes)
    )
    values: dict[str, object] = {
        "preserved_until": facts.received_at + 90 * DAY if is_preserved else None,
        "stream": demand.window if demand.mode is Mode.STREAM else None,
        "approvals_needed": 0 if is_preserved else facts.operator.approvals,
        **changes,
    }
    decision = DemandDecision(demand.id, outcome, None, TaskStatus.AWAITING_DISCLOSURE, classes, (WHY,))
    return dataclasses.replace(decision, **values)  # type: ignore[arg-type]


def served(demand: ServiceDemand, facts: Facts) -> DemandDecision:
    """What is wanted of the service."""
    return DemandDecision(
        demand.id,
        Outcome.GRANTED,
        None,
        TaskStatus.AWAITING_APPROVAL,
        (),
        (WHY,),
        approvals_needed=facts.operator.approvals,
        service=demand.action,
        service_effective=demand.effective,
        service_jurisdiction=demand.jurisdiction,
    )


def refused(outcome: Outcome = Outcome.REFUSED, ground: Ground | None = Ground.OUT_OF_REACH) -> DemandDecision:
    """Nothing."""
    return DemandDecision("", outcome, ground, TaskStatus.REJECTED, (), (WHY,))


def held_until(kind: EventKind, then: Callable[[Facts], DemandDecision]) -> Callable[[Facts], DemandDecision]:
    """Held until something has happened."""

    def decide(facts: Facts) -> DemandDecision:
        if any(event.kind is kind for event in facts.events):
            return then(facts)
        return refused(Outcome.HELD, None)

    return decide


@dataclass
class Outside:
    """What the desk has done, as an outsider sees it: each effect once, however often it was ordered."""

    packages: dict[str, PackageOrder] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    preserved: dict[str, PreservationOrder] = field(default_factory=dict)
    streams: dict[str, StreamOrder] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    services: dict[str, ServiceOrder] = field(default_factory=dict)
    notices: dict[str, NoticeOrder] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    making: dict[str, Making] = field(default_factory=dict)
    #: While this is there and not set, packages are half made.
    slow: threading.Event | None = None

    @property
    def ports(self) -> Ports:
        return Ports(_Packages(self), _Preservation(self), _Streams(self), _Services(self), _Notices(self))

    def check(self, port: str) -> None:
        if port in self.failing:
            raise OSError(28, "No space left on device")


@dataclass
class _Packages:
    outside: Outside

    def write(self, order: PackageOrder, out: Path) -> PackageDigest:
        self.outside.check("packages")
        assert not out.exists()
        body = f"{order.key} {order.authority_id}".encode()
        out.write_bytes(body)
        self.outside.packages[order.key] = order
        self.outside.written.append(order.key)
        records = {item.data_class: 1 for item in order.decision.classes if item.outcome.discloses}
        if (until := self.outside.slow) is not None:
            self.outside.making[order.key] = Making(430_000, 1_000_000)
            assert until.wait(30)
            del self.outside.making[order.key]
        return PackageDigest(sha256(body).hexdigest(), len(body), records)

    def making(self, key: str) -> Making | None:
        return self.outside.making.get(key)


@dataclass
class _Preservation:
    outside: Outside

    async def hold(self, order: PreservationOrder) -> None:
        self.outside.check("preservation")
        self.outside.preserved[order.key] = order

    async def let_go(self, key: str) -> None:
        self.outside.preserved.pop(key, None)


@dataclass
class _Streams:
    outside: Outside

    async def begin(self, order: StreamOrder) -> None:
        self.outside.check("streams")
        self.outside.streams[order.key] = order

    async def end(self, key: str) -> None:
        self.outside.ended.append(key)

    async def follow(self, key: str, after: str | None = None) -> AsyncIterator[StreamEvent]:
        del key, after
        for event in ():
            yield event


@dataclass
class _Services:
    outside: Outside

    async def apply(self, order: ServiceOrder) -> None:
        self.outside.check("services")
        self.outside.services[order.key] = order


@dataclass
class _Notices:
    outside: Outside

    async def give(self, order: NoticeOrder) -> int:
        self.outside.check("notices")
        self.outside.notices[order.key] = order
        return 1


@dataclass
class Office:
    """A folder with a store in it, two registered authorities, and desks that are opened on it one after the other."""

    folder: Path
    clock: TwinClock
    script: Script
    outside: Outside
    settings: DeskSettings = field(default_factory=DeskSettings)

    @property
    def database(self) -> Path:
        return self.folder / "relay.db"

    @property
    def metadata(self) -> OpenMetadata:
        """The store's, however often it is opened."""
        return partial(open_metadata_reader, self.database)

    def found(self) -> None:
        """Make the store, with people of two enterprises, and register the two authorities."""
        SqliteStore.open(self.database).close()
        engine = sqlalchemy.create_engine(f"sqlite:///{self.database}")
        with engine.begin() as connection:
            for tenant, jurisdiction in (("globex.example", "us"), ("acme.example", "de")):
                row = {"name": tenant, "root": b"", "registered_day": 1, "jurisdiction": jurisdiction}
                connection.execute(sqlalchemy.insert(tables.tenant).values(**row))
                for user in ("alice", "bob"):
                    device = {"tenant": tenant, "user": user, "device": "phone", "certificate": b""}
                    connection.execute(sqlalchemy.insert(tables.device).values(**device, registered_day=1))
        engine.dispose()
        desk = self.desk()
        for name, officer in (("us-court", "J. Doe"), ("us-police", "R. Roe")):
            desk.register.enter(
                self.card(name, officer),
                jurisdiction="us",
                kind=AuthorityKind.JUDGE,
                entered_by="ada",
                at=self.now,
                call_back="+1 202 555 0100",
            )
        desk.journal.close()

    def card(self, name: str, officer: str) -> AuthorityCard:
        """An authority introduces itself."""
        return authority(self.folder / "authorities", self.clock, name, officer).card

    def known_card(self, name: str) -> AuthorityCard:
        """The card of an authority that `found` has registered."""
        return AuthorityIdentity.open(self.folder / "authorities" / name).card

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall, UTC)

    def desk(self) -> Desk:
        """Open the desk, as a start of the relay does; `start` is the caller's."""
        return Desk.open(
            self.folder,
            self.metadata,
            self.script,
            self.outside.ports,
            clock=self.clock,
            settings=self.settings,
            retention=Retention(),
        )

    def request(self, *demands: dict[str, object], request_id: UUID | None = None, **changes: object) -> LawfulRequest:
        """A judge's order about bob's traffic, or about whatever the demands say."""
        now = self.now
        document: dict[str, object] = {
            "id": request_id or uuid4(),
            "sender": "us-court",
            "officer": "J. Doe",
            "receiver": "relay",
            "timestamp": now,
            "authorisation": {
                "reference": "26-cv-1",
                "instrument": "us/d-order",
                "jurisdiction": "us",
                "timespan": {"start": now - 10 * DAY, "end": now + 10 * DAY},
                "approvals": [{"role": "judge", "name": "Hon. J. Doe", "reference": "1", "timestamp": now}],
                "urgency": "routine",
                "non_disclosure": None,
                "purpose": "investigate",
                "offence_max_years": 5,
                **changes,
            },
            "demands": demands or (self.demand("d1"),),
        }
        return LawfulRequest.model_validate(document)

    def demand(self, demand_id: str, mode: str = "stored", **changes: object) -> dict[str, object]:
        """Bob's traffic of five days; of the next five in mode `stream`."""
        is_stream = mode == "stream"
        start = self.now if is_stream else self.now - 5 * DAY
        return {
            "kind": "data",
            "id": demand_id,
            "classes": ["TRAFFIC"],
            "mode": mode,
            "scope": "accounts",
            "targets": [{"format": "user", "value": "bob@globex.example"}],
            "window": {"start": start, "end": start + 5 * DAY},
            "delivery_type": "IRIOnly" if is_stream else None,
            **changes,
        }

    def signed(self, request: LawfulRequest, authority_id: str = "us-court") -> VerifiedRequest:
        """As the door hands it in."""
        return VerifiedRequest(authority_id, request, "header.payload.signature", self.now)


async def approve_all(desk: Desk, view: CaseView) -> None:
    """Two persons approve every demand."""
    for demand in view.demands:
        for person in ("ada", "bea"):
            await desk.approve(person, view.case_id, demand.demand_id)


@contextmanager
def opened(office: Office) -> Iterator[Desk]:
    """A desk that is not started, and closed in the end."""
    desk = office.desk()
    try:
        yield desk
    finally:
        desk.journal.close()
