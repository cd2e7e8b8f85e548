"""A log as an auditor reads it (`clients/auditor/log.py`), over HTTPS: checkpoints continue each other, or are evidence."""

import asyncio
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.log import MAX_AGE, Wants, open_log
from blindrelay.clients.auditor.memory import Memory
from blindrelay.clients.errors import ConnectionLost, LogRejected, NotEnrolled, RelayUnreachable, StoreDamaged
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.entries import Bundle
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import Tile
from blindrelay.relay.datadir import DataDirectory
from support.party import HandClock
from support.public_log import NAME, LogSite

from .conftest import Audit

ENTRIES = [b"entry %d" % number for number in range(600)]


def forged(count: int, since: int) -> list[bytes]:
    """Entries that are others from the one numbered `since` on."""
    return [b"forged %d" % number if number >= since else ENTRIES[number] for number in range(count)]


async def rejected(audit: Audit, **options: object) -> LogRejected:
    """What a look at the log comes to."""
    async with audit(**options) as log:  # type: ignore[arg-type]
        with pytest.raises(LogRejected) as caught:
            await log.newest()
    return caught.value


async def seen(audit: Audit, **options: object) -> int:
    """How many entries the log has, by its verified checkpoint."""
    async with audit(**options) as log:  # type: ignore[arg-type]
        return (await log.newest()).size


def evidence(error: LogRejected, tmp_path: Path) -> list[Note]:
    """The two checkpoints that are kept."""
    (folder,) = (tmp_path / "auditor").glob("*/contradiction")
    assert str(folder) in str(error)
    return [Note.parse((folder / name).read_bytes()) for name in ("ours", "theirs")]


async def test_a_log_is_read_and_remembered(site: LogSite, audit: Audit, tmp_path: Path) -> None:
    """All entries come, verified; what was seen is in a file that the owner alone can read, and is an ordinary checkpoint."""
    await site.show(ENTRIES[:300])
    async with audit() as log:
        reading = await log.newest()
        assert [entry async for _, entry in reading.tree.entries()] == ENTRIES[:300]
    (kept,) = (tmp_path / "auditor").glob("*/checkpoint")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert Checkpoint.parse(Note.parse(kept.read_bytes()).text).size == 300


async def test_a_proof_is_for_everybody(site: LogSite, audit: Audit) -> None:
    """It verifies without the log, from its bytes and the policy alone; and not for another entry."""
    await site.show(ENTRIES[:300])
    async with audit() as log:
        proof = await (await log.newest()).prove(17)
    assert type(proof).parse(proof.encode()).verify(ENTRIES[17], site.trust).checkpoint.size == 300
    with pytest.raises(Exception, match="inclusion"):
        proof.verify(ENTRIES[18], site.trust)


async def test_a_log_that_grows_is_one_history(site: LogSite, audit: Audit) -> None:
    """From any size to any larger one, over the ends of tiles."""
    await site.show(ENTRIES[:1])
    assert await seen(audit) == 1
    for end in (2, 255, 256, 257, 600):
        await site.add(*ENTRIES[len(site.sources["shown"].all) : end])
        assert await seen(audit) == end


@pytest.mark.parametrize(
    ("entries", "check"),
    [
        (forged(300, since=250), "split-view"),
        (forged(400, since=250), "consistency"),
        (forged(400, since=0), "consistency"),
        (ENTRIES[:299], "rollback"),
    ],
    ids=["same-size", "longer", "another-log", "rolled-back"],
)
async def test_a_second_history_is_kept_as_evidence(
    site: LogSite, audit: Audit, tmp_path: Path, entries: list[bytes], check: str
) -> None:
    """A log with the same key that does not continue what was seen is named, and both of its checkpoints are kept."""
    await site.show(ENTRIES[:300])
    await seen(audit)
    await site.show(entries, "fork")

    error = await rejected(audit)

    assert error.check == check
    ours, theirs = evidence(error, tmp_path)
    assert ours.is_signed_by(site.key.verifier)
    assert theirs.is_signed_by(site.key.verifier)
    assert (Checkpoint.parse(ours.text).size, Checkpoint.parse(theirs.text).size) == (300, len(entries))


async def test_evidence_does_not_pass(site: LogSite, audit: Audit, tmp_path: Path) -> None:
    """When the log shows its first history again nothing is as it was; until somebody has moved the evidence away."""
    first = await site.show(ENTRIES[:300])
    await seen(audit)
    await site.show(forged(400, since=250), "fork")
    await rejected(audit)
    site.shown[NAME] = first

    assert (await rejected(audit)).check == "consistency"

    (folder,) = (tmp_path / "auditor").glob("*/contradiction")
    folder.rename(tmp_path / "dealt with")
    assert await seen(audit) == 300


async def test_a_history_that_began_to_differ_later_continues_what_was_seen(site: LogSite, audit: Audit) -> None:
    """What was seen is all that can be compared: a fork behind it is for those who have seen more."""
    await site.show(ENTRIES[:300])
    await seen(audit)
    await site.show(forged(400, since=300), "fork")
    assert await seen(audit) == 400


