"""The people of a scenario, enrolled and connected: one device each, with keys in memory and real encryption."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import NotPossible
from blindrelay.clients.message import News
from blindrelay.clients.options import Options
from blindrelay.clients.receipts import Receipt
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.simulation.events import Scenario
from blindrelay.protocol.address import UserAddress

DEVICE: Final = "laptop"
# Connecting at once: the relay admits 200 handshakes a second from one address, after a burst.
CONNECTING: Final = 16
# Files of this process that are no connections.
_OTHER_FILES: Final = 64
_SUBJECT: Final = "Thursday"

#: What is counted is the letters themselves: receipts and profiles would double the envelopes, and nobody reads the history.
HABITS: Final = Options(
    read_receipts=False, delivery_receipts=False, share_profile=False, keep_history=False, timeout=30.0
)


@dataclass(frozen=True, slots=True)
class Employee:
    """A `player.Participant` with a device."""

    device: Device

    async def write(self, recipients: Sequence[UserAddress], text: str) -> Receipt:
        """To one person a chat, to several a mail."""
        if len(recipients) == 1:
            return await self.device.send(recipients[0], text)
        return await self.device.send_mail(recipients, _SUBJECT, text)

    async def read(self) -> AsyncIterator[tuple[UserAddress, str]]:
        """Sender and text of what arrives, chat or mail."""
        async for message in self.device:
            yield message.sender, message.text

    async def unreadable(self) -> AsyncIterator[object]:
        """The news of envelopes that could not be opened or believed."""
        async for update in self.device.updates():
            if update.news is News.UNREADABLE:
                yield update


def check_files(people: int) -> None:
    """Raise `NotPossible` if this process may not open a connection for each of `people`. Lifts the soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = people + _OTHER_FILES
    if soft < needed <= hard or (soft < needed and hard == resource.RLIM_INFINITY):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            return
    if soft < needed:
        raise NotPossible(
            f"{people} people need {people} connections, and this process may open {hard} files: "
            "raise the limit (ulimit -n), or take fewer people"
        )


@asynccontextmanager
async def at_work(
    scenario: Scenario, relay: RelayAddress, *, options: Options = HABITS, joined: Callable[[], None] = lambda: None
) -> AsyncIterator[list[Employee]]:
    """Everybody of the scenario, in its order, enrolled and connected; `joined` is called for each.

    Raises what `Enterprise.register` and `Device.__aenter__` raise.
    """
    gate = asyncio.Semaphore(CONNECTING)
    async with AsyncExitStack() as stack:
        tenants = {name: await stack.enter_async_context(Enterprise.create(name, relay)) for name in scenario.tenants()}
        devices = [
            await tenants[person.tenant].enrol(person.user, DEVICE, announce=False, options=replace(options))
            for person in scenario.people
        ]
        entered: list[Device] = []

        async def enter(device: Device) -> None:
            async with gate:
                await device.__aenter__()
                entered.append(device)
                joined()

        async def leave() -> None:
            await asyncio.gather(*(device.__aexit__(None, None, None) for device in entered))

        stack.push_async_callback(leave)
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(enter(device))
        yield [Employee(device) for device in devices]
