"""What happens: one message at a time, slowly, so that one can follow it; or many."""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from blindrelay.clients.content import Group
from blindrelay.clients.device import Device
from blindrelay.clients.errors import ClientError
from blindrelay.clients.mail import Attachment
from blindrelay.clients.message import Message, Update
from blindrelay.clients.receipts import Receipt
from blindrelay.console.cast.lines import Company, Directed, Direction, Person, Trouble, Way, Written
from blindrelay.console.cast.people import DEVICES, People
from blindrelay.console.cast.script import ALICE, BOB, CONTRACT, QUICK, QUICK_WORDS, SCRIPT, Line
from blindrelay.protocol.address import UserAddress

Tell = Callable[[Company | Directed | Trouble | Written], None]

#: How long one looks at a thing before the next one happens. Seconds.
BEAT: Final = 1.8
# Receipts that somebody may still wait for: those of the last messages.
_FOLLOWED: Final = 400
_PATIENCE: Final = 30.0
_OVERDUE: Final = 0.2


@dataclass(slots=True)
class _Sent:
    """A message on its way."""

    line: Line
    sender: Device
    receipt: Receipt
    number: int
    pair: int
    posture: str
    at: float = field(default_factory=time.time)
    stages: dict[str, str] = field(default_factory=dict)  #: as they were told last

    def written(self) -> Written:
        """As it is told."""
        line = self.line
        return Written(
            id=self.receipt.id.hex(),
            number=self.number,
            pair=self.pair,
            sender=str(self.sender.address),
            to=line.to,
            group=line.group,
            subject=line.subject,
            attachments=(line.attachment,) if line.attachment else (),
            text=line.text,
            posture="sealed" if self.posture == "sealed" else "standard",
            at=self.at,
            envelopes={number.hex(): str(device) for number, device in self.receipt.envelopes.items()},
            stages={str(user): stage.name.lower() for user, stage in self.receipt.users.items()},
        )


