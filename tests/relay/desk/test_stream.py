"""Real-time orders (`relay/desk/stream.py`, `following.py`, `tail.py`): everything of the order's span, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from blindrelay.policies.records import AccessRecord, TrafficRecord
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.stream import EndReason, Gap, GapReason, StreamEnd, StreamEvent
from blindrelay.policies.vocabulary import DataClass
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk import following, tail
from blindrelay.relay.desk.errors import DeskError, NothingToFetch
from blindrelay.relay.desk.ports import StreamOrder
from blindrelay.relay.desk.selection import NotSelectable
from blindrelay.relay.desk.stream import Pace, RealTimeOrders
from blindrelay.relay.ledger import DAY, HOUR, Ledger
from blindrelay.relay.store import tables
from blindrelay.relay.store.engine import Store
from support.disclosure import (
    AUTHORISATION,
    NOW,
    TENANT,
    add_traffic,
    decision,
    device,
    enrol,
    many_messages,
    span,
    user,
)
from support.ledgered import Calendar, Direct

TRAFFIC, ACCESS = frozenset({DataClass.TRAFFIC}), frozenset({DataClass.ACCESS})
KEY = "case/d1"


pytestmark = pytest.mark.both_engines


class Commits:
    """The message path, as far as orders know it."""

    def __init__(self) -> None:
        self.on_commit: Callable[[], None] | None = None
        self.on_drain: Callable[[], None] = lambda: None
        self.drained = 0

    async def drain(self) -> None:
        self.drained += 1
        self.on_drain()


class Stage:
    """A relay's store and ledger, with real-time orders beside them, under a clock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Calendar(NOW)
        self.path = Commits()
        self.ledger = Ledger(Direct(self.store), self.clock)
        self.streams = self._streams()

    def _streams(self) -> RealTimeOrders:
        return RealTimeOrders(
            self.store.metadata_reader,
            exchange=self.path,
            ledger=self.ledger,
            now=self.clock.now,
            traffic_days=30,
            pace=Pace(0, 0, 0, 0),
        )

    async def restart(self) -> None:
        await self.streams.stop()
        self.streams = self._streams()
        await self.streams.start()

    def accept(self, *messages: tuple[int | None, int, int]) -> None:
        """Messages (sender, recipient, second) are committed."""
        add_traffic(self.store, *messages)
        if self.path.on_commit is not None:
            self.path.on_commit()

    async def begin(
        self,
        *targets: Target,
        key: str = "d1",
        classes: frozenset[DataClass] = TRAFFIC,
        since: float = NOW,
        until: float = NOW + 3_600,
    ) -> None:
        await self.streams.begin(
            StreamOrder(
                "case", key, decision(*targets), AUTHORISATION, "police", "Police",
                classes=classes, targets=targets, span=span(since, until),
            )
        )  # fmt: skip

    def follow(self, after: str | None = None, key: str = KEY) -> "Followed":
        return Followed(self.streams.follow(key, after))

    async def rest(self, after: str | None = None, key: str = KEY) -> list[Any]:
        """Everything up to the end of the order, whose time is over now."""
        self.clock.at = max(self.clock.at, NOW + 100_000)
        async with self.follow(after, key) as events:
            return [event.record async for event in events.limited()]


class Followed(aclosing[Any]):
    """An open stream."""

    def __init__(self, events: AsyncIterator[StreamEvent]) -> None:
        super().__init__(events)
        self.events = events

    async def __aenter__(self) -> "Followed":
        return self

    async def next(self) -> StreamEvent:
        async with asyncio.timeout(20):
            return await anext(self.events)

    async def take(self, count: int) -> list[StreamEvent]:
        return [await self.next() for _ in range(count)]

    async def limited(self) -> AsyncIterator[StreamEvent]:
        async with asyncio.timeout(20):
            async for event in self.events:
                yield event


def times(events: list[Any]) -> list[int]:
    """When messages were accepted, relative to `NOW`."""
    records = [event.record if isinstance(event, StreamEvent) else event for event in events]
    return [int(r.accepted.timestamp()) - NOW for r in records if isinstance(r, TrafficRecord)]


ENDED = StreamEnd(reason=EndReason.ORDER_ENDED)


