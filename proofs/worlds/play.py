"""One world, played: a relay, devices and the desk in this process, one thing after the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog

from blindrelay.clients.device import Device
from blindrelay.clients.errors import TimedOut
from blindrelay.clients.mail import Attachment
from blindrelay.clients.options import Posture
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.proofs.evidence.lawful import shipped
from blindrelay.proofs.evidence.petitions import Situation, petitions
from blindrelay.proofs.evidence.tap import Tap
from blindrelay.proofs.worlds import template
from blindrelay.proofs.worlds.script import Action, Kind, Script, Version
from blindrelay.proofs.worlds.template import Place
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.views import VerifiedRequest
from blindrelay.relay.server import Relay

_PATIENCE: Final = 20.0
_LOOK: Final = 0.002
_STEP: Final = timedelta(seconds=7)
_GIVES: Final = frozenset({"granted", "narrowed"})
_INSTRUMENT: Final = "us/d-order"
#: Of what could be asked for: more would say the same more slowly.
_DEMANDS: Final = frozenset({"stored", "preserve", "tenant"})


class World:
    """A world while it is played.

    Attributes:
        logs: what the relay has logged.
        answers: what the authority was told, and what its packages hold, by demand.
    """

    def __init__(self, place: Place, wire: Path) -> None:
        self.place = place
        self.clock = place.clock()
        self.logs: list[Any] = []
        self.answers: dict[str, Any] = {}
        self._wire = wire
        self._relay: Relay
        self._address: RelayAddress

    async def play(self, script: Script, which: int) -> None:
        """Play the version `which` (0 or 1) of a script."""
        with structlog.testing.capture_logs() as self.logs:
            async with template.running(self.place, self.clock) as self._relay, Tap.open(self._wire, "mqtt") as tap:
                tap.target = self._relay.port
                self._address = template.address_of(self._relay, tap.port)
                for action in script.actions:
                    self._advance()
                    await self._act(action, action.versions[which])
                self._advance()
                await self._ask()
                await self._relay.keep_house()
                await self._settle()

    def _advance(self) -> None:
        self.clock.advance_to(self.clock.moment + _STEP)

    # --- people

    async def _act(self, action: Action, version: Version) -> None:
        posture = Posture.SEALED if action.sealed else Posture.STANDARD
        if action.kind is Kind.GROUP:
            await self._group(action, version, posture)
            return
        if action.kind is Kind.MARK:
            await self._mark(action, version, posture)
            return
        async with self._device(action.sender) as sender:
            user = template.user_of(action.recipient)
            if action.kind is Kind.MAIL:
                enclosed = [Attachment(version.name, version.data, "text/plain")]
                receipt = await sender.send_mail(
                    user, version.subject, version.text, attachments=enclosed, posture=posture
                )
            else:
                answered = bytes(16) if version.answers else None
                receipt = await sender.send(
                    user, version.text, posture=posture, urgent=version.urgent, reply_to=answered
                )
            await receipt.accepted(_PATIENCE)
        await self._settle()
        if action.kind is not Kind.WAIT:
            await self._read(action.recipient)
            await self._read(action.sender)

    async def _group(self, action: Action, version: Version, posture: Posture) -> None:
        users = [template.user_of(name) for name in version.members]
        async with self._device(action.sender) as sender:
            if version.one_by_one:
                receipts = [await sender.send(user, version.text, posture=posture) for user in users]
            else:
                receipts = [await sender.send(sender.create_group(version.name, users), version.text, posture=posture)]
            for receipt in receipts:
                await receipt.accepted(_PATIENCE)
        await self._settle()
        for name in (*version.members, action.sender):
            await self._read(name)

    async def _mark(self, action: Action, version: Version, posture: Posture) -> None:
        """Somebody gets two chats, and lets the sender know of one of them that it was read."""
        async with self._device(action.sender) as sender:
            for _ in range(2):
                receipt = await sender.send(template.user_of(action.recipient), version.text, posture=posture)
                await receipt.accepted(_PATIENCE)
        await self._settle()
        await self._read(action.recipient, marks=version.marks)
        await self._read(action.sender)

    async def _read(self, name: str, *, marks: int | None = None) -> None:
        """Somebody comes, takes what waits, reads all of it or marks one letter as read, and goes."""
        async with self._device(name, read_receipts=marks is None) as device:
            account = self._relay.accounts.device(device.address)
            mailbox = None if account is None else self._relay.accounts.mailbox(account.account_id)
            await _until(lambda: mailbox is None or not mailbox.waiting)
            read = []
            with contextlib.suppress(TimedOut):
                while True:
                    read.append(await device.receive(0))
            if marks is not None:
                read[marks].mark_read()
        await self._settle()

    @asynccontextmanager
    async def _device(self, name: str, *, read_receipts: bool = True) -> AsyncIterator[Device]:
        device = await asyncio.to_thread(
            template.opened, self.place, name, self._address, self.clock, read_receipts=read_receipts
        )
        async with device:
            yield device

    async def _settle(self) -> None:
        """Until nobody is connected any more, and everything is written down."""
        exchange = self._relay.exchange
        await _until(lambda: not exchange.peers)
        await exchange.at_rest()
        await self._relay.committer.run(lambda connection: None)

    # --- authorities

    async def _ask(self) -> None:
        """A court asks for everything about two people; two persons approve what they may."""
        desk = self._relay.desk
        assert desk is not None  # noqa: S101 - these worlds have one
        instrument = shipped().packs["us"].manifest.instrument(_INSTRUMENT)
        assert instrument is not None  # noqa: S101 - it is shipped
        for number, name in enumerate(("alice", "bob")):
            user = template.user_of(name)
            situation = Situation(
                authority=template.AUTHORITY,
                officer=template.OFFICER,
                relay="relay",
                target=str(user),
                device="",
                tenant=user.tenant,
                since=self.clock.moment - timedelta(hours=2),
                now=self.clock.moment,
            )
            document = next(petitions(instrument, AuthorityKind.JUDGE, situation))
            demands = tuple(demand for demand in document.demands if demand.id in _DEMANDS)
            document = document.model_copy(update={"id": UUID(int=number + 1), "demands": demands})
            signed = VerifiedRequest(template.AUTHORITY, document, "signed", self.clock.moment)
            view = await desk.receive(signed)
            for demand in view.demands:
                if demand.decision is not None and demand.decision.outcome.value in _GIVES:
                    for person in template.PERSONS:
                        with contextlib.suppress(DeskError):
                            await desk.approve(person, view.case_id, demand.demand_id)
                            await self._fetch(view.case_id, demand.demand_id)
            self.answers[name] = desk.status(template.AUTHORITY, view.case_id)

    async def _fetch(self, case_id: str, demand: str) -> None:
        desk = self._relay.desk
        assert desk is not None  # noqa: S101 - see above
        path = await desk.fetch(template.AUTHORITY, case_id, demand, f"{case_id}/{demand}")
        self.answers[f"{case_id}/{demand}"] = path.read_bytes()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - counters of another part, which nobody signals
            await asyncio.sleep(_LOOK)
