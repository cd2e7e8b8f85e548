"""Letters in parts: put together whatever the order, kept apart by sender, bounded in number and size."""

from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blindrelay.clients import parts
from blindrelay.clients.errors import ContentRejected
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.parts import MAX_PARTS, MAX_TRANSFERS_PER_DEVICE, Part, Reassembly, parse, split
from blindrelay.protocol.address import DeviceAddress

ALICE = DeviceAddress.parse("acme.example/alice/laptop")
EVE = DeviceAddress.parse("acme.example/eve/laptop")


@pytest.fixture
def store():
    """A key store in memory."""
    with KeyStore.in_memory() as store:
        yield store


@pytest.fixture
def small(monkeypatch):
    """Pieces of four bytes, so that little makes many."""
    monkeypatch.setattr(parts, "PIECE", 4)


def cut(letter: bytes, expires_at: int = 100) -> list[Part]:
    """The parsed parts of a letter."""
    return [parse(part) for part in split(letter, expires_at)]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 11])
@pytest.mark.usefixtures("small")
def test_every_order_gives_the_letter(store, length):
    """Whatever the order and with every part coming twice, the letter is complete with its last part alone."""
    letter = bytes(range(length))
    for order in permutations(cut(letter)):
        reassembly = Reassembly(store)
        twice = [part for part in order[:-1] for _ in range(2)]
        assert [reassembly.add(ALICE, part, 1.0) for part in twice] == [None] * len(twice)
        assert reassembly.add(ALICE, order[-1], 1.0) == letter
        assert list(store.items(Space.TRANSFER)) == []


@pytest.mark.usefixtures("small")
def test_parts_of_another_sender_do_not_mix(store):
    """Another device that knows the transfer id cannot complete or spoil the letter."""
    one, two = cut(b"12345678")
    reassembly = Reassembly(store)
    assert reassembly.add(ALICE, one, 1.0) is None
    assert reassembly.add(EVE, two, 1.0) is None
    assert reassembly.add(ALICE, two, 1.0) == b"12345678"


@pytest.mark.usefixtures("small")
def test_contradicting_parts_are_refused(store):
    """A part that gives another count than the ones before is refused, and the letter still comes together."""
    one, two = cut(b"12345678")
    reassembly = Reassembly(store)
    reassembly.add(ALICE, one, 1.0)
    with pytest.raises(ContentRejected):
        reassembly.add(ALICE, Part(100, 2, 3, one.transfer, b"9"), 1.0)
    assert reassembly.add(ALICE, two, 1.0) == b"12345678"


@pytest.mark.usefixtures("small")
def test_a_sender_that_never_finishes_loses_its_oldest(store):
    """A device that opens transfer after transfer pushes out its own oldest, and nobody else's."""
    reassembly = Reassembly(store)
    other = cut(b"12345678")
    reassembly.add(EVE, other[0], 0.0)
    letters = [cut(b"12345678") for _ in range(MAX_TRANSFERS_PER_DEVICE + 1)]
    for moment, (first, _) in enumerate(letters):
        reassembly.add(ALICE, first, float(moment))
    assert len(list(store.items(Space.TRANSFER))) == MAX_TRANSFERS_PER_DEVICE + 1
    assert reassembly.add(ALICE, letters[-1][1], 9.0) == b"12345678"
    assert reassembly.add(EVE, other[1], 9.0) == b"12345678"
    assert reassembly.add(ALICE, letters[0][1], 9.0) is None


@pytest.mark.usefixtures("small")
def test_expired_transfers_go(store):
    """What is incomplete when its time is over is deleted."""
    reassembly = Reassembly(store)
    reassembly.add(ALICE, cut(b"12345678", expires_at=5)[0], 1.0)
    reassembly.add(EVE, cut(b"12345678", expires_at=50)[0], 6.0)
    assert [name.startswith(str(EVE)) for name, _ in store.items(Space.TRANSFER)] == [True]


@pytest.mark.usefixtures("small")
def test_waiting_bytes_are_bounded(store, monkeypatch):
    """When too much is waiting, a new incomplete letter is refused; letters in one part still come in."""
    monkeypatch.setattr(parts, "MAX_WAITING_BYTES", 4)
    reassembly = Reassembly(store)
    reassembly.add(ALICE, cut(b"12345678")[0], 1.0)
    with pytest.raises(ContentRejected, match="too many"):
        reassembly.add(EVE, cut(b"12345678")[0], 1.0)
    assert reassembly.add(EVE, cut(b"123")[0], 1.0) == b"123"


@given(st.binary(max_size=60))
@example(b"\1" + bytes(8) + b"\0\0\0\1")
@example(b"\1" + bytes(8) + b"\0\1\0\1")
@example(b"\1" + bytes(8) + b"\0\0\xff\xff" + bytes(17))
@example(b"\2" + bytes(8) + b"\0\0\0\1")
def test_any_bytes_are_a_part_or_rejected(data):
    """Whatever decrypts is a part within the bounds, or rejected with the typed error."""
    try:
        part = parse(data)
    except ContentRejected:
        return
    assert part.number < part.count <= MAX_PARTS
    assert data[0] == 1
