"""Information in bits: of tables whose information is known, and what holds for every table."""

from collections import Counter
from math import log, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.proofs.traffic.information import bias, entropy, mutual_information

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def test_a_binary_symmetric_channel_carries_what_the_textbook_says() -> None:
    """A fair bit that is flipped once in four times: 1 - H(1/4) bits (Cover, Thomas: Elements of Information Theory, 7.1.4)."""
    pairs = [(0, 0)] * 3 + [(0, 1)] + [(1, 1)] * 3 + [(1, 0)]

    flipped = -(0.25 * log2(0.25) + 0.75 * log2(0.75))
    assert mutual_information(pairs) == pytest.approx(1 - flipped)


def test_a_die_has_its_entropy() -> None:
    """Six sides that come equally often are log2(6) bits; what is certain has none, and nothing has none."""
    assert entropy(Counter(range(6))) == pytest.approx(log2(6))
    assert entropy(Counter({"always": 9})) == 0
    assert entropy({}) == 0


def test_what_is_independent_tells_nothing() -> None:
    """A full table of all combinations."""
    assert mutual_information((x, y) for x in range(4) for y in range(5)) == pytest.approx(0)


def test_a_bucket_tells_as_much_as_there_are_buckets() -> None:
    """What follows from something else carries its own entropy: four lengths in two buckets are one bit."""
    assert mutual_information((length, length // 2) for length in range(4)) == pytest.approx(1)


def test_few_samples_of_independent_things_look_related_by_what_miller_says() -> None:
    """One toss of two coins: an observer with few samples is given too much, never too little."""
    pairs = [(0, 0), (1, 1)]

    assert mutual_information(pairs) == pytest.approx(1)
    assert bias(pairs) == pytest.approx(1 / (4 * log(2)))
    assert bias([]) == 0


@given(PAIRS)
def test_information_is_symmetric_and_within_both_entropies(pairs: list[tuple[int, int]]) -> None:
    """0 <= I(X;Y) = I(Y;X) <= min(H(X), H(Y))."""
    told = mutual_information(pairs)

    assert told == pytest.approx(mutual_information((y, x) for x, y in pairs), abs=1e-9)
    assert 0 <= told <= min(entropy(Counter(x for x, _ in pairs)), entropy(Counter(y for _, y in pairs))) + 1e-9


@given(PAIRS, st.permutations(range(5)))
def test_names_do_not_matter(pairs: list[tuple[int, int]], names: list[int]) -> None:
    """Whatever buckets are called, they tell as much."""
    assert mutual_information((x, names[y]) for x, y in pairs) == pytest.approx(mutual_information(pairs), abs=1e-9)
