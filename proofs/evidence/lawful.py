"""The lawful side of a run: authorities with keys of their own, their signed calls over HTTPS, and two persons at the desk."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient, DeskRefused, http_client
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.policies import leaves
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.manifest import Instrument
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import METADATA, AuthorityKind, DataClass, Mode
from blindrelay.proofs.evidence import keys
from blindrelay.proofs.evidence.canaries import Kind, Registry
from blindrelay.proofs.evidence.cast import PEOPLE
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.proofs.evidence.petitions import Situation, emergency, identification, petitions
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.officers import OfficerName
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.register import Register
from blindrelay.relay.transparency.assembly import FOLDER as LOGS

PERSONS: Final = ("anna", "boris")
OFFICER: Final = "Jordan Reyes"
_CALL_BACK: Final = "+1 202 555 0100"
#: A preservation that is longer than this is still in force when the run's clock has been moved. Days.
_LONG: Final = 60
_GIVES: Final = frozenset({"granted", "narrowed"})


@dataclass(frozen=True, slots=True)
class Use:
    """An instrument, as somebody uses it who may."""

    jurisdiction: str
    instrument: Instrument
    issuer: AuthorityKind

    @property
    def authority(self) -> str:
        """The id of who asks: one for each jurisdiction and kind."""
        return f"{self.jurisdiction}-{self.issuer}"


def uses(policies: Policies) -> list[Use]:
    """Every instrument of every pack, by the first who may issue it."""
    return [
        Use(jurisdiction, instrument, instrument.issuers[0])
        for jurisdiction, pack in sorted(policies.packs.items())
        for instrument in pack.manifest.instruments
    ]


def main_uses(every: list[Use]) -> list[Use]:
    """Of each pack the instrument with the widest reach for what is stored; one that reaches least, so that there is something
    that it does not give; and one that keeps records for long."""
    stored = [use for use in every if Mode.STORED in use.instrument.modes and _width(use)]
    found: dict[str, Use] = {}
    for use in stored:
        best = found.get(use.jurisdiction)
        if best is None or _width(use) > _width(best):
            found[use.jurisdiction] = use
    keeps = [use for use in every if use.instrument.preserve and use.instrument.preserve.days > _LONG]
    others = [min((use for use in stored if DataClass.SUBSCRIBER in use.instrument.reach), key=_width), *keeps[:1]]
    return [*found.values(), *(use for use in others if use not in found.values())]


def _width(use: Use) -> int:
    return len(set(use.instrument.reach) & METADATA)


@cache
def shipped() -> Policies:
    """The packs that come along. Nobody changes them while a run goes on."""
    return Policies.load(list(pack_folders()))


class Bench:
    """Authorities and operators.

    Args:
        folder: for their keys, and for what they are given.
        data: the relay's data directory: authorities and operators are entered there, as `blindrelay desk` does.
    """

    def __init__(self, folder: Path, data: Path, clock: Clock, registry: Registry, since: datetime) -> None:
        self.cases: list[Case] = []
        self._folder = folder
        self._data = data
        self._clock = clock
        self._registry = registry
        self.since = since
        self._identities: dict[str, AuthorityIdentity] = {}
        self._tokens: dict[str, str] = {}
        self.address: DeskAddress

    def enter(self, chosen: list[Use]) -> None:
        """Make the authorities' keys and enter them, and the operator's people, into the register."""
        now = self._now()
        journal = Journal.open(self._data)
        try:
            operators, register = Operators(journal), Register(journal)
            self._tokens = {person: operators.add(person, at=now) for person in PERSONS}
            for use in {use.authority: use for use in chosen}.values():
                identity = self._found(use)
                register.enter(
                    identity.card,
                    jurisdiction=use.jurisdiction,
                    kind=use.issuer,
                    entered_by=PERSONS[0],
                    at=now,
                    call_back=_CALL_BACK,
                )
        finally:
            journal.close()

    def _found(self, use: Use) -> AuthorityIdentity:
        name = OfficerName(use.authority, OFFICER)
        place = self._folder / "authorities" / use.authority
        identity = AuthorityIdentity.create(
            place, name, f"The {use.issuer} of {use.jurisdiction}", use.jurisdiction, use.issuer, self._clock
        )
        self._identities[use.authority] = identity
        self._registry.secret(Kind.PRIVATE_KEY, f"{use.authority}'s package key", identity.package_key.seeds[64:])
        der = identity._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._registry.secret(Kind.PRIVATE_KEY, f"{use.authority}'s officer's key", keys.scalar(der))
        return identity

    def meet(self, address: DeskAddress) -> None:
        """The desk is here from now on."""
        self.address = address

    def identity(self, use: Use) -> AuthorityIdentity:
        """Who asks."""
        return self._identities[use.authority]

    def package_keys(self) -> dict[str, bytes]:
        """What each authority opens its packages with."""
        return {name: identity.package_key.seeds for name, identity in self._identities.items()}

    # --- what authorities do

    async def petition(self, use: Use) -> None:
        """Ask for everything under an instrument; have approved what waits for it; fetch what is released."""
        async with self._client(use) as client:
            for document in petitions(use.instrument, use.issuer, self.situation(use, client.relay.id)):
                await self._carry(use, client, document)

    async def urge(self, use: Use) -> None:
        """The same in an emergency: somebody calls back first."""
        async with self._client(use) as client:
            document = emergency(use.instrument, use.issuer, self.situation(use, client.relay.id))
            await self._carry(use, client, document, call_back=True)

    async def identify(self, use: Use) -> None:
        """Ask who it is that has a device, and once more as a test; and take a request back."""
        async with self._client(use) as client:
            for is_test in (False, True):
                situation = self.situation(use, client.relay.id)
                await self._carry(use, client, identification(use.instrument, use.issuer, situation, is_test=is_test))
            document = identification(use.instrument, use.issuer, self.situation(use, client.relay.id), is_test=False)
            case = self._case(use, document)
            answer = self._told(case, await client.request(document))
            case.signed = client.last_call
            self._told(case, await client.withdraw(answer.case_id))

    def _case(self, use: Use, document: LawfulRequest) -> Case:
        case = Case(authority=use.authority, instrument=use.instrument.id, request=document.model_dump(mode="json"))
        self.cases.append(case)
        return case

    async def _carry(self, use: Use, client: DeskClient, document: LawfulRequest, *, call_back: bool = False) -> Case:
        case = self._case(use, document)
        try:
            answer = self._told(case, await client.request(document))
            case.signed = client.last_call
            if call_back:
                await self.operate("POST", f"/cases/{case.case_id}/call-backs", {"confirmed": True})
                answer = self._told(case, await client.status(answer.case_id))
            await self._approve(case, answer)
            answer = self._told(case, await client.status(answer.case_id))
            for demand in answer.demands:
                if demand.package_is_ready:
                    await self._fetch(case, client, answer.case_id, demand.demand_id)
        except DeskRefused as refused:
            case.refusal = str(refused)
        return case

    def _told(self, case: Case, answer: CaseAnswer) -> CaseAnswer:
        case.case_id = str(answer.case_id)
        case.answers.append(answer.model_dump(mode="json"))
        return answer

    async def _approve(self, case: Case, answer: CaseAnswer) -> None:
        for demand in answer.demands:
            if demand.outcome.value in _GIVES and demand.service is None:
                for person in PERSONS:
                    found = await self.operate(
                        "POST", f"/cases/{case.case_id}/approvals", {"demand_id": demand.demand_id}, person
                    )
                    if found is not None:
                        case.approvals.setdefault(demand.demand_id, []).append(person)

    async def _fetch(self, case: Case, client: DeskClient, case_id: UUID, demand: str) -> None:
        sealed = self._folder / "packages" / f"{case_id}-{demand}.sealed"
        sealed.parent.mkdir(exist_ok=True)
        await client.fetch(case_id, demand, sealed)
        case.packages[demand] = str(sealed.relative_to(self._folder))
        shown = self._data / LOGS / leaves.NAME / CHECKPOINT_PATH
        case.shown[demand] = shown.read_text("utf-8") if shown.exists() else ""
        with contextlib.suppress(DeskRefused):
            receipt = await client.receipt(case_id, demand)
            sealed.with_suffix(".receipt").write_text(receipt.model_dump_json(), encoding="utf-8")
            case.receipts[demand] = str(sealed.with_suffix(".receipt").relative_to(self._folder))

    async def follow(self, case: Case, demand: str, seconds: float, *, ended: bool) -> None:
        """Read what a real-time order has, for so long, or to its end. `ended`: its time is over."""
        use = self._identities[case.authority]
        into = case.after_end if ended else case.streams
        async with DeskClient(use, self.address, self._clock) as client:
            with contextlib.suppress(TimeoutError, DeskRefused):
                async with asyncio.timeout(seconds):
                    async for event in client.stream(UUID(case.case_id), demand):
                        into.setdefault(demand, []).append(event.record.model_dump(mode="json"))

    async def ask_again(self) -> None:
        """Ask how orders to keep records stand by now: they end with their term, or when nobody confirms them."""
        for case in self.cases:
            if case.answers and any(each["outcome"] == "preserved" for each in case.answers[-1]["demands"]):
                async with DeskClient(self._identities[case.authority], self.address, self._clock) as client:
                    self._told(case, await client.status(UUID(case.case_id)))

    @contextlib.asynccontextmanager
    async def _client(self, use: Use) -> Any:
        async with DeskClient(self._identities[use.authority], self.address, self._clock) as client:
            yield client

    def situation(self, use: Use, relay: str) -> Situation:
        """Whom it asks about, now. `relay`: its id."""
        tenant, people = PEOPLE[use.jurisdiction]
        person, devices = next(iter(people.items()))
        return Situation(
            authority=use.authority,
            officer=OFFICER,
            relay=relay,
            target=f"{person}@{tenant}",
            device=f"{tenant}/{person}/{devices[0]}",
            tenant=tenant,
            since=self.since,
            now=self._now(),
        )

    # --- what the operator's people do

    async def operate(
        self, method: str, path: str, body: dict[str, Any] | None = None, person: str = PERSONS[0]
    ) -> Any:
        """A call of somebody at the desk; None when it was refused."""
        headers = {"authorization": f"Bearer {self._tokens[person]}"}
        async with http_client(self.address) as http:
            answer = await http.request(method, f"/v1/operator{path}", json=body, headers=headers)
            return answer.json() if answer.status_code == httpx.codes.OK else None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock.now()), UTC)


def running_streams(cases: list[Case]) -> Iterator[tuple[Case, str]]:
    """The real-time orders that have begun."""
    for case in cases:
        for demand in case.answers[-1]["demands"] if case.answers else ():
            if demand["stream"] is not None and demand["outcome"] in _GIVES:
                yield case, demand["demand_id"]
