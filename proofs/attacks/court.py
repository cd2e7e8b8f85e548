"""Where attacks on the log of disclosures take place: a relay with a lawful desk, an authority that asks, and an auditor."""

import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from cryptography import x509

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.audit import Audit, Disclosed, Question
from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient
from blindrelay.clients.authority.package import Package
from blindrelay.clients.authority.receipt import ReceiptRejected, verify
from blindrelay.policies import leaves
from blindrelay.policies.leaves import Told
from blindrelay.policies.scenarios import document
from blindrelay.proofs.attacks.model import Noticed, Play, Scene
from blindrelay.proofs.scenarios.docket import Docket
from blindrelay.proofs.scenarios.world import World
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.disclosures import Disclosures
from blindrelay.relay.desk.tables import log_entry
from blindrelay.relay.transparency.entries import append

AUDITOR: Final = "an auditor"
AUTHORITY: Final = "the authority's client"
_CASE, _DEMAND = "jury", "everything"
_SCENARIO: Final = """
scenario: disclosed
title: A grand jury asks who is enrolled, and is answered
reference: none
start: 2026-03-10T08:00:00Z
tenants:
  - {name: acme.example, jurisdiction: us, users: {alice: [laptop]}}
authorities:
  grand-jury: {name: Grand jury of the Eastern District, jurisdiction: us, kind: grand-jury, officers: [Jordan Reyes]}
instruments:
  subpoena:
    id: us/subpoena
    reference: GJ-2026-0114
    issued_by: grand-jury
    valid: {from: 2026-03-09, until: 2026-04-09}
steps:
  - at: 2026-03-10T10:00:00Z
    title: The grand jury asks
    demand:
      case: jury
      by: grand-jury
      under: subpoena
      asks:
        - id: everything
          classes: [SUBSCRIBER, ACCESS]
          targets: [alice@acme.example]
          window: {from: 2026-03-01, until: 2026-03-10}
    expect: {packages: {jury/everything: {released: false}}}
  - after: PT1H
    title: Anna and Boris approve
    approve: {demand: jury/everything, by: [anna, boris]}
    expect: {packages: {jury/everything: {released: true}}}
"""


