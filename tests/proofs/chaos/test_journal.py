"""Journals are what they were when they were written."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.chaos.journal import Entry, Journal, Kind, load
from blindrelay.protocol.clock import SystemClock

ENTRIES = st.builds(
    Entry,
    at=st.floats(0, 1e9),
    kind=st.sampled_from(Kind),
    client=st.text(max_size=20),
    connection=st.integers(0, 100),
    message_id=st.text("0123456789abcdef", max_size=32),
    number=st.integers(0, 2**31),
    ttl=st.none() | st.integers(0, 2**31),
    dup=st.booleans(),
    own=st.booleans(),
)


@given(entry=ENTRIES)
def test_an_entry_survives_its_line(entry: Entry) -> None:
    """A line says everything about its entry, defaults left out."""
    line = entry.to_json()
    assert "\n" not in line
    assert Entry.from_json(line) == entry


def test_the_files_say_what_memory_says(tmp_path: Path) -> None:
    """Two clients' files, read back, are their entries by time."""
    clock = SystemClock()
    with Journal(tmp_path / "a.jsonl", "a", clock) as a, Journal(tmp_path / "b.jsonl", "b", clock) as b:
        a.write(Kind.INTENT, 1, message_id=b"\x01" * 16, number=1, ttl=0)
        b.write(Kind.HANDED, 1, message_id=b"\x01" * 16)
        a.write(Kind.ACKED, 1, message_id=b"\x01" * 16)
    assert load(tmp_path) == (a.entries[0], b.entries[0], a.entries[1])
