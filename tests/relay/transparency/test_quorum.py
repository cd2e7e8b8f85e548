"""A log and its witnesses: nothing is shown without the quorum, and no single witness can keep it from being shown."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from blindrelay.protocol.transparency.checkpoint import CheckpointRejected, cosigned_at
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.note import MAX_SIGNATURES, Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.submission import Submission, encode_cosignatures
from blindrelay.relay.transparency import witnesses
from blindrelay.relay.transparency.log import Log
from support.odd_witness import OddWitness, http, odd_witness, saying
from support.party import HandClock
from support.public_log import REFRESH
from support.publisher import Publisher

BROKEN = saying(http(500))


@pytest.fixture
async def three(publisher: Publisher, clock: HandClock) -> AsyncIterator[list[OddWitness]]:
    """Witnesses of the log, two of whom are wanted."""
    async with contextlib.AsyncExitStack() as stack:
        found = [await stack.enter_async_context(odd_witness(clock, f"w{number}.example")) for number in range(3)]
        publisher.witnesses, publisher.quorum = tuple(witness.line for witness in found), 2
        yield found


def who(log: Log) -> dict[str, int]:
    """Who has cosigned what is shown, and when."""
    note = Note.parse(log.published.note)
    times = {one.name: cosigned_at(note, one.key) for one in log.settings.trust.witnesses}
    return {name: time for name, time in times.items() if time is not None}


async def test_everybody_is_asked_and_shown(publisher: Publisher, three: list[OddWitness]) -> None:
    """With the time, and each once."""
    log = await publisher.open(5)
    publisher.check(log, 5)
    assert who(log) == {one.key.name: int(one.clock.now()) for one in three}
    assert [one.sizes for one in three] == [[5]] * 3


async def test_one_who_is_down_keeps_nobody_from_reading(publisher: Publisher, three: list[OddWitness]) -> None:
    """Two of three are enough; the third one's is added when it is back, though nothing has happened."""
    three[1].answer = BROKEN
    log = await publisher.open(5)
    publisher.check(log, 5)
    assert set(who(log)) == {"w0.example", "w2.example"}
    three[1].answer = None
    assert await log.publish()
    assert len(who(log)) == 3


async def test_without_a_quorum_nothing_is_shown(publisher: Publisher, three: list[OddWitness]) -> None:
    """Not at the start, not later; what was shown before stays, and is still all that is proved."""
    three[0].answer = three[1].answer = BROKEN
    log = await publisher.open(5)
    assert log.published.note == b""
    assert not await log.publish()
    assert three[2].sizes == [5, 5], "each round asks once"
    three[0].answer = three[1].answer = None
    assert await log.publish()
    publisher.check(log, 5)
    before = log.published
    three[0].answer = three[2].answer = BROKEN
    publisher.have(9)
    for _ in range(2):
        assert not await log.publish()
        assert log.published == before
        assert log.shelf.checkpoint() == before.note
    three[0].answer = None
    assert await log.publish()
    publisher.check(log, 9)


async def test_what_is_new_does_not_hurry_witnesses_that_are_down(
    publisher: Publisher, three: list[OddWitness]
) -> None:
    """However many statements come in, and however many look-ups wait for them: they are asked again after a moment."""
    three[0].answer = three[1].answer = BROKEN
    log = await publisher.open(5)
    waiting = asyncio.create_task(log.wait_published(5))
    for _ in range(20):
        log.wake()
        await asyncio.sleep(0)
    assert not await log.publish()
    assert three[2].sizes == [5, 5]
    waiting.cancel()


async def test_a_hundred_cosignatures_of_one_do_not_crowd_out_the_others(
    publisher: Publisher, three: list[OddWitness]
) -> None:
    """Or make the checkpoint one that nobody can read: each witness has one place in it."""

    async def flood(submission: Submission) -> bytes:
        times = [three[0].clock.now() - age for age in range(MAX_SIGNATURES)]
        return http(200, encode_cosignatures(tuple(three[0].cosignature(submission, time) for time in times)))

    three[0].answer = flood
    log = await publisher.open(5)
    publisher.check(log, 5)
    assert len(Note.parse(log.published.note).signatures) == 1 + 3


