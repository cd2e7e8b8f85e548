"""The desk: the one facade. What authorities, operators and the clock can ask of it.

Nothing is done that is not written down before, and what is to be done next is read from what is written down (`plan`). So a
desk that was killed at any moment goes on where its file ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import structlog

from blindrelay.policies.leaves import Receipt
from blindrelay.policies.request import DataDemand
from blindrelay.policies.stream import StreamEvent
from blindrelay.policies.vocabulary import CaseState, EventKind, Outcome
from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Desk as DeskSettings
from blindrelay.relay.config import Logs, Retention
from blindrelay.relay.desk import lists, plan, showing, steps
from blindrelay.relay.desk.case import FINAL, Case, grant_digest
from blindrelay.relay.desk.cases import Cases
from blindrelay.relay.desk.disclosures import Disclosures
from blindrelay.relay.desk.errors import AlreadyFetched, AlreadyRecorded, CaseNotFound, NotAllowed, NothingToFetch
from blindrelay.relay.desk.facts import FactFinder
from blindrelay.relay.desk.journal import Journal, Subject
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.ports import Making
from blindrelay.relay.desk.register import Register
from blindrelay.relay.desk.rules import Rules
from blindrelay.relay.desk.steps import Step, Work
from blindrelay.relay.desk.views import CaseDetail, CaseSummary, CaseView, OrderList, VerifiedRequest
from blindrelay.relay.desk.work import Clerk, Ports
from blindrelay.relay.store.metadata import OpenMetadata

__all__ = ["CaseNotFound", "CaseView", "Desk", "VerifiedRequest"]

T = TypeVar("T")
Make = Callable[[Case], Step]

#: What a person may write down; approvals, call-backs and withdrawals come in their own ways.
RECORDABLE: Final = frozenset(
    {
        EventKind.OBJECTION,
        EventKind.CLEARANCE,
        EventKind.CONFIRMATION,
        EventKind.NOT_CONFIRMED,
        EventKind.FOLLOW_UP,
        EventKind.RENEWAL,
    }
)
_UNDER_WAY: Final = frozenset({CaseState.RECEIVED, CaseState.AUTHENTICATED, CaseState.DECIDED})

_log = structlog.get_logger()


class Desk:
    """One per relay. Use `open`, then `start`; `close` when done.

    Attributes:
        journal: the case file.
        register: of authorities.
        operators: who may act for the operator.
        cases: all of them, for reports.
        disclosures: the public log of them.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it is put together from
        self, journal: Journal, register: Register, cases: Cases, clerk: Clerk, rules: Rules, ports: Ports,
        disclosures: Disclosures, *, clock: Clock, kept: timedelta,
    ) -> None:  # fmt: skip
        self.journal = journal
        self.register = register
        self.operators = Operators(journal)
        self.cases = cases
        self._clerk = clerk
        self._rules = rules
        self._ports = ports
        self.disclosures = disclosures
        self._lists = lists.Lists(journal)
        self._clock = clock
        self._kept = kept
        self._again: dict[tuple[str, plan.Begin], Case] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    @classmethod
    def open(  # noqa: PLR0913 - what it is put together from
        cls, folder: Path, metadata: OpenMetadata, rules: Rules, ports: Ports, *,
        clock: Clock, settings: DeskSettings, retention: Retention, logs: Logs | None = None,
        identity: Path | None = None,
    ) -> Self:  # fmt: skip
        """Open `desk.sqlite` in `folder`, and read the cases that are open.

        Args:
            folder: the data directory.
            metadata: the relay's, and nothing else of its store.
            rules: what decides.
            ports: through which the desk acts.
            clock: what time it is.
            settings, retention, logs: the operator's own.
            identity: where the log's key is, if that is not the data directory.

        Raises:
            Unreadable, NewerVersion: the file is not one that can be used.
            CaseFileDamaged: a row is not the one that was written.
        """
        journal = Journal.open(folder)
        try:
            disclosures = Disclosures(journal, folder, logs or Logs(), clock, identity)
            register, cases = Register(journal), Cases(journal, disclosures.written)
            cases.load()
            finder = FactFinder(metadata, register, settings, retention)
            clerk = Clerk(folder, journal, cases, register, finder, rules, ports)
            kept = timedelta(days=settings.package_days)
            return cls(journal, register, cases, clerk, rules, ports, disclosures, clock=clock, kept=kept)
        except BaseException:
            journal.close()
            raise

    async def start(self) -> None:
        """Give the orders that run again, and go on with what was interrupted."""
        await self.disclosures.open(self.cases.case)
        await self._clerk.tidy()
        for case in self.cases.open_cases():
            await self._clerk.resume(case, self._now())
        await self.tick()

    async def close(self) -> None:
        """Finish the steps under way and close the case file."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.disclosures.close()
        self.journal.close()

    # For the doors.

    async def receive(self, signed: VerifiedRequest) -> CaseView:
        """Open a case and decide it. The same request again gets the case that it has.

        Raises:
            RequestConflict: the authority has used the request's id for another request.
            NotRecorded: it cannot be written down; nothing has happened.
        """
        return await self._whole(self._receive(signed))

    async def _receive(self, signed: VerifiedRequest) -> CaseView:
        case = await self.cases.open(signed)
        async with self.cases.lock(case.case_id):
            await self._advance(case, self._now())
        return showing.case_view(case, self._rules, self._now())

    async def refuse_unauthenticated(self, reason: str, digest: str) -> None:
        """Record that something came that is no authenticated request: why, and the SHA-256 of it in hex."""
        step = steps.TurnedAway(reason=reason, digest=digest)
        await asyncio.to_thread(self.journal.append, Subject.DOOR, "", self._now(), step.step, step.model_dump_json())

    def status(self, authority_id: str, case_id: str) -> CaseView:
        """How an authority's case stands. Raises `CaseNotFound`, for another authority's case, too."""
        return showing.case_view(self.cases.case_of(authority_id, case_id), self._rules, self._now())

    async def withdraw(self, authority_id: str, case_id: str) -> CaseView:
        """The authority takes its request back; what has been decided against it stays so. Raises `CaseNotFound`."""
        self.cases.case_of(authority_id, case_id)
        return await self._whole(self._withdraw(authority_id, case_id))

    async def _withdraw(self, authority_id: str, case_id: str) -> CaseView:
        async with self.cases.lock(case_id):
            case = self.cases.case(case_id)
            if case.state in _UNDER_WAY | {CaseState.FULFILLED}:
                step = steps.Happened(kind=EventKind.WITHDRAWAL, demand=None, by=authority_id)
                await self.cases.write(case, step, self._now())
                await self._advance(case, self._now())
        return showing.case_view(case, self._rules, self._now())

    async def fetch(self, authority_id: str, case_id: str, demand_id: str, fetch_id: str) -> Path:
        """The sealed package, once for each `fetch_id` (the `jti` of the signed call); that is written down before.

        Raises:
            CaseNotFound: no such case of this authority's.
            NothingToFetch: there is no package, not yet, or not any more.
            NotPublished: the public log does not show it yet.
            AlreadyFetched: this call has been served.
        """
        self.cases.case_of(authority_id, case_id)
        return await self._whole(self._fetch(authority_id, case_id, demand_id, fetch_id))

    async def _fetch(self, authority_id: str, case_id: str, demand_id: str, fetch_id: str) -> Path:
        async with self.cases.lock(case_id):
            case, now = self.cases.case(case_id), self._now()
            await self._advance(case, now)
            verdict, package = case.verdict(demand_id), case.packages.get(demand_id)
            path = self._clerk.package(case_id, demand_id)
            if verdict is None or package is None or case.is_closed or not plan.may_leave(case, verdict, now):
                raise NothingToFetch("nothing has been released for this demand, or nothing is released any more")
            if await asyncio.to_thread(_size, path) != package.size:
                _log.error("a package is not the one that was made")
                raise NothingToFetch("the package is damaged: ask the relay's operator")
            await self.disclosures.wait_for_package(case_id, demand_id)
            step = steps.Released(demand=demand_id, fetch=fetch_id)
            try:
                await self.cases.write(case, step, now, once=f"fetch/{authority_id}/{fetch_id}")
            except AlreadyRecorded:
                raise AlreadyFetched("this call has been served: sign a new one to have the package again") from None
        return path

    async def receipt(self, authority_id: str, case_id: str, demand_id: str) -> Receipt:
        """That the public log has the request, the decisions and the package of a demand.

        Raises `CaseNotFound`, `NothingToFetch`, `NotPublished`.
        """
        if demand_id not in self.cases.case_of(authority_id, case_id).packages:
            raise NothingToFetch("nothing has been released for this demand")
        return await self.disclosures.receipt(case_id, demand_id)

    def stream(
        self, authority_id: str, case_id: str, demand_id: str, after: str | None = None
    ) -> AsyncIterator[StreamEvent]:
        """What a real-time order delivers, from behind the position `after` on. Raises `CaseNotFound`, `NothingToFetch`."""
        case = self.cases.case_of(authority_id, case_id)
        verdict = case.verdict(demand_id)
        has_begun = (Work.STREAM, demand_id) in case.begun
        if verdict is None or not verdict.outcome.discloses or not has_begun or case.is_closed:
            raise NothingToFetch("there is no real-time order that delivers anything for this demand")
        return self._ports.streams.follow(f"{case_id}/{demand_id}", after)

    # For operators. `operator` is the name of the person.

    def list_cases(self, *, all_cases: bool = False) -> list[CaseSummary]:
        """The open cases, or all, the oldest first."""
        found = self.cases.every() if all_cases else self.cases.open_cases()
        return [showing.summary(case, self._now(), self._making(case)) for case in found]

    def show(self, case_id: str) -> CaseDetail:
        """Everything about a case. Raises `CaseNotFound`."""
        case = self.cases.case(case_id)
        return showing.detail(case, self.cases.rows(case_id), self._rules, self._now(), self._making(case))

    def making(self, case_id: str) -> dict[str, Making]:
        """How far packages are that are being made just now, by demand. Raises `CaseNotFound`."""
        return self._making(self.cases.case(case_id))

    def _making(self, case: Case) -> dict[str, Making]:
        found = {
            demand.id: self._ports.packages.making(f"{case.case_id}/{demand.id}") for demand in case.request.demands
        }
        return {demand_id: making for demand_id, making in found.items() if making is not None}

    async def approve(self, operator: str, case_id: str, demand_id: str) -> CaseDetail:
        """A person approves a demand as it is granted now. The last approval that it takes releases it.

        Raises:
            CaseNotFound: no such case.
            NotAllowed: nothing waits for an approval, or this person has reviewed it before: who reviews does not release.
        """

        def approval(case: Case) -> Step:
            verdict = case.verdict(demand_id)
            if verdict is None or case.state is not CaseState.DECIDED or not verdict.outcome.discloses:
                raise NotAllowed(f"{demand_id} does not wait for an approval")
            if case.is_approved(verdict):
                raise NotAllowed(f"{demand_id} has all the approvals that it takes")
            if operator in case.persons(verdict):
                raise NotAllowed(f"{operator} has reviewed {demand_id}: another person releases it")
            return steps.Approved(demand=demand_id, by=operator, grant=grant_digest(verdict))

        return await self._act(case_id, approval)

    async def reject(self, operator: str, case_id: str, demand_id: str, reason: str) -> CaseDetail:
        """A person refuses what the policies would grant; it is final. Raises `CaseNotFound`, `NotAllowed`."""

        def rejection(case: Case) -> Step:
            verdict = case.verdict(demand_id)
            if verdict is None or verdict.outcome in FINAL or case.state is not CaseState.DECIDED:
                raise NotAllowed(f"{demand_id} does not wait for anybody")
            if demand_id in case.carried:
                raise NotAllowed(f"{demand_id} has been carried out already")
            return steps.Rejected(demand=demand_id, by=operator, reason=reason)

        return await self._act(case_id, rejection)

    async def call_back(self, operator: str, case_id: str, *, confirmed: bool) -> CaseDetail:
        """What the agency said on the number of our own register. Raises `CaseNotFound`, `NotAllowed`."""
        kind = EventKind.CALL_BACK_CONFIRMED if confirmed else EventKind.CALL_BACK_DENIED

        def call(case: Case) -> Step:
            authority = self.register.authority(case.authority_id)
            if confirmed and (authority is None or authority.call_back is None):
                raise NotAllowed(
                    f"there is no number on record to call {case.authority_id} back on: enter one that you have from "
                    "elsewhere (blindrelay desk register --call-back), never one that came with the request"
                )
            return steps.Happened(kind=kind, demand=None, by=operator)

        return await self._act(case_id, call)

    async def event(
        self, operator: str, case_id: str, kind: EventKind, demand_id: str | None = None, note: str = ""
    ) -> CaseDetail:
        """Something happened; the case is decided again in its light. Raises `CaseNotFound`, `NotAllowed`."""

        def occurrence(case: Case) -> Step:
            if kind not in RECORDABLE:
                raise NotAllowed(f"{kind} is not written down like this")
            if demand_id is not None and case.demand(demand_id) is None:
                raise NotAllowed(f"the request has no demand {demand_id}")
            return steps.Happened(kind=kind, demand=demand_id, by=operator, note=note)

        return await self._act(case_id, occurrence)

    def order_lists(self) -> list[OrderList]:
        """The lists for agencies to confirm, the oldest first."""
        return [
            lists.order_list(found, [one for one in found.cases if lists.is_confirmed(self.cases.case(one))])
            for found in self._lists.lists()
        ]

    async def _act(self, case_id: str, make: Make) -> CaseDetail:
        return await self._whole(self._write_and_advance(case_id, make))

    async def _write_and_advance(self, case_id: str, make: Make) -> CaseDetail:
        self.cases.case(case_id)
        async with self.cases.lock(case_id):
            case, now = self.cases.case(case_id), self._now()
            await self._advance(case, now)
            step = make(case)
            if case.is_closed or (case.state is CaseState.WITHDRAWN and not _is_owed(step)):
                raise NotAllowed(f"the case is {case.state}")
            await self.cases.write(case, step, now)
            await self._advance(case, now)
        return self.show(case_id)

    # The clock.

    async def tick(self, now: datetime | None = None) -> None:
        """Do what time has made due: release, end, delete, tell, remind. `now`: another time than the clock's."""
        await self._whole(self._tick(now or self._now()))

    async def _tick(self, now: datetime) -> None:
        await self._try(self._lists.write_due(self.cases.open_cases(), now))
        continued = self._continued()
        for case in self.cases.open_cases():
            await asyncio.sleep(0)  # there may be thousands of cases, and messages do not wait for them
            async with self.cases.lock(case.case_id):
                if self._lists.unconfirmed(case, now) and case.state in _UNDER_WAY | {CaseState.FULFILLED}:
                    await self._try(self.cases.write(case, lists.not_confirmed(), now))
                await self._advance(case, now, continued)
        await self._try(self.disclosures.tick(now, self.cases.case))

    async def _advance(self, case: Case, now: datetime, continued: Mapping[str, frozenset[str]] | None = None) -> None:
        """Do everything that is due about a case. What fails is left for the next time, and the rest is done."""
        if continued is None:
            continued = self._continued() if case.preserves else {}
        failed: set[plan.Todo] = set()
        for key in [key for key in self._again if key[0] == case.case_id]:
            begin = key[1]
            if await self._try(self._clerk.begin(case, begin.work, begin.demand, now)):
                del self._again[key]
        theirs = continued.get(case.authority_id, frozenset())
        while todo := next((one for one in self._due(case, now, theirs) if one not in failed), None):
            if not await self._try(self._clerk.carry_out(case, todo, now)):
                failed.add(todo)
                if isinstance(todo, plan.Begin):
                    self._remember(case, todo)

    def _due(self, case: Case, now: datetime, continued: frozenset[str]) -> list[plan.Todo]:
        return list(plan.due(case, now, kept=self._kept, continued=continued))

    def _remember(self, case: Case, todo: plan.Begin) -> None:
        """It is on file as begun, and the port has failed: an order that runs is given again."""
        if todo.work in {Work.PRESERVATION, Work.STREAM} and case.is_running(todo.work, todo.demand):
            self._again[case.case_id, todo] = case

    async def _try(self, work: Coroutine[Any, Any, None]) -> bool:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - one demand's failure is not another's, and it is tried again
            _log.error("a step of a case failed", exc_info=error)
            return False
        return True

    def _continued(self) -> dict[str, frozenset[str]]:
        """By authority, the preservations that requests of its, not settled yet, want produced."""
        found: dict[str, set[str]] = {}
        for case in self.cases.open_cases():
            for demand in case.request.demands if case.state in _UNDER_WAY else ():
                if isinstance(demand, DataDemand) and demand.continues is not None and _is_open(case, demand.id):
                    found.setdefault(case.authority_id, set()).add(demand.continues)
        return {authority: frozenset(references) for authority, references in found.items()}

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end, though whoever asked has hung up: half of a step is worse than a step that nobody waits for."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def _is_owed(step: Step) -> bool:
    """Whether it is the process that an emergency went without: it is owed though the request has been taken back since."""
    return isinstance(step, steps.Happened) and step.kind is EventKind.FOLLOW_UP


def _is_open(case: Case, demand_id: str) -> bool:
    verdict = case.verdict(demand_id)
    return verdict is None or (verdict.outcome not in FINAL and verdict.outcome is not Outcome.PRESERVED)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
