"""Plays a scenario: every letter at its time, in its sender's order, and every arrival counted."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final, Protocol

from blindrelay.clients.errors import ClientError
from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.clients.simulation.tally import Summary, Tally, text_of
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import Clock

# Messages on their way at once, all people together. Enough to keep a relay's group commit busy; more would only wait in
# queues and be measured as latency.
IN_FLIGHT: Final = 256
# How long nothing may move at the end before what is missing counts as lost. Longer than a reconnect with its back-off.
PATIENCE: Final = 45.0
_LOOK_EVERY: Final = 0.05


class Sent(Protocol):
    """A letter that has been handed over, as `clients.receipts.Receipt`."""

    async def accepted(self) -> object:
        """Wait until the relay has all of it; raise `ClientError` when it will not."""


class Participant(Protocol):
    """Somebody with a device, as far as a scenario is concerned."""

    async def write(self, recipients: Sequence[UserAddress], text: str) -> Sent:
        """Hand a letter over; raise `ClientError` when that cannot be."""

    def read(self) -> AsyncIterator[tuple[UserAddress, str]]:
        """What arrives: sender and text. Goes on until its task is cancelled."""

    def unreadable(self) -> AsyncIterator[object]:
        """Something for each envelope that could not be opened or believed. Likewise."""


class Player:
    """One performance. `tally` may be looked at while it goes on.

    Args:
        participants: in the order of `scenario.people`.
        speed: how many seconds of the scenario pass in one of ours; None: as fast as messages can be sent.
    """

    def __init__(
        self,
        scenario: Scenario,
        participants: Sequence[Participant],
        clock: Clock,
        *,
        speed: float | None,
        in_flight: int = IN_FLIGHT,
        patience: float = PATIENCE,
    ) -> None:
        self.tally = Tally(len(scenario.people), scenario.messages)
        self._scenario = scenario
        self._participants = participants
        self._now = clock.monotonic
        self._speed = speed
        self._limit = in_flight
        self._patience = patience
        self._places = {person: place for place, person in enumerate(scenario.people)}
        self._waiting: list[deque[tuple[int, Event]]] = [deque() for _ in participants]
        self._queued = 0  # messages that wait for their sender's turn
        self._busy: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._begin = self._end = 0.0

    async def play(self) -> Summary:
        """Send everything, wait for what is under way, and sum up. When cancelled, `interrupted` sums up what there is."""
        self._begin = self._end = self._now()
        readers = [
            asyncio.create_task(work)
            for place, participant in enumerate(self._participants)
            for work in (self._read(place), self._count_unreadable(participant))
        ]
        try:
            await self._send_all()
            await self._settle()
        finally:
            for task in (*readers, *self._tasks):
                task.cancel()
            await asyncio.gather(*readers, *self._tasks, return_exceptions=True)
        return self.tally.summary(self._end - self._begin)

    def interrupted(self) -> Summary:
        """The state of things after `play` was cancelled. What was under way is not lost."""
        return self.tally.summary(self._end - self._begin, complete=False)

    async def _send_all(self) -> None:
        for number, event in enumerate(self._scenario.events):
            if self._speed is not None:
                await asyncio.sleep(max(self._begin + event.at / self._speed - self._now(), 0))
            if not await self._has_room():
                return
            self._queued += len(event.recipients)
            self._waiting[event.sender].append((number, event))
            if event.sender not in self._busy:
                self._busy.add(event.sender)
                self._spawn(self._write(event.sender))

    async def _has_room(self) -> bool:
        """Wait until little enough is under way; False when nothing has moved for so long that nothing will."""
        tally = self.tally
        while self._queued + tally.sent - tally.refused - tally.decrypted > self._limit:
            self._room.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._room.wait()
            except TimeoutError:
                return False
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, sender: int) -> None:
        """One after the other: the order of a sender's letters is what is checked at the other end."""
        waiting = self._waiting[sender]
        try:
            while waiting:
                await self._write_one(*waiting.popleft())
        finally:
            self._busy.discard(sender)

    async def _write_one(self, number: int, event: Event) -> None:
        people = self._scenario.people
        self._queued -= len(event.recipients)
        self.tally.send(number, event.sender, event.recipients, self._now())
        try:
            sent = await self._participants[event.sender].write(
                [people[place] for place in event.recipients], text_of(number)
            )
        except ClientError:
            self._refused(event)
            return
        self._spawn(self._accepted(number, event, sent))

    async def _accepted(self, number: int, event: Event, sent: Sent) -> None:
        try:
            await sent.accepted()
        except ClientError:
            self._refused(event)
            return
        self.tally.accept(number, event.recipients, self._now())
        self._moved()

    def _refused(self, event: Event) -> None:
        self.tally.refuse(event.recipients)
        self._moved()

    async def _read(self, place: int) -> None:
        async for sender, text in self._participants[place].read():
            self.tally.receive(text, self._places.get(sender, -1), place, self._now())
            self._moved()

    async def _count_unreadable(self, participant: Participant) -> None:
        async for _ in participant.unreadable():
            self.tally.fail()
            self._moved()

    def _moved(self) -> None:
        self._end = self._now()
        self._room.set()

    async def _settle(self) -> None:
        # Duplicates would come late: a look more after everything is there costs nothing.
        while self._busy or not self.tally.settled:
            if self._now() - max(self._end, self._begin) > self._patience:
                return
            await asyncio.sleep(_LOOK_EVERY)
        await asyncio.sleep(_LOOK_EVERY)
