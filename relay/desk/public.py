"""The transparency report for everybody, beside the public logs: what the relay claims, to be compared with what they have.

`GET /transparency?from=2026-01-01&to=2026-07-01`: from the first day up to and without the other (UTC), as JSON.
"""

import asyncio
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


class PublicReport:
    """Makes it, one at a time, and keeps it for a moment. `relay` is the relay's id."""

    def __init__(self, journal: Journal, relay: str, clock: Clock) -> None:
        self._journal = journal
        self._relay = relay
        self._clock = clock
        self._made: dict[Period, tuple[float, report.Report]] = {}
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
        now = self._clock.now()
        self._made = {each: kept for each, kept in self._made.items() if 0 <= now - kept[0] < _FRESH_FOR}
        if period not in self._made:
            if len(self._made) >= _MAX_PERIODS:
                self._made.clear()
            self._made[period] = (now, await asyncio.to_thread(self._make, period, now))
        return self._made[period][1]

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