async def test_a_log_that_disappears_is_not_an_empty_one(site: LogSite, audit: Audit) -> None:
    """A checkpoint was seen once; a log without one is a log that withholds."""
    await site.show(ENTRIES[:3])
    await seen(audit)
    del site.shown[NAME]
    assert (await rejected(audit)).check == "withheld"


async def test_tiles_of_another_history_below_an_honest_checkpoint_are_found(site: LogSite, audit: Audit) -> None:
    """An edited entry whose tile was made anew as well does not lead to the root that was signed."""
    await site.show(ENTRIES)
    other = await site.open("other", forged(600, since=300))
    for piece in (Bundle(1), Tile(0, 1)):
        site.path(piece).write_bytes(other.shelf.path(piece).read_bytes())

    async with audit() as log:
        tree = (await log.newest()).tree
        with pytest.raises(LogRejected, match="entries 256 to 511") as caught:
            _ = [entry async for entry in tree.entries()]
    assert caught.value.check == "tile"


async def test_an_entry_that_was_edited_on_the_disk_is_named(site: LogSite, audit: Audit) -> None:
    """By its index, over HTTPS as anywhere."""
    await site.show(ENTRIES)
    site.rewrite(Bundle(1), lambda entries: [*entries[:100], b"another", *entries[101:]])
    async with audit() as log:
        tree = (await log.newest()).tree
        with pytest.raises(LogRejected, match="the entry 356 "):
            _ = [entry async for entry in tree.entries()]


async def test_another_logs_key_is_not_believed(site: LogSite, audit: Audit) -> None:
    """Name and key are the policy's."""
    await site.show(ENTRIES[:3])
    stranger = Trust(SigningKey.generate("relay.example/directory").verifier)
    assert "has not signed it" in (error := await rejected(audit, policy=stranger)).reason
    assert error.check == "checkpoint"
    other = Trust(SigningKey.generate("relay.example/lawful-access").verifier)
    assert "'relay.example/lawful-access' was expected" in (await rejected(audit, policy=other)).reason


# Witnesses.


async def test_as_many_witnesses_as_are_wanted_have_cosigned(site: LogSite, audit: Audit, tmp_path: Path) -> None:
    """The policy says how many; a reader may want more of those that it names, or fewer."""
    one, two = await site.witnessed(tmp_path / "w0"), await site.witnessed(tmp_path / "w1")
    await site.show(ENTRIES[:3])
    site.shown[NAME].shelf.publish(data := _without(site, one.key.name))
    site.shown[NAME].published = replace(site.shown[NAME].published, note=data)

    error = await rejected(audit)
    assert error.check == "checkpoint"
    assert "too few witnesses" in error.reason
    assert two.name in error.reason
    assert await seen(audit, wants=Wants(witnesses=1)) == 3
    assert await seen(audit, wants=Wants(witnesses=0)) == 3
    with pytest.raises(Malformed, match="3 of the 2"):
        await seen(audit, wants=Wants(witnesses=3))


def _without(site: LogSite, name: str) -> bytes:
    """The checkpoint without somebody's cosignature."""
    note = Note.parse(site.shown[NAME].published.note)
    return replace(note, signatures=tuple(each for each in note.signatures if each.name != name)).encode()


async def test_an_old_log_is_not_shown_as_the_present_one(
    site: LogSite, audit: Audit, clock: HandClock, tmp_path: Path
) -> None:
    """Cosignatures that nobody has renewed say that something newer is withheld; how old they may be is the reader's choice."""
    await site.witnessed(tmp_path / "w0")
    await site.show(ENTRIES[:3])
    clock.at += MAX_AGE
    assert await seen(audit) == 3
    clock.at += 1

    assert (error := await rejected(audit)).check == "stale"
    assert "60 minutes" in error.reason
    assert await seen(audit, wants=Wants(max_age=2 * MAX_AGE)) == 3

    assert await site.shown[NAME].publish()  # the log has it cosigned anew
    assert await seen(audit) == 3


# Who has said by what to verify.


async def test_without_a_policy_the_first_one_that_the_relay_says_is_kept(
    site: LogSite, tmp_path: Path, clock: HandClock
) -> None:
    """And it is said that it comes from the relay itself."""
    await site.show(ENTRIES[:3])
    folder = tmp_path / "auditor"
    async with open_log(site.address, NAME, folder, clock=clock) as log:
        assert log.is_said_by_relay
        assert (await log.newest()).size == 3

    site.key = SigningKey.generate("relay.example/directory")
    await site.show(ENTRIES[:4], "stolen")
    async with open_log(site.address, NAME, folder, clock=clock) as log:
        with pytest.raises(LogRejected, match="has not signed it"):
            await log.newest()


