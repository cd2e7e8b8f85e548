"""The desk's hands: each thing that is to be done is written down, and then done through a port.

What is done twice does no harm, for a crash between row and effect leaves no other choice: see `ports`.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from blindrelay.policies.decision import ClassDecision, DemandDecision, Facts, PreservationFacts
from blindrelay.policies.request import Target, Timespan
from blindrelay.relay.desk import plan, steps
from blindrelay.relay.desk.case import Case, grant_digest, grants
from blindrelay.relay.desk.cases import Cases
from blindrelay.relay.desk.errors import NotAllowed
from blindrelay.relay.desk.facts import FactFinder, Question
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.ports import (
    NoticeOrder,
    Notices,
    PackageOrder,
    Packages,
    Preservation,
    PreservationOrder,
    ServiceOrder,
    Services,
    StreamOrder,
    Streams,
)
from blindrelay.relay.desk.register import Register
from blindrelay.relay.desk.rules import Rules, refuse_everything
from blindrelay.relay.desk.steps import Work

PACKAGES: Final = "packages"
_DAY: Final = timedelta(days=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ports:
    """Through which the desk acts."""

    packages: Packages
    preservation: Preservation
    streams: Streams
    services: Services
    notices: Notices


class Clerk:
    """Carries out what `plan` says. The caller holds the case's lock."""

    def __init__(  # noqa: PLR0913, PLR0917 - its tools
        self,
        folder: Path,
        journal: Journal,
        cases: Cases,
        register: Register,
        finder: FactFinder,
        rules: Rules,
        ports: Ports,
    ) -> None:
        self._folder = folder / PACKAGES
        self._journal = journal
        self._cases = cases
        self._register = register
        self._finder = finder
        self._rules = rules
        self._ports = ports

    def package(self, case_id: str, demand_id: str) -> Path:
        """Where the package of a demand is."""
        return self._folder / case_id / f"{demand_id}.package"

    async def carry_out(self, case: Case, todo: plan.Todo, now: datetime) -> None:
        """Do one thing. Raises what the file or the port raises; what was written down is done again then."""
        match todo:
            case plan.Authenticate():
                await self._authenticate(case, now)
            case plan.Decide():
                await self._decide(case, now)
            case plan.MakePackage():
                await self._make_package(case, todo.demand, now)
            case plan.Begin():
                await self._cases.write(case, steps.Begun(work=todo.work, demand=todo.demand, until=todo.until), now)
                await self.begin(case, todo.work, todo.demand, now)
            case plan.Finish():
                await self._finish(case, todo, now)
            case plan.Raise():
                await self._cases.write(case, steps.Raised(concern=todo.concern, demand=todo.demand), now)
                _log.warning("a person has to look into a case")
            case plan.Settle():
                # The plan names one of the three states that a case can be settled in.
                await self._cases.write(case, steps.Settled.model_validate({"state": todo.state}), now)
            case plan.Close():
                await self._cases.write(case, steps.Closed(), now)
                await asyncio.to_thread(self.discard, case.case_id)

    def discard(self, case_id: str) -> None:
        """Delete the packages of a case."""
        shutil.rmtree(self._folder / case_id, ignore_errors=True)

    async def tidy(self) -> None:
        """Delete packages of cases that are closed: a crash came between."""
        is_open = {case.case_id for case in self._cases.open_cases()}
        found = await asyncio.to_thread(lambda: list(self._folder.glob("*")))
        for folder in found:
            if folder.name not in is_open:
                await asyncio.to_thread(self.discard, folder.name)

    async def resume(self, case: Case, now: datetime) -> None:
        """Give again what runs, streams that have ended and may still be read, and the end of what has ended."""
        for verdict in case.verdicts():
            demand_id = verdict.demand_id
            if case.is_running(Work.PRESERVATION, demand_id):
                await self.begin(case, Work.PRESERVATION, demand_id, now)
            elif (Work.PRESERVATION, demand_id) in case.ended:  # a crash may have come before it was let go
                await self._ports.preservation.let_go(f"{case.case_id}/{demand_id}")
            if (Work.STREAM, demand_id) in case.begun and verdict.outcome.discloses:
                await self.begin(case, Work.STREAM, demand_id, now)

    async def _authenticate(self, case: Case, now: datetime) -> None:
        found = self._register.authority(case.authority_id)
        enrolled = found is not None and case.request.officer in found.officers
        name = found.name if found else case.authority_id
        await self._cases.write(case, steps.Authenticated(name=name, officer_is_enrolled=enrolled), now)

    async def _decide(self, case: Case, now: datetime) -> None:
        try:
            preservations = self._cases.preservations(case)
            # A clock that was set back makes nothing undone that has happened.
            moment = max(now, case.received_at, *(event.at for event in case.happened))
            facts = await asyncio.to_thread(self._facts, case, preservations, moment)
            decision = self._rules.decide(case.request, facts)
            step: steps.Decided | steps.Undecided = steps.Decided(facts=facts, decision=decision)
        except Exception as error:  # noqa: BLE001 - whatever it is: what cannot be decided is refused
            _log.error("a request could not be decided", exc_info=error)
            refused = refuse_everything(case.request, now, self._rules.digest)
            step = steps.Undecided(error=type(error).__name__, decision=refused)
        await self._cases.write(case, step, now)

    def _facts(self, case: Case, preservations: tuple[PreservationFacts, ...], now: datetime) -> Facts:
        came = case.received_at
        earlier = self._journal.count(case.authority_id, "received", came - _DAY, came) - 1
        question = Question(case.request, case.authority_id, came, tuple(case.happened), max(0, earlier), preservations)
        return self._finder.find(question, now)

    async def _make_package(self, case: Case, demand_id: str, now: datetime) -> None:
        verdict = _verdict(case, demand_id)
        authority = self._register.authority(case.authority_id)
        if authority is None:
            raise NotAllowed("the authority is not registered any more: nothing is sealed to it")
        order = PackageOrder(
            **_common(case, verdict),
            request_id=str(case.request.id),
            package_key=authority.package_key,
            made_at=now,
        )
        path = self.package(case.case_id, demand_id)
        made = await asyncio.to_thread(_write_package, self._ports.packages, order, path)
        step = steps.Packaged(
            demand=demand_id,
            grant=grant_digest(verdict),
            digest=made.digest,
            size=made.size,
            records=dict(made.records),
        )
        await self._cases.write(case, step, now)

    async def begin(self, case: Case, work: Work, demand_id: str, now: datetime) -> None:
        """Do what has been written down as begun; write down its end where it has one at once."""
        verdict = case.carried.get(demand_id) or _verdict(case, demand_id)
        common, chosen = _common(case, verdict), grants(verdict)
        match work:
            case Work.PRESERVATION:
                await self._ports.preservation.hold(_preservation(case, verdict, common))
            case Work.STREAM:
                await self._ports.streams.begin(
                    StreamOrder(**common, classes=_classes(chosen), targets=_targets(chosen), span=verdict.stream)
                )
            case Work.SERVICE:
                await self._ports.services.apply(_service(verdict, common, now))
                await self._cases.write(case, steps.Ended(work=work, demand=demand_id), now)
            case Work.NOTICE:
                count = await self._ports.notices.give(_notice(case, verdict, common, now))
                await self._cases.write(case, steps.Ended(work=work, demand=demand_id, count=count), now)

    async def _finish(self, case: Case, todo: plan.Finish, now: datetime) -> None:
        until = case.begun.get((todo.work, todo.demand))
        await self._cases.write(case, steps.Ended(work=todo.work, demand=todo.demand), now)
        key = f"{case.case_id}/{todo.demand}"
        if todo.work is Work.PRESERVATION:
            await self._ports.preservation.let_go(key)
        elif until is None or now < until:
            # One whose time is over ends by itself, when its reader has everything.
            await self._ports.streams.end(key)


