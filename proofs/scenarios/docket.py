"""The lawful side of a scenario: authorities with keys of their own, the relay's HTTPS desk, and the operator's people.

Requests, withdrawals, fetches and streams are signed calls over HTTPS, made by the client that an authority has. What the
operator's people do is asked of the desk itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from cryptography import x509

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient, DeskRefused
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.authority.package import AnyRecord, Package
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.scenarios import drafting, steps
from blindrelay.policies.scenarios.world import Authority
from blindrelay.policies.stream import StreamEnd
from blindrelay.policies.vocabulary import METADATA, EventKind
from blindrelay.proofs.scenarios.world import World
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.officers import OfficerName
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import NotAllowed
from blindrelay.relay.desk.views import CaseDetail

# What the operator dials when it calls back: any number, for nobody is called.
_CALL_BACK: Final = "+1 202 555 0100"
# How long a record is waited for that does not come; how often that is looked at; and how long one that should not come has
# time to. Seconds of the machine's clock.
_LISTEN: Final = 10.0
_MOMENT: Final = 0.01
_LAST_MOMENT: Final = 0.2
# Who an authority without an enrolled officer speaks by, unless the demand names somebody.
_NOBODY: Final = "Nobody in particular"


@dataclass(slots=True)
class Filed:
    """A case of the scenario.

    Attributes:
        case_id: the relay's; None when the request was not taken.
        refusal: why not, in the desk's words.
        answers: everything that the authority was told, as JSON.
    """

    demand: steps.Demand
    identity: AuthorityIdentity
    case_id: str | None = None
    refusal: str | None = None
    answers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Opened:
    """A package that the authority has fetched, verified and opened; `plain` is every byte that was in it."""

    package: Package
    records: list[AnyRecord]
    plain: bytes = field(repr=False)


@dataclass(slots=True)
class Streamed:
    """What has come over a real-time order, and whether it has ended."""

    records: list[TrafficRecord | AccessRecord] = field(default_factory=list)
    position: str | None = None
    ended: bool = False


class Docket:
    """All cases of a scenario, by the names that it gives them.

    Args:
        world: where it takes place.
        folder: for the authorities' keys and packages.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.cases: dict[str, Filed] = {}
        self._world = world
        self._folder = folder
        self._identities: dict[str, AuthorityIdentity] = {}
        self._streams: dict[str, Streamed] = {}

    @property
    def desk(self) -> Desk:
        """The relay's."""
        desk = self._world.relay.desk
        if desk is None:
            raise LookupError("the relay runs without a desk")
        return desk

    def open(self) -> None:
        """Make the authorities' keys, and enter authorities, operators and protected people into the register."""
        for name, authority in self._world.scenario.authorities.items():
            self._found(name, authority)
        for person in self._world.operator.people:
            self.desk.operators.add(person, at=self._world.now)
        for tenant in self._world.scenario.tenants:
            for user in tenant.protected:
                address = UserAddress(tenant.name, user)
                self.desk.register.protect(address, entered_by=self._first, at=self._world.now)

    def _found(self, name: str, authority: Authority) -> None:
        officer = authority.officers[0] if authority.officers else _NOBODY
        identity = AuthorityIdentity.create(
            self._folder / name,
            OfficerName(name, officer),
            authority.name,
            authority.jurisdiction,
            authority.kind,
            self._world.clock,
        )
        self._identities[name] = identity
        if authority.registered:
            card = identity.card.model_copy(update={"officers": authority.officers or (_NOBODY,)})
            self.desk.register.enter(
                card,
                jurisdiction=authority.jurisdiction,
                kind=authority.kind,
                entered_by=self._first,
                at=self._world.now,
                call_back=_CALL_BACK,
            )

    @property
    def _first(self) -> str:
        return self._world.operator.people[0]

    # --- what authorities do

    async def hand_in(self, demand: steps.Demand) -> Filed:
        """An authority signs a request and sends it."""
        scenario, now = self._world.scenario, self._world.now
        authority = scenario.authorities[demand.by]
        filed = Filed(demand, self._speaker(demand))
        self.cases[demand.case] = filed
        async with self._client(filed.identity) as client:
            document = drafting.draft(
                demand,
                scenario.instrument(demand.under),
                authority,
                sender=demand.by,
                receiver=client.relay.id,
                request_id=uuid4(),
                now=now,
                cases={name: case.case_id for name, case in self.cases.items() if case.case_id},
            )
            try:
                self._told(filed, await client.request(document))
            except DeskRefused as refused:
                filed.refusal = str(refused)
                filed.answers.append(str(refused))
        return filed

    def _speaker(self, demand: steps.Demand) -> AuthorityIdentity:
        identity = self._identities[demand.by]
        identity.renew(self._world.clock)
        officer = demand.officer or identity.officer
        return identity if officer == identity.officer else identity.speaking_as(officer, self._world.clock)

    @contextlib.asynccontextmanager
    async def _client(self, identity: AuthorityIdentity) -> AsyncIterator[DeskClient]:
        relay = self._world.relay
        address = DeskAddress(relay.host, relay.desk_port or 0, relay.certificate.read_bytes())
        async with DeskClient(identity, address, self._world.clock) as client:
            yield client

    def _told(self, filed: Filed, answer: CaseAnswer) -> None:
        filed.case_id = str(answer.case_id)
        filed.answers.append(answer.model_dump_json())

    async def withdraw(self, case: str) -> None:
        """The authority takes its request back."""
        filed = self.cases[case]
        async with self._client(self._speaker(filed.demand)) as client:
            self._told(filed, await client.withdraw(_case_id(filed)))

    async def ask(self, case: str) -> None:
        """The authority asks how its case stands; an officer whom nobody has enrolled is not told."""
        filed = self.cases[case]
        async with self._client(self._speaker(filed.demand)) as client:
            with contextlib.suppress(DeskRefused):
                self._told(filed, await client.status(_case_id(filed)))

    async def fetch(self, name: str) -> Opened | None:
        """The authority fetches the package of a demand, verifies and opens it; None when there is none to be had."""
        case, _, demand = name.partition("/")
        filed = self.cases.get(case)
        if filed is None or filed.case_id is None:
            return None
        out = self._folder / f"{uuid4()}.package"
        async with self._client(self._speaker(filed.demand)) as client:
            try:
                await client.fetch(_case_id(filed), demand, out)
            except DeskRefused as refused:
                filed.answers.append(str(refused))
                return None
            certificate = x509.load_pem_x509_certificate(client.relay.certificate.encode())
        with Package.open(out, filed.identity.package_key, certificate) as package:
            records = [record for kind in sorted(METADATA) for record in package.records(kind)]
            plain = b"".join(piece for _, piece in package.files())
            return Opened(package, records, plain)

    async def follow(self, name: str, expected: int, *, to_the_end: bool) -> Streamed:
        """The authority reads what a real-time order has for it by now, and hangs up.

        Args:
            expected: how many records there are to be in all; then it listens a moment longer for one that should not come.
            to_the_end: whether the order is to have ended.
        """
        case, _, demand = name.partition("/")
        filed, streamed = self.cases[case], self._streams.setdefault(name, Streamed())
        if filed.case_id is None or streamed.ended:
            return streamed
        async with self._client(self._speaker(filed.demand)) as client:
            reading = asyncio.create_task(self._read(client, filed, demand, streamed))
            try:
                async with asyncio.timeout(_LISTEN):
                    while not reading.done() and (len(streamed.records) < expected or to_the_end):
                        await asyncio.wait({reading}, timeout=_MOMENT)
                await asyncio.wait({reading}, timeout=_LAST_MOMENT)
            except TimeoutError:
                pass  # what is missing is said by whoever compares
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return streamed

    async def _read(self, client: DeskClient, filed: Filed, demand: str, streamed: Streamed) -> None:
        with contextlib.suppress(DeskRefused):
            async for event in client.stream(_case_id(filed), demand, streamed.position):
                streamed.position = event.position
                if isinstance(event.record, StreamEnd):
                    streamed.ended = True
                elif isinstance(event.record, TrafficRecord | AccessRecord):
                    streamed.records.append(event.record)

    # --- what the operator's people do

    async def approve(self, approve: steps.Approve) -> list[str | None]:
        """People approve, one after the other. Returns for each why they were not allowed to, if so."""
        case, _, demand = approve.demand.partition("/")
        refusals: list[str | None] = []
        for person in approve.by:
            try:
                await self.desk.approve(person, str(_case_id(self.cases[case])), demand)
            except NotAllowed as refused:
                refusals.append(str(refused))
            else:
                refusals.append(None)
        return refusals

    async def reject(self, reject: steps.Reject) -> None:
        """A person refuses."""
        case, _, demand = reject.demand.partition("/")
        await self.desk.reject(reject.by, str(_case_id(self.cases[case])), demand, reject.reason)

    async def happen(self, event: steps.Event) -> None:
        """A person enters what has happened to a case."""
        case_id, person = str(_case_id(self.cases[event.case])), event.by or self._first
        if event.kind in {EventKind.CALL_BACK_CONFIRMED, EventKind.CALL_BACK_DENIED}:
            confirmed = event.kind is EventKind.CALL_BACK_CONFIRMED
            await self.desk.call_back(person, case_id, confirmed=confirmed)
        else:
            await self.desk.event(person, case_id, event.kind, event.demand, event.note)

    async def operate(self, event: steps.ServiceEvent) -> None:
        """A person acts on the service in a jurisdiction."""
        await self._world.relay.services.operate(
            event.action, event.jurisdiction, operator=event.by or self._first, effective=event.effective
        )

    def detail(self, case: str) -> CaseDetail | None:
        """Everything about a case; None when its request was not taken."""
        filed = self.cases[case]
        return None if filed.case_id is None else self.desk.show(filed.case_id)


def _case_id(filed: Filed) -> UUID:
    if filed.case_id is None:
        raise NotAllowed(f"there is no case {filed.demand.case}: its request was not taken ({filed.refusal})")
    return UUID(filed.case_id)