async def test_one_who_hangs_costs_a_moment(
    publisher: Publisher, three: list[OddWitness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new is shown as soon as two have cosigned it, though the third one never answers."""
    monkeypatch.setattr(witnesses, "_GRACE", 0.01)
    log = await publisher.open(5)

    async def hang(_: Submission) -> bytes:
        await asyncio.Event().wait()
        return b""

    three[0].answer = hang
    publisher.have(6)
    log.wake()
    await log.wait_published(5)
    publisher.check(log, 6)
    assert set(who(log)) == {"w1.example", "w2.example"}
    # And while it is still being waited for, the next one is.
    publisher.have(7)
    log.wake()
    await log.wait_published(6)
    publisher.check(log, 7)


async def test_one_who_is_late_is_added(
    publisher: Publisher, three: list[OddWitness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there is nothing else to do: witnesses on the other side of the world are read, too."""
    monkeypatch.setattr(witnesses, "_GRACE", 0.01)
    log = await publisher.open(5)
    ready = asyncio.Event()

    async def late(submission: Submission) -> bytes:
        await ready.wait()
        return await three[0].cosigns(submission)

    three[0].answer = late
    publisher.have(6)
    publishing = asyncio.create_task(log.publish())
    await log.wait_published(5)
    assert len(who(log)) == 2
    ready.set()
    assert await publishing
    assert len(who(log)) == 3
    publisher.check(log, 6)


async def test_cosignatures_are_renewed_when_they_are_old_and_not_before(
    publisher: Publisher, three: list[OddWitness], clock: HandClock
) -> None:
    """So that readers can tell a log in which nothing happens from one that is withheld. Over a restart, too."""
    log = await publisher.open(5)
    start = int(clock.now())
    for age in (0.0, 1.0, REFRESH - 1):
        clock.at = start + age
        assert await log.publish()
        assert set(who(log).values()) == {start}
    await log.close()
    log = await publisher.open()
    assert [len(one.asked) for one in three] == [1, 1, 1]
    clock.at = start + REFRESH
    assert await log.publish()
    assert set(who(log).values()) == {start + REFRESH}
    publisher.check(log, 5)


async def test_a_cosignature_of_the_same_checkpoint_is_not_taken_back(
    publisher: Publisher, three: list[OddWitness], clock: HandClock
) -> None:
    """Who is down when the others' are renewed is still shown with what it said: readers may want it. For this size alone."""
    log = await publisher.open(5)
    start = int(clock.now())
    clock.at += REFRESH
    three[0].answer = BROKEN
    assert await log.publish()
    assert who(log) == {"w0.example": start, "w1.example": start + REFRESH, "w2.example": start + REFRESH}
    # Two who are down would not have been a quorum for anything new. The third one's is renewed none the less.
    clock.at += REFRESH
    three[1].answer = BROKEN
    assert await log.publish()
    assert who(log) == {"w0.example": start, "w1.example": start + REFRESH, "w2.example": start + 2 * REFRESH}
    three[1].answer = None
    publisher.have(6)
    assert await log.publish()
    assert set(who(log)) == {"w1.example", "w2.example"}
    assert len(Note.parse(log.published.note).signatures) == 1 + 2


@pytest.mark.parametrize("error", [-2 * REFRESH, 2 * REFRESH], ids=["behind", "ahead"])
async def test_a_witness_whose_clock_is_wrong_is_asked_again(
    publisher: Publisher, three: list[OddWitness], error: float
) -> None:
    """Its cosignature is old the moment it is given, or from a future that would keep it from ever being renewed."""
    three[0].clock = HandClock(three[0].clock.at + error)
    log = await publisher.open(5)
    assert await log.publish()
    assert len(three[0].asked) == 2


async def test_a_witness_that_has_seen_another_size_is_told_from_there(
    publisher: Publisher, three: list[OddWitness]
) -> None:
    """A relay restarts and does not know what they have seen; one has started anew, and one says a size that cannot be."""
    await (await publisher.open(5)).close()

    def knows(witness: OddWitness, size: int) -> None:
        async def answer(submission: Submission) -> bytes:
            return await witness.cosigns(submission) if submission.old_size == size else http(409, b"%d\n" % size)

        witness.answer = answer

    knows(three[0], 5)
    knows(three[1], 0)
    knows(three[2], 4_000)
    log = await publisher.open(300)
    publisher.check(log, 300)
    assert set(who(log)) == {"w0.example", "w1.example"}


async def test_a_history_that_the_witnesses_know_further_is_not_shown(
    publisher: Publisher, three: list[OddWitness]
) -> None:
    """Folder and database from one backup agree with one another; whoever has seen more says so, and nothing is published."""
    for witness in three:
        witness.answer = saying(http(409, b"900\n"))
    log = await publisher.open(300)
    assert log.published.note == b""


async def test_while_a_key_is_replaced_both_have_signed(publisher: Publisher) -> None:
    """At once, though nothing has happened: whoever has the new policy and whoever has the old one can read the log."""
    await (await publisher.open(5)).close()
    old, new = publisher.key, SigningKey.generate(publisher.key.name)
    publisher.keys = (new, old)
    log = await publisher.open()
    for key in (old, new):
        assert Trust(key.verifier).open(log.published.note).checkpoint.size == 5
    await log.close()
    # Afterwards the new one goes on alone, from a checkpoint that both have signed.
    publisher.keys = (new,)
    log = await publisher.open(6)
    publisher.check(log, 6)
    with pytest.raises(CheckpointRejected):
        Trust(old.verifier).open(log.published.note)


async def test_a_witness_that_is_wanted_from_now_on_is_asked_at_once(
    publisher: Publisher, three: list[OddWitness]
) -> None:
    """A checkpoint that was published by an easier policy is shown, as it was, until there is one by the new one."""
    wanted, publisher.witnesses, publisher.quorum = publisher.witnesses, (), 0
    await (await publisher.open(5)).close()
    publisher.witnesses, publisher.quorum = wanted, 3
    three[0].answer = BROKEN
    log = await publisher.open()
    assert who(log) == {}
    three[0].answer = None
    assert await log.publish()
    publisher.check(log, 5)
    assert len(who(log)) == 3
