"""Some hours of a few people's lives, through a real relay with real clients and real keys, in as long as it takes to do.

    python -m blindrelay.proofs.traffic.world [--letters N] [--posture sealed] [--saboteur NAME]

plays them on an event loop that does not wait, with the clients' habits as they are, pauses and all; and prints what the relay
saw and kept of each envelope, and what it was (`notes.Played`, as JSON). A process of its own: a saboteur is in here.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

import aiomqtt
import paho.mqtt.client as paho
import sqlalchemy

from blindrelay.clients import link
from blindrelay.clients.connection import Connection
from blindrelay.clients.content import Chat, Delivered, Letter, encode
from blindrelay.clients.courier import new_id
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.keystore import Space
from blindrelay.clients.link import Link
from blindrelay.clients.message import Message
from blindrelay.clients.options import Options, Posture
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.proofs.evidence.parent import leave_with_the_parent
from blindrelay.proofs.traffic.hurry import HurryingLoop, LoopClock
from blindrelay.proofs.traffic.model import reading_time, text_length
from blindrelay.proofs.traffic.notes import Notes, Played, kind, noting
from blindrelay.proofs.traffic.population import HOUR, invent
from blindrelay.proofs.traffic.records import Kind, Seen
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import chores
from blindrelay.relay.config import Settings
from blindrelay.relay.mqtt.listener import TimeLimits
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables

#: Few people who write as much as the whole of the institution: the relay is as busy as it would be with all of them.
PEOPLE: Final = 24
_RATE: Final = 34.0
_MORNING: Final = 9 * HOUR
#: So many letters, and as many receipts, are weighed.
SEALED: Final = 300
#: Every so many-th person has two devices.
_TWO_DEVICES: Final = 3
_DEVICES: Final = ("laptop", "phone")
#: People have met before; they read when they read, and `World` says when that is.
_OPTIONS: Final = Options(read_receipts=False, share_profile=False)
#: Until the last receipt has left. Seconds.
_AFTERWARDS: Final = 2_700.0
#: Nothing happens between two pings of a connection, and there are many: fewer wake-ups, and nothing else. Seconds.
_KEEP_ALIVE: Final = 36_000
_SELDOM: Final = 600.0
_TIMES: Final = TimeLimits(sweep=60.0)


def scenario(letters: int, seed: int = 1) -> Scenario:
    """The first so many letters of a morning."""
    everything = invent(PEOPLE, 1, seed, rate=_RATE)
    morning = [event for event in everything.events if event.at >= _MORNING][:letters]
    return Scenario(
        everything.people,
        tuple(Event(event.at - _MORNING, event.sender, event.recipients) for event in morning),
    )


class UnderWay:
    """Whether anybody waits for the other side, so that the clock is not to hurry on."""

    def __init__(self) -> None:
        self.relay: Relay | None = None
        self._calls = 0
        self._links: WeakSet[Link] = WeakSet()

    def __call__(self) -> bool:
        """It is asked before each step of the clock."""
        relay = self.relay
        return (
            self._calls > 0
            or any(each._settles for each in self._links)
            or (relay is not None and (relay.committer._busy or _delivering(relay)))
        )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, clients' connections and requests are watched."""
        with ExitStack() as stack:
            for owner, name in ((Link, "open"), (Link, "close"), (Connection, "call")):
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, self._counted(getattr(owner, name)))
            yield

    def _counted(self, original: Any) -> Any:
        async def counted(this: Any, *arguments: Any, **more: Any) -> Any:
            if isinstance(this, Link):
                self._links.add(this)
            self._calls += 1
            try:
                return await original(this, *arguments, **more)
            finally:
                self._calls -= 1

        return counted


def _delivering(relay: Relay) -> bool:
    return any(mailbox.waiting and mailbox.delivery for mailbox in relay.accounts._mailboxes.values())


