"""All devices of a run together: who writes to whom, how often, and when nothing is open any more."""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from blindrelay.proofs.chaos.device import Device, Mood
from blindrelay.proofs.chaos.history import Disturbance, messages
from blindrelay.proofs.chaos.journal import Entry, Journal, Kind, in_order
from blindrelay.proofs.chaos.people import People
from blindrelay.proofs.chaos.wire import Endpoint
from blindrelay.protocol import sizes
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock

# Most mail fits the smallest bucket; some has a picture in it.
_SIZES = (sizes.MIN_ENVELOPE,) * 6 + (sizes.padme(3_000), sizes.padme(20_000))
# Most messages wait as long as they may. Some are short-lived, some long enough to outlive every clock step but a wrong one.
_TTLS = (None, None, None, None, 3_600, 2, 3)
_BURST = 4
_POLL = 0.2


class Place(NamedTuple):
    """Where devices may connect to: a port of a host, whose certificate has a name in it."""

    port: int
    host: str = "127.0.0.1"
    name: str = "localhost"


class Workload:
    """Devices in a ring: each writes to the next two, from wherever of `places` it is.

    An async context manager; `close` says goodbye on all connections.
    """

    def __init__(  # noqa: PLR0913 - who, where to, where it is written down, and how
        self,
        people: People,
        places: Sequence[Place],
        folder: Path,
        clock: Clock,
        *,
        seed: int,
        mood: Mood | None = None,
    ) -> None:
        self._stack = ExitStack()
        self._clock = clock
        # Not for secrets: a run is to be repeatable.
        self._chance = random.Random(f"workload {seed}")  # noqa: S311
        self._producers: list[asyncio.Task[None]] = []
        self.devices: dict[DeviceAddress, Device] = {}
        for number, (address, context) in enumerate(people.contexts.items()):
            journal = self._stack.enter_context(Journal(folder / f"device{number}.jsonl", str(address), clock))
            chance = random.Random(f"device {seed} {number}")  # noqa: S311
            endpoints = [Endpoint(place.host, place.port, context, place.name) for place in places]
            self.devices[address] = Device(address, endpoints, journal, chance, mood)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        self._stack.close()

    async def connect(self, patience: float) -> None:
        """Start all devices and wait until each has subscribed once: a mailbox begins with that. Raises TimeoutError."""
        for device in self.devices.values():
            device.start()
        async with asyncio.timeout(patience):
            for device in self.devices.values():
                await device.connected.wait()

    def produce(self, rate: float) -> None:
        """Let each device send `rate` messages a second, in bursts, until `calm_down`."""
        for device, recipients in self._ring():
            self._producers.append(asyncio.create_task(self._send(device, recipients, rate)))

    def probe(self) -> None:
        """Everybody sends one message to each of those to whom they write, now."""
        for device, recipients in self._ring():
            for recipient in recipients:
                device.send(recipient)

    def _ring(self) -> list[tuple[Device, list[DeviceAddress]]]:
        addresses = list(self.devices)
        return [
            (device, [addresses[(number + step) % len(addresses)] for step in (1, 2)])
            for number, device in enumerate(self.devices.values())
        ]

    async def _send(self, device: Device, recipients: list[DeviceAddress], rate: float) -> None:
        mean_burst = (1 + _BURST) / 2
        while True:
            await asyncio.sleep(self._chance.expovariate(rate / mean_burst))
            for _ in range(self._chance.randint(1, _BURST)):
                device.send(self._chance.choice(recipients), self._chance.choice(_SIZES), self._chance.choice(_TTLS))

    async def stop_producing(self) -> None:
        """Nothing new from now on."""
        for producer in self._producers:
            producer.cancel()
        await asyncio.gather(*self._producers, return_exceptions=True)
        self._producers.clear()

    def calm_down(self) -> None:
        """Everybody behaves from now on."""
        for device in self.devices.values():
            device.calm_down()

    def hurry(self) -> None:
        """Everybody drops the connection and comes back at once."""
        for device in self.devices.values():
            device.hurry()

    async def quiet(self, patience: float) -> bool:
        """Wait until every message has an outcome and what was accepted has arrived.

        What has been lost never arrives: it is the oracle that says so, not this. False when for `patience` seconds nothing
        more has come: a machine that is busy with other things as well is slow, and loses nothing by that.
        """
        settled, since = self._settled(), self._clock.monotonic()
        while self.has_open_ends():
            await asyncio.sleep(_POLL)
            if (now_settled := self._settled()) > settled:
                settled, since = now_settled, self._clock.monotonic()
            elif self._clock.monotonic() - since > patience:
                return False
        await asyncio.sleep(0.3)  # deletions are in the commit after the last PUBACK
        return True

    def _settled(self) -> int:
        """How much has come to an end: it grows for as long as anything does."""
        kinds = {Kind.ACKED, Kind.REFUSED, Kind.HANDED}
        return sum(entry.kind in kinds for device in self.devices.values() for entry in device.journal.entries)

    def has_open_ends(self) -> bool:
        """Whether anything is still to be expected: nobody who is not connected can say that all has arrived."""
        if any(device.has_open_ends or not device.is_connected for device in self.devices.values()):
            return True
        now = self._clock.monotonic()
        return any(
            message.acked
            and not message.handed
            and (message.ttl is None or now < message.acked[0].at + message.ttl + 1)
            for message in messages(self.entries()).values()
        )

    async def close(self) -> None:
        """Say goodbye on all connections."""
        await self.stop_producing()
        await asyncio.gather(*(device.stop() for device in self.devices.values()))

    def entries(self) -> tuple[Entry, ...]:
        """All journals, by time."""
        return in_order(device.journal.entries for device in self.devices.values())

    def entries_since(self, moment: float) -> list[Entry]:
        """Those from `moment` on, device by device."""
        found: list[Entry] = []
        for device in self.devices.values():
            entries = device.journal.entries
            found += entries[bisect_left(entries, moment, key=lambda entry: entry.at) :]
        return found

    def deafness(self) -> Iterable[Disturbance]:
        """When which device did not read."""
        return [each for device in self.devices.values() for each in device.deafness]
