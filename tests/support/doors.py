"""The doors of a desk, asked in this process: the real application, case file and register, and a clock that stands still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from blindrelay.policies.exchange import JOSE
from blindrelay.relay.desk.errors import CaseNotFound
from blindrelay.relay.desk.http.application import application
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.opening import doors_of
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.register import Register
from blindrelay.relay.desk.views import CaseView

from .authorities import Caller, authority, enter
from .party import HandClock


@dataclass
class Recorder:
    """A desk that nobody reaches: it writes down what was refused, and fails a test that gets further."""

    refused: list[tuple[str, str]] = field(default_factory=list)

    async def refuse_unauthenticated(self, reason: str, digest: str) -> None:
        """Remember it."""
        self.refused.append((reason, digest))

    def status(self, authority_id: str, case_id: str) -> CaseView:
        """There are no cases."""
        raise CaseNotFound


@dataclass
class Site:
    """A desk behind its doors."""

    http: httpx.AsyncClient
    desk: Recorder
    clock: HandClock
    caller: Caller
    journal: Journal
    folder: Path

    async def post(self, path: str, token: bytes, content_type: str = JOSE) -> httpx.Response:
        """A call."""
        return await self.http.post(path, content=token, headers={"content-type": content_type})


@asynccontextmanager
async def doors_in(
    folder: Path, clock: HandClock, limits: DoorLimits | None = None, known: Caller | None = None
) -> AsyncIterator[Site]:
    """Doors with nobody behind them, and one court that is registered: a new one, or one that was before."""
    journal = Journal.open(folder)
    identity = DeskIdentity.open(folder, clock)
    court = known.identity if known else authority(folder, clock)
    if known is None:
        enter(journal, court.card, clock)
    desk = Recorder()
    doors = doors_of(
        desk,  # type: ignore[arg-type]
        journal=journal,
        register=Register(journal),
        identity=identity,
        jurisdictions=("us",),
        clock=clock,
        version="1",
        limits=limits,
    )
    _, app = application(doors)
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://desk") as http:
        yield Site(http, desk, clock, Caller(court, identity.id, clock), journal, folder)
    journal.close()
