"""Who wrote which letter: on people of whom it is known."""

import pytest

from blindrelay.proofs.traffic.attribution import all_bits, attribute, attributed, best, bits, by_volume, letters
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from support.letters import answered, unrelated, with_names


@pytest.mark.parametrize("after", [1.5, 20.0, 90.0])
def test_whoever_hears_back_after_the_same_time_has_written(after: float) -> None:
    """Nobody tells the observer how long receipts wait: it is learned, and then nearly every letter has a name."""
    traffic = answered(pairs=20, letters=10, after=lambda _: after)

    guesses = attribute(traffic)

    assert attributed(guesses, traffic) > 0.9
    assert bits(guesses) > 0.8 * all_bits(guesses)


def test_receipts_at_once_are_found_by_who_takes_nothing_together() -> None:
    """Within half a second, a receipt looks like another envelope of the letter; the other observer sees it."""
    traffic = answered(pairs=20, letters=10, after=lambda _: 0.2)

    assert attributed(attribute(traffic), traffic) < 0.3
    assert attributed(best(traffic), traffic) > 0.9


def test_where_nobody_answers_the_observer_guesses() -> None:
    """Without anything that is related, no more letters get their names than by chance."""
    traffic = unrelated(people=40, letters=1_500)

    guesses = attribute(traffic)

    assert attributed(guesses, traffic) < by_volume(traffic) + 0.05
    assert bits(guesses) < 0.2


def test_the_longer_answers_wait_the_less_is_known() -> None:
    """The same letters, with receipts after seconds, minutes and hours."""
    shares = [
        attributed(attribute(traffic), traffic)
        for traffic in (
            answered(30, 10, after=lambda chance, most=most: chance.uniform(1, most))  # type: ignore[misc]
            for most in (5, 1_800, 20_000)
        )
    ]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[-1]


def test_names_are_read_off() -> None:
    """In the posture `standard` every letter has its sender, and all bits that there are."""
    traffic = with_names(unrelated(people=20, letters=200))

    guesses = attribute(traffic)

    assert attributed(guesses, traffic) == 1.0
    assert bits(guesses) == all_bits(guesses) > 3


def test_each_letter_counts_once_for_each_reader() -> None:
    """However many devices they have, and whatever else goes with it."""
    envelopes = (("bob/a", Kind.LETTER), ("bob/b", Kind.LETTER), ("carol/a", Kind.LETTER), ("alice/b", Kind.COPY))
    traffic = Traffic.of(
        (Seen(float(at), None, f"x/{to}", 2_048), Truth("x/alice/a", kind, 9, "first"))
        for at, (to, kind) in enumerate(envelopes)
    )

    assert letters(traffic) == [0, 2]


def test_of_nothing_nothing_is_named() -> None:
    """A share of nothing is nothing, and so are its bits."""
    nothing = Traffic.of(())

    assert (attributed(attribute(nothing), nothing), by_volume(nothing), bits({})) == (0.0, 0.0, 0.0)
