"""A copy of what a relay has on disk: whole, of one moment, and made without a trace."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from blindrelay.proofs.evidence import snapshot
from blindrelay.proofs.evidence.snapshot import check_data_directory, copy_database, copy_folder
from blindrelay.relay.errors import NewerVersion, Unreadable
from blindrelay.relay.server import Relay
from support.tenants import Tenant


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with what is in it, and when it was changed."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a row in it, and one in its log."""
    path = tmp_path / "there" / "some.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE letter (number INTEGER)")
        connection.execute("INSERT INTO letter VALUES (1)")
    connection.close()
    return path


def rows(path: Path) -> list[int]:
    """What is in such a database."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        found = [row[0] for row in connection.execute("SELECT number FROM letter ORDER BY number")]
    connection.close()
    return found


async def test_a_relay_that_runs_is_copied_without_a_trace(relay: Relay, acme: Tenant, tmp_path: Path) -> None:
    """The copy has what was committed last, and there is no file more in the relay's folder."""
    data, copy = relay.settings.data_dir, tmp_path / "copy"
    copy.mkdir()
    before = {path.name for path in data.iterdir()}  # the logs are being published meanwhile

    assert copy_folder(data, copy) == []

    with sqlite3.connect(f"file:{copy / 'relay.db'}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT name FROM tenant").fetchall() == [("acme.example",)]
    connection.close()
    assert {path.name for path in data.iterdir()} == before
    assert {path.name for path in copy.iterdir()} == before


def test_what_is_copied_is_as_it_was(database: Path, tmp_path: Path) -> None:
    """To the byte, the time of change, and the files beside it: a database that is opened gets some."""
    before = tree(database.parent)
    (tmp_path / "copy").mkdir()

    copy_folder(database.parent, tmp_path / "copy")

    assert rows(tmp_path / "copy" / "some.db") == [1]
    assert tree(database.parent) == before


def test_what_is_in_the_log_is_in_the_copy(database: Path, tmp_path: Path) -> None:
    """A database and its log are one thing."""
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO letter VALUES (2)")
        connection.commit()
        copy_database(database, tmp_path / "copy.db")
    connection.close()

    assert rows(tmp_path / "copy.db") == [1, 2]
    assert (tmp_path / "copy.db-wal").stat().st_size > 0


class Writer:
    """Somebody who brings the log into the database just when that has been copied, and writes on, so many times."""

    def __init__(self, database: Path, times: int) -> None:
        self.connection = sqlite3.connect(database)
        self.times = times
        self.copyfile = shutil.copyfile
        self.numbers = [1]

    def __call__(self, source: Path, target: Path) -> object:
        copied = self.copyfile(source, target)
        if source.suffix == ".db" and self.times:
            self.times -= 1
            self.numbers.append(len(self.numbers) + 1)
            self.connection.execute("INSERT INTO letter VALUES (?)", (self.numbers[-1],))
            self.connection.commit()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return copied


def test_a_database_that_is_rewritten_meanwhile_is_copied_again(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one moment and half of another would be neither."""
    writer = Writer(database, times=3)
    monkeypatch.setattr(snapshot.shutil, "copyfile", writer)
    monkeypatch.setattr(snapshot, "_PAUSE", 0)

    copy_database(database, tmp_path / "copy.db")
    writer.connection.close()

    assert writer.times == 0
    assert rows(tmp_path / "copy.db") == writer.numbers == [1, 2, 3, 4]


def test_a_database_that_is_never_still_is_not_copied(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, with what to do."""
    writer = Writer(database, times=1_000)
    monkeypatch.setattr(snapshot.shutil, "copyfile", writer)
    monkeypatch.setattr(snapshot, "_PAUSE", 0)

    with pytest.raises(Unreadable, match=r"rewritten faster than it can be copied: try again"):
        copy_database(database, tmp_path / "copy.db")
    writer.connection.close()


def test_a_damaged_database_is_no_evidence(database: Path, tmp_path: Path) -> None:
    """Nothing would be found in it."""
    data = bytearray(database.read_bytes())
    data[4_096:4_300] = b"\7" * 204
    database.write_bytes(data)

    with pytest.raises(Unreadable, match=r"is damaged .*: nothing can be said about it"):
        copy_database(database, tmp_path / "copy.db")


def test_a_copy_needs_room(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing, and where another place is named."""
    free = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(snapshot.shutil, "disk_usage", lambda _: free)

    with pytest.raises(Unreadable, match=r"has 1,000 bytes of room for .*TMPDIR"):
        copy_folder(database.parent, tmp_path / "copy")


def directory(folder: Path, version: str) -> Path:
    """What looks like a data directory."""
    folder.mkdir()
    (folder / "relay.db").touch()
    (folder / "version").write_text(version)
    return folder


def test_what_is_no_data_directory(tmp_path: Path) -> None:
    """The message says what was looked for, and which folder is meant."""
    with pytest.raises(Unreadable, match=r"nowhere is no folder: name the data directory of a relay"):
        check_data_directory(tmp_path / "nowhere")
    with pytest.raises(Unreadable, match=r"there is no version and no relay\.db in it"):
        check_data_directory(tmp_path)
    with pytest.raises(Unreadable, match=r"version is damaged: expected a number"):
        check_data_directory(directory(tmp_path / "one", "two"))
    with pytest.raises(NewerVersion, match=r"written by a newer release \(layout 9999"):
        check_data_directory(directory(tmp_path / "new", "9999"))
    check_data_directory(directory(tmp_path / "good", "1\n"))
