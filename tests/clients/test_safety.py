"""Safety numbers as numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.clients.safety import mark_of, number_of

ALICE = ("alice@acme.example", b"r" * 32, {"acme.example/alice/laptop": b"a" * 32})
BOB = ("bob@globex.example", b"s" * 32, {"globex.example/bob/phone": b"b" * 32})


def test_number_is_what_it_was():
    """The algorithm is pinned: two versions of this program show the same number."""
    assert number_of(ALICE, BOB) == "50179 62177 48674 27801 09172 37734 59604 32661 24920 38411 70464 76904"


def test_order_does_not_matter():
    """Both sides get the same, whichever of the two comes first."""
    assert number_of(ALICE, BOB) == number_of(BOB, ALICE)
    assert mark_of(ALICE, BOB) == mark_of(BOB, ALICE)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.sampled_from(["phone", "tablet"]))
@settings(max_examples=10, deadline=None)
def test_every_part_counts(root, key, device):
    """Another root, another key or another device gives another number and another mark."""
    other = (BOB[0], root, {f"globex.example/bob/{device}": key})
    if other != BOB:
        assert number_of(ALICE, other) != number_of(ALICE, BOB)
        assert mark_of(ALICE, other) != mark_of(ALICE, BOB)
