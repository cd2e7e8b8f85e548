"""Disclosure packages as they are written (`relay/desk/package.py`): what is in them, and what a crash or full disk leaves."""

import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from blindrelay.clients.authority.package import Package
from blindrelay.policies.package import FileName, canonical
from blindrelay.policies.vocabulary import METADATA, DataClass
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk.package import PackageMaker, PackageNotWritten
from blindrelay.relay.desk.ports import Making
from blindrelay.relay.desk.selection import NotSelectable
from blindrelay.relay.ledger import DAY, HOUR
from blindrelay.relay.store.metadata import open_metadata_reader
from blindrelay.relay.store.sqlite import SqliteStore
from support.disclosure import NOW, Desk, add_connections, add_traffic, decision, device, enrol, many_messages, user

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "relay.db", reserve_bytes=0)
    enrol(store, last_seen_day=19_670)
    add_traffic(store, (1, 3, NOW - 5), (None, 1, NOW - 4), (3, 4, NOW - 3))
    add_connections(store, (1, NOW - 2 * HOUR, None), (3, NOW - HOUR, NOW))
    yield store
    store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def plaintext(path: Path, desk: Desk) -> bytes:
    """Everything that is sealed, in the order in which it was written, but the signature."""
    with Package.open(path, desk.key, desk.certificate) as package:
        return b"".join(data for name, data in package.files() if name is not FileName.SIGNATURE)


