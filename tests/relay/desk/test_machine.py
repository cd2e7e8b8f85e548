"""Whatever people, authorities, the clock and the power do, in whatever order: what must hold when something leaves, holds.

The desk, its file, its register and the shipped policies are real; what it acts through checks, at the moment of the act and
from the case file alone, whether it may.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from blindrelay.policies.packs import Policies
from blindrelay.policies.request import DataDemand, LawfulRequest
from blindrelay.policies.vocabulary import METADATA, EventKind, Urgency
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.case import Case, grant_digest
from blindrelay.relay.desk.desk import RECORDABLE, Desk
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.ports import Order, PackageDigest, PackageOrder, PreservationOrder, StreamOrder
from blindrelay.relay.desk.rules import PolicyRules
from blindrelay.relay.desk.steps import STEP
from blindrelay.relay.desk.work import Ports
from support import clerks
from support.clerks import DAY, Office, Outside, Script, still_clock

POLICIES = Policies.load()
HOUR = timedelta(hours=1)
#: What is asked for: instrument, issuer, mode, and what else the request says.
ASKED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "records": ("us/d-order", "judge", "stored", {}),
    "test": ("us/d-order", "judge", "stored", {"is_test": True}),
    "too much": ("us/subpoena", "prosecutor", "stored", {}),
    "stream": ("us/pen-trap", "judge", "stream", {}),
    "kept": ("us/preservation-letter", "police", "preserve", {}),
    "emergency": (
        "us/emergency-request",
        "police",
        "stored",
        {"urgency": "emergency", "emergency_grounds": "A child is in danger."},
    ),
}

asks = st.tuples(st.just("ask"), st.sampled_from(sorted(ASKED)), st.integers(1, 5))
person = st.sampled_from(["ada", "bea"])
# Mostly the first: what matters are several things that happen to one.
case = st.sampled_from([0, 0, 0, 1, 2])
things = st.one_of(
    asks,
    st.tuples(st.just("approve"), case, person),
    st.tuples(st.just("approve"), case, person),
    st.tuples(st.just("wait"), st.integers(1, 24 * 6)),
    st.tuples(st.just("call"), case, st.booleans()),
    st.tuples(st.just("event"), case, st.sampled_from(sorted(RECORDABLE))),
    st.tuples(st.sampled_from(["withdraw", "reject", "fetch"]), case),
    st.tuples(st.sampled_from(["strike", "enter", "restart"])),
    st.tuples(st.just("set_back"), st.integers(1, 48)),
)


@dataclass
class Checked(Outside):
    """What the desk acts through; each act is checked against the case file first."""

    desk: Desk | None = None
    now: Callable[[], datetime] = datetime.now
    failures: list[AssertionError] = field(default_factory=list)

    @property
    def ports(self) -> Ports:
        real = super().ports
        return Ports(_Packages(self), _Preservation(self), _Streams(self), real.services, real.notices)

    def check(self, port: str | Order) -> None:
        """The desk takes whatever is raised for a failure of the port and goes on, so that it is kept as well."""
        if isinstance(port, str):
            return super().check(port)
        try:
            self._may(port)
        except AssertionError as wrong:
            self.failures.append(wrong)
            raise

    def _may(self, order: Order) -> None:
        assert self.desk is not None
        rows = self.desk.journal.rows(order.case_id)
        received, *others = (STEP.validate_json(row.body) for row in rows)
        now = max(self.now(), *(row.at for row in rows))  # whatever the clock was set back to
        assert isinstance(received, steps.Received)
        authorisation = received.request.authorisation
        happened = [step.kind for step in others if isinstance(step, steps.Happened)]
        assert not authorisation.is_test, "of a test nothing comes"
        assert EventKind.WITHDRAWAL not in happened, "it was taken back"
        assert self.desk.register.authority(order.authority_id) is not None, "nobody knows whose request it is"
        self._is_within(order, received.request)
        if isinstance(order, PreservationOrder):
            return
        assert authorisation.timespan.start <= now < authorisation.timespan.end, "the instrument is not in force"
        rejected = {step.demand for step in others if isinstance(step, steps.Rejected)}
        assert order.demand_id not in rejected, "a person has refused it"
        approved = {
            step.by
            for step in others
            if isinstance(step, steps.Approved) and step.grant == grant_digest(order.decision)
        }
        assert len(approved) >= 2, "fewer than two persons have approved what leaves"
        said = [kind for kind in happened if kind in {EventKind.CALL_BACK_CONFIRMED, EventKind.CALL_BACK_DENIED}]
        if authorisation.urgency is Urgency.EMERGENCY or said:
            assert said[-1:] == [EventKind.CALL_BACK_CONFIRMED], "nobody has confirmed it"
        last = [kind for kind in happened if kind in {EventKind.CONFIRMATION, EventKind.NOT_CONFIRMED}]
        assert last[-1:] != [EventKind.NOT_CONFIRMED], "the agency does not know of it"

    def _is_within(self, order: Order, request: LawfulRequest) -> None:
        demand = next(one for one in request.demands if one.id == order.demand_id)
        assert isinstance(demand, DataDemand)
        for item in order.decision.classes:
            if item.targets:
                assert item.data_class in METADATA & demand.classes
                assert set(item.targets) <= set(demand.targets)
                assert item.window is not None
                assert demand.window.start <= item.window.start < item.window.end <= demand.window.end


class _Packages(clerks._Packages):
    outside: Checked

    def write(self, order: PackageOrder, out: Path) -> PackageDigest:
        self.outside.check(order)
        return super().write(order, out)


class _Streams(clerks._Streams):
    outside: Checked

    async def begin(self, order: StreamOrder) -> None:
        if order.key not in self.outside.streams:  # given again at each start
            self.outside.check(order)
        await super().begin(order)


class _Preservation(clerks._Preservation):
    outside: Checked

    async def hold(self, order: PreservationOrder) -> None:
        if order.key not in self.outside.preserved:
            self.outside.check(order)
        await super().hold(order)


class Machine:
    """A desk, and everything that can happen to it."""

    def __init__(self, folder: Path) -> None:
        self.outside = Checked()
        self.office = Office(folder, still_clock(), Script(), self.outside)
        self.outside.now = lambda: self.office.now
        self.office.found()
        self.card = self.office.known_card("us-court")
        self.office.script = PolicyRules(POLICIES)  # type: ignore[assignment]
        self.cases: list[str] = []
        self.fetches = 0
        self.desk: Desk

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._open()
        try:
            yield
        finally:
            await self.desk.close()

    async def _open(self) -> None:
        self.desk = self.outside.desk = self.office.desk()
        await self.desk.start()

    async def do(self, what: str, *with_what: Any) -> None:
        """Let something happen. What the desk does not allow is no failure; what it does is checked."""
        with suppress(DeskError):
            await getattr(self, f"_{what}")(*with_what)
        await self.desk.tick()
        if self.outside.failures:
            raise self.outside.failures[0]
        for case_id in self.cases:
            known = self.desk.cases.case(case_id)
            assert Case.restore(self.desk.cases.rows(case_id)) == known, "memory and file differ"
            self.desk.show(case_id)

    async def _ask(self, kind: str, days: int) -> None:
        instrument, by, mode, more = ASKED[kind]
        now = self.office.now
        demand = self.office.demand("d1", mode, classes=["SUBSCRIBER", "ACCESS", "TRAFFIC", "CONTENT"])
        if mode != "stored":
            demand["classes"] = ["ACCESS", "TRAFFIC"]
        stated = {
            "instrument": instrument,
            "timespan": {"start": now - DAY, "end": now + days * DAY},
            "approvals": [{"role": by, "name": "Somebody", "reference": "1", "timestamp": now}],
        }
        request = self.office.request(demand, **stated, **more)
        self.cases.append((await self.desk.receive(self.office.signed(request))).case_id)

    def _case(self, number: int) -> str:
        return self.cases[number % len(self.cases)] if self.cases else "00000000-0000-4000-8000-000000000000"

    async def _approve(self, number: int, person: str) -> None:
        await self.desk.approve(person, self._case(number), "d1")

    async def _reject(self, number: int) -> None:
        await self.desk.reject("ada", self._case(number), "d1", "no")

    async def _call(self, number: int, confirmed: bool) -> None:
        await self.desk.call_back("ada", self._case(number), confirmed=confirmed)

    async def _event(self, number: int, kind: EventKind) -> None:
        await self.desk.event("ada", self._case(number), kind)

    async def _withdraw(self, number: int) -> None:
        await self.desk.withdraw("us-court", self._case(number))

    async def _fetch(self, number: int) -> None:
        self.fetches += 1
        case_id = self._case(number)
        path = await self.desk.fetch("us-court", case_id, "d1", f"call-{self.fetches}")
        assert path.read_bytes()
        last = STEP.validate_json(self.desk.cases.rows(case_id)[-1].body)
        assert isinstance(last, steps.Released)
        assert last.fetch == f"call-{self.fetches}"

    async def _wait(self, hours: int) -> None:
        self.office.clock.advance((hours * HOUR).total_seconds())

    async def _set_back(self, hours: int) -> None:
        self.office.clock.advance(-(hours * HOUR).total_seconds())

    async def _strike(self) -> None:
        self.desk.register.strike("us-court", entered_by="ada", at=self.office.now)

    async def _enter(self) -> None:
        card = self.card
        self.desk.register.enter(
            card, jurisdiction="us", kind=card.kind, entered_by="ada", at=self.office.now, call_back="+1 202 555 0100"
        )

    async def _restart(self) -> None:
        await self.desk.close()
        await self._open()


# Each takes half a second: shrinking would take minutes to make a short list a little shorter.
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example([("ask", "records", 3), ("approve", 0, "ada"), ("wait", 73), ("approve", 0, "bea"), ("fetch", 0)])
@example(
    [
        ("ask", "emergency", 3),
        ("call", 0, True),
        ("approve", 0, "ada"),
        ("set_back", 1),
        ("call", 0, False),
        ("approve", 0, "bea"),
    ]
)
@example([("ask", "emergency", 3), ("call", 0, True), ("call", 0, False), ("approve", 0, "ada"), ("approve", 0, "bea")])
@example([("ask", "test", 3), ("approve", 0, "ada"), ("approve", 0, "bea"), ("fetch", 0)])
@example([("ask", "records", 3), ("approve", 0, "ada"), ("strike",), ("approve", 0, "bea"), ("fetch", 0)])
@given(happening=st.lists(things, min_size=4, max_size=20).map(lambda rest: [("ask", "records", 3), *rest]))
def test_nothing_leaves_that_may_not(
    tmp_path_factory: pytest.TempPathFactory, happening: list[tuple[Any, ...]]
) -> None:
    """In force, registered, confirmed, approved by two, not taken back, not refused, no test; and the file says it all."""

    async def play() -> None:
        machine = Machine(tmp_path_factory.mktemp("machine"))
        async with machine.running():
            for what, *with_what in happening:
                await machine.do(what, *with_what)

    asyncio.run(play())


async def test_something_leaves(tmp_path: Path) -> None:
    """The machine above is no machine that stands still: each kind of thing has its effect."""
    machine = Machine(tmp_path)
    async with machine.running():
        for kind in sorted(ASKED):
            await machine.do("ask", kind, 10)
        for number in range(len(ASKED)):
            await machine.do("call", number, True)
            for person in ("ada", "bea"):
                await machine.do("approve", number, person)
            await machine.do("fetch", number)

    assert len(machine.outside.packages) == 3
    assert len(machine.outside.streams) == 1
    assert len(machine.outside.preserved) == 1
