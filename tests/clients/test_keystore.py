"""The key store: what it keeps, what it hides, what it refuses."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from blindrelay.clients.errors import (
    NotEnrolled,
    StoreDamaged,
    StoreFailed,
    StoreInUse,
    StoreTooNew,
    WrongPassphrase,
)
from blindrelay.clients.keystore import PROCESSED_FOR, KeyStore, Space
from blindrelay.clients.records import HistoryEntry, OutboxEntry
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.address import DeviceAddress
from support.altered import flipped

BOB = DeviceAddress.parse("globex.example/bob/phone")


def letter(conversation="bob@globex.example", content_id=None, disappears_at=None, body=b"secret words"):
    """A history entry."""
    return HistoryEntry(conversation, content_id or os.urandom(16), BOB, 1, body, disappears_at)


def waiting(envelope=b"e" * 2_048):
    """An outbox entry."""
    return OutboxEntry(os.urandom(16), BOB, os.urandom(16), 99, True, envelope)


@pytest.fixture
def path(tmp_path):
    """A store on disk that holds one value, closed."""
    path = tmp_path / "keys.db"
    with KeyStore.create(path, "right", CHEAP) as store:
        store.put(Space.SETTING, "setting-name", b"value")
    return path


@pytest.fixture
def store():
    """A store in memory."""
    with KeyStore.in_memory() as store:
        yield store


def test_wrong_passphrase_is_a_sentence(path):
    """A wrong passphrase is refused with a sentence, and the right one works afterwards."""
    with pytest.raises(WrongPassphrase, match="check it and try again"):
        KeyStore.open(path, "wrong")
    with KeyStore.open(path, "right") as store:
        assert store.get(Space.SETTING, "setting-name") == b"value"


def test_missing_file_says_enrol(tmp_path):
    """Opening a key store that is not there says that the device is not enrolled."""
    with pytest.raises(NotEnrolled, match="enrol the device first"):
        KeyStore.open(tmp_path / "none.db", "x")


def test_existing_file_is_never_overwritten(path):
    """Creating a key store where one is fails, and leaves that one as it is."""
    before = path.read_bytes()
    with pytest.raises(StoreFailed, match="exists already"):
        KeyStore.create(path, "x", CHEAP)
    assert path.read_bytes() == before


def test_other_files_are_not_key_stores(tmp_path):
    """A text file, another program's database and an empty file are refused as damaged."""
    text, other, empty = tmp_path / "text", tmp_path / "other", tmp_path / "empty"
    text.write_text("hello" * 1_000)
    empty.touch()
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    for path in (text, other, empty):
        with pytest.raises(StoreDamaged):
            KeyStore.open(path, "x")


def test_newer_format_is_refused(path):
    """A key store of a newer version is refused with the advice to update."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreTooNew, match="update"):
        KeyStore.open(path, "right")


def test_second_process_is_kept_out(path):
    """While one process has the key store open, another is refused, and gets it once the first has closed it."""
    program = (
        "import sys, pathlib; from blindrelay.clients.keystore import KeyStore; "
        "KeyStore.open(pathlib.Path(sys.argv[1]), 'right').close()"
    )
    command = [sys.executable, "-c", program, str(path)]
    root = Path(__file__).parents[2]
    with KeyStore.open(path, "right"):
        with pytest.raises(StoreInUse):
            KeyStore.open(path, "right")
        refused = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert "StoreInUse" in refused.stderr
    assert subprocess.run(command, capture_output=True, cwd=root, check=False).returncode == 0


def test_file_is_for_its_owner_alone(path):
    """The file, and its write-ahead log while open, have mode 0600, whatever the umask."""
    with KeyStore.open(path, "right") as store:
        store.put(Space.SETTING, "a", b"b")
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_file_names_nobody(path):
    """Neither peers nor plaintext nor passphrase nor record names are in the file."""
    with KeyStore.open(path, "right") as store:
        store.put(Space.CONTACT, "bob@globex.example", b"key material")
        store.add_history(letter())
        store.enqueue(waiting(b"to globex.example/bob/phone"))
        store.add_part("globex.example/bob/phone/1", 0, b"secret part")
        everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for secret in (b"bob", b"globex", b"secret", b"key material", b"right", b"setting-name"):
        assert secret not in everything, secret


@pytest.mark.parametrize("table", ["record", "outbox", "history", "part"])
def test_altered_value_is_noticed(path, table):
    """A value that was altered in the file is refused with a typed error, whichever table it is in."""
    with KeyStore.open(path, "right") as store:
        store.enqueue(waiting())
        store.add_history(letter())
        store.add_part("t", 0, b"part")
    connection = sqlite3.connect(path)
    for rowid, value in connection.execute(
        f"SELECT {'row' if table == 'record' else 'rowid'}, value FROM {table}"
    ).fetchall():
        connection.execute(f"UPDATE {table} SET value = ? WHERE value = ?", (flipped(value), value))
        assert rowid is not None
    connection.commit()
    connection.close()
    reads = {
        "record": lambda store: store.get(Space.SETTING, "setting-name"),
        "outbox": lambda store: store.outbox(),
        "history": lambda store: store.history("bob@globex.example"),
        "part": lambda store: store.parts("t"),
    }
    with KeyStore.open(path, "right") as store, pytest.raises(StoreDamaged, match="altered"):
        reads[table](store)


def test_swapped_values_are_noticed(path):
    """Two values that change places are refused: a value belongs to its row."""
    with KeyStore.open(path, "right") as store:
        store.put(Space.SETTING, "other", b"x")
    connection = sqlite3.connect(path)
    (one, first), (two, second) = connection.execute("SELECT row, value FROM record").fetchall()
    connection.execute("UPDATE record SET value = ? WHERE row = ?", (second, one))
    connection.execute("UPDATE record SET value = ? WHERE row = ?", (first, two))
    connection.commit()
    connection.close()
    with KeyStore.open(path, "right") as store, pytest.raises(StoreDamaged):
        store.get(Space.SETTING, "setting-name")


@pytest.mark.parametrize("header", [b"", b"{}", b'{"memory": 99999999999, "iterations": 1, "lanes": 1}', b"\xff"])
def test_damaged_header_is_noticed(path, header):
    """A damaged header, and one that asks for more memory than a machine has, are refused before any work is done."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE header SET value = ?", (header,))
    connection.commit()
    connection.close()
    with pytest.raises(StoreDamaged):
        KeyStore.open(path, "right")


