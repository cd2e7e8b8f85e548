"""The store itself (`relay/store/sqlite.py`). Bug classes R7, R8, S11."""

import contextlib
import sqlite3
import stat
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blindrelay.relay.errors import NewerVersion, StoreFailed, StoreFull, Unreadable
from blindrelay.relay.store import tables
from blindrelay.relay.store.sqlite import SqliteStore
from support.stored import entry, on_disk


def waiting(store: SqliteStore, mailbox: int = 1) -> list[int]:
    return [envelope.sequence for envelope in store.fetch(mailbox, 0, 10_000, 1 << 30)]


def add_tenant(name: str) -> Any:
    insert = sqlalchemy.insert(tables.tenant).values(name=name, root=b"", registered_day=0)
    return lambda connection: connection.execute(insert).rowcount


class NoRoom:
    """What the driver's connection is replaced with: it fails like a full or broken disk, where told to."""

    def __init__(self, driver: sqlite3.Connection, code: int, words: tuple[str, ...]) -> None:
        self._driver, self._code, self._words = driver, code, words

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith(self._words):
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = self._code
            raise error
        return self._driver.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


def inject(store: SqliteStore, code: int, *words: str) -> None:
    store._driver = NoRoom(store._driver, code, words)  # type: ignore[assignment]


def quota(store: SqliteStore, pages: int) -> None:
    """No more than `pages` in the database from now on; SQLite then says SQLITE_FULL as it does at ENOSPC."""
    store._driver.execute(f"PRAGMA max_page_count = {pages}")


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + bytes(4_000)])
def test_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    """A damaged file is refused with a sentence, and left as it is."""
    path = tmp_path / "relay.db"
    path.write_bytes(content)

    with pytest.raises(Unreadable, match="cannot be used as the relay's database"):
        SqliteStore.open(path)
    assert path.read_bytes() == content


def test_damaged_page_is_found(tmp_path: Path) -> None:
    """A database whose pages do not fit together is refused when it is opened, not when it is too late."""
    path = tmp_path / "relay.db"
    store = SqliteStore.open(path)
    store.commit([entry(number) for number in range(1, 50)], [])
    store.close()
    content = bytearray(path.read_bytes())
    content[3 * 1_024 : 12 * 1_024] = b"\xff" * (9 * 1_024)
    path.write_bytes(content)

    with pytest.raises(Unreadable):
        SqliteStore.open(path)


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(Unreadable, match="absent"):
        SqliteStore.open(tmp_path / "absent" / "relay.db")


#: What has been added since a version, so that a database of that version can be made out of one of today.
SINCE = {
    1: ("tenant.jurisdiction", "tenant.log_index", "device.log_index"),
    2: ("tenant.log_index", "device.log_index"),
}


#: Tables that there were not, either.
LATER = {
    *("directory_entry", "mailbox"),
    *("presence", "node", "change", "log_tile", "log_head", "charge", "connection_watch", "connection_event"),
}


@pytest.mark.parametrize("version", SINCE)
def test_a_database_of_an_older_version_is_brought_up(tmp_path: Path, version: int) -> None:
    """Columns that an older release did not have are added, once, and what there was stays."""
    path = tmp_path / "relay.db"
    SqliteStore.open(path, reserve_bytes=0).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO tenant (name, root, registered_day) VALUES ('a.example', x'00', 7)")
        for table, _, column in (name.partition(".") for name in SINCE[version]):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table in LATER or table == "alembic_version":
                connection.execute(f"DROP TABLE {table}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    for _ in range(2):
        store = SqliteStore.open(path, reserve_bytes=0)
        with store.reader() as reader:
            rows = [tuple(row) for row in reader.execute(sqlalchemy.select(tables.tenant))]
            devices = list(reader.execute(sqlalchemy.select(tables.device)))
        store.close()
        assert rows == [("a.example", b"\x00", 7, None, None)]
        assert devices == []


@pytest.mark.parametrize("newer", ["PRAGMA user_version = 5", "UPDATE alembic_version SET version_num = '0999'"])
def test_database_of_a_newer_version(tmp_path: Path, newer: str) -> None:
    """What a newer release wrote is not touched; the message says what to do."""
    path = tmp_path / "relay.db"
    SqliteStore.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(newer)
    connection.close()

    with pytest.raises(NewerVersion, match="start the newer release"):
        SqliteStore.open(path)


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    """Database, WAL, shared memory and reserve have mode 0600, whatever the umask is."""
    store = SqliteStore.open(tmp_path / "relay.db", reserve_bytes=4_096)
    store.commit([entry(1)], [])

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("relay.db", "relay.db-wal", "relay.db-shm", "relay.db-reserve"), 0o600)


