"""Looking whether everything is as a step expects: at decisions, cases, the service, mail, packages, streams and notices."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.scenarios.expectations import (
    CaseExpectation,
    Expectations,
    MailExpectation,
    MailState,
    NoticeExpectation,
    PackageExpectation,
    ServiceExpectation,
    ServiceState,
    StreamExpectation,
)
from blindrelay.policies.scenarios.words import Bounds, Count
from blindrelay.policies.vocabulary import METADATA
from blindrelay.proofs.scenarios import packages
from blindrelay.proofs.scenarios.checks import compare_demand
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.proofs.scenarios.docket import Docket
from blindrelay.proofs.scenarios.trace import trace
from blindrelay.proofs.scenarios.world import World
from blindrelay.relay.desk import canary, report

#: What somebody was given, and the bytes of it: they are searched for what people wrote.
Given: TypeAlias = Callable[[str, bytes], None]


class Look:
    """Compares what is expected at one moment with what is.

    Args:
        given: is shown every byte that an authority or a user was given.
    """

    def __init__(self, world: World, docket: Docket, given: Given) -> None:
        self._world = world
        self._docket = docket
        self._given = given

    async def at(self, expected: Expectations) -> Comparison:
        """Everything that is expected, in the order in which a reader would look."""
        whole = Comparison("expect")
        for name, demand in expected.decisions.items():
            part = self.comparison("decisions", name)
            found = self._decision(name)
            if found is None:
                part.absent("a decision", self._refusal(name))
            else:
                compare_demand(demand, found, part)
            whole.take(part)
        for name, case in expected.cases.items():
            whole.take(await self._case(name, case))
        for name, service in expected.service.items():
            whole.take(self._service(name, service))
        for name, mail in expected.mail.items():
            whole.take(await self._mail(name, mail))
        for name, package in expected.packages.items():
            whole.take(await self._package(name, package))
        for name, stream in expected.streams.items():
            whole.take(await self._stream(name, stream))
        for name, notice in expected.notices.items():
            whole.take(await self._notices(name, notice))
        for name, requests in expected.reported.items():
            whole.take(self._reported(name, requests))
        for name, speaks in expected.canary.items():
            whole.take(self._canary(name, speaks))
        return whole

    # --- decisions and cases

    def comparison(self, kind: str, name: str) -> Comparison:
        """A comparison about a case or a demand; its first finding tells how that was decided."""
        return Comparison(f"{kind}.{name}", lambda: self._trace(name))

    def _decision(self, name: str) -> DemandDecision | None:
        case, _, demand = name.partition("/")
        detail = self._docket.detail(case)
        found = [view.decision for view in detail.view.demands if view.demand_id == demand] if detail else []
        return found[0] if found else None

    def _refusal(self, name: str) -> str:
        refusal = self._docket.cases[name.partition("/")[0]].refusal
        return f"that the request was not taken: {refusal}" if refusal else "none"

    def _trace(self, name: str) -> tuple[str, ...]:
        case, _, demand = name.partition("/")
        detail = self._docket.detail(case)
        if detail is None or detail.decision is None:
            return ()
        facts = self._docket.desk.cases.case(detail.view.case_id).facts
        return trace(detail.request, detail.decision, facts, demand)

    async def _case(self, name: str, expected: CaseExpectation) -> Comparison:
        part = self.comparison("cases", name)
        detail = self._docket.detail(name)
        part.same("admitted", expected.admitted, detail is not None)
        if detail is None:
            return part
        if expected.state is not None:
            part.same("state", expected.state, detail.view.state)
        for phrase in expected.letter:
            part.contains("letter", phrase, [detail.view.letter])
        for phrase in expected.letter_lacks:
            part.lacks("letter_lacks", phrase, detail.view.letter)
        _in_order(part, expected.history, [f"{row.step} {row.text}" for row in detail.history])
        for kind, phrases, found in (
            ("waits_for", expected.waits_for, detail.summary.waits_for),
            ("signals", expected.signals, detail.summary.signals),
        ):
            if phrases == ():
                part.same(kind, [], list(found))
            for phrase in phrases or ():
                part.contains(kind, phrase, found)
        if expected.listed is not None:
            lists = self._docket.desk.order_lists()
            part.same("listed", expected.listed, any(detail.view.case_id in listed.cases for listed in lists))
        if detail.decision is not None:
            part.fields(expected, detail.decision, ("notify_not_before", "notice_is_open"))
        return part

    # --- the service and the mail

    def _service(self, name: str, expected: ServiceState | ServiceExpectation) -> Comparison:
        part = Comparison(f"service.{name}")
        expectation = ServiceExpectation(state=expected) if isinstance(expected, ServiceState) else expected
        view = self._world.relay.services.view(name)
        part.same("state", expectation.state.value, view.state.value)
        if "effective" in expectation.model_fields_set:
            part.same("effective", expectation.effective, view.effective)
        if expectation.overdue is not None:
            part.same("overdue", expectation.overdue, view.overdue)
        return part

    async def _mail(self, name: str, expected: MailState | MailExpectation) -> Comparison:
        part = Comparison(f"mail.{name}")
        expectation = MailExpectation(state=expected) if isinstance(expected, MailState) else expected
        state = await self._world.state_of(name)
        part.same("state", expectation.state.value, state)
        if expectation.reason is not None:
            refusal = self._world.letters[name].refusal if name in self._world.letters else None
            part.contains("reason", expectation.reason, [refusal] if refusal else [])
        return part

    # --- what is given

    async def _package(self, name: str, expected: PackageExpectation) -> Comparison:
        part = self.comparison("packages", name)
        opened = await self._docket.fetch(name)
        part.same("released", expected.released, opened is not None)
        if opened is not None:
            self._given(f"the package {name}", opened.plain)
            people = {account: address for address, account in self._world.accounts().items()}
            packages.compare_package(expected, opened.records, self._decision(name), people, part)
        return part

    async def _stream(self, name: str, expected: StreamExpectation) -> Comparison:
        part = self.comparison("streams", name)
        fewest = sum(_fewest(count) for count in expected.records.values())
        streamed = await self._docket.follow(name, fewest, to_the_end=expected.ended)
        for record in streamed.records:
            self._given(f"the stream {name}", record.model_dump_json().encode())
        found = packages.count(streamed.records)
        for data_class in sorted(METADATA):
            part.count(f"records.{data_class}", expected.records.get(data_class, 0), found[data_class])  # type: ignore[call-overload]
        part.same("ended", expected.ended, streamed.ended)
        return part

    async def _notices(self, user: str, expected: Count | NoticeExpectation) -> Comparison:
        part = Comparison(f"notices.{user}")
        expectation = expected if isinstance(expected, NoticeExpectation) else NoticeExpectation(count=expected)
        await self._world.collect(user)
        found = self._world.notices(user)
        for text in found:
            self._given(f"a notice to {user}", text.encode())
        part.count("count", expectation.count, len(found))
        for phrase in expectation.mentions:
            part.contains("mentions", phrase, found)
        return part

    # --- what everybody is told

    def _reported(self, name: str, expected: Count) -> Comparison:
        """Of a transparency report from the beginning up to now, this moment included."""
        part, now = Comparison(f"reported.{name}"), self._world.now
        cases, turned_away = report.read(self._world.data)
        found = report.make(
            cases,
            turned_away,
            relay="scenario",
            since=self._world.scenario.start,
            until=now + timedelta(seconds=1),
            now=now,
        )
        part.count("", expected, found.by_jurisdiction().get(name, 0))
        return part

    def _canary(self, name: str, expected: bool) -> Comparison:
        part = Comparison(f"canary.{name}")
        cases, _ = report.read(self._world.data)
        statement = canary.statement(cases, [name], relay="scenario", now=self._world.now)
        part.same("", expected, name in statement.jurisdictions)
        return part


def _fewest(count: Count) -> int:
    return count.at_least if isinstance(count, Bounds) else count


def _in_order(part: Comparison, expected: tuple[str, ...], found: list[str]) -> None:
    """Each of `expected` is in `found`, in this order; others may stand between them."""
    rest = iter(found)
    for phrase in expected:
        part.checked += 1
        if not any(phrase.lower() in text.lower() for text in rest):
            part.differs("history", f"a step with {phrase!r}, in this order", found)
            return
