"""Asking witnesses: whatever one of them answers, it is a cosignature that verifies, or none, and soon."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey
from blindrelay.protocol.transparency.note import MAX_SIGNATURES, Note
from blindrelay.protocol.transparency.policy import Trust, Witness
from blindrelay.protocol.transparency.submission import Submission, encode_cosignatures
from blindrelay.relay.transparency import witnesses
from blindrelay.relay.transparency.witnesses import AskedWitness, NotCosigned, Witnesses
from support.merkle import LOG
from support.odd_witness import OddWitness, http, odd_witness, saying
from support.party import HandClock
from support.witnessed import Operator

OPERATOR = Operator()


def head(size: int) -> tuple[Note, Checkpoint]:
    """A checkpoint of the log that everybody has, signed."""
    note = OPERATOR.note(size, LOG)
    return note, Checkpoint.parse(note.text)


async def ask(asked: AskedWitness, size: int) -> Note:
    """Have a checkpoint cosigned, and return it with what came."""
    note, checkpoint = head(size)
    proof = lambda old: tuple(LOG.proof(old, size)) if 0 < old < size else ()  # noqa: E731
    return note.with_signature(await asked.cosign(note, checkpoint, proof))


@pytest.fixture
async def witness(clock: HandClock) -> AsyncIterator[OddWitness]:
    """One that does as it is told."""
    async with odd_witness(clock) as witness:
        yield witness


@pytest.fixture
def asked(witness: OddWitness) -> AskedWitness:
    """The same, as a log sees it."""
    return AskedWitness(witness.line)


IN_NO_HTTP = "does not answer in HTTP"
#: What is said, and what of that is told to the operator.
ANSWERS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", IN_NO_HTTP),
    "no-http": (b"\x00\xff" * 40, IN_NO_HTTP),
    "no-status": (b"HTTP/1.1 OK\r\n\r\n", IN_NO_HTTP),
    "cut-off": (http(200, b"x" * 40)[:-20], IN_NO_HTTP),
    "not-signed": (http(403, b"go away"), "answers 403"),
    "unknown-log": (http(404), "answers 404"),
    "not-proved": (http(422), "answers 422"),
    "broken": (http(500), "answers 500"),
    "elsewhere": (b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "answers 302"),
    "accepted": (http(204), "answers 204"),
    "empty": (http(200), "malformed"),
    "binary": (http(200, b"\xff\xfe"), "malformed"),
    "no-signature": (http(200, b"fine by me\n"), "malformed"),
    "too-long": (http(200, b"x" * 70_000), "more than 65536 bytes"),
    "endless-head": (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, IN_NO_HTTP),
    "size-is-no-number": (http(409, b"many\n"), "which size"),
    "size-is-negative": (http(409, b"-1\n"), "which size"),
    "size-is-too-large-for-any-log": (http(409, b"9" * 30), "which size"),
    "size-in-other-digits": (http(409, "٣".encode()), "which size"),
    "size-is-not-there": (http(409), "which size"),
}


@pytest.mark.parametrize(("answer", "why"), ANSWERS.values(), ids=ANSWERS)
async def test_what_is_no_cosignature_is_none(
    witness: OddWitness, asked: AskedWitness, answer: bytes, why: str
) -> None:
    """And is no reason not to ask again: the next one counts."""
    witness.answer = saying(answer)
    with pytest.raises(NotCosigned, match=why):
        await ask(asked, 5)
    witness.answer = None
    assert cosigned_at(await ask(asked, 5), witness.key.verifier) == witness.clock.now()


async def test_who_does_not_listen_has_not_cosigned(clock: HandClock) -> None:
    """Nor does somebody without an address, or with one that is none."""
    async with odd_witness(clock) as gone:
        pass
    for url in (gone.url, None, "http:///", "http://127.0.0.1:port", "https://127.0.0.1:1"):
        with pytest.raises(NotCosigned):
            await ask(AskedWitness(Witness("w", gone.key.verifier, url)), 5)


@pytest.mark.parametrize("drips", [False, True], ids=["says-nothing", "never-ends"])
async def test_a_slow_witness_is_not_waited_for_long(
    witness: OddWitness, asked: AskedWitness, drips: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is for all that it takes, and not for each byte."""
    monkeypatch.setattr(witnesses, "_SECONDS", 0.1)

    async def begin(_: Submission) -> bytes:
        if not drips:
            await asyncio.Event().wait()
        return b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n"

    witness.answer, witness.drips = begin, drips
    with pytest.raises(NotCosigned, match="within"):
        await ask(asked, 5)


async def test_a_signature_that_does_not_verify_is_none(witness: OddWitness, asked: AskedWitness) -> None:
    """One over another checkpoint, another witness's, and one of a key that says that it is the witness's."""
    other = SigningKey.generate(witness.key.name, Algorithm.COSIGNATURE)

    async def of_another_checkpoint(submission: Submission) -> bytes:
        changed = Submission(0, (), Note(submission.note.text.replace("\n5\n", "\n6\n"), submission.note.signatures))
        return http(200, encode_cosignatures((witness.cosignature(changed),)))

    async def of_somebody_else(submission: Submission) -> bytes:
        return http(200, encode_cosignatures((OddWitness(witness.clock, other).cosignature(submission),)))

    async def under_its_name(submission: Submission) -> bytes:
        forged = OddWitness(witness.clock, other).cosignature(submission)
        return http(200, encode_cosignatures((type(forged)(forged.name, witness.key.verifier.key_id, forged.data),)))

    for answer in (of_another_checkpoint, of_somebody_else, under_its_name):
        witness.answer = answer
        with pytest.raises(NotCosigned, match="does not verify"):
            await ask(asked, 5)
        assert asked.seen == 0