def _verdict(case: Case, demand_id: str) -> DemandDecision:
    verdict = case.verdict(demand_id)
    if verdict is None:
        raise NotAllowed(f"nothing has been decided about {demand_id}")
    return verdict


def _write_package(packages: Packages, order: PackageOrder, path: Path) -> Any:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of an attempt that a crash ended before it was written down
    made = packages.write(order, path)
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, descriptor)
            os.fsync(descriptor)
    return made


def _common(case: Case, verdict: DemandDecision) -> dict[str, Any]:
    return {
        "case_id": case.case_id,
        "demand_id": verdict.demand_id,
        "decision": verdict,
        "authorisation": case.request.authorisation,
        "authority_id": case.authority_id,
        "authority_name": case.authority_name,
    }


def _classes(chosen: Iterable[ClassDecision]) -> frozenset[Any]:
    return frozenset(item.data_class for item in chosen)


def _targets(chosen: Iterable[ClassDecision]) -> tuple[Target, ...]:
    return tuple(dict.fromkeys(target for item in chosen for target in item.targets))


def _window(chosen: Iterable[ClassDecision]) -> Timespan | None:
    """From the first start to the last end."""
    windows = [item.window for item in chosen if item.window]
    if not windows:
        return None
    return Timespan(start=min(window.start for window in windows), end=max(window.end for window in windows))


def _preservation(case: Case, verdict: DemandDecision, common: dict[str, Any]) -> PreservationOrder:
    chosen = [item for item in verdict.classes if item.targets]
    decision = case.decision
    tell_from = None
    if decision is not None and not decision.notice_is_open:
        tell_from = decision.notify_not_before or decision.decided_at
    until = case.begun.get((Work.PRESERVATION, verdict.demand_id)) or verdict.preserved_until or case.received_at
    return PreservationOrder(
        **common,
        classes=_classes(chosen),
        targets=_targets(chosen),
        window=_window(chosen),
        until=until,
        tell_from=tell_from,
    )


def _service(verdict: DemandDecision, common: dict[str, Any], now: datetime) -> ServiceOrder:
    if verdict.service is None or verdict.service_jurisdiction is None:
        raise NotAllowed(f"{verdict.demand_id} says nothing about the service")
    return ServiceOrder(
        **common,
        action=verdict.service,
        jurisdiction=verdict.service_jurisdiction,
        effective=verdict.service_effective or now,
        ordered_at=now,
    )


def _notice(case: Case, verdict: DemandDecision, common: dict[str, Any], now: datetime) -> NoticeOrder:
    chosen = grants(verdict)
    package = case.packages.get(verdict.demand_id)
    return NoticeOrder(
        **common,
        classes=_classes(chosen),
        targets=_targets(chosen),
        window=verdict.stream or _window(chosen),
        disclosed_at=package.made_at if package else case.ended.get((Work.STREAM, verdict.demand_id), now),
    )
