"""The files of a log: whole or not there, durable before anything refers to them, their owner's alone, and never others."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.tiles import Tile
from blindrelay.relay.transparency.shelf import Shelf
from support.killed import Guillotine, Killed
from support.merkle import LOG
from support.powerless import EFFECTS, watched
from support.publisher import Publisher

#: How many entries there are when a log is published: tiles and bundles that begin, grow, become full, and are passed over.
SIZES = (1, 3, 255, 256, 300, 600)


def everything(folder: Path) -> dict[str, bytes]:
    """All files that are shown: what is being written has a dot before its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_files_and_folders_are_the_owner_s_alone(publisher: Publisher, umask: int) -> None:
    """Whatever the umask. The world reads them through the relay."""
    before = os.umask(umask)
    try:
        for size in SIZES:
            log = await publisher.open(size)
            await log.close()
    finally:
        os.umask(before)
    paths = [publisher.folder, *publisher.folder.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
    assert len(paths) > 10


def test_a_partial_one_goes_when_it_is_full_and_can_be_read_for_good(tmp_path: Path) -> None:
    """Whoever has an older checkpoint gets what it covers: the beginning of what has taken its place."""
    shelf = Shelf(tmp_path / "log")
    partial: list[tuple[Tile | Bundle, bytes]] = [
        (Tile(0, 1, 7), LOG.tile(0, 1, 7)),
        (Bundle(1, 7), pack(LOG.entries[256:263])),
    ]
    shelf.put(partial)
    shelf.put([(Tile(0, 1), LOG.tile(0, 1, 256)), (Bundle(1), pack(LOG.entries[256:512]))])
    for piece, data in partial:
        assert not shelf.path(piece).exists()
        assert not shelf.path(piece).parent.exists()
        assert shelf.fetch(piece) == data
    assert shelf.read(Tile(0, 1, 7)) == LOG.tile(0, 1, 7)
    assert shelf.fetch(Tile(0, 1, 200)) == LOG.tile(0, 1, 200), "one that was never published begins like it, too"


@pytest.mark.parametrize("piece", [Tile(0, 1), Tile(0, 1, 7), Tile(5, 0), Bundle(1), Bundle(1, 7)])
def test_what_is_not_there_is_not_made_up(tmp_path: Path, piece: Tile | Bundle) -> None:
    """Neither tile nor bundle."""
    shelf = Shelf(tmp_path / "log")
    shelf.put([(Tile(0, 0), LOG.tile(0, 0, 256)), (Bundle(0), pack(LOG.entries[:256]))])
    with pytest.raises(FileNotFoundError):
        shelf.fetch(piece)


@pytest.fixture
def guillotine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guillotine]:
    """A boundary before and after each effect on the disk."""
    found = Guillotine()
    for name in (*EFFECTS, "open"):
        # Nothing is really synced: it takes its time, and whoever is killed has done what they did.
        effect = getattr(os, name) if name != "fsync" else lambda _: None
        monkeypatch.setattr(os, name, found.around(effect))
    yield found
    found.at = None


def fill(shelf: Shelf) -> None:
    """Publish two of three tiles and bundles, as a log does."""
    for size in (10, 256, 300):
        full, rest = divmod(size, 256)
        pieces: list[tuple[Tile | Bundle, bytes]] = []
        for index, width in [(index, 256) for index in range(full)] + ([(full, rest)] if rest else []):
            start = index * 256
            pieces.append((Tile(0, index, width), LOG.tile(0, index, width)))
            pieces.append((Bundle(index, width), pack(LOG.entries[start : start + width])))
        shelf.put(pieces)
        shelf.publish(b"checkpoint of %d" % size)


def test_killed_at_every_boundary_nothing_is_half(tmp_path: Path, guillotine: Guillotine) -> None:
    """Whatever has its name has all its bytes, and whoever does it again gets the same files as if nothing had happened."""
    fill(Shelf(tmp_path / "whole"))
    whole, boundaries = everything(tmp_path / "whole"), guillotine.passed
    assert boundaries > 60
    for at in range(boundaries):
        folder = tmp_path / str(at)
        guillotine.at, guillotine.passed = at, 0
        with pytest.raises(Killed):
            fill(Shelf(folder))
        guillotine.at = None
        for name, data in everything(folder).items() if folder.exists() else ():
            if name == "checkpoint":
                assert data in {b"checkpoint of 10", b"checkpoint of 256", b"checkpoint of 300"}
            elif ".p/" not in name:
                assert data == whole[name]
        fill(Shelf(folder))
        assert everything(folder) == whole


async def test_the_power_may_fail_at_any_moment(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of what was not synced is found: a checkpoint that was shown is there, and the log goes on from it.

    No checkpoint is found before its tiles, and no partial tile is gone before the full one is sure to stay.
    """
    shown = 0
    publisher.folder = tmp_path / "disk" / "logs" / "directory"
    publisher.folder.parent.parent.mkdir()
    with watched(publisher.folder.parent.parent, lambda: shown, monkeypatch) as disk:
        log = await publisher.open(0)
        for size in SIZES:
            publisher.have(size)
            assert await log.publish()
            shown = size
        await log.close()
    monkeypatch.setattr(os, "fsync", lambda _: None)
    assert len(disk.moments) > 100
    await publisher.open(folder=tmp_path / "whole")
    whole = everything(tmp_path / "whole")
    for number, moment in enumerate(disk.moments):
        found = tmp_path / f"found-{number}"
        moment.lay_out(found)
        folder = found / "logs" / "directory"
        assert size_of(Shelf(folder).checkpoint()) >= moment.promised, moment
        log = await publisher.open(folder=folder)
        publisher.check(log, SIZES[-1])
        await log.close()
        assert {name: data for name, data in everything(folder).items() if name in whole} == whole, moment
        shutil.rmtree(found)


def size_of(checkpoint: bytes | None) -> int:
    """How many entries it shows."""
    return 0 if checkpoint is None else Checkpoint.parse(Note.parse(checkpoint).text).size
