"""A power cut keeps what was synced, and anything of what was not."""

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.chaos.history import Message
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.oracle import Invariant
from blindrelay.proofs.chaos.powercut import SECTOR, Call, Disk, Image, examine_image, images, read_trace


def write(offset: int, data: bytes, file: str = "a") -> Call:
    return Call(0, 0, "pwrite64", file, offset, data)


SYNC = Call(1, 2, "fdatasync", "a")


def contents(disk: Disk) -> list[bytes | None]:
    return [image.files.get("a") for image in disk.images(9, random.Random(1))]


def test_what_is_synced_survives() -> None:
    """After a sync there is one image, with everything in it."""
    disk = Disk({})
    disk.happen(write(0, b"one"))
    disk.happen(write(3, b"two"))
    disk.happen(SYNC)
    assert contents(disk) == [b"onetwo"]


def test_what_is_not_synced_may_be_gone_or_there() -> None:
    """A write after the sync is in some images and not in others."""
    disk = Disk({"a": b"old"})
    disk.happen(write(0, b"new"))
    assert set(contents(disk)) == {b"old", b"new"}


def test_a_write_may_be_torn_between_sectors() -> None:
    """Of a page, the first sectors may have reached the disk and the others not."""
    disk = Disk({"a": bytes(4 * SECTOR)})
    disk.happen(write(0, b"x" * 4 * SECTOR))
    counts = Counter(content.count(b"x") % (4 * SECTOR) for content in contents(disk) if content)
    assert any(0 < count < 4 * SECTOR and count % SECTOR == 0 for count in counts)


def test_a_sync_of_one_file_says_nothing_about_another() -> None:
    """The database is not on the disk because its WAL is."""
    disk = Disk({})
    disk.happen(write(0, b"page", "b"))
    disk.happen(write(0, b"frame", "a"))
    disk.happen(SYNC)
    first = next(iter(disk.images(9, random.Random(1))))
    assert first.files == {"a": b"frame"}


def test_truncation_and_removal_are_writes_too() -> None:
    """A WAL that was emptied without a sync may still be full."""
    disk = Disk({"a": b"frames"})
    disk.happen(Call(0, 0, "ftruncate", "a", 0))
    assert set(contents(disk)) == {b"frames", b""}
    disk.happen(Call(0, 0, "unlink", "a"))
    assert None in contents(disk)


@given(data=st.binary(min_size=1, max_size=60), offset=st.integers(0, 9_999), result=st.integers(1, 60))
def test_a_line_of_strace_is_read_back(data: bytes, offset: int, result: int, tmp_path_factory: object) -> None:
    """Every byte that was written is in the record, and no more than were written."""
    folder: Path = tmp_path_factory.mktemp("trace")  # type: ignore[attr-defined]
    text = "".join(f"\\x{byte:02x}" for byte in data)
    path = "".join(f"\\x{byte:02x}" for byte in b"/data/relay.db-wal")
    written = min(result, len(data))
    (folder / "trace.12").write_text(
        f'1795470761.710835 pwrite64(4<{path}>, "{text}", {len(data)}, {offset}) = {written} <0.000151>\n'
        f"1795470762.000000 fdatasync(4<{path}>) = -1 EIO (Input/output error) <0.000151>\n"
        "1795470763.000000 +++ exited with 0 +++\n"
    )
    (call,) = read_trace(folder / "trace")
    assert (call.name, call.file, call.offset, call.data) == ("pwrite64", "relay.db-wal", offset, data[:written])
    assert 0 < call.ended - call.began < 0.001


def test_images_know_until_when_they_hold() -> None:
    """What was acknowledged before a sync returned must not need it; the last images are for ever."""
    moments = [image.until for image in images([write(0, b"x"), SYNC], {}, seed=1)]
    assert set(moments) == {2, float("inf")}


def test_an_image_without_an_acknowledged_message_is_a_loss(tmp_path: Path) -> None:
    """An empty disk is fine until something has been acknowledged, and a loss from then on."""
    message = Message("ab" * 16, acked=[Entry(5.0, Kind.ACKED, "alice", 1, "ab" * 16)])
    known = {message.message_id: message}
    for until, expected in ((104.0, False), (106.0, True)):
        image = Image(until, "nothing survived", {})
        findings = examine_image(image, "relay.db", known, 100.0, tmp_path)
        assert any(finding.invariant is Invariant.I1 for finding in findings) == expected
