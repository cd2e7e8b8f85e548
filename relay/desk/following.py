"""Where a reader of a real-time order stands, and what is ready for it.

A stream needs no queue of its own: the records are durable, in the order of their numbers, and a reader that is slow or away
goes on behind the last one that it has. So memory is bounded, and nothing is lost but what retention deletes, or what happened
to connections while the relay did not watch; a `Gap` says so.
"""

import asyncio
import re
from collections import deque
from dataclasses import astuple, dataclass, field, replace
from typing import Final, Self

from blindrelay.policies.package import access
from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.request import Target
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEvent
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.ledger import AccessRecord as Connection

# Events that are ready for a reader and not taken: two seconds of a device that sends as fast as the relay's limits let it.
# One that does not take them reads on from the store, when it has.
MAX_READY: Final = 4_096

# Events of connections that are kept for a reader who is away: a device that reconnects every minute for eight hours.
MAX_CONNECTIONS: Final = 1_024

_POSITION: Final = re.compile(r"[0-9]{1,19}(?:-[0-9]{1,19}){3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position.

    Attributes:
        traffic: number of the last traffic record that was gone through, a target's or not.
        at: no traffic record that was accepted before this second is missing. Epoch seconds.
        watch: which run of the relay `connection` counts in.
        connection: number of the last event of a connection.
    """

    traffic: int
    at: int
    watch: int
    connection: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text that `str` makes of it; raise `Malformed`."""
        if not _POSITION.fullmatch(text):
            raise Malformed("not a position of a stream: give back the last one that came, or none")
        return cls(*map(int, text.split("-")))

    def __str__(self) -> str:
        return f"{self.traffic}-{self.at}-{self.watch}-{self.connection}"


class Follower:
    """The one reader of an order.

    Attributes:
        cursor: what has been put into `ready`, or passed over.
        is_live: whether it gets new records as they are committed; otherwise it is still reading older ones from the store.
    """

    def __init__(self, cursor: Cursor, *, is_live: bool) -> None:
        self.cursor = cursor
        self.is_live = is_live
        self.ended: EndReason | None = None
        self.failure: Exception | None = None
        self._ready: deque[tuple[Cursor, TrafficRecord | AccessRecord | Gap]] = deque()
        self._taken = cursor
        self._changed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return len(self._ready) < MAX_READY

    def traffic(self, number: int, accepted_at: int, record: TrafficRecord) -> None:
        """A record is ready."""
        self._put(Cursor(number, accepted_at, self.cursor.watch, self.cursor.connection), record)

    def connection(self, number: int, record: AccessRecord) -> None:
        """A connection began or ended."""
        self._put(replace(self.cursor, connection=number), record)

    def passed(self, number: int, at: int) -> None:
        """Nothing up to this traffic record is missing, and nothing that was accepted before `at`."""
        self.cursor = Cursor(number, at, self.cursor.watch, self.cursor.connection)

    def gap(self, gap: Gap) -> None:
        """Something may be missing here."""
        self._put(self.cursor, gap)

    def _put(self, cursor: Cursor, record: TrafficRecord | AccessRecord | Gap) -> None:
        if self.ended in {None, EndReason.ORDER_ENDED}:
            self.cursor = cursor
            self._ready.append((cursor, record))
            self._changed.set()

    def nudge(self) -> None:
        """There may be something to do."""
        self._changed.set()

    def fall_behind(self) -> None:
        """It goes on from the store when it has taken what is ready."""
        self.is_live = False
        self._changed.set()

    def finish(self, reason: EndReason) -> None:
        """Nothing more comes. What is ready is still given when the order has run to its end, and only then."""
        if self.ended is None:
            self.ended = reason
            if reason is not EndReason.ORDER_ENDED and self._ready:
                self._ready.clear()
                self.cursor = self._taken
            self._changed.set()

    def fail(self, failure: Exception) -> None:
        """The records cannot be read."""
        self.failure = failure
        self._changed.set()

    def take(self) -> StreamEvent | None:
        """The next event that is ready."""
        if not self._ready:
            return None
        self._taken, record = self._ready.popleft()
        return StreamEvent(str(self._taken), record)

    async def wait_changed(self) -> None:
        """Wait until there may be something to do. Cancelling is safe."""
        await self._changed.wait()
        self._changed.clear()


@dataclass(frozen=True, slots=True)
class Happened:
    """A connection began (`record.closed_hour` is None) or ended, at this moment, epoch seconds."""

    number: int
    record: Connection
    at: float


@dataclass(slots=True, eq=False)
class Watched:
    """An order that runs, or has ended and may still be read.

    Attributes:
        since, until: its seconds, the last one not included.
        begun_at: when the relay was given it.
        first: number of a traffic record up to which none is in it.
        accounts: of its targets, as far as they are enrolled.
        is_over: everything that was accepted before its end is committed.
        connections: events of connections with their numbers, the newest ones.
        told: number of the last one.
    """

    targets: tuple[Target, ...]
    classes: frozenset[DataClass]
    since: int
    until: int
    begun_at: float
    first: int
    accounts: tuple[int, ...]
    follower: Follower | None = None
    is_over: bool = False
    connections: "deque[tuple[int, AccessRecord]]" = field(default_factory=lambda: deque(maxlen=MAX_CONNECTIONS))
    told: int = 0
    _open: set[int] = field(default_factory=set)

    @property
    def has_traffic(self) -> bool:
        """Whether it is about messages."""
        return DataClass.TRAFFIC in self.classes

    @property
    def has_connections(self) -> bool:
        """Whether it is about connections."""
        return DataClass.ACCESS in self.classes

    def contains(self, moment: float) -> bool:
        """Whether the order covers this moment, epoch seconds."""
        return self.since <= moment < self.until

    def keep(self, event: Happened) -> None:
        """Keep the event of a connection, if it is the order's: a beginning in its span, or the end of what began in it."""
        if not self.has_connections or event.record.account_id not in self.accounts or not self.contains(event.at):
            return
        if event.record.closed_hour is None:
            self._open.add(event.number)
        elif event.number not in self._open:
            return
        else:
            self._open.discard(event.number)
        self.told += 1
        self.connections.append((self.told, access(astuple(event.record))))
        if self.follower is not None:
            self.follower.nudge()

    def tell_connections(self, follower: Follower) -> bool:
        """Give `follower` the events of connections that it has not had; whether there are any."""
        last = follower.cursor.connection
        if self.told <= last:
            return False
        if self.connections[0][0] > last + 1:
            follower.gap(Gap(data_class=DataClass.ACCESS, reason=GapReason.OVERFLOW))
        for number, record in self.connections:
            if number > last:
                follower.connection(number, record)
        return True