def test_half_created_store_says_what_to_do(path):
    """A file whose creation was interrupted says so, and what to do."""
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM header")
    connection.commit()
    connection.close()
    with pytest.raises(StoreDamaged, match="remove it and enrol the device again"):
        KeyStore.open(path, "right")


def test_full_disk_keeps_nothing_of_the_transaction(path):
    """When the disk is full, the transaction fails as a whole and what was there before still is."""
    with KeyStore.open(path, "right") as store:
        ((pages,),) = store._database.rows("PRAGMA page_count")
        store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreFailed, match="full"), store.transaction():  # noqa: PT012
            store.put(Space.SETTING, "setting-name", b"changed")
            store.put(Space.SETTING, "large", bytes(200_000))
        assert store.get(Space.SETTING, "setting-name") == b"value"


def test_killed_process_leaves_only_what_was_committed(path):
    """What a killed process had committed is there; what it was in the middle of is not."""
    program = (
        "import sys, os, pathlib; from blindrelay.clients.keystore import KeyStore, Space\n"
        "store = KeyStore.open(pathlib.Path(sys.argv[1]), 'right')\n"
        "with store.transaction():\n store.put(Space.SETTING, 'a', b'1')\n"
        "with store.transaction():\n store.put(Space.SETTING, 'b', b'2')\n os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2], check=False)
    with KeyStore.open(path, "right") as store:
        assert store.get(Space.SETTING, "a") == b"1"
        assert store.get(Space.SETTING, "b") is None


def test_inner_transaction_is_a_savepoint(store):
    """What an inner transaction did is undone alone; the outer one goes on."""
    with store.transaction():
        store.put(Space.SETTING, "outer", b"1")
        with pytest.raises(KeyError), store.transaction():  # noqa: PT012
            store.put(Space.SETTING, "inner", b"2")
            raise KeyError
    assert store.get(Space.SETTING, "outer") == b"1"
    assert store.get(Space.SETTING, "inner") is None
    assert store.epoch == 1


def test_changed_passphrase_is_the_only_one(path):
    """After a change the old passphrase does not open the store any more, and the new one does."""
    with KeyStore.open(path, "right") as store:
        store.change_passphrase("new", CHEAP)
    with pytest.raises(WrongPassphrase):
        KeyStore.open(path, "right")
    with KeyStore.open(path, "new") as store:
        assert store.get(Space.SETTING, "setting-name") == b"value"


def test_processed_ids_are_forgotten_when_they_cannot_come_again(store):
    """An id is remembered for as long as its envelope may come again, and not much longer."""
    store.mark_processed(b"a" * 16, 1_000_000_000)
    assert store.forget_processed(1_000_000_000 + PROCESSED_FOR) == 0
    assert store.was_processed(b"a" * 16)
    assert store.forget_processed(1_000_000_000 + PROCESSED_FOR + 86_400) == 1
    assert not store.was_processed(b"a" * 16)


def test_sequences_are_never_given_twice(path):
    """A sequence is not given again, also when its row is gone and the process was restarted."""
    with KeyStore.open(path, "right") as store:
        first = store.enqueue(waiting())
        store.dequeue(first.sequence)
        kept = store.add_history(letter())
        store.remove_history(kept.sequence)
    with KeyStore.open(path, "right") as store:
        assert store.enqueue(waiting()).sequence > first.sequence
        assert store.add_history(letter()).sequence > kept.sequence


def test_history_pages_from_the_end(store):
    """History comes in pages from the newest back, each in order, one conversation at a time."""
    entries = [store.add_history(letter(body=bytes([number]))) for number in range(5)]
    store.add_history(letter(conversation="group:1"))
    assert store.history("bob@globex.example", limit=2) == entries[3:]
    assert store.history("bob@globex.example", before=entries[3].sequence, limit=2) == entries[1:3]
    assert store.conversations() == ["bob@globex.example", "group:1"]


def test_letters_are_found_by_id(store):
    """A letter is found by its id, and in one conversation."""
    here = store.add_history(letter(content_id=b"i" * 16))
    there = store.add_history(letter(conversation="group:1", content_id=b"i" * 16))
    assert store.find_letter(b"i" * 16) == [here, there]
    assert store.find_history("group:1", b"i" * 16) == there
    assert store.find_history("group:2", b"i" * 16) is None


def test_disappearing_letters_disappear(store):
    """A letter whose time is over is deleted; others stay."""
    stays, goes = store.add_history(letter()), store.add_history(letter(disappears_at=100))
    assert store.remove_disappeared(99) == []
    assert store.remove_disappeared(100) == [goes]
    assert store.history("bob@globex.example") == [stays]
    assert list(store.items(Space.DISAPPEARING)) == []


def test_secrets_are_not_in_reprs(store):
    """What is secret or written by people is in no repr."""
    entry, out = letter(), waiting(b"SECRET")
    for value in (entry, out, store._vault, store._vault.lock("passphrase", CHEAP)):
        for secret in ("secret words", "SECRET", repr(store._vault._data_key), "passphrase"):
            assert secret not in repr(value)


KEYS = st.sampled_from(["a", "b", "ä", ""])
SPACES = st.sampled_from([Space.SETTING, Space.GROUP])


class Model(RuleBasedStateMachine):
    """The key store does what a dictionary and three lists do, rollbacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.store = KeyStore.in_memory()
        self.values: dict[tuple[Space, str], bytes] = {}
        self.ids: set[bytes] = set()
        self.out: list[OutboxEntry] = []
        self.told: list[HistoryEntry] = []

    @rule(space=SPACES, key=KEYS, value=st.binary(max_size=40))
    def put(self, space, key, value):
        """Set a value."""
        self.store.put(space, key, value)
        self.values[space, key] = value

    @rule(space=SPACES, key=KEYS)
    def delete(self, space, key):
        """Delete a value."""
        self.store.delete(space, key)
        self.values.pop((space, key), None)

    @rule(identifier=st.binary(min_size=1, max_size=1))
    def mark(self, identifier):
        """Remember an id."""
        self.store.mark_processed(identifier, 1e9)
        self.ids.add(identifier)

    @rule(envelope=st.binary(max_size=20))
    def enqueue(self, envelope):
        """Put into the outbox."""
        self.out.append(self.store.enqueue(waiting(envelope)))

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def dequeue(self, data):
        """Take one out of the outbox."""
        entry = data.draw(st.sampled_from(self.out))
        self.store.dequeue(entry.sequence)
        self.out.remove(entry)

    @rule(body=st.binary(max_size=20))
    def tell(self, body):
        """Add to the history."""
        self.told.append(self.store.add_history(letter(body=body)))

    @rule(space=SPACES, key=KEYS, value=st.binary(max_size=40))
    def roll_back(self, space, key, value):
        """Do a bit of everything and roll it back."""
        with pytest.raises(ZeroDivisionError), self.store.transaction():  # noqa: PT012
            self.store.put(space, key, value)
            self.store.enqueue(waiting())
            self.store.mark_processed(b"rolled back", 1e9)
            self.store.add_history(letter())
            raise ZeroDivisionError

    @invariant()
    def same(self):
        """Store and model hold the same."""
        for space in (Space.SETTING, Space.GROUP):
            assert dict(self.store.items(space)) == {key: v for (s, key), v in self.values.items() if s is space}
        assert self.store.outbox(limit=1_000) == self.out
        assert self.store.history("bob@globex.example", limit=1_000) == self.told
        assert all(self.store.was_processed(identifier) for identifier in self.ids)
        assert not self.store.was_processed(b"rolled back")

    def teardown(self):
        """Close."""
        self.store.close()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
