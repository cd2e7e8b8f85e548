"""All cases: those that are open in memory, as their files say, and every one in the file.

Rows are written before memory changes, so that memory never knows more than the file.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from uuid import uuid4

from blindrelay.policies.decision import PreservationFacts
from blindrelay.policies.request import DataDemand
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.errors import AlreadyRecorded, CaseNotFound, RequestConflict
from blindrelay.relay.desk.journal import Journal, Row
from blindrelay.relay.desk.logged import opening_of
from blindrelay.relay.desk.steps import Step, Work
from blindrelay.relay.desk.views import VerifiedRequest


class Cases:
    """The cases of a journal. Whoever changes a case holds its lock. `written` is told of each new row's case."""

    def __init__(self, journal: Journal, written: Callable[[Case], Awaitable[None]]) -> None:
        self._journal = journal
        self._written = written
        self._open: dict[str, Case] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def load(self) -> None:
        """Read every case that is not closed. Raises `CaseFileDamaged`."""
        for case_id in self._journal.cases(without="closed"):
            self._open[case_id] = Case.restore(self._journal.rows(case_id))

    def open_cases(self) -> list[Case]:
        """Those that are not closed, the oldest first."""
        return list(self._open.values())

    def every(self) -> Iterator[Case]:
        """All of them, the oldest first."""
        for case_id in self._journal.cases():
            yield self.case(case_id)

    def case(self, case_id: str) -> Case:
        """A case, for operators. Raises `CaseNotFound`."""
        if found := self._open.get(case_id):
            return found
        rows = self._journal.rows(case_id)
        if not rows or not rows[0].authority_id:
            raise CaseNotFound
        return Case.restore(rows)

    def case_of(self, authority_id: str, case_id: str) -> Case:
        """A case of this authority's, from the file. Raises `CaseNotFound`: in the same words whether it is nobody's or
        another's, for the file is asked for both at once."""
        rows = self._journal.rows_of(authority_id, case_id)
        if not rows:
            raise CaseNotFound
        return Case.restore(rows)

    def preservations(self, case: Case) -> tuple[PreservationFacts, ...]:
        """What the demands of a case continue: preservations of the same authority's that have not ended."""
        wanted = {demand.continues for demand in case.request.demands if isinstance(demand, DataDemand)}
        return tuple(
            PreservationFacts(
                reference=reference,
                until=verdict.preserved_until,
                extensions=verdict.extensions,
                classes=frozenset(item.data_class for item in verdict.classes if item.targets),
                targets=tuple(dict.fromkeys(target for item in verdict.classes for target in item.targets)),
            )
            for found in self._open.values()
            if found.authority_id == case.authority_id
            for verdict in found.verdicts()
            if (reference := f"{found.case_id}/{verdict.demand_id}") in wanted
            and found.is_running(Work.PRESERVATION, verdict.demand_id)
            and verdict.preserved_until is not None
        )

    def rows(self, case_id: str) -> list[Row]:
        """The file of a case."""
        return self._journal.rows(case_id)

    def lock(self, case_id: str) -> asyncio.Lock:
        """Held by whoever changes the case."""
        return self._locks.setdefault(case_id, asyncio.Lock())

    async def open(self, signed: VerifiedRequest) -> Case:
        """The case of a request: a new one, or the one that this very request has had since it first came.

        Raises:
            RequestConflict: the authority has used the id for another request.
            NotRecorded: there is no case, for it could not be written down.
        """
        step = steps.Received(request=signed.request, jws=signed.jws)
        once = f"request/{signed.authority_id}/{signed.request.id}"
        try:
            row = await self._append(str(uuid4()), signed.authority_id, step, signed.received_at, once)
        except AlreadyRecorded:
            case = self.case(self._journal.case_of(once) or "")
            if case.request != signed.request:
                raise RequestConflict("another request has had this id: give the new one an id of its own") from None
            return case
        case = Case.restore([row])
        self._open[case.case_id] = case
        await self._written(case)
        return case

    async def write(self, case: Case, step: Step, at: datetime, once: str | None = None) -> None:
        """Add a row to the file of a case; it is on stable storage before anybody acts on it.

        Raises:
            CaseFileDamaged: the step cannot be taken now.
            AlreadyRecorded: what may happen once has happened.
            NotRecorded: it could not be written.
        """
        case.check(step)
        case.apply(await self._append(case.case_id, case.authority_id, step, at, once))
        await self._written(case)
        if case.is_closed:
            self._open.pop(case.case_id, None)
            self._locks.pop(case.case_id, None)

    async def _append(self, case_id: str, authority_id: str, step: Step, at: datetime, once: str | None) -> Row:
        return await asyncio.to_thread(
            self._journal.append, case_id, authority_id, at, step.step, step.model_dump_json(), once, opening_of
        )
