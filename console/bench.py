"""The demonstration's lawful side: authorities with keys of their own, and the two persons who work at its desk.

They are entered into the register of the demonstration's relay, as `blindrelay desk` does it, and meet the desk over HTTPS, as
everybody does. Nothing of this is for a relay that has people of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.errors import ClientError
from blindrelay.console.desk_line import DeskLine
from blindrelay.console.errors import ConsoleError
from blindrelay.policies.packs import Policies
from blindrelay.policies.stream import EndReason, StreamEnd, StreamEvent
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.endpoint import FILE_NAME
from blindrelay.protocol.officers import OfficerName
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.register import Register

#: Who works at the demonstration's desk.
PERSONS: Final = ("ada", "bea")
OFFICER: Final = "Jordan Reyes"
# Between two attempts to reach the desk. Seconds.
_PAUSE: Final = 1.0
# What the desk dials when it calls back: nobody is called.
_CALL_BACK: Final = "+1 202 555 0100"
#: What authorities are called in letters. Others are called by what they are.
TITLES: Final = {
    "us-judge": "United States District Court",
    "us-grand-jury": "Federal grand jury",
    "us-prosecutor": "United States Attorney",
    "us-police": "A United States police department",
    "us-agency": "A United States agency",
    "pk-regulator": "Pakistan Telecommunication Authority",
    "pk-minister": "Pakistan, Ministry of Interior",
    "in-minister": "India, Home Secretary",
    "uk-minister": "United Kingdom, Secretary of State",
    "uk-minister-with-commissioner": "United Kingdom, Secretary of State with a Judicial Commissioner",
    "eu-judge": "A court of the European Union",
    "eu-prosecutor": "A prosecutor of the European Union",
    "au-judge": "An Australian judge",
    "au-police": "Australian Federal Police",
}
_NAMES: Final = {
    "us": "United States",
    "eu": "European Union",
    "uk": "United Kingdom",
    "pk": "Pakistan",
    "in": "India",
    "au": "Australia",
}


@dataclass(frozen=True, slots=True)
class Seat:
    """An authority of the demonstration: one for each kind that issues anything in a jurisdiction."""

    jurisdiction: str
    kind: AuthorityKind

    @property
    def id(self) -> str:
        """In the register."""
        return f"{self.jurisdiction}-{self.kind}"

    @property
    def title(self) -> str:
        """For people."""
        country = _NAMES.get(self.jurisdiction, self.jurisdiction.upper())
        return TITLES.get(self.id, f"{country}, {self.kind.replace('-', ' ')}")


class Bench:
    """See the module. `open` before anything else.

    Args:
        folder: for the authorities' keys.
        relay: the data directory of the demonstration's relay.
        policies: the packs that it decides by.
    """

    def __init__(self, folder: Path, relay: Path, policies: Policies, clock: Clock) -> None:
        issuers = {
            Seat(jurisdiction, kind)
            for jurisdiction, pack in policies.packs.items()
            for instrument in pack.manifest.instruments
            for kind in instrument.issuers
        }
        self.seats = {seat.id: seat for seat in sorted(issuers, key=lambda seat: seat.id)}
        self._folder = folder
        self._relay = relay
        self._clock = clock
        self._identities: dict[str, AuthorityIdentity] = {}
        self._tokens: dict[str, str] = {}

    def open(self) -> None:
        """Make the keys and enter everybody into the register. It blocks; the relay may run."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        journal = Journal.open(self._relay)
        try:
            operators, register = Operators(journal), Register(journal)
            self._tokens = {person: operators.add(person, at=now) for person in PERSONS}
            for seat in self.seats.values():
                identity = AuthorityIdentity.create(
                    self._folder / seat.id,
                    OfficerName(seat.id, OFFICER),
                    seat.title,
                    seat.jurisdiction,
                    seat.kind,
                    self._clock,
                )
                self._identities[seat.id] = identity
                register.enter(
                    identity.card,
                    jurisdiction=seat.jurisdiction,
                    kind=seat.kind,
                    entered_by=PERSONS[0],
                    at=now,
                    call_back=_CALL_BACK,
                )
        finally:
            journal.close()

    def identity(self, seat: str) -> AuthorityIdentity:
        """Whose keys: to open a package with."""
        return self._identities[seat]

    @asynccontextmanager
    async def client(self, seat: str) -> AsyncIterator[DeskClient]:
        """An authority's line to the desk. Raises as `DeskClient` does."""
        async with DeskClient(self._identities[seat], await self._address(), self._clock) as client:
            yield client

    async def follow(self, seat: str, case_id: UUID, demand_id: str) -> AsyncGenerator[StreamEvent, None]:
        """What arises under a real-time order, until it ends, over as many connections as it takes; the desk may be away or
        begin anew in between. Nothing comes twice."""
        after: str | None = None
        while True:
            with contextlib.suppress(ClientError, ConsoleError):
                async with (
                    self.client(seat) as client,
                    contextlib.aclosing(client.stream(case_id, demand_id, after)) as events,
                ):
                    async for event in events:
                        after = event.position
                        if isinstance(event.record, StreamEnd) and event.record.reason is EndReason.STOPPING:
                            break
                        yield event
                        if isinstance(event.record, StreamEnd):
                            return
            await asyncio.sleep(_PAUSE)

    def person(self, name: str) -> DeskLine:
        """The line of somebody who works at the desk. Raises `KeyError` for others."""
        return DeskLine(self._relay, self._tokens[name])

    async def approve(self, case_id: UUID, demand_id: str) -> None:
        """Both persons approve a demand, where it waits for them."""
        for person in PERSONS:
            await self.person(person).post(f"/cases/{case_id}/approvals", {"demand_id": demand_id})

    async def _address(self) -> DeskAddress:
        return await asyncio.to_thread(DeskAddress.from_file, self._relay / FILE_NAME)