@pytest.fixture
async def stage(open_store: Callable[[], Store]) -> AsyncIterator[Stage]:
    """Bob has accounts 1 and 2, Ann 3, Eve 4."""
    stage = Stage(open_store())
    enrol(stage.store)
    await stage.streams.start()
    yield stage
    await stage.streams.stop()


async def test_records_come_as_they_are_committed(stage: Stage) -> None:
    """What a target sends and receives, sealed or not, once and in order; nothing of what others write each other."""
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        waiting = asyncio.ensure_future(events.next())
        await asyncio.sleep(0)
        stage.accept((3, 4, NOW), (1, 3, NOW + 1))
        first = await waiting
        stage.accept((None, 2, NOW + 2), (1, 2, NOW + 3))
        others = await events.take(2)
    record = first.record
    assert isinstance(record, TrafficRecord)
    assert (record.sender_id, record.recipient_id) == (1, 3)
    assert times([first, *others]) == [1, 2, 3]
    assert await stage.rest() == [record, *(event.record for event in others), ENDED]


async def test_an_order_covers_its_seconds_and_no_other(stage: Stage) -> None:
    """From the first up to and without the last, whenever the reader comes; and then it is over."""
    await stage.begin(user("bob"), since=NOW + 10, until=NOW + 20)
    stage.accept(*((1, 3, NOW + second) for second in (9, 10, 19, 20, 21)))

    assert times(await stage.rest()) == [10, 19]


async def test_parts_of_a_second_do_not_widen_an_order(stage: Stage) -> None:
    """It begins with the first whole second in it."""
    await stage.begin(user("bob"), since=NOW + 9.5, until=NOW + 10.5)
    stage.accept(*((1, 3, NOW + second) for second in (9, 10, 11)))

    assert times(await stage.rest()) == [10]


async def test_it_stops_by_itself(stage: Stage) -> None:
    """A reader who waits is told of the end when the time is over, with nobody doing anything."""
    await stage.begin(user("bob"), until=NOW + 10)
    async with stage.follow() as events:
        stage.accept((1, 3, NOW + 9))
        assert times([await events.next()]) == [9]
        stage.clock.at = NOW + 10
        stage.accept((1, 3, NOW + 10))
        assert (await events.next()).record == ENDED
        with pytest.raises(StopAsyncIteration):
            await events.next()
    assert stage.path.on_commit is None


async def test_what_is_on_its_way_at_the_end_is_still_delivered(stage: Stage) -> None:
    """A message that was accepted in the last second may be committed after it."""
    await stage.begin(user("bob"), until=NOW + 10)
    stage.path.on_drain = lambda: add_traffic(stage.store, (1, 3, NOW + 9))

    assert times(await stage.rest()) == [9]
    assert stage.path.drained == 1


async def test_a_reader_goes_on_where_it_was(stage: Stage) -> None:
    """Nothing twice, nothing lost, whatever happened in between, and over a restart of the relay."""
    await stage.begin(user("bob"))
    stage.accept(*((1, 3, NOW + second) for second in range(5)))
    async with stage.follow() as events:
        seen = await events.take(3)
    stage.accept((1, 3, NOW + 5))
    await stage.restart()
    await stage.begin(user("bob"))

    assert times(await stage.rest(seen[-1].position)) == [3, 4, 5]


async def test_every_position_is_one_to_go_on_from(stage: Stage) -> None:
    """Behind each event come exactly the ones behind it."""
    await stage.begin(user("bob"))
    stage.accept(*((1, 3, NOW + second) for second in range(6)))
    async with stage.follow() as events:
        seen = await events.take(6)
    stage.clock.at = NOW + 3_600

    for number, event in enumerate(seen, 1):
        assert times(await stage.rest(event.position)) == list(range(number, 6))


