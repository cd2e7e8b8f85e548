"""How entries look: those that we know, and whatever else a log may have in it."""

import json
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blindrelay.cli.log_names import Names
from blindrelay.cli.log_views import cosigners, line, record
from blindrelay.policies import leaves
from blindrelay.policies.vocabulary import DataClass, Outcome
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.directory import DeviceStated
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Witnessed

CASE, DIGEST = "cd" * 16, "ab" * 32
ASKED = leaves.Asked(what=DataClass.TRAFFIC, outcome=Outcome.GRANTED)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (leaves.Commitment(commitment=DIGEST), f"commitment {DIGEST[:16]}…"),
        (
            leaves.RequestTold(
                index=4,
                case=CASE,
                received=date(2026, 1, 2),
                jurisdiction="us",
                instrument="us/pen-register",
                emergency=False,
                accounts=leaves.Accounts(at_least=1, at_most=5),
            ),
            "accounts 1 to 5",
        ),
        (leaves.ReleaseTold(index=4, case=CASE, accounts=leaves.Accounts(at_least=3, at_most=3)), "accounts 3"),
        (
            leaves.DecisionTold(
                index=4,
                case=CASE,
                demands=(
                    leaves.DemandTold(outcome=Outcome.GRANTED, ground=None, asked=(ASKED, ASKED)),
                    leaves.DemandTold(outcome=Outcome.REFUSED, ground=None, asked=()),
                ),
            ),
            f"demands TRAFFIC {Outcome.GRANTED.value}, TRAFFIC {Outcome.GRANTED.value}, {Outcome.REFUSED.value}",
        ),
        (
            DeviceStated(
                tenant="acme.example", account=DIGEST, archive=True, certificate=DIGEST, sequence=7, statement=DIGEST
            ),
            "statement 7  an archive",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_entry_is_a_line(entry: leaves.Commitment, words: str) -> None:
    """Index, kind, and what it says; of either log."""
    shown = line(12, entry.encode(), Names()).plain
    assert shown.split()[:2] == ["12", str(entry.kind)]
    assert words in shown
    assert record(12, entry.encode())["entry"]["kind"] == entry.kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "accounts", "demands", "asked", "what", "outcome", "at_least", "at_most", "tenant"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"kind":"tenant","tenant":"acme.example\\n       5  device","root":""}')
def test_whatever_is_in_a_log_is_one_line_that_moves_no_cursor(data: bytes) -> None:
    """A log's operator writes what they like: nothing of it is obeyed, and nothing ends the command."""
    shown = line(0, data, Names()).plain
    assert shown.isprintable()
    assert record(0, data)["index"] == 0


def test_an_entry_that_is_very_deep_is_unreadable() -> None:
    """64 kB are enough for nesting that no parser follows."""
    assert "unreadable" in line(0, b"[" * 60_000, Names()).plain


def test_a_witness_may_say_any_time() -> None:
    """It is shown as it is."""
    head = Checkpoint("a/directory", 0, EMPTY_ROOT)
    assert "9223372036854775807 seconds" in cosigners(Witnessed(head, Note(head.text), (("w", 2**63 - 1),)))
