"""The transparency report for everybody, beside the public logs: what the relay claims, to be compared with what they have.

`GET /transparency?from=2026-01-01&to=2026-07-01`: from the first day up to and without the other (UTC), as JSON.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk import pages, report
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.journal import Journal, Subject

PATH: Final = "/transparency"
# Going through all cases takes a moment, and anybody may ask. Seconds.
_FRESH_FOR: Final = 10.0
_MAX_PERIODS: Final = 32
_FORM: Final = "expected ?from=YYYY-MM-DD&to=YYYY-MM-DD, the first day and the day after the last\n"

Period = tuple[date, date]


@dataclass(frozen=True, slots=True)
class _Made:
    """A report, when it was made, and how many entries the log of requests had: it is not to say less than that."""

    at: float
    log_size: int
    report: report.Report


class PublicReport:
    """Makes it, one at a time, and keeps it for a moment. `relay` is the relay's id."""

    def __init__(self, journal: Journal, relay: str, clock: Clock) -> None:
        self._journal = journal
        self._relay = relay
        self._clock = clock
        self._made: dict[Period, _Made] = {}
        self._making = asyncio.Lock()

    def route(self) -> Route:
        """Where it is."""
        return Route(PATH, self.answer, methods=["GET"])

    async def answer(self, request: Request) -> Response:
        """The report of a period."""
        try:
            since = date.fromisoformat(request.query_params["from"])
            until = date.fromisoformat(request.query_params["to"])
        except (KeyError, ValueError):
            return PlainTextResponse(_FORM, 400)
        if since >= until:
            return PlainTextResponse(_FORM, 400)
        async with self._making:
            made = await self._report((since, until))
        return JSONResponse(pages.as_json(made), headers={"cache-control": "no-cache"})

    async def _report(self, period: Period) -> report.Report:
        now, size = self._clock.now(), await asyncio.to_thread(self._journal.log_size)
        kept = self._made.get(period)
        if kept is None or kept.log_size != size or not 0 <= now - kept.at < _FRESH_FOR:
            if len(self._made) >= _MAX_PERIODS:
                self._made.clear()
            made = await asyncio.to_thread(self._make, period, now)
            kept = self._made[period] = _Made(now, size, made)
        return kept.report

    def _make(self, period: Period, now: float) -> report.Report:
        since, until = (datetime.combine(day, time(), UTC) for day in period)
        journal = self._journal
        return report.make(
            (Case.restore(journal.rows(case_id)) for case_id in journal.cases()),
            journal.rows(Subject.DOOR),
            relay=self._relay,
            since=since,
            until=until,
            now=datetime.fromtimestamp(now, UTC),
        )
