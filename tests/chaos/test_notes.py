"""What follows from the notes of people whose clients were killed."""

from pathlib import Path

import pytest

from blindrelay.proofs.chaos.matrix.notes import Notes, judge
from blindrelay.proofs.chaos.oracle import Invariant
from blindrelay.protocol.clock import SystemClock


@pytest.fixture
def alice(tmp_path: Path) -> Notes:
    """She has written four letters; of the last one she does not know whether it was taken."""
    notes = Notes(tmp_path / "alice", SystemClock())
    for number in (1, 2, 3):
        notes.write("intent", number)
        notes.write("sent", number)
    notes.write("intent", 4)
    return notes


@pytest.fixture
def bob(tmp_path: Path) -> Notes:
    """He has noted nothing."""
    return Notes(tmp_path / "bob", SystemClock())


def broken(alice: Notes, bob: Notes, *stored: int) -> list[Invariant]:
    """Which invariants are, when Bob's key store has these."""
    return [finding.invariant for finding in judge("alice -> bob", alice, bob, stored)]


def test_what_was_taken_is_stored_once_and_in_order(alice: Notes, bob: Notes) -> None:
    """What was not taken for certain may be there, or not."""
    assert broken(alice, bob, 1, 2, 3) == []
    assert broken(alice, bob, 1, 2, 3, 4) == []


def test_what_is_missing_is_lost(alice: Notes, bob: Notes) -> None:
    """The sender's client had said that it has it."""
    assert broken(alice, bob, 1, 3) == [Invariant.I1]


def test_what_is_there_twice_was_applied_twice(alice: Notes, bob: Notes) -> None:
    """In the key store, or by the application."""
    assert Invariant.I2 in broken(alice, bob, 1, 2, 2, 3)
    bob.write("got", 1)
    bob.write("got", 1)
    assert broken(alice, bob, 1, 2, 3) == [Invariant.I2]


def test_what_nobody_wrote_is_a_phantom(alice: Notes, bob: Notes) -> None:
    """A ratchet makes nothing up."""
    assert broken(alice, bob, 1, 2, 3, 5) == [Invariant.I3]


def test_order_is_that_of_writing(alice: Notes, bob: Notes) -> None:
    """Of one sender, for one device."""
    assert broken(alice, bob, 1, 3, 2) == [Invariant.I4]


def test_a_line_that_was_never_finished_is_none(tmp_path: Path) -> None:
    """Whoever was killed while writing it had not done it yet."""
    (tmp_path / "notes").write_text("sent 1 10.0\nsent 2 1")
    assert Notes(tmp_path / "notes", SystemClock()).numbers("sent") == [1]
