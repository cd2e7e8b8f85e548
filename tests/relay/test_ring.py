"""The ring of recent message ids. Bug class R11."""

from hypothesis import given
from hypothesis import strategies as st

from blindrelay.relay.ring import DEVICE_RING, SEALED_RING, Ring


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


def take(ring: Ring[str], number: int) -> tuple[int, int]:
    return ring.take(name(number), 2, 1_024, 0xDEADBEEF)


def test_newest_ids_are_known() -> None:
    """As many as the ring is long, and no more."""
    ring: Ring[str] = Ring(1)
    for number in range(DEVICE_RING + 10):
        take(ring, number)
        assert ring.settle(name(number), committed=True) == []
    known = [number for number in range(DEVICE_RING + 10) if ring.known(name(number))]
    assert known == list(range(10, DEVICE_RING + 10))


def test_id_that_was_not_committed_is_forgotten() -> None:
    """So that the sender's retry is taken."""
    ring: Ring[str] = Ring(1)
    take(ring, 1)
    known = ring.known(name(1))
    assert known is not None
    assert known.waiters is not None
    known.waiters.append("retry")
    assert ring.settle(name(1), committed=False) == ["retry"]
    assert ring.known(name(1)) is None
    assert ring.pending == 0


def test_pending_id_is_not_overwritten() -> None:
    """Many sealed senders may have more under way than the ring is long: what is pending stays known until its commit."""
    ring: Ring[str] = Ring(-1)
    for number in range(SEALED_RING + 1):
        take(ring, number)
    assert ring.known(name(0)) is not None
    ring.settle(name(0), committed=True)
    assert ring.known(name(0)) is None
    assert ring.known(name(SEALED_RING)) is not None


@given(st.integers(0, 3 * DEVICE_RING), st.randoms())
def test_order_survives_the_store(count: int, chance: object) -> None:
    """Filled from its rows in any order, a ring overwrites its oldest id next."""
    ring: Ring[str] = Ring(1)
    rows = {}
    for number in range(count):
        slot, stamped = take(ring, number)
        ring.settle(name(number), committed=True)
        rows[slot] = (slot, name(number), 2, 1_024, stamped)
    shuffled = list(rows.values())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    again: Ring[str] = Ring(1)
    again.fill(shuffled)
    for number in range(count, count + DEVICE_RING // 2):
        take(again, number)
        again.settle(name(number), committed=True)
    for number in range(max(0, count - DEVICE_RING // 2), count + DEVICE_RING // 2):
        found = again.known(name(number))
        assert found is not None
        assert found.is_same(2, 1_024, 0xDEADBEEF)


def test_stamp_fits_the_stores_integer() -> None:
    """SQLite's integers are signed and have 64 bits: two billion messages of one sender."""
    ring: Ring[str] = Ring(1)
    ring.fill([(0, name(0), 2, 1_024, ((1 << 31) - 2) << 32)])
    _, stamped = take(ring, 1)
    assert stamped < 1 << 63
