"""One device of the workload: it sends numbered messages, retries what has no PUBACK, and acknowledges as its mood is.

Everything that it does and sees goes into its journal before it has any effect.
"""

import asyncio
import contextlib
import enum
import random
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import mqtt5

from blindrelay.proofs.chaos.evidence import label
from blindrelay.proofs.chaos.history import Disturbance
from blindrelay.proofs.chaos.journal import Journal, Kind
from blindrelay.proofs.chaos.wire import Endpoint, NotAdmitted, Packet, Wire
from blindrelay.protocol import sizes, topics
from blindrelay.protocol.address import DeviceAddress

SESSION_EXPIRY = 3_600
PING_EVERY = 1.0
# How long a connection that another has taken over is kept to see whether the relay ends it. Longer than the oracle's bound.
AFTERLIFE = 3.0
WINDOW = 8
RECEIVE_MAXIMA = (1, 4, 20, 100)


class Mood(enum.Enum):
    """How a connection behaves. A new one is drawn for each."""

    PROMPT = "acknowledges at once"
    LATE = "acknowledges some time later, several at once"
    NEVER = "acknowledges nothing, and leaves"
    DEAF = "stops reading now and then"
    RESTLESS = "leaves soon, often without a word"
    STEADY = "acknowledges at once, and stays"  # never drawn: for those runs alone that ask for it
    DOUBLE = "opens a second connection while the first still stands, and acknowledges on the first when it is too late"


# How often, in relation to each other, and for how long (seconds) a connection is kept.
_MOODS: Final = {
    Mood.PROMPT: (8, (1.5, 6.0)),
    Mood.LATE: (3, (1.0, 3.0)),
    Mood.NEVER: (2, (0.4, 1.2)),
    Mood.DEAF: (2, (1.0, 3.0)),
    Mood.RESTLESS: (3, (0.1, 0.8)),
    Mood.DOUBLE: (2, (0.3, 1.2)),
    Mood.STEADY: (0, (3_600.0, 3_600.0)),
}
# Those that change nothing when everybody is to behave.
_CALM: Final = (Mood.PROMPT, Mood.STEADY)


@dataclass(slots=True)
class Outgoing:
    """A message that this device wants to be rid of."""

    message_id: bytes
    recipient: DeviceAddress
    number: int
    payload: bytes = field(repr=False)
    ttl: int | None
    packet_id: int = 0


