"""Padmé."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.sizes import BUCKETS, MAX_ENVELOPE, MIN_ENVELOPE, padme


def reference(length: int) -> int:
    """The published algorithm, in floating point as the paper has it (PURBs, algorithm 1)."""
    exponent = math.floor(math.log2(length))
    significant = math.floor(math.log2(exponent)) + 1
    step = 2 ** (exponent - significant)
    return int(math.ceil(length / step) * step)


@given(st.integers(MIN_ENVELOPE, MAX_ENVELOPE))
def test_padding_is_that_of_the_paper(length: int) -> None:
    """Above the floor, the bucket is what the paper's algorithm gives."""
    assert padme(length) == reference(length)


@given(st.integers(MIN_ENVELOPE, MAX_ENVELOPE))
def test_padding_costs_at_most_twelve_percent(length: int) -> None:
    """The bucket holds the content and wastes no more than 12 %."""
    assert length <= padme(length) <= length * 1.12


def test_the_buckets_are_exactly_the_lengths_that_padding_gives() -> None:
    """The relay's look-up table and the client's arithmetic are one rule."""
    assert {padme(length) for length in range(MAX_ENVELOPE + 1)} == BUCKETS


@pytest.mark.parametrize("length", [-1, MAX_ENVELOPE + 1])
def test_a_length_out_of_range_has_no_bucket(length: int) -> None:
    """Longer content travels in parts."""
    with pytest.raises(ValueError, match="outside"):
        padme(length)