class Court:
    """An async context manager: inside, the demand has been received and decided, and waits for its approval."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sees: list[tuple[str, str]] = []
        self.opened: list[str] = []
        self._since = 0.0
        self._seconds = 0.0
        self._stack = AsyncExitStack()
        self._source = document.parse(_SCENARIO, folder / "disclosed.scenario.yaml")
        self.world: World
        self._docket: Docket

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.world = await stack.enter_async_context(World(self._source, self.folder))
            self._docket = Docket(self.world, self.folder / "authorities")
            self._docket.open()
            first = self._source.scenario.steps[0]
            assert first.demand is not None  # noqa: S101 - it is the scenario above
            assert first.at is not None  # noqa: S101 - likewise
            await self.world.leap(first.at)
            await self._docket.hand_in(first.demand)
            self.tell(
                "an authority", "has signed a request and handed it in; it is granted, and waits for its approval"
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # What the relay's operator has.

    @property
    def desk(self) -> Desk:
        """The lawful desk."""
        return self._docket.desk

    @property
    def disclosures(self) -> Disclosures:
        """The log of disclosures."""
        return self.desk.disclosures

    @property
    def case_id(self) -> str:
        """The case."""
        return self._docket.cases[_CASE].case_id or ""

    @property
    def package(self) -> Path:
        """Where the relay has the package."""
        return self.desk._clerk.package(self.case_id, _DEMAND)

    def replace(self, of: object, name: str, by: Callable[..., Any]) -> None:
        """Have a part of the desk do something else."""
        setattr(of, name, by)

    async def enter(self, *told: Callable[[int], Told]) -> None:
        """Write steps of a case that there is not into the log: the commitment of each, and what is told of it."""
        for tell in told:
            with self.desk.journal.raw() as connection:
                commitment = leaves.Commitment(commitment=secrets.token_hex(32)).encode()
                index = append(connection, log_entry, commitment)
                append(connection, log_entry, tell(index).encode())
        await self.disclosures.log.publish()

    # What happens.

    def tell(self, party: str, what: str) -> None:
        """Note what a party sees or does."""
        self.sees.append((party, what))

    def notice(self, party: str, check: str, error: str) -> Noticed:
        """Note that a party has noticed."""
        self._seconds = time.monotonic() - self._since
        self.tell(party, error)
        return Noticed(party, check, error)

    def begin(self) -> None:
        """The relay is malicious from now on."""
        self._since = time.monotonic()

    async def approve(self) -> None:
        """The operator's people approve, and the package is made."""
        approval = self._source.scenario.steps[1].approve
        assert approval is not None  # noqa: S101 - it is the scenario above
        await self._docket.approve(approval)

    async def fetch(self, name: str) -> Disclosed:
        """The authority fetches package and receipt."""
        out = self.folder / f"{name}.package"
        case = UUID(self.case_id)
        async with self._client() as client:
            await client.fetch(case, _DEMAND, out)
            receipt = out.with_suffix(".receipt.json")
            receipt.write_text((await client.receipt(case, _DEMAND)).model_dump_json())
        return Disclosed(out, receipt)

    async def open_package(self, disclosed: Disclosed) -> Noticed | None:
        """The authority verifies and opens a package, unless the log does not account for it."""
        async with self._client() as client:
            certificate = x509.load_pem_x509_certificate(client.relay.certificate.encode())
        receipt = leaves.Receipt.model_validate_json(disclosed.receipt.read_bytes())
        trust, case = self.disclosures.log.settings.trust, UUID(self.case_id)
        with Package.open(disclosed.package, self._docket.cases[_CASE].identity.package_key, certificate) as package:
            try:
                verify(receipt, trust, case=case, demand=_DEMAND, package=package.digest)
            except ReceiptRejected as error:
                return self.notice(AUTHORITY, error.check, str(error))
        self.opened.append(disclosed.package.name)
        self.tell(AUTHORITY, "opens the package: the log accounts for it")
        return None

    async def audit(self, *packages: Disclosed) -> Noticed | None:
        """An auditor re-verifies everything that the relay shows to all, and these packages."""
        day = self.world.now.date()
        question = Question(day.replace(day=1), day.replace(day=28), packages=packages)
        audit = Audit(self._logs(), self.folder / "auditor", question, self.world.clock)
        found = [finding async for finding in audit.run()]
        wrong = [finding for finding in found if not finding.holds]
        if wrong:
            return self.notice(AUDITOR, wrong[0].check, f"{wrong[0].check}: {'; '.join(wrong[0].wrong)}")
        self.tell(AUDITOR, f"finds nothing wrong: {', '.join(finding.check for finding in found)}")
        return None

    def _logs(self) -> LogsAddress:
        relay = self.world.relay
        trusts: dict[str, Trust] = {
            directory.NAME: relay.directory_log.log.settings.trust,
            leaves.NAME: self.disclosures.log.settings.trust,
        }
        policies = {name: str(trust) for name, trust in trusts.items()}
        return LogsAddress(relay.host, relay.logs_port, relay.certificate.read_bytes(), policies)

    def _client(self) -> DeskClient:
        relay = self.world.relay
        address = DeskAddress(relay.host, relay.desk_port or 0, relay.certificate.read_bytes())
        return DeskClient(self._docket.cases[_CASE].identity, address, self.world.clock)

    def scene(self, noticed: Noticed | None) -> Scene:
        """All of it."""
        read = () if noticed else tuple(self.opened)
        return Scene(noticed, tuple(self.sees), self._seconds, read=read)


def in_court(act: Callable[[Court], Awaitable[Noticed | None]]) -> Play:
    """An attack that takes place in court; `act` returns who has noticed it."""

    async def play(folder: Path) -> Scene:
        async with Court(folder) as court:
            return court.scene(await act(court))

    return play
