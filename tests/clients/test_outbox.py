"""The outbox: order, retries, refusals, on a route that does what the test says."""

import asyncio
from collections.abc import Iterator

import pytest

from blindrelay.clients.connection import Backoff
from blindrelay.clients.errors import DeliveryRefused, Expired
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.link import Settle
from blindrelay.clients.outbox import KEPT_IN_MEMORY, TOGETHER, Departure, Outbox, Route, RouteKey
from blindrelay.clients.records import OutboxEntry
from blindrelay.protocol.address import DeviceAddress, UserAddress
from support.party import HandClock

BOB = DeviceAddress("globex.example", "bob", "phone")
CAROL = DeviceAddress("globex.example", "carol", "phone")


class Road:
    """A route with places; it remembers what left and answers when told to."""

    def __init__(self, places: int = 10) -> None:
        self.places = places
        self.left: list[tuple[str, bytes, bytes]] = []
        self.settles: list[Settle] = []

    @property
    def free(self) -> int:
        """How many may leave."""
        return self.places - len(self.settles)

    def post(self, topic: str, payload: bytes, message_id: bytes, expires_at: int, settle: Settle) -> None:
        """Let one leave."""
        assert self.free > 0
        self.left.append((topic.removeprefix("v1/to/globex.example/"), payload, message_id))
        self.settles.append(settle)

    def answer(self, code: int = 0, reason: str = "") -> None:
        """The PUBACK of the oldest."""
        self.settles.pop(0)(code, reason)


class Desk:
    """An outbox and all around it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = KeyStore.in_memory()
        self.road, self.sealed = Road(), Road()
        self.departures: list[Departure] = []
        self.numbers = 0
        self.outbox = self.make()

    def make(self) -> Outbox:
        """An outbox on the same store, as after a restart."""
        return Outbox(
            self.store,
            self.clock,
            routes=self.route,
            departed=self.departures.append,
            backoff=Backoff(first=0.01, most=0.01),
        )

    def route(self, key: RouteKey) -> Route:
        """The road that a key stands for."""
        return self.road if key is None else self.sealed

    def entry(
        self, to: DeviceAddress = BOB, payload: bytes = b"", *, anonymous: bool = False, letter: bytes = b""
    ) -> OutboxEntry:
        """Put one into the store."""
        self.numbers += 1
        message_id = self.numbers.to_bytes(16)
        return self.store.enqueue(
            OutboxEntry(
                message_id,
                to,
                letter or message_id,
                int(self.clock.at) + 60,
                anonymous,
                payload or b"%d" % self.numbers,
            )
        )

    def sent(self) -> list[bytes]:
        """What left, in order."""
        return [payload for _, payload, _ in self.road.left]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """See `Desk`; inside a running loop."""
    desk = Desk()
    yield desk
    desk.outbox.stop()
    desk.store.close()


async def flushed() -> None:
    """Let what was scheduled for at once happen."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_for_a_device_is_under_way_at_a_time(desk: Desk) -> None:
    """The second leaves when the first has its PUBACK; another device's does not wait for that."""
    desk.outbox.add([desk.entry(), desk.entry(), desk.entry(CAROL)])
    assert desk.sent() == [b"1", b"3"]
    desk.road.answer()
    assert desk.sent() == [b"1", b"3", b"2"]


async def test_what_was_accepted_has_left_the_store(desk: Desk) -> None:
    """After the PUBACK the envelope is gone from the store, and its sender is told."""
    desk.outbox.add([desk.entry()])
    desk.road.answer()
    await flushed()
    assert desk.store.outbox() == []
    assert [departure.error for departure in desk.departures] == [None]
    await asyncio.wait_for(desk.outbox.drained(), 5)


async def test_not_now_is_tried_again_and_keeps_the_order(desk: Desk) -> None:
    """0x97 puts off everything for that device, and the same bytes go out again under the same id."""
    desk.outbox.add([desk.entry(), desk.entry()])
    desk.road.answer(0x97, "quota")
    assert desk.sent() == [b"1"]
    async with asyncio.timeout(10):
        while len(desk.road.left) < 2:  # noqa: ASYNC110 - the pause is the outbox's own
            await asyncio.sleep(0.001)
    assert desk.road.left[1] == desk.road.left[0]
    desk.road.answer()
    assert desk.sent() == [b"1", b"1", b"2"]
    assert not desk.departures