def test_settings_hold(store: SqliteStore) -> None:
    """Every commit is synced, what is deleted is overwritten, and nothing temporary reaches a file."""
    values = {
        pragma: store._driver.execute(f"PRAGMA {pragma}").fetchone()[0]
        for pragma in ("journal_mode", "synchronous", "secure_delete", "temp_store", "foreign_keys", "auto_vacuum")
    }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "temp_store": 2,
        "foreign_keys": 1,
        "auto_vacuum": 0,
    }


def test_readers_cannot_write(store: SqliteStore) -> None:
    """A reading connection refuses to write."""
    with store.reader() as connection, pytest.raises(sqlalchemy.exc.OperationalError, match="readonly"):
        connection.execute(sqlalchemy.delete(tables.traffic))


def test_fetch_is_bounded(store: SqliteStore) -> None:
    """Count and bytes are bounded, the first envelope always comes, and they come in order with their own length."""
    store.commit([entry(number, payload=b"%04d" % number * 300) for number in (3, 1, 2)], [])

    assert [found.sequence for found in store.fetch(1, 1, 10, 1 << 20)] == [2, 3]
    assert [found.sequence for found in store.fetch(1, 0, 10, 2_400)] == [1, 2]
    assert [found.payload for found in store.fetch(1, 0, 10, 0)] == [b"0001" * 300]
    assert store.fetch(1, 0, 0, 1 << 20) == []


def test_failed_write_is_its_own(store: SqliteStore) -> None:
    """A write that raises takes nothing with it: not the envelopes, not its neighbours."""

    def half_done(connection: sqlalchemy.Connection) -> None:
        add_tenant("half.example")(connection)
        raise LookupError("changed my mind")

    done = store.commit([entry(1)], [], [add_tenant("a.example"), half_done, add_tenant("b.example")])

    assert done.results[0] == done.results[2] == 1
    assert isinstance(done.results[1], LookupError)
    with store.reader() as connection:
        names = connection.execute(sqlalchemy.select(tables.tenant.c.name)).scalars().all()
    assert (names, waiting(store)) == (["a.example", "b.example"], [1])


def test_full_disk_refuses_and_still_deletes(store: SqliteStore) -> None:
    """Without room, envelopes are refused whole batches at a time; removals and reading go on; with room, all is as before."""
    store.commit([entry(number) for number in range(1, 30)], [])
    quota(store, 1)

    refused = store.commit([entry(number) for number in range(30, 60)], [(1, 1), (1, 2)])

    assert not refused.stored
    assert waiting(store) == list(range(3, 30))
    quota(store, 1_000_000)
    assert store.commit([entry(number) for number in range(30, 60)], []).stored
    assert waiting(store) == list(range(3, 60))


def test_full_disk_refuses_other_writes_by_name(store: SqliteStore) -> None:
    """What finds no room is told so by itself, and the store works on."""
    inject(store, sqlite3.SQLITE_FULL, "SAVEPOINT")

    done = store.commit([], [], [add_tenant("a.example")])

    assert done.stored  # nothing was to be stored
    assert isinstance(done.results[0], StoreFull)


def test_removals_without_room_are_made_up_for(store: SqliteStore) -> None:
    """A removal that found no room at all is done as soon as there is some."""
    store.commit([entry(1), entry(2)], [])
    driver = store._driver
    inject(store, sqlite3.SQLITE_FULL, "INSERT")
    store.commit([], [(1, 1)])
    assert waiting(store) == [1, 2]
    assert not store.tidy()

    store._driver = driver

    assert store.tidy()
    assert waiting(store) == [2]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
@pytest.mark.parametrize("words", ["INSERT INTO batch", "SAVEPOINT"])
def test_io_error_is_final(store: SqliteStore, code: int, words: str) -> None:
    """An I/O error, a failed fsync above all, is never taken for a full disk and never tried again: R7."""
    inject(store, code, words)

    with pytest.raises(StoreFailed, match="injected"):
        store.commit([entry(1)], [], [add_tenant("a.example")])


def test_checkpoint_waits_for_nobody(store: SqliteStore) -> None:
    """A reader in the way makes it say so at once; afterwards it empties the WAL."""
    store.commit([entry(1)], [])
    with store.reader() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM envelope")
        store.commit([entry(2)], [])
        assert not store.checkpoint()
        rows.close()

    assert store.checkpoint()
    assert store.wal_bytes == 0