async def test_a_reader_who_does_not_keep_up_loses_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: it reads on from the store when it has taken what was ready."""
    monkeypatch.setattr(following, "MAX_READY", 3)
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        stage.accept((1, 3, NOW))
        await events.next()
        stage.accept(*((1, 3, NOW + second) for second in range(1, 50)))
        await stage.streams.round()
        follower = stage.streams._orders[KEY].follower
        assert follower is not None
        assert len(follower._ready) == 3
        assert not follower.is_live
        stage.accept((1, 3, NOW + 50))
        assert times(await events.take(50)) == list(range(1, 51))
        await stage.streams.round()
        assert follower.is_live


async def test_more_than_one_look_gives_comes_with_the_next(stage: Stage) -> None:
    """For a reader who is there and for one who comes later; nothing is passed over at the seam."""
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        stage.accept((1, 3, NOW))
        await events.next()
        stage.accept(*((1, 3, NOW + 1 + number % 3) for number in range(3 * tail.MAX_ROWS)))
        assert len(times(await events.take(3 * tail.MAX_ROWS))) == 3 * tail.MAX_ROWS

    assert len(times(await stage.rest())) == 3 * tail.MAX_ROWS + 1


@pytest.mark.engine("sqlite")
async def test_what_was_there_before_an_order_is_not_gone_through(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approvals come after an order's beginning, so that its first reader looks back: to its beginning, however much there is.

    A clock that was set back by less than an hour hides nothing.
    """
    many_messages(Path(stage.store.name), 100_000, since=NOW - 10 * DAY)
    stage.accept((1, 2, NOW - 60), (1, 2, NOW), (1, 2, NOW - 1_800), (2, 1, NOW + 5))
    looks: list[int] = []
    read = tail.Tail.messages

    async def counted(self: tail.Tail, accounts: Any, after: int, upto: int) -> Any:
        looks.append(after)
        return await read(self, accounts, after, upto)

    monkeypatch.setattr(tail.Tail, "messages", counted)
    stage.clock.at = NOW + 60
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        found = [event.record.accepted.timestamp() for event in await events.take(2)]

    assert found == [NOW, NOW + 5]
    assert min(looks) >= 80_000
    assert len(looks) < 100


async def test_a_reader_who_was_away_for_too_long_is_told(stage: Stage) -> None:
    """What retention has deleted cannot be delivered: there is a gap, and not silence."""
    await stage.begin(user("bob"), until=NOW + 60 * DAY)
    stage.accept((1, 3, NOW), (1, 3, NOW + 1))
    async with stage.follow() as events:
        first = await events.next()
    stage.clock.at = NOW + 40 * DAY
    stage.accept((1, 3, NOW + 40 * DAY))
    async with stage.follow(first.position) as events:
        gap, *_ = await events.take(2)

    assert gap.record == Gap(data_class=DataClass.TRAFFIC, reason=GapReason.RETENTION)


async def test_numbers_that_begin_anew_lose_nothing(stage: Stage) -> None:
    """When retention has emptied the table, its numbers start from 1 again: for who reads, and for who comes back."""
    await stage.begin(user("bob"))
    stage.accept((1, 3, NOW), (1, 3, NOW + 1))
    async with stage.follow() as events:
        seen = await events.take(2)
        await stage.streams.round()
        connection = stage.store
        connection.commit([], [], [lambda c: c.execute(sqlalchemy.delete(tables.traffic)) and None])
        stage.accept((1, 3, NOW + 2))
        assert times([await events.next()]) == [2]

    assert times(await stage.rest(seen[-1].position)) == [2]


async def test_an_order_has_one_reader(stage: Stage) -> None:
    """A new one ends the one before, which is told so, and can see how far it came."""
    await stage.begin(user("bob"))
    stage.accept((1, 3, NOW))
    async with stage.follow() as first, stage.follow() as second:
        begun = await first.next()
        await second.next()
        ended = await first.next()
        assert ended.record == StreamEnd(reason=EndReason.REPLACED)
        assert ended.position.split("-")[0] == begun.position.split("-")[0]
        stage.accept((1, 3, NOW + 1))
        assert times([await second.next()]) == [1]


async def test_an_order_that_is_ended_gives_nothing_more(stage: Stage) -> None:
    """Not even what was ready."""
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        stage.accept((1, 3, NOW))
        await events.next()
        stage.accept(*((1, 3, NOW + second) for second in range(1, 9)))
        await stage.streams.round()
        await stage.streams.end(KEY)
        assert (await events.next()).record == StreamEnd(reason=EndReason.ENDED_EARLY)
    with pytest.raises(NothingToFetch):
        stage.follow()
    await stage.streams.end(KEY)


