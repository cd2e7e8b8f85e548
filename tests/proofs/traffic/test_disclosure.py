"""Statistical disclosure, on people of whom it is known who writes to whom."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.traffic.disclosure import by_volume, correspondents, linked, named, rounds, who_writes
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from support.letters import answered, unrelated


def test_whoever_hears_back_at_once_is_found() -> None:
    """Everybody has one correspondent, who receives a receipt three seconds after each letter: all are found."""
    traffic = answered(pairs=20, letters=12, after=lambda _: 3.0)

    assert linked(correspondents(traffic.seen, 6.0), who_writes(traffic, 3)) == 1.0


def test_who_hears_nothing_back_is_not_found() -> None:
    """Without answers there is nothing but chance: as many are found as by guessing."""
    traffic = unrelated(people=40, letters=4_000)

    truth = who_writes(traffic, 5)
    assert linked(correspondents(traffic.seen, 6.0), truth) == pytest.approx(
        linked(by_volume(traffic.seen), truth), abs=0.1
    )


def test_answers_outside_of_the_window_are_not_seen() -> None:
    """An observer who looks for six seconds does not find who is answered after a quarter of an hour or more."""
    traffic = answered(pairs=20, letters=12, after=lambda chance: chance.uniform(900, 9_000))

    assert linked(correspondents(traffic.seen, 6.0), who_writes(traffic, 3)) < 0.3


def test_names_need_no_statistics() -> None:
    """Where senders are written down, whoever has written most is named first."""
    seen = [Seen(n, f"x/{who}/a", "x/bob/a", 2_048) for n, who in enumerate(("eve", "alice", "alice"))]

    assert named(seen) == {"x/bob": ["x/alice", "x/eve"]}


def test_a_round_holds_who_receives_soon_after() -> None:
    """Later envelopes within the window count, the target's own do not."""
    seen = [Seen(at, None, f"x/{to}/a", 2_048) for at, to in ((0, "bob"), (2, "bob"), (3, "alice"), (9, "eve"))]

    assert list(rounds(seen, 5.0)) == [("x/bob", ["x/alice"]), ("x/bob", ["x/alice"]), ("x/alice", []), ("x/eve", [])]


def test_a_letter_to_two_devices_was_written_once() -> None:
    """The truth counts letters, not envelopes, and receipts not at all."""
    traffic = Traffic.of(
        (Seen(0, None, f"x/bob/{device}", 2_048), Truth("x/alice/a", kind, 9, "first"))
        for device, kind in (("a", Kind.LETTER), ("b", Kind.LETTER), ("a", Kind.RECEIPT))
    )

    assert who_writes(traffic, 1) == {"x/bob": {"x/alice"}}
    assert who_writes(traffic, 2) == {}


def test_of_no_pairs_none_is_found() -> None:
    """A share of nothing is nothing."""
    assert linked({}, {}) == 0.0


@given(st.randoms(use_true_random=False))
def test_the_score_is_a_share_and_the_truth_scores_one(chance: random.Random) -> None:
    """Whatever is named, it is between none and all; naming the truth is all."""
    truth = {str(to): {str(chance.randrange(9)) for _ in range(3)} for to in range(5)}
    guess = {to: [str(chance.randrange(9)) for _ in range(5)] for to in truth}

    assert 0.0 <= linked(guess, truth) <= 1.0
    assert linked({to: sorted(users) for to, users in truth.items()}, truth) == 1.0