async def test_of_many_cosignatures_the_newest_one_is_taken(witness: OddWitness, asked: AskedWitness) -> None:
    """A note has room for a hundred signatures: a witness that sends as many must not keep the others out of it."""

    async def flood(submission: Submission) -> bytes:
        times = [witness.clock.now() - age for age in range(MAX_SIGNATURES)]
        return http(200, encode_cosignatures(tuple(witness.cosignature(submission, time) for time in times)))

    witness.answer = flood
    note = await ask(asked, 5)
    assert len(note.signatures) == 2
    assert cosigned_at(note, witness.key.verifier) == witness.clock.now()


async def test_a_witness_that_knows_less_or_more_is_asked_from_there(witness: OddWitness, asked: AskedWitness) -> None:
    """It says which size it knows (409), and gets the proof from that one."""

    async def knows_three(submission: Submission) -> bytes:
        if submission.old_size != 3:
            return http(409, b"3\n")
        assert list(submission.proof) == LOG.proof(3, 5)
        return await witness.cosigns(submission)

    witness.answer = knows_three
    await ask(asked, 5)
    witness.answer = None
    await ask(asked, 9)
    assert [one.old_size for one in witness.asked] == [0, 3, 5]


async def test_a_witness_that_has_seen_more_than_there_is_has_not_cosigned(
    witness: OddWitness, asked: AskedWitness
) -> None:
    """It may be right: then the log was set back. It may be wrong, for once: then the next time it cosigns."""
    witness.answer = saying(http(409, b"%d\n" % 2**62))
    with pytest.raises(NotCosigned, match="says that it has seen"):
        await ask(asked, 5)
    witness.answer = None
    await ask(asked, 5)
    with pytest.raises(NotCosigned, match="it has seen 5 entries, and there are 4"):
        await ask(asked, 4)


async def test_a_witness_that_changes_its_mind_is_left_alone(witness: OddWitness, asked: AskedWitness) -> None:
    """It is asked twice for a checkpoint, and not for ever."""
    sizes = iter(range(1, 100))

    async def another(_: Submission) -> bytes:
        return http(409, b"%d\n" % next(sizes))

    witness.answer = another
    with pytest.raises(NotCosigned, match="something else each time"):
        await ask(asked, 50)
    assert len(witness.asked) == 2


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.binary(max_size=80) | st.binary(max_size=80).map(lambda body: http(200, body)))
async def test_whatever_comes_is_a_refusal(witness: OddWitness, asked: AskedWitness, answer: bytes) -> None:
    """No answer raises anything else."""
    witness.answer = saying(answer)
    with pytest.raises(NotCosigned):
        await ask(asked, 5)


async def test_one_who_is_late_is_waited_for_only_while_there_is_nothing_to_do(clock: HandClock) -> None:
    """With a quorum there is no reason to wait, but for a moment; what comes later is taken when it comes."""
    late, hurry = asyncio.Event(), asyncio.Event()
    async with odd_witness(clock, "fast.example") as fast, odd_witness(clock, "slow.example") as slow:

        async def wait(submission: Submission) -> bytes:
            await late.wait()
            return await slow.cosigns(submission)

        slow.answer = wait
        asked = Witnesses(Trust.threshold(OPERATOR.key.verifier, (fast.line, slow.line), 1))
        note, checkpoint = head(5)
        async with asked.asked(note, checkpoint, lambda _: (), Note(note.text)) as answers:
            await answers.wait_enough()
            assert [one.name for one in answers.cosignatures] == ["fast.example"]
            hurry.set()
            assert not await answers.wait_late(hurry)
            hurry.clear()
            late.set()
            assert await answers.wait_late(hurry)
            assert {one.name for one in answers.cosignatures} == {"fast.example", "slow.example"}


async def test_without_a_quorum_everybody_is_waited_for(clock: HandClock) -> None:
    """Two of two are wanted, and the second one takes longer than others are given."""
    async with odd_witness(clock, "fast.example") as fast, odd_witness(clock, "slow.example") as slow:
        ready = asyncio.Event()

        async def wait(submission: Submission) -> bytes:
            await ready.wait()
            return await slow.cosigns(submission)

        slow.answer = wait
        asked = Witnesses(Trust.threshold(OPERATOR.key.verifier, (fast.line, slow.line), 2))
        note, checkpoint = head(5)
        async with asked.asked(note, checkpoint, lambda _: (), Note(note.text)) as answers:
            waiting = asyncio.create_task(answers.wait_enough())
            await asyncio.wait([waiting], timeout=2 * witnesses._GRACE)
            assert not waiting.done()
            ready.set()
            await waiting
            assert len(answers.cosignatures) == 2
