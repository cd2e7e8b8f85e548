"""The people and their devices. A device is awake, and has what arrives at once, or asleep, and has it when it wakes up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import ClientError
from blindrelay.clients.message import Message, Update
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.console.cast.script import ALICE, BOB, CAROL, DAVE
from blindrelay.protocol.certificates import fingerprint

# The pauses that hide when somebody wrote are for people who have time. Read is what a person does: see `Stage`. A machine that
# has much else to do is slow, and no reason to give up.
OPTIONS: Final = Options(
    read_receipts=False,
    keep_history=False,
    timeout=120.0,
    hygiene=Hygiene(opening=(0.0, 0.05), receipt=(0.0, 0.05), idle=(20.0, 30.0)),
)
#: Where the enterprises are at home: an authority of the United States has jurisdiction over both.
HOME: Final = "us"
#: Who has which devices.
DEVICES: Final = {ALICE: ("laptop", "phone"), CAROL: ("desktop",), BOB: ("phone", "laptop"), DAVE: ("tablet",)}
# Between two attempts to wake up while the relay is away. Seconds.
_PAUSE: Final = 1.0

Arrived = Callable[[Device, Message], Awaitable[None]]
Told = Callable[[Update], None]


class Player:
    """One device, and the person at it.

    Args:
        arrived: called with each message that the device has got.
        told: called with news about what it has sent.
    """

    def __init__(self, device: Device, arrived: Arrived, told: Told) -> None:
        self.device = device
        self._arrived = arrived
        self._told = told
        self._awake = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_awake(self) -> bool:
        """Whether it is connected, or tries to be."""
        return bool(self._tasks)

    async def wake(self) -> None:
        """Connect; while the relay is away, keep trying. Cancelling leaves it asleep."""
        if self.is_awake:
            return
        while True:
            try:
                await self._awake.enter_async_context(self.device)
                break
            except ClientError:
                await asyncio.sleep(_PAUSE)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._hear())]

    async def sleep(self) -> None:
        """Disconnect. What is to be sent goes out the next time."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stack, self._awake = self._awake, AsyncExitStack()
        with contextlib.suppress(ClientError):
            await stack.aclose()

    async def _read(self) -> None:
        async for message in self.device:
            await self._arrived(self.device, message)

    async def _hear(self) -> None:
        async for update in self.device.updates():
            self._told(update)


class People:
    """Everybody, by address.

    Attributes:
        enrolled: by enterprise, SHA-256 (hex) of each certificate that it has issued, and for which device.
    """

    def __init__(self, players: dict[str, tuple[Player, ...]], enrolled: dict[str, dict[str, str]]) -> None:
        self.players = players
        self.enrolled = enrolled

    def first(self, address: str) -> Player:
        """The device that somebody writes with."""
        return self.players[address][0]

    async def wake(self, *addresses: str) -> None:
        """Have all devices of these people connected."""
        await asyncio.gather(*(player.wake() for one in addresses for player in self.players[one]))

    async def sleep(self, *addresses: str) -> None:
        """Have none of them connected."""
        await asyncio.gather(*(player.sleep() for one in addresses for player in self.players[one]))


@asynccontextmanager
async def enrolled(relay: RelayAddress, arrived: Arrived, told: Told) -> AsyncIterator[People]:
    """Found the enterprises, enrol everybody, and wake them up.

    Raises:
        ClientError: the relay does not let them in, or knows enterprises of these names already.
    """
    async with AsyncExitStack() as stack:
        enterprises: dict[str, Enterprise] = {}
        players: dict[str, tuple[Player, ...]] = {}
        for address, names in DEVICES.items():
            user, _, tenant = address.partition("@")
            if tenant not in enterprises:
                founded = Enterprise.create(tenant, relay, options=OPTIONS, jurisdiction=HOME)
                enterprises[tenant] = await stack.enter_async_context(founded)
            devices = [await enterprises[tenant].enrol(user, name) for name in names]
            players[address] = tuple(Player(device, arrived, told) for device in devices)
        people = People(players, {name: _issued(enterprise) for name, enterprise in enterprises.items()})
        try:
            await people.wake(*DEVICES)
            yield people
        finally:
            await people.sleep(*DEVICES)


def _issued(enterprise: Enterprise) -> dict[str, str]:
    authority = enterprise.authority
    return {
        fingerprint(certificate).hex(): f"{address.user}/{address.device}"
        for address in authority.devices()
        for certificate in authority.certificates(address)
    }