def test_a_package_is_what_was_selected_and_no_more(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """The records of the targets, a manifest that counts them, and the digest of the sealed file."""
    out = tmp_path / "d1.package"

    made = PackageMaker(store.metadata_reader, desk.identity).write(desk.order(decision(user("bob"))), out)

    assert made.digest == sha256(out.read_bytes()).hexdigest()
    assert made.size == out.stat().st_size
    assert made.records == {DataClass.SUBSCRIBER: 2, DataClass.ACCESS: 1, DataClass.TRAFFIC: 2}
    assert made.accounts == {1, 2}
    assert out.stat().st_mode & 0o777 == 0o600
    with Package.open(out, desk.key, desk.certificate) as package:
        assert made.manifest == sha256(canonical(package.manifest)).hexdigest()
        assert package.digest == made.digest
        assert {entry.data_class: entry.records for entry in package.manifest.classes} == made.records
        assert [record.account_id for record in package.records(DataClass.SUBSCRIBER)] == [1, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("data_class", sorted(METADATA))
def test_a_class_that_was_not_granted_is_not_there(
    store: SqliteStore, desk: Desk, tmp_path: Path, data_class: DataClass
) -> None:
    """Neither as records nor as an empty file."""
    out = tmp_path / "d1.package"
    PackageMaker(store.metadata_reader, desk.identity).write(
        desk.order(decision(user("bob"), classes=frozenset({data_class}))), out
    )

    with Package.open(out, desk.key, desk.certificate) as package:
        assert {entry.data_class for entry in package.manifest.classes} == {data_class}
        assert len(package.manifest.files) == 2
        for other in METADATA - {data_class}:
            assert not list(package.records(other))


def test_an_unknown_target_gives_an_empty_package(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """It says that there is nothing, and has the form of every other package."""
    made = PackageMaker(store.metadata_reader, desk.identity).write(
        desk.order(decision(user("nobody"))), tmp_path / "d1.package"
    )

    assert set(made.records.values()) == {0}
    with Package.open(tmp_path / "d1.package", desk.key, desk.certificate) as package:
        assert [len(list(package.rows(item))) for item in METADATA] == [1, 1, 1], "the names of the columns"


def test_the_same_metadata_make_the_same_package(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """Byte for byte inside; outside nothing of it is the same, for the key is new."""
    order = desk.order(decision(user("bob"), user("ann")))
    maker = PackageMaker(store.metadata_reader, desk.identity)

    first, second = (maker.write(order, tmp_path / name) for name in ("one", "two"))

    assert first.manifest == second.manifest
    assert first.digest != second.digest
    assert plaintext(tmp_path / "one", desk) == plaintext(tmp_path / "two", desk)


def test_what_happens_later_does_not_change_a_package(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """A package that is written again after a restart is about what there was when it was decided."""
    order = desk.order(decision(user("bob"), classes=frozenset({DataClass.TRAFFIC, DataClass.SUBSCRIBER})))
    maker = PackageMaker(store.metadata_reader, desk.identity)
    before = maker.write(order, tmp_path / "one")
    add_traffic(store, (1, 3, NOW + 60), (1, 3, NOW))

    assert maker.write(order, tmp_path / "two").manifest == before.manifest


def test_nothing_is_written_for_a_decision_that_grants_nothing(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """Refused before there is a file."""
    content = decision(user("bob"), classes=frozenset({DataClass.CONTENT}))
    with pytest.raises(NotSelectable):
        PackageMaker(store.metadata_reader, desk.identity).write(desk.order(content), tmp_path / "d1.package")

    assert not list(tmp_path.glob("*d1*"))


def test_a_key_that_is_none_leaves_nothing(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """A damaged key in the register is an error, not a package that nobody can open."""
    for key in (b"", bytes(1_215), b"\xff" * 1_216):
        with pytest.raises(Malformed):
            PackageMaker(store.metadata_reader, desk.identity).write(
                desk.order(decision(user("bob")), package_key=key), tmp_path / "d1.package"
            )

    assert not list(tmp_path.glob("*d1*"))


def test_a_folder_that_cannot_be_written_is_said(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(PackageNotWritten, match="nowhere"):
        PackageMaker(store.metadata_reader, desk.identity).write(
            desk.order(decision(user("bob"))), tmp_path / "nowhere" / "d1"
        )


def test_what_an_interrupted_attempt_left_is_thrown_away(store: SqliteStore, desk: Desk, tmp_path: Path) -> None:
    """Half a package beside the place of the new one does not matter."""
    (tmp_path / ".d1.partial").write_bytes(b"half")

    PackageMaker(store.metadata_reader, desk.identity).write(desk.order(decision(user("bob"))), tmp_path / "d1")

    assert not (tmp_path / ".d1.partial").exists()
    plaintext(tmp_path / "d1", desk)


def run(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Write a package in a process of its own: see `support.package_writer`."""
    command = [sys.executable, "-m", "support.package_writer", str(folder), *options]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT)


def large_database(folder: Path, messages: int) -> None:
    """With so many messages of Bob's phone."""
    store = SqliteStore.open(folder / "relay.db", reserve_bytes=0)
    enrol(store)
    store.close()
    many_messages(folder / "relay.db", messages)


def line(process: "subprocess.Popen[bytes]") -> str:
    stream: BinaryIO = process.stdout  # type: ignore[assignment]
    return stream.readline().decode().strip()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    """The file size limit stands for the disk: what was written is removed again."""
    large_database(tmp_path, 20_000)

    process = run(tmp_path, "--room=1000000")
    out, _ = process.communicate(timeout=60)

    assert b"PackageNotWritten: there is no room for the package in" in out
    assert not list(tmp_path.glob("*d1*"))


def test_a_killed_writer_leaves_no_package_and_the_next_one_succeeds(tmp_path: Path) -> None:
    """`kill -9` in the middle: there is no package at its place, and the same command makes it."""
    large_database(tmp_path, 100_000)
    process = run(tmp_path, "--stop-after=2")
    assert line(process) == "writing"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert not (tmp_path / "d1").exists()
    assert (tmp_path / ".d1.partial").exists()

    again = run(tmp_path)
    out, error = again.communicate(timeout=60)

    assert b"written 100000" in out, error
    assert not (tmp_path / ".d1.partial").exists()


class Noting(PackageMaker):
    """Notes what somebody who looks all the time would see."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.noted: list[tuple[int, int]] = []

    def told(self, key: str, making: Making) -> None:
        super().told(key, making)
        assert self.making(key) == making
        self.noted.append((making.done, making.of))


def test_memory_does_not_grow_with_the_number_of_records(tmp_path: Path) -> None:
    """Eight times as many records take as much memory as a piece of them, and progress is told."""
    large_database(tmp_path, 0)
    desk = Desk(tmp_path)
    order = desk.order(decision(device("bob"), classes=frozenset({DataClass.TRAFFIC})))
    peaks = []
    for number in (30_000, 210_000):
        many_messages(tmp_path / "relay.db", number, since=NOW - DAY)
        maker = Noting(partial(open_metadata_reader, tmp_path / "relay.db"), desk.identity)
        tracemalloc.start()
        made = maker.write(order, tmp_path / "d1")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert maker.noted == sorted(maker.noted)
        assert maker.noted[-1] == (made.records[DataClass.TRAFFIC],) * 2
        assert maker.making(order.key) is None

    assert made.records[DataClass.TRAFFIC] == 240_000
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 64 * 1_048_576
