"""A log: what it has shown it goes on from, whatever fails, and nothing is shown without its quorum."""

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.protocol.transparency.tiles import Tile
from blindrelay.relay.errors import HistoryLost, StoreFailed, StoreFull
from blindrelay.relay.transparency import entries
from blindrelay.relay.transparency import log as log_module
from blindrelay.relay.transparency.log import Log
from support.merkle import LOG
from support.odd_witness import odd_witness
from support.party import HandClock
from support.public_log import Entries
from support.publisher import Publisher


def sizes_shown(log: Log, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every size that the world is shown from now on, in order."""
    shown: list[int] = []
    publish = log.shelf.publish

    def watch(checkpoint: bytes) -> None:
        shown.append(Checkpoint.parse(Note.parse(checkpoint).text).size)
        publish(checkpoint)

    monkeypatch.setattr(log.shelf, "publish", watch)
    return shown


class TestHistory:
    """What has been shown."""

    @pytest.mark.parametrize(
        "sizes", [(0, 0), (0, 1), (1, 1), (3, 255), (255, 256), (256, 256), (256, 257), (511, 1_024)]
    )
    async def test_a_log_goes_on_where_it_was(self, publisher: Publisher, sizes: tuple[int, int]) -> None:
        """Over a restart at any size, to any size: the checkpoint that was shown stays until there is a larger one."""
        one, other = sizes
        log = await publisher.open(one)
        publisher.check(log, one)
        shown = log.published.note
        await log.close()
        log = await publisher.open(one)
        assert log.published.note == shown
        publisher.have(other)
        assert await log.publish()
        publisher.check(log, other)
        if one:
            assert list(log.consistency(one, log.published)) == (LOG.proof(one, other) if one < other else [])

    async def test_what_was_committed_while_nobody_looked_is_published_at_the_start(self, publisher: Publisher) -> None:
        """An entry that was committed a moment before a crash."""
        await (await publisher.open(3)).close()
        publisher.check(await publisher.open(700), 700)

    @pytest.mark.parametrize(("shown", "stored"), [(1, 0), (300, 299), (256, 255), (700, 0)])
    async def test_a_database_that_is_older_than_what_was_shown_is_refused(
        self, publisher: Publisher, shown: int, stored: int
    ) -> None:
        """To go on would be to show a second history: it takes a person, and the newest copy."""
        log = await publisher.open(shown)
        note = log.published.note
        await log.close()
        with pytest.raises(HistoryLost, match=rf"shows {shown} entries, and the database has {stored}.*newest"):
            await publisher.open(stored)
        assert (publisher.folder / "checkpoint").read_bytes() == note

    @pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
    async def test_a_database_with_other_entries_is_refused(self, publisher: Publisher, size: int) -> None:
        """As many or more, and not the ones that were shown: another relay's, or a copy that has gone on by itself."""
        await (await publisher.open(size)).close()
        publisher.have(size + 10)
        publisher.source.all[size - 1] = b"another"
        with pytest.raises(HistoryLost, match="shows other entries than the database has"):
            await publisher.open()

    @pytest.mark.parametrize(
        "tile", [Tile(0, 2, 88), Tile(1, 0, 2)], ids=["the-last-leaves", "the-hashes-above-full-tiles"]
    )
    @pytest.mark.parametrize("spoil", [lambda data: data[::-1], lambda data: data[:-1], lambda data: b"", None])
    async def test_tiles_that_lead_to_another_root_are_refused(
        self, publisher: Publisher, tile: Tile, spoil: Callable[[bytes], bytes] | None
    ) -> None:
        """Changed, cut off, empty, gone: the log's edge is not what it signed."""
        log = await publisher.open(600)
        path = log.shelf.path(tile)
        await log.close()
        if spoil is None:
            path.unlink()
        else:
            path.write_bytes(spoil(path.read_bytes()))
        with pytest.raises(HistoryLost, match=r"cannot be continued .*: restore it and its key from a backup"):
            await publisher.open()

    async def test_another_key_does_not_go_on(self, publisher: Publisher) -> None:
        """Nor does the same key under another name, nor somebody else's folder."""
        await (await publisher.open(5)).close()
        key = publisher.key
        for other in (
            SigningKey.generate(key.name),
            SigningKey("another.example/directory", key.algorithm, key.private),
        ):
            publisher.keys = (other,)
            with pytest.raises(HistoryLost, match="another log's key has signed it"):
                await publisher.open()

    @pytest.mark.parametrize("checkpoint", [b"", b"nonsense\n", b"relay.example/directory\n5\nAAAA\n\n"])
    async def test_a_checkpoint_that_is_none_is_not_passed_over(self, publisher: Publisher, checkpoint: bytes) -> None:
        """To begin anew would be to take back what was shown."""
        log = await publisher.open(5)
        await log.close()
        (publisher.folder / "checkpoint").write_bytes(checkpoint)
        with pytest.raises(HistoryLost):
            await publisher.open()

    async def test_a_checkpoint_of_another_log_is_not_gone_on_from(self, publisher: Publisher) -> None:
        """Though the same key has signed it."""
        log = await publisher.open(5)
        await log.close()
        other = Checkpoint("relay.example/another", 5, LOG.root(5)).sign(publisher.key)
        (publisher.folder / "checkpoint").write_bytes(other.encode())
        with pytest.raises(HistoryLost):
            await publisher.open()

    async def test_many_who_ask_at_once_see_it_grow(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often it is woken, asked, and asked by somebody who goes away: nothing is shown twice, or backwards."""
        log = await publisher.open(0)
        shown = sizes_shown(log, monkeypatch)
        for size in range(1, 40):
            publisher.have(size)
            log.wake()
            asked = [asyncio.create_task(log.publish()) for _ in range(3)]
            await asyncio.sleep(0)
            asked[0].cancel()
            assert await asked[1]
            assert await asked[2]
            publisher.check(log, size)
        assert shown == sorted(set(shown))
        assert shown[-1] == 39


class TestTrouble:
    """What fails, and is made up for."""

    async def test_a_full_disk_at_any_moment_costs_nothing_but_time(
        self, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The checkpoint that is shown stays. When there is room again, everything is there as if it had always been."""
        await publisher.open(600, folder=tmp_path / "whole")
        whole = files(tmp_path / "whole")
        room: int | None = None

        def limited(call: Callable[..., Any]) -> Callable[..., Any]:
            def act(*given: Any, **options: Any) -> Any:
                nonlocal room
                if room is not None:
                    if room == 0:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    room -= 1
                return call(*given, **options)

            return act

        monkeypatch.setattr(os, "fsync", lambda _: None)
        for effect in ("open", "fsync", "replace", "mkdir"):
            monkeypatch.setattr(os, effect, limited(getattr(os, effect)))
        for room_at_first in range(1_000):
            room = None
            folder = tmp_path / str(room_at_first)
            log = await publisher.open(250, folder=folder)
            publisher.have(600)
            before, room = log.published, room_at_first
            with contextlib.suppress(OSError):
                assert await log.publish()
                break
            assert log.published == before
            # On the disk is this one or the next, for the last of all syncs may have failed.
            assert log.shelf.checkpoint() == before.note or room_at_first > 30
            with pytest.raises(OSError, match="No space"):
                await log.publish()
            room = None
            assert await log.publish()
            publisher.check(log, 600)
            assert {name: data for name, data in files(folder).items() if name in whole} == whole
            await log.close()
        assert room_at_first > 20

    async def test_an_edge_that_cannot_be_read_back_is_not_guessed(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that fails twice, in the middle of a tile and then of looking up where it was."""
        log = await publisher.open(100)
        publisher.have(110)
        broken: Callable[..., Any] = lambda *_: exec("raise OSError(5, 'broken')")  # noqa: E731
        with monkeypatch.context() as patched:
            patched.setattr(log.shelf, "put", broken)
            patched.setattr(log.shelf, "read", broken)
            for _ in range(3):
                with pytest.raises(OSError, match="broken"):
                    await log.publish()
        publisher.have(300)
        assert await log.publish()
        publisher.check(log, 300)

    @pytest.mark.parametrize("error", [StoreFull("full"), StoreFailed("failed"), RuntimeError("a bug")])
    async def test_a_store_that_cannot_be_read_is_asked_again(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        """Whoever asks is told, the log lives on."""
        log = await publisher.open(100)
        publisher.have(300)
        with monkeypatch.context() as patched:
            for method in ("count", "entries"):

                async def fail(*_: object) -> int:
                    raise error

                patched.setattr(publisher.source, method, fail)
                with pytest.raises(type(error)):
                    await log.publish()
        assert await log.publish()
        publisher.check(log, 300)

    async def test_a_log_that_cannot_be_published_at_the_start_is_published_later(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A relay starts on a full disk, and answers nobody what it cannot prove."""
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", lambda *_: exec("raise OSError(28, 'full')"))
            log = await publisher.open(5)
        assert log.published.note == b""
        assert await log.publish()
        publisher.check(log, 5)

    async def test_it_is_tried_again_without_being_asked(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Soon after a failure; and who is woken meanwhile by every new entry does not hurry."""
        monkeypatch.setattr(log_module, "_RETRY", 0.01)
        log = await publisher.open(5)
        rounds = 0

        async def fail() -> int:
            nonlocal rounds
            rounds += 1
            for _ in range(10):
                log.wake()
            if rounds == 3:
                publisher.have(9)
                monkeypatch.undo()
            raise StoreFull("full")

        monkeypatch.setattr(publisher.source, "count", fail)
        log.wake()
        async with asyncio.timeout(10):
            await log.wait_published(8)
        assert rounds == 3
        publisher.check(log, 9)

    async def test_entries_that_never_cease_do_not_keep_it_from_being_published(self, publisher: Publisher) -> None:
        """At a high rate there is always one more: what was there when somebody asked is published."""

        class Endless(Entries):
            async def entries(self, start: int) -> list[bytes]:
                found = self.all[start:]
                publisher.have(len(self.all) + 5)
                return found

        publisher.source = Endless()
        log = await publisher.open(1)
        async with asyncio.timeout(10):
            assert await log.publish()
        size = log.published.checkpoint.size
        assert size < len(publisher.source.all)
        publisher.check(log, size)

    async def test_a_backlog_is_published_piece_by_piece(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Readers see it grow, and a crash in between costs no more than the last piece."""
        log = await publisher.open(10)
        shown = sizes_shown(log, monkeypatch)
        publisher.have(9_000)
        assert await log.publish()
        assert shown == [4_106, 8_202, 9_000]
        assert entries.AT_ONCE >= 4_096

    async def test_closing_waits_for_what_is_under_way(self, publisher: Publisher, clock: HandClock) -> None:
        """A round is finished, and whoever asks afterwards is told that nothing is published any more."""
        async with odd_witness(clock) as witness:
            publisher.witnesses, publisher.quorum = (witness.line,), 1
            log = await publisher.open(1)
            arrived, ready = asyncio.Event(), asyncio.Event()

            async def wait(submission: Submission) -> bytes:
                arrived.set()
                await ready.wait()
                return await witness.cosigns(submission)

            witness.answer = wait
            publisher.have(2)
            first = asyncio.create_task(log.publish())
            await arrived.wait()
            second = asyncio.create_task(log.publish())
            closing = asyncio.create_task(log.close())
            await asyncio.sleep(0)
            assert not closing.done()
            ready.set()
            await closing
            assert await first
            assert not await second
            assert not await log.publish()
            publisher.check(log, 2)


class TestProofs:
    """What a look-up carries."""

    async def test_proofs_are_those_of_the_rfc(self, publisher: Publisher) -> None:
        """Of what is published, and of what was published before."""
        log = await publisher.open(300)
        before = log.published
        publisher.have(600)
        assert await log.publish()
        for published, size in ((before, 300), (log.published, 600)):
            for index in (0, 1, 255, 256, 299):
                assert list(log.inclusion(index, published)) == LOG.path(index, size)
            for old in (1, 255, 256, 299):
                assert list(log.consistency(old, published)) == LOG.proof(old, size)

    async def test_what_is_not_published_is_not_proved(self, publisher: Publisher) -> None:
        """Neither an entry beyond the checkpoint, nor that a log continues a larger one."""
        log = await publisher.open(5)
        for prove in (log.inclusion, log.consistency):
            for number in (-1, 6):
                with pytest.raises(ValueError, match="tree"):
                    prove(number, log.published)
        with pytest.raises(ValueError, match="no leaf"):
            log.inclusion(5, log.published)

    async def test_an_entry_is_waited_for_until_it_is_published(self, publisher: Publisher) -> None:
        """And not a moment longer."""
        log = await publisher.open(5)
        await log.wait_published(4)
        waiting = asyncio.create_task(log.wait_published(5))
        await asyncio.sleep(0)
        assert not waiting.done()
        publisher.have(6)
        log.wake()
        await waiting
        publisher.check(log, 6)


def files(folder: Path) -> dict[str, bytes]:
    """All that is shown."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class TestTurns:
    """Of several nodes that show a log, one at a time publishes it."""

    async def test_who_only_shows_a_log_publishes_nothing(self, publisher: Publisher) -> None:
        """And says so to whoever asks it to."""
        log = await publisher.open(3)
        shown = await publisher.show()
        publisher.have(5)

        assert not await shown.publish()
        publisher.check(log, 3)

    async def test_what_another_node_publishes_is_followed(self, publisher: Publisher) -> None:
        """Whoever waits for an entry hears of it then."""
        log = await publisher.open(3)
        shown = await publisher.show()
        waiting = asyncio.create_task(shown.wait_published(4))
        publisher.have(5)
        assert await log.publish()

        await shown.follow()
        await waiting
        assert shown.published == log.published

    async def test_the_next_node_goes_on_where_the_last_one_stopped(self, publisher: Publisher) -> None:
        """Though nobody has told it how far that was."""
        log = await publisher.open(3)
        following = await publisher.show()
        publisher.have(300)
        assert await log.publish()
        await log.lay_down()
        publisher.have(600)
        await following.take_up()

        publisher.check(following, 600)
        assert not await log.publish(), "the other one has stopped"
