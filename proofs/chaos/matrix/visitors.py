"""Many clients who want nothing but to be connected, and all come back at the same moment: the inside of `crowd`.

    python -m blindrelay.proofs.chaos.matrix.visitors

reads a line of JSON, `Visit`, connects that many, and writes a line of JSON for each change of how many are there: `Presence`.
`leave` lets all connections end at once. It leaves when its standard input is closed.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import mqtt5
from pydantic import TypeAdapter

from blindrelay.proofs.chaos.people import People, addresses, enrol, register
from blindrelay.proofs.chaos.wire import Endpoint, Packet, Wire
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress

# So many handshakes at once as they come for the first time: it is not that which is tried.
_AT_ONCE: Final = 64
_SESSION_EXPIRY: Final = 3_600
# After a connection that was refused or lost. Seconds.
_BACKOFF: Final = (0.2, 1.0)
_PATIENCE: Final = 30.0
_TENANT: Final = "crowd.example"
# A crowd has many addresses, and the relay bounds what comes from one. Linux has all of 127.0.0.0/8; elsewhere there is one.
_SOURCES: Final = tuple(map(str, islice(ip_network("127.1.0.0/16").hosts(), 10_000))) if sys.platform == "linux" else ()
#: How often it is said how many are there. Seconds.
_SAID_EVERY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Visit:
    """What is wanted of them.

    Attributes:
        count: how many devices.
        ports: where they may connect to; they are introduced at the first.
        certificate: the relay's.
        registration_code: for their tenant.
        folder: for their keys; it must exist.
        seed: of who goes where, and waits how long when sent away.
    """

    count: int
    ports: list[int]
    certificate: Path
    registration_code: str
    folder: Path
    seed: int


@dataclass(frozen=True, slots=True)
class Presence:
    """How many are there, after all connections were ended so many times."""

    present: int
    times: int


VISIT: Final = TypeAdapter(Visit)
PRESENCE: Final = TypeAdapter(Presence)


class Visitors:
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
        self._sources = dict(zip(people.contexts, _SOURCES, strict=False))
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
        for wire in self._wires.values():
            wire.abort()
        self._wires.clear()

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

        port, source = self._chance.choice(self._ports), self._sources.get(address)
        endpoint = Endpoint("127.0.0.1", port, self._people.contexts[address], source=source)
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
            self._wires.pop(address, None)


class _Obedient:
    """Reads commands, and says what comes of them."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors
        self._times = 0
        self._is_over = asyncio.Event()

    async def work(self) -> None:
        """Until standard input is closed."""
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)
        said = None
        while not self._is_over.is_set():
            presence = Presence(self._visitors.present, self._times)
            if presence != said:
                sys.stdout.buffer.write(PRESENCE.dump_json(presence) + b"\n")
                sys.stdout.buffer.flush()
                said = presence
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SAID_EVERY):
                    await self._is_over.wait()

    def _read(self) -> None:
        command = os.read(sys.stdin.fileno(), 4_096)
        if not command:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._is_over.set()
            return
        self._visitors.leave_at_once()
        self._times += command.count(b"\n")


async def _visit(visit: Visit) -> None:
    people = enrol(addresses(visit.count, _TENANT), visit.certificate, visit.folder, _TENANT)
    await register(people, visit.ports[0], visit.registration_code)
    async with Visitors(people, visit.ports, random.Random(visit.seed)) as visitors:  # noqa: S311 - no secret is drawn
        await _Obedient(visitors).work()


if __name__ == "__main__":
    # Unbuffered: what comes after the line is read by the loop.
    asyncio.run(_visit(VISIT.validate_json(os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0).readline())))
