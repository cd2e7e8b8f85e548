"""Counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.clients.simulation.tally import Percentiles, Tally, number_in, text_of

ALICE, BOB, CAROL = 0, 1, 2


@pytest.fixture
def tally() -> Tally:
    """Messages 5 and 6 from Alice to Bob, sent at 1.0 and 2.0, both accepted half a second later."""
    counted = Tally(people=3, planned=2)
    for number, at in ((5, 1.0), (6, 2.0)):
        counted.send(number, ALICE, [BOB], at)
        counted.accept(number, [BOB], at + 0.5)
    return counted


def test_what_arrives_once_and_in_order_is_flawless(tally: Tally) -> None:
    """Everything that was sent was accepted and decrypted."""
    assert not tally.settled
    tally.receive(text_of(5), ALICE, BOB, 3.0)
    tally.receive(text_of(6), ALICE, BOB, 3.0)
    summary = tally.summary(10.0)
    assert tally.settled
    assert summary.flawless
    assert (summary.sent, summary.accepted, summary.delivered, summary.decrypted, summary.lost) == (2, 2, 2, 2, 0)
    assert summary.to_accepted == Percentiles(0.5, 0.5, 0.5, 0.5)
    assert summary.to_decrypted is not None
    assert summary.to_decrypted.worst == 2.0


def test_what_was_accepted_and_does_not_arrive_is_lost(tally: Tally) -> None:
    """One of two is missing."""
    tally.receive(text_of(6), ALICE, BOB, 3.0)
    assert tally.summary(1).lost == 1
    assert not tally.summary(1).flawless


def test_twice_is_a_duplicate(tally: Tally) -> None:
    """The second time is not counted as decrypted."""
    for _ in range(2):
        tally.receive(text_of(5), ALICE, BOB, 3.0)
    assert (tally.duplicated, tally.decrypted) == (1, 1)


def test_an_earlier_message_after_a_later_one_is_out_of_order(tally: Tally) -> None:
    """It is counted as decrypted all the same."""
    tally.receive(text_of(6), ALICE, BOB, 3.0)
    tally.receive(text_of(5), ALICE, BOB, 3.0)
    assert (tally.out_of_order, tally.decrypted) == (1, 2)
    assert not tally.summary(1).flawless


@pytest.mark.parametrize(
    ("text", "sender", "recipient"),
    [
        (text_of(5) + "x", ALICE, BOB),
        ("hello", ALICE, BOB),
        (text_of(7), ALICE, BOB),
        (text_of(5), CAROL, BOB),
        (text_of(5), ALICE, CAROL),
    ],
)
def test_what_nobody_wrote_like_that_is_undecryptable(tally: Tally, text: str, sender: int, recipient: int) -> None:
    """An altered text, an unknown number, another sender or another recipient do not count as the message."""
    tally.receive(text, sender, recipient, 3.0)
    assert (tally.undecryptable, tally.decrypted) == (1, 0)


def test_an_envelope_that_does_not_open_is_counted(tally: Tally) -> None:
    """It was delivered, and it is undecryptable."""
    tally.fail()
    assert (tally.delivered, tally.undecryptable) == (1, 1)


def test_what_is_refused_spoils_the_run_but_is_not_lost() -> None:
    """A message that its sender was told about is not under way any more."""
    tally = Tally(people=2, planned=1)
    tally.send(1, ALICE, [BOB], 0.0)
    tally.refuse([BOB])
    assert tally.settled
    assert tally.summary(1).lost == 0
    assert not tally.summary(1).flawless


def test_a_run_that_was_cut_short_may_be_flawless_as_far_as_it_went(tally: Tally) -> None:
    """Messages that were never sent count against a complete run alone."""
    cut = Tally(people=2, planned=100)
    assert cut.summary(1, complete=False).flawless
    assert not cut.summary(1).flawless


def test_what_is_under_way_when_a_run_is_interrupted_is_not_lost(tally: Tally) -> None:
    """Nobody waited for it, so nobody knows."""
    cut = tally.summary(1, complete=False)
    assert (cut.lost, cut.under_way) == (0, 2)
    assert cut.flawless


def test_no_messages_have_no_percentiles() -> None:
    """There is no latency of nothing."""
    assert Percentiles.of([]) is None


@given(st.lists(st.floats(0, 100), min_size=1))
def test_percentiles_are_values_that_occurred(values: list[float]) -> None:
    """They rise, and each is one of the values."""
    result = Percentiles.of(values)
    assert result is not None
    assert result.p50 <= result.p90 <= result.p99 <= result.worst == max(values)
    assert {result.p50, result.p90, result.p99} <= set(values)


@given(st.integers(0, 10**9))
def test_a_text_gives_its_number_back(number: int) -> None:
    """And no other text does."""
    assert number_in(text_of(number)) == number
    assert number_in(text_of(number) + " ") is None
    assert number_in(" " + text_of(number)) is None
