"""Playing a scenario, on people who are made up for the test."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from blindrelay.clients.errors import DeliveryRefused, UnknownRecipient
from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.clients.simulation.player import Player
from blindrelay.clients.simulation.tally import Summary
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import SystemClock

PEOPLE = tuple(UserAddress("acme.example", name) for name in ("alice", "bob", "carol"))
ALICE, BOB, CAROL = range(3)
SCENARIO = Scenario(
    PEOPLE,
    (
        Event(0.0, ALICE, (BOB, CAROL)),
        Event(0.0, ALICE, (BOB,)),
        Event(0.0, BOB, (ALICE,)),
        Event(0.0, ALICE, (CAROL,)),
    ),
)


class Post:
    """Carries letters between made-up people, and may do so badly."""

    def __init__(self) -> None:
        self.boxes: dict[UserAddress, asyncio.Queue[tuple[UserAddress, str]]] = {p: asyncio.Queue() for p in PEOPLE}
        self.broken: asyncio.Queue[object] = asyncio.Queue()
        self.written: list[tuple[UserAddress, tuple[UserAddress, ...]]] = []

    def deliver(self, sender: UserAddress, recipient: UserAddress, text: str) -> None:
        """Put a letter into a box."""
        self.boxes[recipient].put_nowait((sender, text))

    async def take(self) -> None:
        """What PUBACK would be."""


class Sent:
    """A letter that somebody has handed to the post."""

    def __init__(self, post: Post) -> None:
        self.post = post

    async def accepted(self) -> None:
        await self.post.take()


class Writer:
    """Somebody made up."""

    def __init__(self, me: UserAddress, post: Post) -> None:
        self.me = me
        self.post = post

    async def write(self, recipients: Sequence[UserAddress], text: str) -> Sent:
        self.post.written.append((self.me, tuple(recipients)))
        for recipient in recipients:
            self.post.deliver(self.me, recipient, text)
        return Sent(self.post)

    async def read(self) -> AsyncIterator[tuple[UserAddress, str]]:
        while True:
            yield await self.post.boxes[self.me].get()

    async def unreadable(self) -> AsyncIterator[object]:
        while self.me == PEOPLE[0]:
            yield await self.post.broken.get()


async def perform(post: Post, scenario: Scenario = SCENARIO, **options: float | None) -> Summary:
    """Play `scenario` with everybody at `post`."""
    settings = {"speed": None, "patience": 0.2, **options}
    writers = [Writer(person, post) for person in PEOPLE]
    return await Player(scenario, writers, SystemClock(), **settings).play()  # type: ignore[arg-type]


async def test_everything_that_was_planned_arrives() -> None:
    """A letter to two people is two messages, and each sender's letters leave in order."""
    post = Post()
    summary = await perform(post)
    assert summary.flawless
    assert (summary.planned, summary.sent, summary.accepted, summary.decrypted) == (5, 5, 5, 5)
    assert [to for me, to in post.written if me == PEOPLE[ALICE]] == [PEOPLE[1:], PEOPLE[1:2], PEOPLE[2:]]


async def test_letters_leave_at_their_time() -> None:
    """At ten times the speed, an event of the second second happens after a tenth."""
    clock = SystemClock()
    begin = clock.monotonic()
    await perform(Post(), Scenario(PEOPLE, (Event(0, ALICE, (BOB,)), Event(2.0, BOB, (ALICE,)))), speed=10.0)
    assert clock.monotonic() - begin >= 0.2


async def test_a_letter_that_never_arrives_is_lost_and_ends_the_wait() -> None:
    """The post swallows what is for Carol: two messages are lost, and nobody waits for ever."""

    class Swallows(Post):
        def deliver(self, sender: UserAddress, recipient: UserAddress, text: str) -> None:
            if recipient != PEOPLE[CAROL]:
                super().deliver(sender, recipient, text)

    summary = await perform(Swallows())
    assert summary.lost == 2
    assert not summary.flawless


async def test_when_nothing_moves_any_more_the_rest_is_not_sent() -> None:
    """With room for one message and a post that swallows all, sending ends after the patience has."""

    class Swallows(Post):
        def deliver(self, sender: UserAddress, recipient: UserAddress, text: str) -> None:
            pass

    summary = await perform(Swallows(), in_flight=1)
    assert summary.sent < summary.planned
    assert not summary.flawless


async def test_doubles_and_disorder_are_seen() -> None:
    """The post delivers Bob's letters twice and in the wrong order."""

    class Confused(Post):
        def __init__(self) -> None:
            super().__init__()
            self.kept: list[tuple[UserAddress, UserAddress, str]] = []

        def deliver(self, sender: UserAddress, recipient: UserAddress, text: str) -> None:
            if recipient == PEOPLE[BOB] and not self.kept:
                self.kept.append((sender, recipient, text))
                return
            super().deliver(sender, recipient, text)
            for letter in self.kept * 2:
                super().deliver(*letter)
            self.kept.clear()

    summary = await perform(Confused(), Scenario(PEOPLE, (Event(0, ALICE, (BOB,)), Event(0, ALICE, (BOB,)))))
    assert (summary.duplicated, summary.out_of_order) == (1, 1)


async def test_what_cannot_be_sent_is_refused() -> None:
    """An unknown recipient, and a message that the relay turns down."""

    class Picky(Post):
        async def take(self) -> None:
            raise DeliveryRefused("somebody", 0x97, "full")

        def deliver(self, sender: UserAddress, recipient: UserAddress, text: str) -> None:
            if recipient == PEOPLE[BOB]:
                raise UnknownRecipient("unknown-user", "nobody")

    summary = await perform(Picky())
    assert (summary.refused, summary.accepted, summary.lost) == (5, 0, 0)
    assert not summary.flawless


async def test_what_cannot_be_opened_is_counted() -> None:
    """An envelope that somebody's device could not read spoils the run."""
    post = Post()
    post.broken.put_nowait(object())
    summary = await perform(post)
    assert summary.undecryptable == 1
    assert not summary.flawless


async def test_an_interrupted_run_can_be_summed_up() -> None:
    """Cancelled in the middle: what was sent and arrived is known, and nothing runs on."""
    scenario = Scenario(PEOPLE, (Event(0, ALICE, (BOB,)), Event(1_000.0, BOB, (ALICE,))))
    player = Player(scenario, [Writer(person, Post()) for person in PEOPLE], SystemClock(), speed=1.0)
    task = asyncio.create_task(player.play())
    while not player.tally.sent:  # noqa: ASYNC110  the tally is plain data
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    summary = player.interrupted()
    assert (summary.planned, summary.sent, summary.complete) == (2, 1, False)
    assert asyncio.all_tasks() == {asyncio.current_task()}