class World:
    """People with their devices, connected to a relay of this process.

    Args:
        played: what they write.
        posture: how they write it.
    """

    def __init__(self, played: Scenario, posture: Posture, loop: HurryingLoop, under_way: UnderWay) -> None:
        self._scenario = played
        self._posture = posture
        self._loop = loop
        self._under_way = under_way
        self._chance = random.Random(len(played.events))  # noqa: S311 - it is to be repeatable, not secret
        self._clock = LoopClock(loop, SystemClock().now())
        self._devices: list[list[Device]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._is_over = False

    async def play(self, folder: Path, notes: Notes) -> None:
        """All of it. What it was is in `notes` afterwards."""
        settings = Settings.model_validate({"data_dir": folder / "relay", "port": 0, "desk": {"enabled": False}})
        async with Relay(settings, self._clock, times=_TIMES) as relay:
            self._under_way.relay = relay
            address = RelayAddress(relay.host, relay.port, relay.certificate.read_bytes(), relay.registration_code)
            async with self._at_work(address):
                notes.began = self._loop.time()
                for event in self._scenario.events:
                    await asyncio.sleep(max(0.0, notes.began + event.at - self._loop.time()))
                    await self._write(event)
                await asyncio.sleep(_AFTERWARDS)
                notes.ended = self._loop.time()
                notes.kept = await relay.committer.read(_kept)
                notes.sizes = await self._weigh()

    @asynccontextmanager
    async def _at_work(self, relay: RelayAddress) -> AsyncIterator[None]:
        """Everybody is connected, and has everybody's delivery token."""
        async with AsyncExitStack() as stack:
            for place, person in enumerate(self._scenario.people):
                if not place:
                    enterprise = Enterprise.create(person.tenant, relay, clock=self._clock)
                    await stack.enter_async_context(enterprise)
                names = _DEVICES if place % _TWO_DEVICES == 0 else _DEVICES[:1]
                devices = [
                    await enterprise.enrol(person.user, name, announce=False, options=_OPTIONS) for name in names
                ]
                self._devices.append([await stack.enter_async_context(device) for device in devices])
            everybody = [device for devices in self._devices for device in devices]
            for device in everybody:
                for other in everybody:
                    if other.user != device.user:
                        device._store.put(Space.TOKEN, str(other.user), other._running.identity.token.value)
            # Whoever has two devices reads on the first one.
            self._readers = [asyncio.create_task(self._read(devices[0])) for devices in self._devices]
            stack.push_async_callback(self._stop_reading)
            yield

    async def _write(self, event: Event) -> None:
        sender = self._chance.choice(self._devices[event.sender])
        people = [self._scenario.people[place] for place in event.recipients]
        text = "x" * text_length(self._chance)
        if len(people) == 1:
            await sender.send(people[0], text, posture=self._posture)
        else:
            await sender.send_mail(people, "Thursday", text, posture=self._posture)

    async def _weigh(self) -> list[tuple[Kind, int, int]]:
        """Seal letters and receipts of all lengths, between two who know each other: kind, length, and size of the envelope."""
        sender, recipient = self._devices[0][0], self._devices[1][0]
        await (await sender.send(recipient.user, "hello", posture=Posture.STANDARD)).delivered(60)
        running, sizes = sender._running, []
        for _ in range(SEALED):
            about = {"id": new_id(), "sent_at": 1_700_000_000_000}
            chat = Chat(text="x" * text_length(self._chance), **about)  # type: ignore[arg-type]
            receipt = Delivered(letters=[new_id()], **about)  # type: ignore[arg-type]
            for letter in (Letter(chat), Letter(receipt)):
                with sender._store.transaction():
                    entries = running._postroom.seal(letter, [recipient.address], expires_at=2_000_000_000)
                    for entry in entries:
                        sender._store.dequeue(entry.sequence)
                sizes.append((kind(letter), len(encode(letter)), sum(len(entry.envelope) for entry in entries)))
        return sizes

    async def _read(self, device: Device) -> None:
        async for message in device:
            self._loop.call_later(reading_time(self._chance), self._mark, device, message)

    def _mark(self, device: Device, message: Message) -> None:
        if not self._is_over:
            device.mark_read(message)

    async def _stop_reading(self) -> None:
        self._is_over = True
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


def _kept(connection: sqlalchemy.Connection) -> dict[bytes, Seen]:
    """The traffic that the relay has written down, by message id."""
    device, traffic = tables.device, tables.traffic
    names = {
        row.account_id: f"{row.tenant}/{row.user}/{row.device}" for row in connection.execute(sqlalchemy.select(device))
    }
    return {
        row.message_id: Seen(float(row.accepted_at), names.get(row.sender_id), names[row.recipient_id], row.size)
        for row in connection.execute(sqlalchemy.select(traffic))
    }


def play(played: Scenario, posture: Posture) -> Notes:
    """Play a scenario on a loop of its own. Raises what a client raises that cannot write."""
    notes, under_way = Notes(), UnderWay()
    loop = HurryingLoop(under_way)
    with (
        tempfile.TemporaryDirectory(prefix="blindrelay-traffic-") as folder,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
        _seldom(),
        noting(notes, loop),
        under_way.watched(),
    ):
        runner.run(World(played, posture, loop, under_way).play(Path(folder), notes))
    return notes


@contextmanager
def _seldom() -> Iterator[None]:
    """Inside, connections ping and the relay looks at certificates once in a long while."""

    async def pings(self: Any) -> None:
        while self._client.loop_misc() == paho.MQTT_ERR_SUCCESS:  # noqa: ASYNC110 - it is aiomqtt's own loop, but seldom
            await asyncio.sleep(_SELDOM)

    with ExitStack() as stack:
        for owner, name, value in (
            (link, "KEEP_ALIVE", _KEEP_ALIVE),
            (chores, "GUARD_INTERVAL", _SELDOM),
            (aiomqtt.Client, "_misc_loop", pings),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Play some hours through a relay.")
    parser.add_argument("--letters", type=int, default=30)
    parser.add_argument("--posture", type=Posture, default=Posture.SEALED)
    parser.add_argument("--saboteur", default="")
    arguments = parser.parse_args()
    leave_with_the_parent()
    if arguments.saboteur:
        from blindrelay.proofs.saboteurs.catalogue import find  # noqa: PLC0415 - honest runs import no saboteur

        saboteur = find(arguments.saboteur)
        saboteur.in_relay()
        saboteur.in_clients()
    notes = play(scenario(arguments.letters), arguments.posture)
    sys.stdout.write(Played.of(notes).model_dump_json())


if __name__ == "__main__":
    main()
