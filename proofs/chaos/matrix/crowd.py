"""Many clients who want nothing but to be connected, and all come back at the same moment."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import mqtt5

from blindrelay.proofs.chaos.people import People
from blindrelay.proofs.chaos.wire import Endpoint, Packet, Wire
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress

# So many handshakes at once as they come for the first time: it is not that which is tried.
_AT_ONCE: Final = 64
_SESSION_EXPIRY: Final = 3_600
# After a connection that was refused or lost. Seconds.
_BACKOFF: Final = (0.2, 1.0)
_PATIENCE: Final = 30.0


class Crowd:
    """Devices that connect, and stay. An async context manager; inside, all are there.

    Args:
        people: whose certificates they have.
        ports: where they may connect to.
        chance: which, and how long they wait when they were sent away.
    """

    def __init__(self, people: People, ports: Sequence[int], chance: random.Random) -> None:
        self._people = people
        self._ports = ports
        self._chance = chance
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._wires: dict[DeviceAddress, Wire] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._everybody = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._stay(address)) for address in self._people.contexts]
        await self.wait_for_all()
        self._gate = asyncio.Semaphore(len(self._tasks) + 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires.values():
            wire.abort()

    def __len__(self) -> int:
        return len(self._people.contexts)

    @property
    def present(self) -> int:
        """How many are connected."""
        return len(self._wires)

    def leave_at_once(self) -> None:
        """Everybody drops the connection without a word; all come back without waiting."""
        self._everybody.clear()
        for wire in list(self._wires.values()):
            wire.abort()

    async def wait_for_all(self) -> None:
        """Wait until everybody is connected."""
        if len(self._wires) < len(self):
            self._everybody.clear()
        await self._everybody.wait()

    async def _stay(self, address: DeviceAddress) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                await self._visit(address)
                continue
            await asyncio.sleep(self._chance.uniform(*_BACKOFF))

    async def _visit(self, address: DeviceAddress) -> None:
        """Be connected, until that is over. Raises `OSError`, `TimeoutError`: it did not come to it."""
        admitted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()

        def received(packet: Packet) -> None:
            if isinstance(packet, mqtt5.ConnAckPacket) and not admitted.done():
                admitted.set_result(not int(packet.reason_code))

        def ended(_: int) -> None:
            over.set()
            if not admitted.done():
                admitted.set_result(False)

        endpoint = Endpoint("127.0.0.1", self._chance.choice(self._ports), self._people.contexts[address])
        async with self._gate, asyncio.timeout(_PATIENCE):
            wire = await Wire.open(endpoint, received, ended)
            wire.send(
                mqtt5.ConnectPacket(
                    str(address), clean_start=False, keep_alive=600, session_expiry_interval=_SESSION_EXPIRY
                )
            )
            if not await admitted:
                wire.abort()
                raise ConnectionRefusedError
            inbox = mqtt5.TopicFilter(topics.inbox(address), max_qos=mqtt5.QoS.AT_LEAST_ONCE)
            wire.send(mqtt5.SubscribePacket(1, [inbox]))
        self._wires[address] = wire
        if len(self._wires) == len(self):
            self._everybody.set()
        try:
            await over.wait()
        finally:
            wire.abort()
            del self._wires[address]
