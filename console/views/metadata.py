"""Metadata is not nothing: what can be concluded from the records alone."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import Field
from starlette.exceptions import HTTPException

from blindrelay.console.access import needs
from blindrelay.console.desktop import Desktop
from blindrelay.console.inference import population, report
from blindrelay.console.inference.population import Population
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View
from blindrelay.protocol.statements import Wire

Watcher = Annotated[Session, needs(Right.SEE_EVIDENCE)]
#: Of a trace: a hundred thousand lines of twenty characters, and then some.
MAX_TRACE: Final = 8_000_000


class Source(StrEnum):
    """Whose records are looked at."""

    LIVE = "live"
    COMPANY = "company"
    TRACE = "trace"


class Wanted(Wire):
    """What is to be looked at; `trace`: its lines."""

    source: Source
    trace: Annotated[str, Field(max_length=MAX_TRACE, repr=False)] = ""


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()
    # One at a time: it takes a processor for some seconds.
    turn = asyncio.Lock()
    company: dict[str, Any] = {}  # it is always the same, once it has been concluded

    @router.post("/conclusions")
    async def conclusions(wanted: Wanted, session: Watcher) -> dict[str, Any]:
        """What can be concluded from this relay's records, an invented company's, or those of a trace; and how well."""
        if wanted.source is Source.LIVE and not session.may(Right.SEE_RELAY):
            raise HTTPException(403, f"The role {session.role} may not {Right.SEE_RELAY}.")
        async with turn:
            if wanted.source is not Source.COMPANY:
                return await asyncio.to_thread(_concluded, desktop, wanted)
            if not company:
                company.update(await asyncio.to_thread(_concluded, desktop, wanted))
            return company

    return router


def _concluded(desktop: Desktop, wanted: Wanted) -> dict[str, Any]:
    found = _population(desktop, wanted)
    if not report.usable(found):
        return {"records": len(found.standard), "people": 0}
    return report.make(found)


def _population(desktop: Desktop, wanted: Wanted) -> Population:
    match wanted.source:
        case Source.LIVE:
            return population.of_relay(desktop.relay / "relay.db")
        case Source.TRACE:
            return population.of_trace(wanted.trace)
        case Source.COMPANY:
            return population.invented()


VIEW: Final = View(
    name="metadata",
    title="Metadata",
    summary="What can be concluded from the records alone, though nobody reads a word; and what sealed leaves of it.",
    needs=Right.SEE_EVIDENCE,
    routes=routes,
)