def test_io_error_in_a_checkpoint_is_final(store: SqliteStore) -> None:
    """A checkpoint syncs, too: its failure is as final."""
    inject(store, sqlite3.SQLITE_IOERR_FSYNC, "PRAGMA wal_checkpoint")

    with pytest.raises(StoreFailed):
        store.checkpoint()
    with pytest.raises(StoreFailed):
        store.tidy()


def leave_copies(store: SqliteStore) -> list[bytes]:
    """Delete most of some traffic records, with a few that are kept in between; the ids of those that are gone."""
    ids = {number: sha256(b"%d" % number).digest()[:16] for number in range(1, 201)}
    store._driver.executemany(
        "INSERT INTO traffic VALUES (?, ?, ?, ?, 1700000000, 4096)",
        [(number, message_id, number * 7, number % 20) for number, message_id in ids.items()],
    )
    gone = [number for number in range(1, 191) if number % 9]
    store._driver.execute(f"DELETE FROM traffic WHERE id IN ({', '.join(map(str, gone))})")
    assert store.checkpoint()
    return [ids[number] for number in gone]


def left(store: SqliteStore, ids: list[bytes]) -> int:
    """How many of them are somewhere in the files."""
    content = on_disk(store.path)
    return sum(message_id in content for message_id in ids)


def test_scrub_leaves_no_byte_of_deleted_records(store: SqliteStore) -> None:
    """Rows that moved have left copies in their pages that `secure_delete` knows nothing of."""
    ids = leave_copies(store)
    assert left(store, ids), "SQLite has left none: this test shows nothing"

    store.scrub()

    assert store.tidy()
    assert left(store, ids) == 0
    assert store._driver.execute("SELECT count(*) FROM traffic").fetchone() == (200 - len(ids),)


@pytest.mark.parametrize("bound", ["size", "room"])
def test_scrub_lets_be_what_it_has_no_room_for(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """A database that is too large to be written anew between two messages, and a disk that is nearly full."""
    ids = leave_copies(store)
    if bound == "size":
        monkeypatch.setattr("blindrelay.relay.store.sqlite._MAX_SCRUBBED", 1_000)
    else:
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1 << 20))

    store.scrub()

    assert store.tidy()
    assert left(store, ids)


def test_scrub_on_a_full_disk_is_no_failure(store: SqliteStore) -> None:
    """What there is, is all there; an I/O error is another matter."""
    store.commit([entry(1)], [])
    inject(store, sqlite3.SQLITE_FULL, "VACUUM")
    store.scrub()
    assert waiting(store) == [1]

    inject(store, sqlite3.SQLITE_IOERR_WRITE, "VACUUM")
    with pytest.raises(StoreFailed, match="injected"):
        store.scrub()


class AgainstModel(RuleBasedStateMachine):
    """The store, step for step beside a dictionary."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.model: dict[tuple[int, int], bytes] = {}
        self.store = self._open(self.folder / "none.db")

    def _open(self, path: Path) -> SqliteStore:
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        return SqliteStore.open(path, reserve_bytes=0)

    @rule(
        lengths=st.lists(st.sampled_from([1_024, 1_088, 2_048, 5_000]), max_size=20),
        taken=st.integers(0, 12),
        mailbox=st.integers(1, 3),
    )
    def commit(self, lengths: list[int], taken: int, mailbox: int) -> None:
        """Some arrive, some go, in one commit."""
        gone = sorted(self.model)[:taken]
        arrived = []
        for length in lengths:
            self.number += 1
            payload = self.number.to_bytes(4, "big") * (length // 4)
            arrived.append(entry(self.number, mailbox=mailbox, payload=payload))
            self.model[mailbox, self.number] = payload
        for key in gone:
            del self.model[key]
        assert self.store.commit(arrived, gone).stored

    @rule()
    def checkpoint(self) -> None:
        """The WAL goes into the database."""
        assert self.store.checkpoint()

    @rule()
    def reopen(self) -> None:
        """The relay restarts."""
        path = self.store.path
        self.store.close()
        self.store = SqliteStore.open(path, reserve_bytes=0)

    @invariant()
    def same(self) -> None:
        """Each mailbox holds what the model says, in order."""
        for mailbox in (1, 2, 3):
            found = [(found.sequence, found.payload) for found in self.store.fetch(mailbox, 0, 10_000, 1 << 30)]
            assert found == sorted((key[1], value) for key, value in self.model.items() if key[0] == mailbox)

    def teardown(self) -> None:
        """Close what is open."""
        self.store.close()


def test_store_agrees_with_a_dictionary(tmp_path: Path) -> None:
    """Whatever is accepted, removed, checkpointed and reopened, the mailboxes are what a dictionary says."""
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("Machine", (AgainstModel,), {"folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=15, deadline=None))
