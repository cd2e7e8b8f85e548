"""The world of a scenario: a relay in this process, and enterprises with their people around it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import sqlalchemy

from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import Validity
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import AdmissionRefused, DeliveryRefused, TimedOut
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.policies.scenarios.document import Source
from blindrelay.policies.scenarios.steps import Send
from blindrelay.policies.scenarios.world import Operator, Tenant
from blindrelay.proofs.scenarios.clock import VirtualClock
from blindrelay.proofs.scenarios.mail import Posted, WrongWords
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.config import Settings
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.mqtt.listener import TimeLimits, listening_socket
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables

#: Nothing on the loopback takes this long; what does is a failure. Seconds of the machine's clock.
PATIENCE: Final = 30.0
# How often the relay's counters are looked at while waiting for them. Seconds of the machine's clock.
_LOOK: Final = 0.002
# As often the relay keeps house while the clock is moved on, so that what is due happens on its day and not at the end.
_DAY: Final = timedelta(days=1)
# Certificates are good for the scenario's dates and for the machine's, with so much to spare on both sides.
_MARGIN: Final = timedelta(days=400)
# Receipts and profiles are messages, too. Without them a letter is one record for each device of the recipient, and
# records can be counted in an expectation.
OPTIONS: Final = Options(
    read_receipts=False,
    delivery_receipts=False,
    share_profile=False,
    hygiene=Hygiene(opening=(0.0, 0.0), receipt=(0.0, 0.0), idle=(5.0, 5.0)),
)
# Peers that have been told goodbye are cut after this. Seconds of the machine's clock.
_TIMES: Final = TimeLimits(linger=0.05, sweep=0.05)


class World:
    """An async context manager: inside, the relay runs and everybody is enrolled.

    Args:
        source: the scenario.
        folder: where the relay keeps its data; empty.
        joined: called for each device that is enrolled.
    """

    def __init__(self, source: Source, folder: Path, joined: Callable[[], None] = lambda: None) -> None:
        self.scenario = source.scenario
        self.source = source
        self.clock = VirtualClock(source.scenario.start)
        self.data = folder / "relay"
        self.letters: dict[str, Posted] = {}
        self.devices: dict[str, list[Device]] = {}
        self.relay: Relay
        self._joined = joined
        # Where everybody expects the relay, whichever one runs: a port that is given up is another program's at once.
        self._door: socket.socket
        self._relays = contextlib.AsyncExitStack()
        self._enterprises = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._door = listening_socket("127.0.0.1", 0)
        try:
            self._make_certificate()
            await self._start_relay()
            for tenant in self.scenario.tenants:
                await self._found(tenant)
            await self.settle()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._enterprises.aclose()
        await self._relays.aclose()
        self._door.close()

    @property
    def now(self) -> datetime:
        """What the scenario's clock shows."""
        return self.clock.moment

    @property
    def operator(self) -> Operator:
        """Who runs the relay."""
        return self.scenario.operator

    # --- the beginning

    def _validity(self) -> Validity:
        today = datetime.fromtimestamp(SystemClock().now(), UTC).replace(microsecond=0)
        moments = [
            self.scenario.start,
            *self.scenario.moments(),
            *(letter.at for letter in self.scenario.traffic),
            today,
        ]
        return Validity(min(moments) - timedelta(days=2), max(moments) + _MARGIN)

    def _make_certificate(self) -> None:
        """The relay's TLS certificate is checked by OpenSSL, which asks the machine's clock."""
        validity = self._validity()
        lifetime = validity.not_after - validity.not_before
        DataDirectory.open(self.data, now=validity.not_before.timestamp(), lifetime=lifetime).close()

    async def _start_relay(self) -> None:
        self.relay = await self._relays.enter_async_context(
            Relay(self._settings(), self.clock, times=_TIMES, door=self._door)
        )

    def _settings(self) -> Settings:
        operator = self.operator
        return Settings.model_validate(
            {
                "data_dir": self.data,
                "port": 0,  # and so a free one for everything else that listens
                "retention": operator.retention.model_dump(),
                "logs": {"https_port": 0},
                "desk": {
                    "approvals": operator.approvals,
                    "emergency_hours": operator.emergency_hours,
                    "max_requests_a_day": operator.max_requests_a_day,
                    "service_users": operator.service_users,
                    "blocking_statutes": {key: list(value) for key, value in operator.blocking_statutes.items()},
                    "packs": list(self.source.policies),
                },
            }
        )

    def _address(self) -> RelayAddress:
        relay = self.relay
        return RelayAddress(relay.host, relay.port, relay.certificate.read_bytes(), relay.registration_code)

    async def _found(self, tenant: Tenant) -> None:
        enterprise = Enterprise.create(
            tenant.name,
            self._address(),
            clock=self.clock,
            options=OPTIONS,
            validity=self._validity(),
            jurisdiction=tenant.jurisdiction,
        )
        await self._enterprises.enter_async_context(enterprise)
        people = dict(tenant.users) | {f"user-{number:04}": ("phone",) for number in range(1, tenant.more_users + 1)}
        for user, names in people.items():
            devices = [await self._enrol(enterprise, user, name) for name in names]
            self.devices[f"{user}@{tenant.name}"] = devices

    async def _enrol(self, enterprise: Enterprise, user: str, name: str) -> Device:
        device = await enterprise.enrol(user, name)
        self._joined()
        return device

    async def restart(self) -> None:
        """Stop the relay and start it again, on the same data and the same port."""
        await self._relays.aclose()
        self._relays = contextlib.AsyncExitStack()
        await self._start_relay()

    # --- time

    async def leap(self, moment: datetime) -> None:
        """Move the clock on, a day at a time, and let the relay do what has become due."""
        if self.now >= moment:
            return
        await self.settle()
        while self.now < moment:
            self.clock.advance_to(min(moment, self.now + _DAY))
            await self.relay.keep_house()
        await self.settle()

    async def settle(self) -> None:
        """Wait until nobody is connected any more and everything is written down."""
        exchange = self.relay.exchange
        await until(lambda: not exchange.peers, "every device to be gone")
        await exchange.at_rest()
        await self.relay.committer.run(lambda connection: None)

    # --- mail

    async def send(self, send: Send) -> Posted:
        """Let somebody write, and wait until the relay has taken it, or has said that it does not."""
        posted = Posted(send, self.now, self.now + timedelta(seconds=OPTIONS.time_to_live))
        self.letters[send.id] = posted
        before = await self._envelopes()
        try:
            async with self.devices[send.sender][0] as device:
                receipt = await device.send(send.to, send.text)
                await receipt.accepted(PATIENCE)
                # Whoever is connected is handed what waits.
                await self._wait_taken(device)
                await self._read(device, send.sender)
        except (AdmissionRefused, DeliveryRefused) as refused:
            posted.refusal = str(refused)
        await self.settle()
        mine = await self._envelopes() - before
        recipients = {device.address for device in self.devices[send.to]}
        posted.message_ids = frozenset(message_id for message_id, address in mine if address in recipients)
        return posted

    async def collect(self, user: str) -> list[str]:
        """Let somebody's devices connect, take what waits, and ask for notices. Returns what those not let in were told."""
        refusals: list[str] = []
        for device in self.devices[user]:
            try:
                async with device:
                    await self._wait_taken(device)
                    await self._read(device, user)
                    await device.fetch_notices()
            except AdmissionRefused as refused:
                refusals.append(str(refused))
        await self.settle()
        return refusals

    def notices(self, user: str) -> list[str]:
        """The notices that somebody's first device has, as JSON."""
        return [kept.notice.model_dump_json() for kept in self.devices[user][0].kept_notices()]

    async def _wait_taken(self, device: Device) -> None:
        account = self.relay.accounts.device(device.address)
        mailbox = None if account is None else self.relay.accounts.mailbox(account.account_id)
        if mailbox is not None:
            await until(lambda: not mailbox.waiting, f"{device.address} to take what waits")

    async def _read(self, device: Device, user: str) -> None:
        while True:
            try:
                message = await device.receive(0)
            except TimedOut:
                return
            mine = [
                letter
                for letter in self.letters.values()
                if (letter.send.to, letter.send.text) == (user, message.text)
                and UserAddress.parse(letter.send.sender) == message.sender
            ]
            if not mine:
                raise WrongWords(f"{device.address} has decrypted a letter from {message.sender} that nobody wrote")
            for letter in mine:
                letter.read_on.add(str(device.address))

    async def state_of(self, name: str) -> str:
        """What has become of a letter: see `expectations.MailState`; or `not written`, or `lost`, which nothing may be."""
        letter = self.letters.get(name)
        if letter is None:
            return "not written"
        if letter.refusal is not None:
            return "refused"
        if letter.read_on:
            return "delivered"
        if letter.message_ids & {message_id for message_id, _ in await self._envelopes()}:
            return "waiting"
        return "expired" if self.now >= letter.expires_at else "lost"

    async def _envelopes(self) -> frozenset[tuple[bytes, DeviceAddress | None]]:
        envelope = tables.envelope.c
        query = sqlalchemy.select(envelope.message_id, envelope.mailbox_id)
        rows = await self.relay.committer.read(lambda connection: connection.execute(query).all())
        known = {account: address for address, account in self.accounts().items()}
        return frozenset((bytes(row[0]), known.get(row[1])) for row in rows)

    def accounts(self) -> dict[DeviceAddress, int]:
        """The relay's number of each device."""
        found = {
            device.address: self.relay.accounts.device(device.address)
            for devices in self.devices.values()
            for device in devices
        }
        return {address: account.account_id for address, account in found.items() if account is not None}


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that this process does; raise `TimedOut` when it does not."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - counters of another part, which nobody signals
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        raise TimedOut(f"waited for {what} for {PATIENCE:g} s in vain") from None