async def test_a_relay_that_stops_says_where_to_go_on(stage: Stage) -> None:
    """The position of the last word is that of the last event that was given, not of what was ready."""
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        stage.accept((1, 3, NOW), (1, 3, NOW + 1), (1, 3, NOW + 2))
        given = await events.next()
        await stage.streams.round()
        await stage.streams.stop()
        stopping = await events.next()
    assert stopping.record == StreamEnd(reason=EndReason.STOPPING)
    assert stopping.position == given.position
    stage.streams = stage._streams()
    await stage.streams.start()
    await stage.begin(user("bob"))

    assert times(await stage.rest(stopping.position)) == [1, 2]


async def test_the_message_path_is_left_alone_while_nobody_reads(stage: Stage) -> None:
    """It has nobody to call, and the ledger has none to tell, unless an order is about connections."""
    assert stage.path.on_commit is None
    await stage.begin(user("bob"))
    assert stage.path.on_commit is None
    assert stage.ledger.watch is None
    async with stage.follow() as events:
        stage.accept((1, 3, NOW))
        await events.next()
        assert stage.path.on_commit is not None
    assert stage.path.on_commit is None
    await stage.begin(user("bob"), key="d2", classes=ACCESS)
    assert stage.ledger.watch is not None
    await stage.streams.end("case/d2")
    assert stage.ledger.watch is None


async def test_orders_do_not_mix(stage: Stage) -> None:
    """Two readers, two targets: each gets its own, and what both are about both get."""
    await stage.begin(user("bob"), key="d1")
    await stage.begin(user("ann"), key="d2")
    async with stage.follow(key="case/d1") as bob, stage.follow(key="case/d2") as ann:
        stage.accept((1, 4, NOW), (3, 4, NOW + 1), (1, 3, NOW + 2))
        assert times(await bob.take(2)) == [0, 2]
        assert times(await ann.take(2)) == [1, 2]


async def test_a_device_that_is_enrolled_later_is_its_users(stage: Stage) -> None:
    """An order about a user is about the devices that the user has, at any time."""
    await stage.begin(user("bob"))

    def another(connection: sqlalchemy.Connection) -> None:
        values = {"tenant": TENANT, "user": "bob", "device": "tablet", "registered_day": 19_000, "certificate": b""}
        connection.execute(sqlalchemy.insert(tables.device).values(account_id=5, **values))

    async with stage.follow() as events:
        stage.accept((1, 4, NOW))
        await events.next()
        stage.store.commit([], [], [another])
        stage.accept((5, 4, NOW + 1))
        assert times([await events.next()]) == [1]


async def test_an_order_can_be_prolonged(stage: Stage) -> None:
    """Given again with another end; given again as it was, nothing changes."""
    await stage.begin(user("bob"), until=NOW + 10)
    for _ in range(2):
        await stage.begin(user("bob"), until=NOW + 20)
    stage.accept((1, 3, NOW + 15), (1, 3, NOW + 25))

    assert times(await stage.rest()) == [15]


async def connect(stage: Stage, account: int, second: int) -> int:
    stage.clock.at = NOW + second
    return await stage.ledger.open(account, "192.0.2.7", "blindrelay/0.1")


async def disconnect(stage: Stage, number: int, second: int) -> None:
    stage.clock.at = NOW + second
    await stage.ledger.close(number)


