"""Where a connection goes next (`clients/elsewhere.py`)."""

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.clients.elsewhere import MAX_REFERENCES, Elsewhere, Place, parse

HOME = Place("relay.example", 8883)


def test_servers_are_tried_in_their_order_and_home_is_the_last() -> None:
    """A server that was named is left when it fails once; home is tried for ever."""
    elsewhere = Elsewhere(HOME)
    assert elsewhere.told("b.example:1 c.example:2")
    tried = []
    for _ in range(5):
        tried.append(elsewhere.here)
        elsewhere.failed()

    assert tried == [Place("b.example", 1), Place("c.example", 2), HOME, HOME, HOME]


def test_a_newer_reference_takes_the_place_of_an_older_one() -> None:
    """The second node that stops knows better than the first."""
    elsewhere = Elsewhere(HOME)
    elsewhere.told("b.example:1")
    elsewhere.told("c.example:2")
    assert elsewhere.here == Place("c.example", 2)
    elsewhere.failed()
    assert elsewhere.here == HOME


def test_nonsense_changes_nothing() -> None:
    """What names no server is no reference."""
    elsewhere = Elsewhere(HOME)
    elsewhere.told("b.example:1")
    for nonsense in ("", "c.example", "c.example:0", "c.example:65536", "mqtts://c.example:1", "c.example:1x", ":1"):
        assert not elsewhere.told(nonsense)
    assert elsewhere.here == Place("b.example", 1)


def test_an_ipv6_address_loses_its_brackets() -> None:
    """As it is written in a reference, and as it is connected to."""
    assert parse("[2001:db8::1]:8883") == [Place("2001:db8::1", 8883)]


@given(st.text())
def test_whatever_a_relay_says_is_bounded(reference: str) -> None:
    """No reference raises, or sends a client to more places than a few."""
    places = parse(reference * 20)
    assert len(places) <= MAX_REFERENCES
    assert all(place.host and 0 < place.port <= 65_535 for place in places)
