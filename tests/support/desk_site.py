"""A whole desk behind its doors, in this process: case file, register, metadata, authorities and operators are real.

What decides is `support.clerks.Script` or the policies; what the desk acts through writes down what it was given.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.policies.exchange import JOSE
from blindrelay.policies.packs import Policies
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.http.application import application
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.opening import doors_of
from blindrelay.relay.desk.http.operators import operator_router
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.rules import PolicyRules, Rules

from .authorities import Caller
from .clerks import Office, Outside, Script, still_clock

#: Nothing is ever refused for being too much.
WIDE = DoorLimits(
    address_rate=1e6,
    address_burst=10**6,
    authority_rate=1e6,
    authority_burst=10**6,
    record_rate=1e6,
    record_burst=10**6,
)


@dataclass
class DeskSite:
    """A desk, its application, and who calls it."""

    office: Office
    desk: Desk
    described: FastAPI
    app: ASGIApp
    court: Caller
    police: Caller
    token: str  #: of the operator ada
    second_token: str  #: of the operator bea

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the application."""
        transport = httpx.ASGITransport(app=self.app, client=("192.0.2.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://desk") as http:
            yield http


async def call(http: httpx.AsyncClient, path: str, token: bytes) -> httpx.Response:
    """A signed call."""
    return await http.post(path, content=token, headers={"content-type": JOSE})


@lru_cache(maxsize=1)
def policies() -> PolicyRules:
    """The packs that come along: they take a moment to load."""
    return PolicyRules(Policies.load())


def desk_in(folder: Path, limits: DoorLimits = WIDE, *, decided_by: Rules | None = None) -> DeskSite:
    """A desk in a folder, with a court and a police that are registered. It is not started; `journal.close` ends it."""
    clock = still_clock()
    office = Office(folder, clock, decided_by or Script(), Outside())  # type: ignore[arg-type]
    office.found()
    desk = office.desk()
    identity = DeskIdentity.open(folder, clock)
    doors = doors_of(
        desk,
        journal=desk.journal,
        register=desk.register,
        identity=identity,
        jurisdictions=("us",),
        clock=clock,
        version="1",
        operators=operator_router(desk),
        limits=limits,
    )
    described, app = application(doors)
    court, police = (
        Caller(AuthorityIdentity.open(folder / "authorities" / name), identity.id, clock)
        for name in ("us-court", "us-police")
    )
    tokens = [desk.operators.add(name, at=office.now) for name in ("ada", "bea")]
    return DeskSite(office, desk, described, app, court, police, *tokens)
