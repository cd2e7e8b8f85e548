"""Lists that a statute wants sent at intervals: the orders of a period, for the agencies to confirm that they are genuine.

India, Information Technology (Procedure and Safeguards for Interception, Monitoring and Decryption of Information) Rules 2009,
rule 18: every fifteen days. What is not confirmed by the time of the next list counts as not genuine: that is the operator's
policy, not the rule's.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from blindrelay.policies.vocabulary import EventKind
from blindrelay.relay.desk import steps
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.errors import AlreadyRecorded
from blindrelay.relay.desk.journal import Journal, Subject
from blindrelay.relay.desk.steps import Listed
from blindrelay.relay.desk.views import OrderList

INTERVALS: Final = {"in": timedelta(days=15)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Lists:
    """The lists of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def write_due(self, cases: Iterable[Case], now: datetime) -> None:
        """Write the list of each period that has ended and in which orders came."""
        written = {(found.jurisdiction, found.start) for found in self.lists()}
        for (jurisdiction, start), found in sorted(_by_period(cases, now).items()):
            if (jurisdiction, start) in written:
                continue
            end = start + INTERVALS[jurisdiction]
            step = Listed(jurisdiction=jurisdiction, start=start, end=end, cases=tuple(case.case_id for case in found))
            once = f"list/{jurisdiction}/{start.date().isoformat()}"
            try:
                await asyncio.to_thread(
                    self._journal.append, Subject.LISTS, "", now, step.step, step.model_dump_json(), once
                )
            except AlreadyRecorded:
                continue

    def lists(self) -> list[Listed]:
        """All lists, the oldest first."""
        return [Listed.model_validate_json(row.body) for row in self._journal.rows(Subject.LISTS)]

    def unconfirmed(self, case: Case, now: datetime) -> bool:
        """Whether a case was on a list, and the next one is due, and nobody has said that it is genuine or that it is not."""
        answers = {EventKind.CONFIRMATION, EventKind.NOT_CONFIRMED}
        if case.is_closed or any(event.kind in answers for event in case.happened):
            return False
        interval = INTERVALS.get(case.request.authorisation.jurisdiction)
        if interval is None:
            return False
        return now >= _period(case.received_at, interval) + 2 * interval


def order_list(found: Listed, confirmed: Iterable[str]) -> OrderList:
    """A list, for people."""
    return OrderList(found.jurisdiction, found.start, found.end, found.cases, tuple(confirmed))


def is_confirmed(case: Case) -> bool:
    """Whether the agency has said that the order is genuine."""
    return any(event.kind is EventKind.CONFIRMATION for event in case.happened)


def not_confirmed() -> steps.Happened:
    """The row for an order that nobody has confirmed in time."""
    return steps.Happened(
        kind=EventKind.NOT_CONFIRMED, demand=None, by=steps.CLOCK, note="on a list, and not confirmed before the next"
    )


def _by_period(cases: Iterable[Case], now: datetime) -> dict[tuple[str, datetime], list[Case]]:
    found: dict[tuple[str, datetime], list[Case]] = {}
    for case in cases:
        jurisdiction = case.request.authorisation.jurisdiction
        if case.is_test or (interval := INTERVALS.get(jurisdiction)) is None:
            continue
        start = _period(case.received_at, interval)
        if start + interval <= now:
            found.setdefault((jurisdiction, start), []).append(case)
    return found


def _period(moment: datetime, interval: timedelta) -> datetime:
    """The start of the period that `moment` is in: they are counted from 1970 on, so that a restart changes none."""
    return _EPOCH + (moment - _EPOCH) // interval * interval