async def test_connections_are_told_to_the_second(stage: Stage) -> None:
    """Those that begin in the order's span, and the end of those; the hours are those that are kept."""
    await stage.begin(user("bob"), user("ann"), classes=ACCESS, since=NOW + 10, until=NOW + 20)
    before = await connect(stage, 1, 9)
    other = await connect(stage, 4, 10)
    first = await connect(stage, 1, 10)
    await disconnect(stage, before, 11)
    await disconnect(stage, first, 19)
    await disconnect(stage, other, 19)
    last = await connect(stage, 3, 19)
    await disconnect(stage, last, 20)
    await connect(stage, 1, 20)

    *found, end = await stage.rest()

    assert end == ENDED
    assert all(isinstance(record, AccessRecord) for record in found)
    assert [(record.account_id, record.closed is not None) for record in found] == [(1, False), (1, True), (3, False)]
    assert {int(record.opened.timestamp()) for record in found} == {NOW // HOUR * HOUR}


async def test_connections_go_on_where_the_reader_was(stage: Stage) -> None:
    """As long as the relay watches; after a restart there is a gap, for what ended unread is not told again."""
    await stage.begin(user("bob"), classes=ACCESS)
    for second in range(3):
        await connect(stage, 1, second)
    async with stage.follow() as events:
        seen = await events.take(2)
    async with stage.follow(seen[0].position) as events:
        assert (await events.next()).record == seen[1].record
    await stage.restart()
    await stage.begin(user("bob"), classes=ACCESS)
    await connect(stage, 2, 5)

    gap, record, end = await stage.rest(seen[-1].position)

    assert gap == Gap(data_class=DataClass.ACCESS, reason=GapReason.NOT_WATCHED)
    assert record.account_id == 2
    assert end == ENDED


async def test_an_order_that_came_after_its_own_start_says_what_it_did_not_see(stage: Stage) -> None:
    """Approved an hour late: traffic is there from the start, connections from the approval on."""
    stage.accept((1, 3, NOW - HOUR))
    await connect(stage, 1, -HOUR)
    stage.clock.at = NOW
    await stage.begin(user("bob"), classes=TRAFFIC | ACCESS, since=NOW - HOUR)

    gap, record, end = await stage.rest()

    assert gap == Gap(data_class=DataClass.ACCESS, reason=GapReason.NOT_WATCHED)
    assert times([record]) == [-HOUR]
    assert end == ENDED


async def test_more_connections_than_are_kept_leave_a_gap(stage: Stage) -> None:
    """The newest ones are there."""
    await stage.begin(user("bob"), classes=ACCESS)
    for _ in range(following.MAX_CONNECTIONS + 5):
        await connect(stage, 1, 1)
    await stage.streams.round()

    gap, *found, end = await stage.rest()

    assert gap == Gap(data_class=DataClass.ACCESS, reason=GapReason.OVERFLOW)
    assert len(found) == following.MAX_CONNECTIONS
    assert end == ENDED


@pytest.mark.parametrize("data_class", [DataClass.CONTENT, DataClass.KEYS])
async def test_there_is_no_stream_of_content(stage: Stage, data_class: DataClass) -> None:
    """IRI only: an order that says more is refused, not downgraded."""
    with pytest.raises(NotSelectable):
        await stage.begin(user("bob"), classes=TRAFFIC | {data_class})
    with pytest.raises(NothingToFetch):
        stage.follow()


@pytest.mark.parametrize("target", [("tenant", TENANT), ("all-users", "*")])
async def test_there_is_no_stream_about_everybody(stage: Stage, target: tuple[str, str]) -> None:
    """Only users and devices are looked up."""
    with pytest.raises(NotSelectable):
        await stage.begin(Target(format=TargetFormat(target[0]), value=target[1]))


async def test_unknown_targets_have_an_order_in_which_nothing_happens(stage: Stage) -> None:
    """It runs and ends as any other: nobody learns that there is no such user."""
    await stage.begin(user("nobody"), classes=TRAFFIC | ACCESS)
    stage.accept((1, 3, NOW))

    assert await stage.rest() == [ENDED]


@pytest.mark.parametrize(
    "after", ["", "1", "1-2-3", "1-2-3-x", "1-2-3-4-5", "-1-2-3-4", "1-2-3-٤", "9" * 20 + "-1-1-1"]
)
async def test_a_position_is_a_position(stage: Stage, after: str) -> None:
    """Anything else is refused at once."""
    await stage.begin(device("bob"))
    with pytest.raises(Malformed):
        stage.follow(after)


async def test_a_position_from_the_future_loses_nothing(stage: Stage) -> None:
    """Somebody made it up, or the database was restored from a backup: reading starts over."""
    await stage.begin(user("bob"))
    stage.accept((1, 3, NOW))

    assert times(await stage.rest("999999999999-1700000000-0-0")) == [0]


async def test_a_database_that_cannot_be_read_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader gets an error, not an end."""
    await stage.begin(user("bob"))
    async with stage.follow() as events:
        stage.accept((1, 3, NOW))
        await events.next()

        async def broken() -> None:
            raise sqlalchemy.exc.OperationalError("look", None, OSError("gone"))

        monkeypatch.setattr(stage.streams._tail, "newest", broken)
        stage.accept((1, 3, NOW + 1))
        with pytest.raises(DeskError):
            await events.next()
