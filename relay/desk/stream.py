"""Real-time orders: records of their targets, as they are committed, from the first second of the order to the last.

What is delivered is what a package could hold, and never an envelope: records of traffic and of connections (IRI, in ETSI's
words; there is no CC). Traffic is read from the table that the message path writes anyway, behind the last number that a reader
has: `blindrelay.relay.desk.following`. One look at the table serves all readers. So the message path pays a call per commit,
and only while somebody reads; and looks are spaced so that they take a small share of the relay's time, however much there is
to tell: a busy relay delivers later, not less.

Connections are kept to the hour, which is not exact enough for an order that begins at ten past. So the ledger tells of them as
they happen, or of several nodes the database does, and they are told while the relay watches: see `GapReason.NOT_WATCHED`.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import sqlalchemy
import structlog

from blindrelay.policies.package import traffic
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEnd, StreamEvent
from blindrelay.policies.vocabulary import METADATA, DataClass
from blindrelay.relay.desk.errors import DeskError, NothingToFetch
from blindrelay.relay.desk.following import Cursor, Follower, Happened, Watched
from blindrelay.relay.desk.ports import StreamOrder
from blindrelay.relay.desk.selection import PIECE, NotSelectable, seconds
from blindrelay.relay.desk.tail import MAX_ROWS, Tail
from blindrelay.relay.errors import StoreError
from blindrelay.relay.ledger import DAY, Watch
from blindrelay.relay.ledger import AccessRecord as Connection
from blindrelay.relay.store.metadata import OpenMetadata

# How late the end of an order may be noticed when nothing happens. Seconds.
_TICK: Final = 0.5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often one looks.

    Attributes:
        interval: how long a commit waits for others, before they are looked at together. Seconds.
        pause: after a look that took t seconds, the next one waits for this many times t.
        longest_pause: however long a look took. Seconds.
        pause_behind: the same after a look of one reader at what it has missed.
    """

    interval: float = 0.25
    pause: float = 40.0
    longest_pause: float = 2.0
    pause_behind: float = 8.0


class Exchange(Protocol):
    """What is asked of the message path."""

    on_commit: Callable[[], None] | None

    def drain(self) -> Awaitable[None]:
        """Wait until what has been accepted so far is committed."""


class Ledger(Protocol):
    """What is asked of the ledger."""

    watch: Watch | None


class Connections(Protocol):
    """Those to all nodes, where there are several: `blindrelay.relay.cluster.connections`. All raise what the store raises."""

    async def watch(self, orders: Collection[tuple[str, Watched]]) -> None:
        """Tell of these orders' connections from now on, each with its key, and of no others. On return nothing is missed."""

    async def happened(self) -> list[Happened]:
        """What has begun or ended since this was asked last."""