async def test_no_is_final_and_does_not_stop_the_next(desk: Desk) -> None:
    """Any other refusal is told to the sender, and the next message for the device leaves."""
    desk.outbox.add([desk.entry(), desk.entry()])
    desk.road.answer(0x87, "no such recipient")
    await flushed()
    (departure,) = desk.departures
    assert isinstance(departure.error, DeliveryRefused)
    assert (departure.error.code, departure.error.reason) == (0x87, "no such recipient")
    assert desk.sent() == [b"1", b"2"]


async def test_what_is_over_does_not_leave(desk: Desk) -> None:
    """A message whose time is over while it waits is given up, not sent."""
    desk.road.places = 0
    desk.outbox.add([desk.entry()])
    desk.clock.at += 61
    desk.road.places = 1
    desk.outbox.pump()
    await flushed()
    assert desk.road.left == []
    assert isinstance(desk.departures[0].error, Expired)


async def test_a_lost_session_sends_again_what_had_no_answer(desk: Desk) -> None:
    """The same id and bytes, and a late answer to the first sending changes nothing."""
    desk.outbox.add([desk.entry(), desk.entry()])
    late = desk.road.settles.pop()
    desk.outbox.reset(None)
    desk.outbox.pump()
    assert desk.road.left[0] == desk.road.left[1]
    desk.road.answer()
    late(0, "")
    assert desk.sent() == [b"1", b"1", b"2"]


async def test_parts_of_a_letter_travel_together(desk: Desk) -> None:
    """Several envelopes of one letter are under way at once, to a bound; the next letter waits for all of them."""
    parts = [desk.entry(letter=b"L" * 16) for _ in range(TOGETHER + 1)]
    desk.outbox.add([*parts, desk.entry()])
    assert len(desk.road.left) == TOGETHER
    desk.road.answer()
    assert len(desk.road.left) == TOGETHER + 1
    while len(desk.road.settles) > 1:
        desk.road.answer()
    assert len(desk.road.left) == TOGETHER + 1
    desk.road.answer()
    assert len(desk.road.left) == TOGETHER + 2


async def test_a_part_that_is_put_off_holds_the_next_letter(desk: Desk) -> None:
    """The other parts are accepted, that one comes again, and only then the next letter leaves."""
    parts = [desk.entry(letter=b"L" * 16) for _ in range(3)]
    desk.outbox.add([*parts, desk.entry()])
    desk.road.answer(0x97)
    desk.road.answer()
    desk.road.answer()
    async with asyncio.timeout(10):
        while len(desk.road.left) < 4:  # noqa: ASYNC110 - the pause is the outbox's own
            await asyncio.sleep(0.001)
    assert desk.sent() == [b"1", b"2", b"3", b"1"]
    desk.road.answer()
    assert desk.sent() == [b"1", b"2", b"3", b"1", b"4"]


async def test_no_place_no_departure(desk: Desk) -> None:
    """Never more leave than the route has places for."""
    desk.road.places = 1
    desk.outbox.add([desk.entry(), desk.entry(CAROL)])
    assert desk.sent() == [b"1"]
    desk.road.answer()
    assert desk.sent() == [b"1", b"2"]


async def test_a_restart_takes_up_what_was_left_in_order(desk: Desk) -> None:
    """An outbox that is made anew on the same store sends what the old one did not get rid of."""
    big = b"b" * (KEPT_IN_MEMORY + 1)
    for payload in (b"one", big, b"three"):
        desk.entry(payload=payload)
    outbox = desk.make()
    outbox.load()
    for _ in range(3):
        desk.road.answer()
    outbox.stop()
    assert desk.sent() == [b"one", big, b"three"]
    assert desk.store.outbox() == []


async def test_postures_share_the_order_of_a_device(desk: Desk) -> None:
    """An anonymous message and one after it that is not leave by different routes, one after the other."""
    desk.outbox.add([desk.entry(anonymous=True), desk.entry(), desk.entry(anonymous=True)])
    assert (len(desk.sealed.left), len(desk.road.left)) == (1, 0)
    desk.sealed.answer()
    assert (len(desk.sealed.left), len(desk.road.left)) == (1, 1)
    desk.road.answer()
    assert (len(desk.sealed.left), len(desk.road.left)) == (2, 1)


async def test_a_route_that_is_closed_for_good_gives_up_its_messages_alone(desk: Desk) -> None:
    """What waits for a refused route is refused; what waits behind it for another one leaves."""
    desk.sealed.places = 0
    desk.outbox.add([desk.entry(anonymous=True), desk.entry(anonymous=True), desk.entry()])
    error = DeliveryRefused("bob", 0x86, "token")
    desk.outbox.refuse(UserAddress("globex.example", "bob"), error)
    await flushed()
    assert [departure.error for departure in desk.departures] == [error, error]
    assert desk.sent() == [b"3"]
