"""Reading recorded traffic."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.clients.simulation import trace
from blindrelay.clients.simulation.events import Event
from blindrelay.protocol.errors import Malformed

TENANTS = ["acme.example"]


def parse(*lines: str) -> list[Event]:
    """The events of these lines."""
    return list(trace.parse([f"{line}\n".encode() for line in lines], TENANTS).events)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2", "2 fields instead of three"),
        ("1", "1 field instead of three"),
        ("1 2 3 4", "4 fields instead of three"),
        ("1 2 noon", "'noon' is not a number"),
        ("1 2 nan", "'nan' is not a number of seconds"),
        ("1 2 inf", "'inf' is not a number of seconds"),
        ("Alice 2 7", "'Alice' is not a user name"),
        ("1 b/c 7", "'b/c' is not a user name"),
        ("1 \N{LATIN SMALL LETTER E WITH ACUTE} 7", "not plain text"),
        ("1 2 " + "7" * 2_000, "longer than 1024 bytes"),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(line: str, words: str) -> None:
    """The error says which line, what is wrong with it, and what a line looks like."""
    with pytest.raises(trace.TraceMalformed) as caught:
        parse("1 2 0", "", line)
    assert caught.value.line == 3
    assert words in str(caught.value)
    assert "trace, line 3" in str(caught.value)
    assert "expected: sender recipient seconds" in str(caught.value)


def test_time_does_not_go_back() -> None:
    """A line that is earlier than the one before is an error that names both lines."""
    with pytest.raises(trace.TraceMalformed, match=r"line 2: its time 4 is before the 5 of line 1"):
        parse("1 2 5", "1 2 4")


@pytest.mark.parametrize("lines", [[], ["# nothing"], ["3 3 5"]])
def test_a_trace_without_messages_is_refused(lines: list[str]) -> None:
    """A file in which nobody writes to anybody else is not played."""
    with pytest.raises(trace.TraceMalformed, match="there is no message in it"):
        parse(*lines)


def test_neighbours_with_one_sender_and_time_are_one_letter() -> None:
    """Lines of the same moment and sender become a letter to several; the same line again is a second letter."""
    assert parse("1 2 50", "1 3 50", "1 2 50", "4 3 50", "1 3 51") == [
        Event(0, 0, (1, 2)),
        Event(0, 0, (1,)),
        Event(0, 3, (2,)),
        Event(1, 0, (2,)),
    ]


def test_comments_empty_lines_and_notes_to_self_are_left_out() -> None:
    """What cannot be sent is not an event, and notes to self are counted."""
    scenario = trace.parse([b"# from to when\n", b"\n", b"1 1 3\n", b"1\t2\t4.5"], TENANTS)
    assert [event.at for event in scenario.events] == [0.0]
    assert scenario.to_self == 1
    assert scenario.messages == 1


def test_people_are_spread_over_the_tenants() -> None:
    """The first to appear is in the first tenant, the next in the second, and so on around."""
    scenario = trace.parse([b"a b 0\n", b"c a 1\n"], ["x.example", "y.example"])
    assert [str(person) for person in scenario.people] == ["a@x.example", "b@y.example", "c@x.example"]
    assert list(scenario.tenants()) == ["x.example", "y.example"]


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file that is one very long line is refused after its first kilobyte."""
    path = tmp_path / "big"
    path.write_bytes(b"1" * 100_000)
    with pytest.raises(trace.TraceMalformed, match="big, line 1: longer than"):
        trace.read(path, TENANTS)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_a_scenario_or_an_error_for_people(lines: list[bytes]) -> None:
    """Nothing that a file may hold gets another exception out of the parser."""
    try:
        scenario = trace.parse(lines, TENANTS)
    except Malformed:
        return
    assert scenario.messages > 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=1))
def test_no_message_is_added_or_dropped(rows: list[tuple[int, int, int]]) -> None:
    """Every line between two different people is one message of the scenario, in the order of the file."""
    rows.sort(key=lambda row: row[2])
    wanted = [(sender, recipient) for sender, recipient, _ in rows if sender != recipient]
    if not wanted:
        return
    scenario = trace.parse([f"{a} {b} {t}\n".encode() for a, b, t in rows], TENANTS)
    names = [int(person.user) for person in scenario.people]
    assert [(names[e.sender], names[r]) for e in scenario.events for r in e.recipients] == wanted
    assert scenario.to_self == len(rows) - len(wanted)
