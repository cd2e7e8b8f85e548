"""The case file: it grows, it is sealed, and nothing else can be done to it."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.relay.desk.errors import AlreadyRecorded, CaseFileDamaged, NotRecorded
from blindrelay.relay.desk.journal import FILE_NAME, Journal, Subject
from blindrelay.relay.errors import NewerVersion, Unreadable

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open case file."""
    journal = Journal.open(tmp_path)
    yield journal
    journal.close()


def filled(folder: Path, rows: int = 5) -> sqlite3.Connection:
    """A case file with some rows, closed, and a connection to it that nobody watches."""
    journal = Journal.open(folder)
    for number in range(rows):
        journal.append(f"case-{number % 2}", "us-court", AT, "happened", f'{{"n":{number}}}')
    journal.close()
    return sqlite3.connect(folder / FILE_NAME, isolation_level=None)


@pytest.mark.parametrize("statement", ["UPDATE case_event SET body = '{}'", "DELETE FROM case_event"])
def test_rows_are_only_added(statement: str, tmp_path: Path) -> None:
    """SQLite itself refuses, whoever asks."""
    connection = filled(tmp_path)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE case_event SET body = '{\"n\":7}' WHERE id = 3",
        "UPDATE case_event SET authority_id = 'us-police' WHERE id = 3",
        "UPDATE case_event SET at = '2026-03-02T12:00:00.000001+00:00' WHERE id = 3",
        "UPDATE case_event SET once = 'x' WHERE id = 3",
        "DELETE FROM case_event WHERE id = 3",
        "DELETE FROM case_event WHERE id = 1",
        "UPDATE case_event SET case_id = 'case-9', sequence = 1 WHERE id = 5",
    ],
)
def test_what_was_changed_behind_its_back_is_noticed(statement: str, tmp_path: Path) -> None:
    """Whoever removes the triggers and edits a row breaks the chain, and the desk does not open on it."""
    connection = filled(tmp_path)
    for trigger in ("case_event_no_update", "case_event_no_delete"):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(statement)
    connection.close()

    with pytest.raises(CaseFileDamaged, match="is not the one that was written"):
        Journal.open(tmp_path)


def test_columns_cannot_be_moved_into_one_another(tmp_path: Path) -> None:
    """What is sealed is each column by itself, not their concatenation."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = Journal.open(tmp_path / "one"), Journal.open(tmp_path / "other")
    assert one.append("a", "bc", AT, "x", "y").digest != other.append("ab", "c", AT, "x", "y").digest
    one.close()
    other.close()


def test_what_may_happen_once_happens_once(journal: Journal) -> None:
    """A second row with the same `once` is not added, in whatever case."""
    journal.append("case-1", "us-court", AT, "released", "{}", once="fetch/us-court/1")
    with pytest.raises(AlreadyRecorded):
        journal.append("case-2", "us-court", AT, "released", "{}", once="fetch/us-court/1")
    assert journal.case_of("fetch/us-court/1") == "case-1"
    assert journal.rows("case-2") == []
    journal.verify()


def test_threads_and_processes_write_one_chain(tmp_path: Path) -> None:
    """The relay and the command line write at the same time, and each case is numbered without a gap."""
    journals = [Journal.open(tmp_path) for _ in range(2)]

    def write(number: int) -> None:
        for _ in range(10):
            journals[number % 2].append(f"case-{number % 3}", "us-court", AT, "happened", "{}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert journals[0].verify() == journals[1].verify()
    for case in range(3):
        assert [row.sequence for row in journals[0].rows(f"case-{case}")] == list(range(1, 21))
    for journal in journals:
        journal.close()


@settings(max_examples=25, deadline=None)  # each example syncs a disk that others use, too
@given(
    body=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")), once=st.none() | st.text(min_size=1)
)
def test_any_text_is_kept_as_it_is(tmp_path_factory: pytest.TempPathFactory, body: str, once: str | None) -> None:
    """And sealed as it is."""
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal.open(folder)
    journal.append("case", "us-court", AT, "happened", body, once=once and once.replace("\0", ""))
    journal.close()

    journal = Journal.open(folder)
    (row,) = journal.rows("case")
    journal.close()
    assert (row.body, row.at) == (body, AT)


def test_rows_of_another_authority_are_not_found(journal: Journal) -> None:
    """The owner is in the question itself."""
    journal.append("case-1", "us-court", AT, "received", "{}")
    journal.append(Subject.REGISTER, "", AT, "authority-entered", "{}")

    assert len(journal.rows_of("us-court", "case-1")) == 1
    assert journal.rows_of("us-police", "case-1") == journal.rows_of("us-police", "case-2") == []
    assert journal.rows_of("", Subject.REGISTER) == []
    assert journal.cases() == ["case-1"]


def test_what_cannot_be_written_is_said_to_be_unwritten(journal: Journal, tmp_path: Path) -> None:
    """A file that has lost its table takes nothing, and says so."""
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("DROP TABLE case_event")
    connection.close()
    with pytest.raises(NotRecorded, match="nothing is done"):
        journal.append("case-1", "us-court", AT, "received", "{}")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Not a database; a newer one."""
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, and long enough to be taken for a header of one" * 20)
    with pytest.raises(Unreadable):
        Journal.open(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerVersion):
        Journal.open(tmp_path)


def test_the_file_is_its_owners_alone(journal: Journal, tmp_path: Path) -> None:
    """Mode 0600, its journal too."""
    journal.append("case-1", "us-court", AT, "received", "{}")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob(f"{FILE_NAME}*")} == {0o600}