class Stage:
    """See the module. `people` is set before `perform`."""

    people: People

    def __init__(self, tell: Tell, *, beat: float = BEAT, paused: bool = False) -> None:
        self._tell = tell
        self._beat = beat
        self._paused = paused
        self._way = Way.STANDARD
        self._rate = 0.0
        self._due = 0.0  #: when the next one of many is to be sent
        self._ordered: list[str] = []
        self._changed = asyncio.Event()
        self._numbers = itertools.count(1)
        self._sent: OrderedDict[bytes, _Sent] = OrderedDict()
        self._unread: dict[Device, list[Message]] = {}
        self._group: Group | None = None
        self._trouble = ""

    # --- what it is told

    def direct(self, direction: Direction) -> None:
        """From now on it is otherwise."""
        if direction.paused is not None:
            self._paused = direction.paused
        if direction.way is not None:
            self._way = direction.way
        if direction.rate is not None:
            self._rate = direction.rate
        if direction.say is not None:
            self._ordered.append(direction.say)
        self._changed.set()
        self._tell_directed()

    def _tell_directed(self) -> None:
        self._tell(Directed(paused=self._paused, way=self._way, rate=self._rate))

    async def arrived(self, device: Device, message: Message) -> None:
        """A device has a message. In a hurry it is read at once; else when its person looks."""
        if self._rate:
            message.mark_read()
        else:
            self._unread.setdefault(device, []).append(message)

    def told(self, update: Update) -> None:
        """News about a message that somebody has sent."""
        if (sent := self._sent.get(update.id)) is not None:
            self._tell_of(sent)

    def _tell_of(self, sent: _Sent) -> None:
        written = sent.written()
        if written.stages != sent.stages:
            sent.stages = written.stages
            self._tell(written)

    def _catch_up(self) -> None:
        """News that came while a device was waking up were heard by nobody; its receipts know."""
        for sent in self._sent.values():
            self._tell_of(sent)

    # --- what it does

    async def perform(self) -> None:
        """Let everybody meet, and then talk, for ever."""
        while not await self._done(self._introduce()):
            pass
        people = tuple(Person(address=who, devices=names) for who, names in DEVICES.items())
        self._tell(Company(people=people, enrolled=self.people.enrolled))
        self._tell_directed()
        lines = itertools.cycle(SCRIPT)
        while True:
            await self._unpaused()
            self._catch_up()
            if self._rate and not self._ordered:
                await self._done(self._hurry())
            else:
                await self._done(self._scene(self._ordered_line() if self._ordered else next(lines)))

    async def _done(self, work: Awaitable[None]) -> bool:
        """Whether it could be done; if not, it is said why."""
        try:
            await work
        except ClientError as error:
            self._complain(str(error)[:300])
            await asyncio.sleep(self._beat)
            return False
        self._complain("")
        return True

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            self._trouble = reason
            self._tell(Trouble(reason=reason))

    async def _introduce(self) -> None:
        """Whoever writes for the first time sends along who they are; that is done before one looks."""
        pairs = {frozenset((line.sender, to)) for line in SCRIPT for to in line.to}
        for one, other in (sorted(pair) for pair in pairs):
            for sender, to in ((one, other), (other, one)):
                receipt = await self.people.first(sender).device.send(to, "Hello.")
                await receipt.delivered()
        self._read()

    def _ordered_line(self) -> Line:
        return Line(ALICE, (BOB,), self._ordered.pop(0))

    async def _scene(self, line: Line) -> None:
        """Somebody writes to people whose devices are off; the relay has it; they switch on; they read."""
        others = [who for who in line.to if who != line.sender]
        await self.people.sleep(*others)
        first = next(self._numbers)
        postures = ("standard", "sealed") if self._way is Way.BOTH else (self._way.value,)
        sent = [
            await self._send(line, posture, first if at == 0 else next(self._numbers), first)
            for at, posture in enumerate(postures)
        ]
        for each in sent:
            await each.receipt.accepted()
        await self._hold()
        await self.people.wake(*others)
        for each in sent:
            await each.receipt.delivered()
        await self._hold()
        self._read()
        for each in sent:
            await each.receipt.read(_PATIENCE)
        await self._hold()

    async def _hurry(self) -> None:
        """One of many."""
        await self.people.wake(*DEVICES)
        self._read()
        number = next(self._numbers)
        sender, to = QUICK[number % len(QUICK)]
        words = QUICK_WORDS[number % len(QUICK_WORDS)]
        posture = self._way.value if self._way is not Way.BOTH else ("standard", "sealed")[number // 2 % 2]
        await self._send(Line(sender, (to,), words), posture, number, number)
        self._changed.clear()
        if self._rate:
            # By the clock and not after the last one, which takes time, too; what is long overdue is not made up for.
            self._due = max(self._due, time.monotonic() - _OVERDUE) + 1 / self._rate
            await _first(self._changed, max(0.0, self._due - time.monotonic()))

    async def _send(self, line: Line, posture: str, number: int, pair: int) -> _Sent:
        device = self.people.first(line.sender).device
        if line.subject is not None:
            enclosed = [Attachment(line.attachment, CONTRACT, "text/plain")] if line.attachment else []
            receipt = await device.send_mail(line.to, line.subject, line.text, attachments=enclosed, posture=posture)
        elif line.group is not None:
            receipt = await device.send(self._group_of(device, line), line.text, posture=posture)
        else:
            receipt = await device.send(line.to[0], line.text, posture=posture)
        sent = _Sent(line, device, receipt, number, pair, posture)
        self._sent[receipt.id] = sent
        if len(self._sent) > _FOLLOWED:
            self._sent.popitem(last=False)
        self._tell_of(sent)
        return sent

    def _group_of(self, device: Device, line: Line) -> Group:
        if self._group is None:
            self._group = device.create_group(line.group or "", [UserAddress.parse(each) for each in line.to])
        return self._group

    def _read(self) -> None:
        """Everybody looks at what their devices have."""
        unread, self._unread = self._unread, {}
        for messages in unread.values():
            for message in messages:
                message.mark_read()

    # --- time

    async def _hold(self) -> None:
        """Let one look. While it is paused nothing changes, so that one can explain it; in a hurry nobody looks."""
        if not self._rate:
            await asyncio.sleep(self._beat)
        await self._unpaused()

    async def _unpaused(self) -> None:
        while self._paused and not self._ordered:
            self._changed.clear()
            await self._changed.wait()


async def _first(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
