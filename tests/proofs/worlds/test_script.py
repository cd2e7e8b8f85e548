"""What happens in a pair of worlds is drawn from a seed, and every way of differing comes up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.proofs.checks.non_interference import CHECK
from blindrelay.proofs.worlds import sizes
from blindrelay.proofs.worlds.script import TEXTS, Kind, Way, draw

SEEDS = st.integers(1, 10_000)


@given(SEEDS)
@settings(max_examples=30)
def test_six_seeds_have_every_way_among_them(first: int) -> None:
    """So the quick run has, too."""
    assert set(Way) == {way for seed in range(first, first + 6) for way in draw(seed).ways}


@given(SEEDS)
def test_a_seed_is_a_script(seed: int) -> None:
    """The same seed, the same pair."""
    assert draw(seed) == draw(seed)


@given(SEEDS)
def test_both_versions_are_the_same_action(seed: int) -> None:
    """What differs is what a person words, marks or chooses: never who writes to whom, in which posture, or how often."""
    for action in draw(seed).actions:
        one, other = action.versions
        assert len(one.members) == len(other.members)
        assert action.kind is not Kind.MAIL or len(one.data) == len(other.data)
        assert len(one.subject) == len(other.subject)


@given(SEEDS)
@settings(max_examples=30)
def test_both_versions_make_envelopes_of_the_same_size(seed: int) -> None:
    """To the byte: an answer has thirty bytes more than a letter that is none, and a bucket ends somewhere."""
    for action in draw(seed).actions:
        assert len({sizes.possible(each, action.from_device) for each in action.letters}) == 1


@given(SEEDS, st.sampled_from(Way))
def test_one_way_alone(seed: int, way: Way) -> None:
    """To find out which way a difference comes from, a pair is drawn again with each of its ways by itself."""
    assert draw(seed, frozenset({way})).ways <= {way}


@given(SEEDS)
def test_without_any_way_nothing_differs(seed: int) -> None:
    """Such a pair is the same world twice."""
    assert all(one == other for one, other in (action.versions for action in draw(seed, frozenset()).actions))


def test_a_check_that_has_not_played_every_way_has_not_been_carried_out() -> None:
    """Each way is something that it has to have examined."""
    assert {f"pairs with {way}" for way in Way} <= set(CHECK.needs)


@pytest.mark.parametrize("way", TEXTS)
def test_a_text_differs_in_one_way_at_a_time(way: Way) -> None:
    """Else one way would hide another: a text that is replaced was never sent."""
    for seed in range(1, 40):
        for action in draw(seed, frozenset({way})).actions:
            assert action.way in {way, None}