class RealTimeOrders:
    """The desk's `Streams`. Use `start`, and `stop` before the store is closed.

    Args:
        metadata: the relay's.
        exchange, ledger: tell of commits and of connections.
        now: the clock by which messages are dated, epoch seconds.
        traffic_days: for how long retention leaves traffic.
        pace: how often one looks.
        connections: tells of those to all nodes, where there are several. Without it `ledger` tells of all that there are.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        metadata: OpenMetadata,
        *,
        exchange: Exchange,
        ledger: Ledger,
        now: Callable[[], float],
        traffic_days: int,
        pace: Pace | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._tail = Tail(metadata)
        self._exchange = exchange
        self._ledger = ledger
        self._now = now
        self._kept = traffic_days * DAY
        self._pace = pace or Pace()
        self._connections = connections
        self._watch = secrets.randbits(60)
        self._orders: dict[str, Watched] = {}
        self._head = 0  # live followers have had everything up to this number
        self._newest_device = 0
        self._connected: dict[int, Connection] = {}
        self._happened: list[Happened] = []
        self._woken = asyncio.Event()
        self._rounds = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look at what is committed."""
        await self._tail.open()
        await self._watch_nodes()
        self._work = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Tell the readers to come back later, and let go of the database."""
        self._exchange.on_commit = self._ledger.watch = None
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        if self._connections is not None:
            with contextlib.suppress(StoreError):  # then it is forgotten when it is over
                await self._connections.watch(())
        for order in self._orders.values():
            if order.follower is not None:
                order.follower.finish(EndReason.STOPPING)
        await self._tail.close()

    # The desk's.

    async def begin(self, order: StreamOrder) -> None:
        """Begin an order, or change the span of the one of the same key. Its accounts are those of its targets at any time.

        Raises `NotSelectable` when it is about more than metadata, about others than accounts, or has no span.
        """
        if not order.classes <= METADATA or order.span is None:
            raise NotSelectable("there is nothing but metadata that could be streamed, and only in a span of time")
        now, span = self._now(), seconds(order.span)
        newest = await self._tail.newest()
        (accounts,) = await self._tail.accounts([order.targets])
        known = self._orders.get(order.key)
        if known is None:
            first = newest.message if now <= span.since else 0
            self._orders[order.key] = Watched(
                order.targets, order.classes, span.since, span.until, now, first, accounts
            )
        elif (known.until, known.targets) != (span.until, order.targets):
            known.targets, known.until, known.accounts, known.is_over = order.targets, span.until, accounts, False
        if self._connections is not None:
            await self._watch_nodes()
            if known is None:
                self._orders[order.key].begun_at = self._now()
        self._listen()

    async def end(self, key: str) -> None:
        """Stop an order before its time: what has not been read is not given any more."""
        order = self._orders.pop(key, None)
        if order is not None and order.follower is not None:
            order.follower.finish(EndReason.ENDED_EARLY)
        await self._watch_nodes()
        self._listen()

    def follow(self, key: str, after: str | None = None) -> AsyncIterator[StreamEvent]:
        """See `blindrelay.relay.desk.ports.Streams.follow`."""
        order = self._orders.get(key)
        if order is None:
            raise NothingToFetch("there is no real-time order for this demand, or not any more")
        return self._follow(order, None if after is None else Cursor.parse(after))

    async def _follow(self, order: Watched, after: Cursor | None) -> AsyncIterator[StreamEvent]:
        follower = self._attach(order, after)
        try:
            while True:
                while (event := follower.take()) is not None:
                    yield event
                if follower.failure is not None:
                    raise follower.failure
                if follower.ended in {None, EndReason.ORDER_ENDED} and order.tell_connections(follower):
                    continue
                if follower.ended is not None:
                    yield StreamEvent(str(follower.cursor), StreamEnd(reason=follower.ended))
                    return
                if follower.is_live:
                    await follower.wait_changed()
                else:
                    await self._catch_up(order, follower)
        finally:
            if order.follower is follower:
                order.follower = None
            self._listen()

    def _attach(self, order: Watched, after: Cursor | None) -> Follower:
        if order.follower is not None:
            order.follower.finish(EndReason.REPLACED)
        is_known = after is not None and after.watch == self._watch
        cursor = after or Cursor(order.first, order.since, self._watch, 0)
        follower = Follower(
            cursor if is_known else replace(cursor, watch=self._watch, connection=0), is_live=not order.has_traffic
        )
        has_missed = order.since < order.begun_at if after is None else not is_known
        if order.has_connections and has_missed:
            follower.gap(Gap(data_class=DataClass.ACCESS, reason=GapReason.NOT_WATCHED))
        order.follower = follower
        self._listen()
        self._woken.set()
        return follower

    async def _catch_up(self, order: Watched, follower: Follower) -> None:
        """Read a piece of what a follower has missed. One that has everything is live."""
        begin, edge = asyncio.get_running_loop().time(), int(self._now()) - self._kept
        if follower.cursor.at < edge:
            follower.passed(follower.cursor.traffic, edge)
            follower.gap(Gap(data_class=DataClass.TRAFFIC, reason=GapReason.RETENTION))
        if follower.cursor.traffic == 0:  # what was there before the order began is not gone through
            follower.passed(await self._tail.before(order.since), follower.cursor.at)
        newest = (await self._tail.newest()).message
        if follower.ended is not None:
            return
        if newest < follower.cursor.traffic:  # numbers begin anew in a table that has been emptied
            follower.passed(0, follower.cursor.at)
        after = follower.cursor.traffic
        upper = min(newest, after + PIECE)
        found = await self._tail.messages(order.accounts, after, upper)
        for number, *row in found:
            if order.contains(row[3]):
                follower.traffic(number, row[3], traffic(row))
        if len(found) == MAX_ROWS:
            follower.passed(found[-1][0], follower.cursor.at)
        else:
            follower.passed(upper, follower.cursor.at)
            if upper == newest:
                self._join(follower)
                return
        await asyncio.sleep(self._pace.pause_behind * (asyncio.get_running_loop().time() - begin))

    def _join(self, follower: Follower) -> None:
        """A follower has had everything up to its cursor. It is live if nobody live has had more."""
        if not any(other.is_live for _, other in self._reading_traffic()):
            self._head = follower.cursor.traffic
        if follower.cursor.traffic >= self._head:
            follower.is_live = True
            self._woken.set()

    # What is happening.

    def opened(self, number: int, record: Connection, at: float) -> None:
        """See `blindrelay.relay.ledger.Watch`."""
        self._connected[number] = record
        self._happened.append(Happened(number, record, at))
        self._woken.set()

    def closed(self, number: int, hour: int, at: float) -> None:
        """See `blindrelay.relay.ledger.Watch`."""
        record = self._connected.pop(number, None)
        if record is not None:
            self._happened.append(Happened(number, replace(record, closed_hour=hour), at))
            self._woken.set()

    def _listen(self) -> None:
        """Be told of what somebody wants to know, and of nothing else."""
        self._exchange.on_commit = self._woken.set if self._reading_traffic() else None
        is_watching = bool(self._watching())
        self._ledger.watch = self if is_watching and self._connections is None else None
        if not is_watching:
            self._connected.clear()

    def _watching(self) -> list[tuple[str, Watched]]:
        now = self._now()
        return [(key, order) for key, order in self._orders.items() if order.has_connections and now < order.until]

    async def _watch_nodes(self) -> None:
        """Let the nodes tell of the connections that an order is about."""
        if self._connections is not None:
            await self._connections.watch(self._watching())

    def _reading_traffic(self) -> list[tuple[Watched, Follower]]:
        orders = self._orders.values()
        return [(order, order.follower) for order in orders if order.follower is not None and order.has_traffic]

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._woken.wait()
                await asyncio.sleep(self._pace.interval)
            self._woken.clear()
            begin = loop.time()
            try:
                await self.round()
            except (sqlalchemy.exc.SQLAlchemyError, StoreError) as error:
                _log.error("real-time orders cannot be read", exc_info=error)
                self._fail()
            await asyncio.sleep(min(self._pace.pause * (loop.time() - begin), self._pace.longest_pause))

    def _fail(self) -> None:
        for order in self._orders.values():
            if order.follower is not None:
                order.follower.fail(DeskError("the records cannot be read now: come back with the last position"))

    async def round(self) -> None:
        """Look once at what has happened, and give it to whoever follows. Raises what reading the store raises."""
        async with self._rounds:
            is_told = self._connections is not None and any(order.has_connections for order in self._orders.values())
            if not is_told and not self._happened and not any(order.follower for order in self._orders.values()):
                return
            now = self._now()
            ending = [order for order in self._orders.values() if order.follower and now >= order.until]
            if not all(order.is_over for order in ending):
                await self._exchange.drain()
            if self._connections is not None and is_told:
                # Before it is looked for new devices: whose connection is told of was enrolled by then.
                self._happened += await self._connections.happened()
            newest = await self._tail.newest()
            orders = list(self._orders.values())
            if newest.device != self._newest_device:
                await self._resolve(orders)
                self._newest_device = newest.device
            happened, self._happened = self._happened, []
            for order in orders:
                for event in happened:
                    order.keep(event)
            has_all = await self._pass_on(newest.message, int(now))
            for order in ending:
                order.is_over = True
                if order.follower is not None and order.follower.is_live and has_all:
                    order.follower.finish(EndReason.ORDER_ENDED)
            await self._watch_nodes()
            self._listen()

    async def _resolve(self, orders: list[Watched]) -> None:
        """Targets are users: their accounts may be more than they were."""
        found = await self._tail.accounts([order.targets for order in orders])
        for order, accounts in zip(orders, found, strict=True):
            order.accounts = accounts

    async def _pass_on(self, newest: int, now: int) -> bool:
        """Give the live followers what is new; whether that is everything up to `newest`."""
        live = [(order, follower) for order, follower in self._reading_traffic() if follower.is_live]
        if not live:
            return True
        if newest < self._head:  # the table has been emptied
            self._head = 0
            for _, follower in live:
                follower.passed(0, follower.cursor.at)
        upper = min(newest, self._head + PIECE)
        if upper > self._head:
            observed: dict[int, list[tuple[Watched, Follower]]] = {}
            for order, follower in live:
                for account in order.accounts:
                    observed.setdefault(account, []).append((order, follower))
            found = await self._tail.messages(sorted(observed), self._head, upper)
            if len(found) == MAX_ROWS:
                upper = found[-1][0]
            _hand_over(found, observed)
            self._head = upper
        served = {follower for _, follower in live}
        for _, follower in self._reading_traffic():
            if not follower.is_live:
                continue
            if follower in served:
                at = now if upper == newest else follower.cursor.at
                follower.passed(max(upper, follower.cursor.traffic), at)
            elif follower.cursor.traffic < upper:
                follower.fall_behind()  # it has become live while we were looking
        if upper < newest:
            self._woken.set()
        return upper == newest


def _hand_over(found: Sequence[Sequence[Any]], observed: dict[int, list[tuple[Watched, Follower]]]) -> None:
    """Give each live follower what is its order's. One that is full goes on from the store, behind the last that it got."""
    for number, *row in found:
        record, accepted_at = traffic(row), row[3]
        for account in (row[1], row[2]):
            for order, follower in observed.get(account, ()):
                # The second time, for the other account, its cursor is on this record.
                if not follower.is_live or follower.cursor.traffic >= number or not order.contains(accepted_at):
                    continue
                if follower.has_room:
                    follower.traffic(number, accepted_at, record)
                else:
                    follower.fall_behind()