async def test_a_new_key_is_believed_once_the_old_one_has_signed_beside_it(
    site: LogSite, tmp_path: Path, clock: HandClock
) -> None:
    """A log that replaces its key signs with both for a while: whoever looks in that time goes on afterwards."""
    folder, old = tmp_path / "auditor", site.key

    async def size() -> int:
        async with open_log(site.address, NAME, folder, clock=clock) as log:
            return (await log.newest()).size

    await site.show(ENTRIES[:3])
    assert await size() == 3
    site.key = new = SigningKey.generate("relay.example/directory")
    site.shown[NAME] = await site.open("both", ENTRIES[:4], new, old)
    assert await size() == 4
    site.shown[NAME] = await site.open("new", ENTRIES[:5], new)
    assert await size() == 5


async def test_a_relay_does_not_talk_its_readers_out_of_a_witness(
    site: LogSite, tmp_path: Path, clock: HandClock
) -> None:
    """A policy that asks for less is not adopted, however good the checkpoint is that comes with it."""
    folder = tmp_path / "auditor"
    await site.witnessed(tmp_path / "w0")
    log = await site.show(ENTRIES[:3])
    async with open_log(site.address, NAME, folder, clock=clock) as reader:
        await reader.newest()
    log.settings = replace(log.settings, trust=Trust(site.key.verifier))
    for _ in range(2):
        async with open_log(site.address, NAME, folder, clock=clock) as reader:
            await reader.newest()
            assert reader.trust.quorum != "none"


async def test_a_policy_that_is_known_from_elsewhere_counts(site: LogSite, tmp_path: Path, clock: HandClock) -> None:
    """What the address says beside the certificate is not asked of the relay."""
    await site.show(ENTRIES[:3])
    address = replace(
        site.address, policies={NAME: str(Trust(SigningKey.generate("relay.example/directory").verifier))}
    )
    async with open_log(address, NAME, tmp_path / "auditor", clock=clock) as log:
        assert not log.is_said_by_relay
        with pytest.raises(LogRejected, match="has not signed it"):
            await log.newest()


# What goes wrong besides.


async def test_a_log_that_there_is_not_is_named(site: LogSite, tmp_path: Path) -> None:
    """The name or the address is wrong: nothing is said about the log."""
    with pytest.raises(NotEnrolled, match=r"no log at .*/logs/weather/"):
        async with open_log(site.address, "weather", tmp_path / "auditor"):
            pass


async def test_another_server_is_not_asked(site: LogSite, tmp_path: Path) -> None:
    """The certificate is the one that is known, or nothing is read."""
    await site.show(ENTRIES[:3])
    with DataDirectory.open(tmp_path / "stranger", now=time.time()) as stranger:
        address = LogsAddress(site.address.host, site.address.port, stranger.certificate.read_bytes())
    with pytest.raises(RelayUnreachable, match="certificate"):
        async with open_log(address, NAME, tmp_path / "auditor"):
            pass


async def test_more_than_a_checkpoint_is_none(site: LogSite, audit: Audit) -> None:
    """A server that sends without an end is not listened to without an end."""
    log = await site.show(ENTRIES[:3])
    honest = log.published
    log.published = replace(honest, note=b"x" * 1_000_000)
    async with audit() as reader:
        with pytest.raises(ConnectionLost, match="more than 65,536 bytes"):
            await reader.newest()
    log.published = honest


@pytest.mark.parametrize(
    "damaged",
    [
        b"relay.example/directory\n3\n",
        Checkpoint("other/directory", 0, EMPTY_ROOT).sign(SigningKey.generate("a")).encode(),
    ],
    ids=["cut", "another-log"],
)
async def test_a_memory_that_is_damaged_is_not_begun_anew(
    site: LogSite, audit: Audit, tmp_path: Path, damaged: bytes
) -> None:
    """An auditor without a memory believes any history; one with a damaged memory says so."""
    await site.show(ENTRIES[:3])
    await seen(audit)
    (kept,) = (tmp_path / "auditor").glob("*/checkpoint")
    kept.write_bytes(damaged)
    async with audit() as log:
        with pytest.raises(StoreDamaged, match="checkpoint is damaged"):
            await log.newest()


async def test_one_who_was_shown_less_and_comes_to_the_memory_later_sees_no_rollback(
    site: LogSite, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several readers one goes after the other: a second one, who comes while the first one has its answer, waits."""
    await site.show(ENTRIES[:1])
    at_the_lock, second = asyncio.Event(), asyncio.Event()
    loop, lock = asyncio.get_running_loop(), Memory._lock

    def waiting(memory: Memory, name: str) -> int:
        loop.call_soon_threadsafe(at_the_lock.set)
        return lock(memory, name)

    async def look() -> int:
        size = await seen(audit)
        second.set()
        return size

    async with audit() as first:
        honest = first._source.get

        async def get(path: str, limit: int) -> bytes | None:
            answer = await honest(path, limit)
            if path == "checkpoint":
                await site.add(ENTRIES[1])
                monkeypatch.setattr(Memory, "_lock", waiting)
                tasks.append(asyncio.create_task(look()))
                waits = [asyncio.create_task(event.wait()) for event in (at_the_lock, second)]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            return answer

        tasks: list[asyncio.Task[int]] = []
        monkeypatch.setattr(first._source, "get", get)
        assert (await first.newest()).size == 1
    assert await tasks[0] == 2
