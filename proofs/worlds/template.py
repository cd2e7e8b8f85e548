"""What every world begins as: a relay's data directory and the devices' key stores, made once and copied.

Keys, certificates and addresses are the same in all worlds then; what was said so far was the same, too.
"""

import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.connection import Backoff
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.clients.vault import CHEAP
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.proofs.scenarios.clock import VirtualClock
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.officers import OfficerName
from blindrelay.relay.config import Settings
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.register import Register
from blindrelay.relay.mqtt.listener import TimeLimits
from blindrelay.relay.server import Relay

#: Enterprise, at home in the United States -> person -> device. Carol and derek can take each other's place: the letters of
#: their names are as many, and they come in the same order among the others.
PEOPLE: Final = {
    "acme.example": {"alice": "laptop"},
    "globex.example": {"bob": "phone", "carol": "tablet", "derek": "tablet"},
}
PERSONS: Final = ("anna", "boris")
AUTHORITY: Final = "district-court"
OFFICER: Final = "Jordan Reyes"
PASSPHRASE: Final = "a passphrase of the harness"  # noqa: S105 - of people who do not exist
_TIMES: Final = TimeLimits(linger=0.05, sweep=0.05)
_BEGAN: Final = "began"


def options(chance: float = 0.5) -> Options:
    """How devices behave: nothing is drawn by chance, and nothing waits for long."""
    hygiene = Hygiene(opening=(0.0, 0.0), receipt=(0.0, 0.0), idle=(30.0, 30.0), chance=lambda: chance)
    return Options(hygiene=hygiene, backoff=Backoff(first=0.05, most=1.0, chance=lambda: chance), farewell=5.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a world is."""

    folder: Path

    @property
    def relay(self) -> Path:
        """The relay's data directory."""
        return self.folder / "relay"

    @property
    def authority(self) -> Path:
        """The authority's keys."""
        return self.folder / "authority"

    def device(self, user: str) -> Path:
        """The key store of somebody's device."""
        return self.folder / "devices" / user

    def clock(self) -> VirtualClock:
        """A clock that stands where the template ended."""
        return VirtualClock(datetime.fromtimestamp(json.loads((self.folder / _BEGAN).read_text()), UTC))


@asynccontextmanager
async def running(place: Place, clock: VirtualClock) -> AsyncIterator[Relay]:
    """The relay of a world, with a desk."""
    settings = Settings.model_validate({"data_dir": place.relay, "port": 0, "desk": {"https_port": 0}})
    async with Relay(settings, clock, times=_TIMES) as relay:
        yield relay


async def make(folder: Path) -> Place:
    """Make the template in `folder`: everybody is enrolled, and has written to everybody else once."""
    place = Place(folder)
    began = float(int(SystemClock().now()))
    (folder / _BEGAN).write_text(json.dumps(began + 3_600))
    clock = VirtualClock(datetime.fromtimestamp(began, UTC))
    async with running(place, clock) as relay:
        _enter(place, clock)
        address = address_of(relay)
        async with contextlib.AsyncExitStack() as stack:
            for tenant, people in PEOPLE.items():
                enterprise = Enterprise.create(tenant, address, clock=clock, options=options(), jurisdiction="us")
                await stack.enter_async_context(enterprise)
                for user, device in people.items():
                    await enterprise.issue(user, device, place.device(user), PASSPHRASE, cost=CHEAP)
            await _acquaint(place, address, clock)
        await relay.exchange.at_rest()
    return place


def copy(place: Place, folder: Path) -> Place:
    """A world of its own."""
    shutil.copytree(place.folder, folder)
    return Place(folder)


def address_of(relay: Relay, port: int | None = None) -> RelayAddress:
    """Where clients connect; `port`: of a tap before it."""
    return RelayAddress(relay.host, port or relay.port, relay.certificate.read_bytes(), relay.registration_code)


def opened(
    place: Place, user: str, address: RelayAddress, clock: VirtualClock, *, read_receipts: bool = True
) -> Device:
    """Somebody's device; leaving it closes its key store."""
    habits = replace(options(), read_receipts=read_receipts)
    return Device.open(place.device(user), PASSPHRASE, address, options=habits, clock=clock)


def user_of(name: str) -> UserAddress:
    """`alice` -> `alice@acme.example`."""
    return next(UserAddress(tenant, name) for tenant, people in PEOPLE.items() if name in people)


def _enter(place: Place, clock: VirtualClock) -> None:
    identity = AuthorityIdentity.create(
        place.authority, OfficerName(AUTHORITY, OFFICER), "The District Court", "us", AuthorityKind.JUDGE, clock
    )
    journal = Journal.open(place.relay)
    try:
        for person in PERSONS:
            Operators(journal).add(person, at=clock.moment)
        Register(journal).enter(
            identity.card, jurisdiction="us", kind=AuthorityKind.JUDGE, entered_by=PERSONS[0], at=clock.moment
        )
    finally:
        journal.close()


async def _acquaint(place: Place, address: RelayAddress, clock: VirtualClock) -> None:
    """So that nobody meets anybody for the first time in a world: first messages are longer."""
    names = [name for people in PEOPLE.values() for name in people]
    async with contextlib.AsyncExitStack() as stack:
        devices = {}
        for name in names:
            devices[name] = await stack.enter_async_context(opened(place, name, address, clock))
        for _ in range(2):
            for sender in names:
                for recipient in names:
                    if sender != recipient:
                        receipt = await devices[sender].send(user_of(recipient), "Good morning.")
                        await devices[recipient].receive(20)
                        await receipt.read(20)