@dataclass(slots=True)
class Visit:
    """One connection."""

    number: int
    mood: Mood
    receive_max: int
    connected: bool = False
    resumed: bool = False
    overtaken: bool = False
    leaving: bool = False
    heard_at: float = 0.0
    wire: Wire | None = None
    unacknowledged: deque[tuple[int, bytes]] = field(default_factory=deque)
    admitted: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Device:
    """One identity, one connection at a time (two, while one takes the other over).

    `endpoints` are where it may connect to: one is drawn for each connection. `mood` is that of every connection until
    `calm_down`; without one it is drawn for each.
    """

    def __init__(
        self,
        address: DeviceAddress,
        endpoints: Sequence[Endpoint],
        journal: Journal,
        chance: random.Random,
        mood: Mood | None = None,
    ) -> None:
        self.address = address
        self.journal = journal
        self.connected = asyncio.Event()
        self._endpoints = endpoints
        self._chance = chance
        self._mood = mood
        self._calm = False
        self._hurry = False
        self._is_mute = False
        self._is_subscribed = False
        self._wants_clean_start = False
        self._visits = 0
        self._visit: Visit | None = None
        self._outgoing: deque[Outgoing] = deque()
        self._pending: dict[int, Outgoing] = {}
        self._numbers: dict[DeviceAddress, int] = {}
        self._next_packet_id = 0
        self._handed: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.deafness: list[Disturbance] = []

    # What the workload asks for.

    def start(self) -> None:
        """Connect, and stay connected in its fashion until `stop`."""
        self._spawn(self._live())

    def send(self, recipient: DeviceAddress, size: int = sizes.MIN_ENVELOPE, ttl: int | None = None) -> None:
        """Queue one more message to `recipient`."""
        number = self._numbers[recipient] = self._numbers.get(recipient, 0) + 1
        start = label(str(self.address), str(recipient), number)
        payload = start + self._chance.randbytes(size - len(start))
        self._outgoing.append(Outgoing(self._chance.randbytes(16), recipient, number, payload, ttl))
        self._pump()

    def calm_down(self) -> None:
        """Be prompt from now on, and resolve what is open."""
        self._calm = True
        if (visit := self._visit) is not None and visit.mood not in _CALM:
            self._leave(visit, abort=False)

    def hurry(self) -> None:
        """Drop the connection without a word and come back without waiting."""
        self._hurry = True
        if (visit := self._visit) is not None:
            self._leave(visit, abort=True)

    def read(self, *, does: bool) -> None:
        """Read nothing from now on, on any connection; or read again."""
        self._is_mute = not does
        if (visit := self._visit) is not None and visit.wire is not None:
            visit.wire.resume() if does else visit.wire.pause()

    async def stop(self) -> None:
        """Say goodbye and be over."""
        self._stopped = True
        if (visit := self._visit) is not None:
            self._leave(visit, abort=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(visit.over.wait(), 2.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._visit is not None:  # admitted in the very moment
            self._leave(self._visit, abort=True)

    @property
    def has_open_ends(self) -> bool:
        """Whether something has still to be sent, or is on its way without an answer."""
        return bool(self._outgoing or self._pending)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that has been admitted and stands."""
        return self._visit is not None and self._visit.wire is not None and self._visit.wire.is_open

    # The life of a connection.

    def _spawn(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self) -> None:
        while not self._stopped:
            with contextlib.suppress(OSError, NotAdmitted, TimeoutError, asyncio.IncompleteReadError):
                await self._stay(await self._connect())
            if not self._hurry:
                await asyncio.sleep(self._chance.uniform(0.05, 0.3))
            self._hurry = False

    async def _connect(self) -> Visit:
        """Open a connection and get through CONNECT; raise OSError, TimeoutError or NotAdmitted."""
        self._visits += 1
        mood = self._mood or self._chance.choices(list(_MOODS), [weight for weight, _ in _MOODS.values()])[0]
        if self._calm:
            mood = Mood.PROMPT
        visit = Visit(self._visits, mood, self._chance.choice(RECEIVE_MAXIMA))
        patience = 5.0 if self._calm else self._chance.uniform(1.0, 4.0)
        async with asyncio.timeout(patience):
            visit.wire = await Wire.open(
                self._somewhere(), lambda packet: self._received(visit, packet), lambda code: self._ended(visit, code)
            )
        # A clean start may take effect without our ever seeing its CONNACK. So it is asked for until it has been granted:
        # the journal is not to have a session that is present and has forgotten what was sent in it.
        clean_start = self._wants_clean_start or (not self._calm and self._chance.random() < 0.15)
        self._wants_clean_start = clean_start
        self._is_subscribed = self._is_subscribed and not clean_start
        self.journal.write(Kind.KNOCKED, visit.number)
        visit.wire.send(
            mqtt5.ConnectPacket(
                str(self.address),
                clean_start=clean_start,
                keep_alive=60,
                session_expiry_interval=SESSION_EXPIRY,
                receive_max=visit.receive_max,
            )
        )
        try:
            async with asyncio.timeout(patience):
                await visit.admitted.wait()
        except BaseException:
            self._leave(visit, abort=True)
            raise
        if not visit.connected:
            visit.wire.abort()
            raise NotAdmitted("the relay refused the connection", visit.refusal)
        self._wants_clean_start = False
        return visit

    def _somewhere(self) -> Endpoint:
        return self._endpoints[0] if len(self._endpoints) == 1 else self._chance.choice(self._endpoints)

    async def _stay(self, visit: Visit) -> None:
        """Until the connection is over, however that comes."""
        if self._calm and visit.mood not in _CALM:  # everybody was told while it was connecting
            self._leave(visit, abort=False)
        self._spawn(self._watch(visit))
        if visit.mood is Mood.DEAF:
            self._spawn(self._doze(visit))
        if visit.mood is Mood.LATE:
            self._spawn(self._acknowledge_late(visit))
        try:
            async with asyncio.timeout(None if self._calm else self._chance.uniform(*_MOODS[visit.mood][1])):
                await visit.over.wait()
        except TimeoutError:
            if visit.mood is Mood.DOUBLE and not self._calm:
                await self._take_over(visit)
            else:
                self._leave(visit, abort=self._chance.random() < 0.6)
                await visit.over.wait()

    async def _take_over(self, old: Visit) -> None:
        """Connect again while the old connection stands, then speak late on the old one: it must have no effect."""
        try:
            new = await self._connect()
        except BaseException:
            self._leave(old, abort=True)
            raise
        for packet_id, message_id in old.unacknowledged:
            if old.wire is not None and old.wire.is_open:
                self.journal.write(Kind.LATE, old.number, message_id=message_id, packet_id=packet_id)
                old.wire.send(mqtt5.PubAckPacket(packet_id))
        self._spawn(self._bury(old))
        await self._stay(new)

    async def _bury(self, old: Visit) -> None:
        try:
            async with asyncio.timeout(AFTERLIFE):
                await old.over.wait()
        except TimeoutError:
            pass  # the oracle sees how long it lived
        finally:
            self._leave(old, abort=True)

    async def _watch(self, visit: Visit) -> None:
        """Ping, and give up on a connection that answers nothing for too long."""
        loop = asyncio.get_running_loop()
        patience = self._chance.uniform(1.5, 4.0)
        while not visit.over.is_set():
            await asyncio.sleep(PING_EVERY)
            if visit.wire is None or visit.overtaken:
                return
            visit.wire.send(mqtt5.PingReqPacket())
            if self._is_mute:
                visit.wire.pause()  # also one that has just been admitted
                visit.heard_at = loop.time()
            elif visit.mood is not Mood.DEAF and loop.time() - visit.heard_at > patience + PING_EVERY:
                self._leave(visit, abort=True)
                return

    async def _doze(self, visit: Visit) -> None:
        start = self.journal.now()
        while visit.wire is not None and not visit.over.is_set():
            visit.wire.pause()
            await asyncio.sleep(self._chance.uniform(0.2, 0.8))
            visit.wire.resume()
            await asyncio.sleep(self._chance.uniform(0.1, 0.4))
        self.deafness.append(
            Disturbance("a client that does not read", start, self.journal.now(), delays=True, client=str(self.address))
        )

    async def _acknowledge_late(self, visit: Visit) -> None:
        while not visit.over.is_set():
            await asyncio.sleep(self._chance.uniform(0.02, 0.3))
            for _ in range(self._chance.randint(1, 12)):
                if visit.unacknowledged and not visit.overtaken:
                    self._acknowledge(visit)

    def _leave(self, visit: Visit, *, abort: bool) -> None:
        visit.leaving = True
        if visit.wire is not None:
            visit.wire.resume()
            visit.wire.abort() if abort else visit.wire.close()

    # What arrives.

    def _received(self, visit: Visit, packet: Packet) -> None:
        visit.heard_at = asyncio.get_running_loop().time()
        match packet:
            case mqtt5.ConnAckPacket():
                self._admitted(visit, packet)
            case mqtt5.PubAckPacket():
                if not visit.overtaken:
                    self._answered(visit, packet)
            case mqtt5.PublishPacket():
                self._arrived(visit, packet)
            case mqtt5.SubAckPacket():
                self._is_subscribed = True
                self.connected.set()

    def _admitted(self, visit: Visit, packet: mqtt5.ConnAckPacket) -> None:
        visit.admitted.set()
        if int(packet.reason_code):
            visit.refusal = int(packet.reason_code)
            return
        visit.connected, visit.resumed = True, packet.session_present
        self.journal.write(Kind.CONNECTED, visit.number, resumed=packet.session_present, receive_max=visit.receive_max)
        if (old := self._visit) is not None and not old.over.is_set():
            old.overtaken = True
            self._give_up_on_answers(old)
        self._visit = visit
        self._is_subscribed = self._is_subscribed and packet.session_present
        if visit.wire is not None and not self._is_subscribed:
            wanted = mqtt5.TopicFilter(topics.inbox(self.address), max_qos=mqtt5.QoS.AT_LEAST_ONCE)
            visit.wire.send(mqtt5.SubscribePacket(self._new_packet_id(), [wanted]))
        self._pump()

    def _arrived(self, visit: Visit, packet: mqtt5.PublishPacket) -> None:
        message_id, packet_id = packet.correlation_data or b"", packet.packet_id or 0
        digest = sha256(packet.payload).hexdigest()
        self.journal.write(
            Kind.WIRE,
            visit.number,
            message_id=message_id,
            packet_id=packet_id,
            dup=packet.duplicate,
            ttl=packet.message_expiry_interval,
            digest=digest,
        )
        visit.unacknowledged.append((packet_id, message_id))
        if visit.overtaken or visit.leaving:
            return
        # One envelope keeps its packet id however often it is sent: it is derived from its place in the inbox. The same
        # message under another packet id is another envelope, and handed over, so that the oracle sees it.
        if self._handed.get(message_id) != packet_id:
            self._handed[message_id] = packet_id
            self.journal.write(Kind.HANDED, visit.number, message_id=message_id, packet_id=packet_id, digest=digest)
        if visit.mood not in {Mood.LATE, Mood.NEVER, Mood.DOUBLE}:
            self._acknowledge(visit)

    def _acknowledge(self, visit: Visit) -> None:
        packet_id, message_id = visit.unacknowledged.popleft()
        if visit.wire is not None and visit.wire.is_open and not visit.leaving:
            self.journal.write(Kind.CONFIRMED, visit.number, message_id=message_id, packet_id=packet_id)
            visit.wire.send(mqtt5.PubAckPacket(packet_id))

    def _answered(self, visit: Visit, packet: mqtt5.PubAckPacket) -> None:
        if (message := self._pending.pop(packet.packet_id, None)) is None:
            return
        kind = Kind.REFUSED if int(packet.reason_code) >= 0x80 else Kind.ACKED
        self.journal.write(
            kind,
            visit.number,
            message_id=message.message_id,
            packet_id=packet.packet_id,
            code=int(packet.reason_code),
        )
        self._pump()

    def _ended(self, visit: Visit, code: int) -> None:
        visit.admitted.set()
        if visit.connected:
            self.journal.write(Kind.CLOSED, visit.number, code=code, own=visit.leaving)
        visit.over.set()
        if self._visit is visit:
            self._visit = None
            self._give_up_on_answers(visit)

    # What leaves.

    def _give_up_on_answers(self, visit: Visit) -> None:
        """What has no PUBACK yet is tried again, in its order and before anything new; a few are given up."""
        again: list[Outgoing] = []
        for message in self._pending.values():
            self.journal.write(Kind.UNKNOWN, visit.number, message_id=message.message_id)
            if self._calm or self._chance.random() > 0.03:
                again.append(message)
        self._pending.clear()
        self._outgoing.extendleft(reversed(again))

    def _pump(self) -> None:
        visit = self._visit
        while (
            visit is not None
            and visit.wire is not None
            and visit.wire.is_open
            and not visit.leaving
            and self._outgoing
            and len(self._pending) < WINDOW
        ):
            self._publish(visit, visit.wire, self._outgoing.popleft())

    def _publish(self, visit: Visit, wire: Wire, message: Outgoing) -> None:
        # 4.4.0-1: a resumed session sends again under the original packet id; a new one knows nothing of it.
        again = visit.resumed and message.packet_id != 0 and message.packet_id not in self._pending
        if not again:
            message.packet_id = self._new_packet_id()
        self._pending[message.packet_id] = message
        self.journal.write(
            Kind.INTENT,
            visit.number,
            message_id=message.message_id,
            recipient=str(message.recipient),
            number=message.number,
            digest=sha256(message.payload).hexdigest(),
            ttl=message.ttl,
            packet_id=message.packet_id,
            dup=again,
        )
        wire.send(
            mqtt5.PublishPacket(
                topics.to(message.recipient),
                message.payload,
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                packet_id=message.packet_id,
                duplicate=again,
                correlation_data=message.message_id,
                message_expiry_interval=message.ttl,
            )
        )

    def _new_packet_id(self) -> int:
        while True:
            self._next_packet_id = self._next_packet_id % 65_535 + 1
            if self._next_packet_id not in self._pending:
                return self._next_packet_id
