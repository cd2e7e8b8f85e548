"""The last message ids of one sender: enough to recognise a retry.

A sender can only repeat what has no PUBACK, and PUBACKs leave in order, so its newest `2 x Receive Maximum` ids suffice.
They are kept in the store, in the commit of the envelope itself, so that a retry after a crash is recognised as well.

The order of the ring survives a restart in the upper half of the stored checksum: CRC-32 of the payload below, the running
number of the message above. The number modulo the size is the slot.
"""

from typing import Final, Generic, TypeVar

import sqlalchemy

from blindrelay.relay.mqtt.session import RECEIVE_MAXIMUM
from blindrelay.relay.store import tables

W = TypeVar("W")

#: For a device, which has one connection at a time.
DEVICE_RING: Final = 2 * RECEIVE_MAXIMUM
#: For all sealed senders to one device together.
SEALED_RING: Final = 1_024


class Known(Generic[W]):
    """A message id that has been taken. `waiters`: who else wants to hear of its commit; None once it is committed."""

    __slots__ = ("checksum", "recipient", "size", "slot", "waiters")

    def __init__(self, recipient: int, size: int, checksum: int, slot: int, waiters: list[W] | None) -> None:
        self.recipient = recipient
        self.size = size
        self.checksum = checksum
        self.slot = slot
        self.waiters = waiters

    def is_same(self, recipient: int, size: int, checksum: int) -> bool:
        """Whether this is the same message again, as far as its recipient and CRC-32 tell; a wrong guess loses a message of
        the sender's own making alone."""
        return self.recipient == recipient and self.size == size and self.checksum == checksum


class Ring(Generic[W]):
    """The recent ids of `owner`: a sender's account id, or -(recipient's account id) for those who write to it sealed.

    It is empty until `fill` has been called with what the store remembers; `parked` holds what arrives before.
    """

    __slots__ = ("_ids", "_number", "_slots", "is_filled", "owner", "parked", "pending", "used")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.is_filled = False
        self.parked: list[W] = []
        self.pending = 0  # taken, not committed
        self.used = True  # since the last sweep
        self._ids: dict[bytes, Known[W]] = {}
        self._slots: dict[int, bytes] = {}
        self._number = 0

    @property
    def size(self) -> int:
        """How many ids it remembers."""
        return _size(self.owner)

    def fill(self, rows: list[tuple[int, bytes, int, int, int]]) -> None:
        """Take over what `recent_ids` has read."""
        for slot, message_id, recipient, size, stamped in rows:
            self._slots[slot] = message_id
            self._ids[message_id] = Known(recipient, size, stamped & 0xFFFFFFFF, slot, None)
            self._number = max(self._number, (stamped >> 32) + 1)
        self.is_filled = True

    def known(self, message_id: bytes) -> Known[W] | None:
        """What became of this id, if it is remembered."""
        return self._ids.get(message_id)

    def take(self, message_id: bytes, recipient: int, size: int, checksum: int) -> tuple[int, int]:
        """Remember a new id; return its slot and its stamped checksum, for the store."""
        number = self._number
        self._number = number + 1
        slot = number % self.size
        oldest = self._slots.get(slot)
        if oldest is not None and (known := self._ids.get(oldest)) and known.waiters is None:
            del self._ids[oldest]
        self._slots[slot] = message_id
        self._ids[message_id] = Known(recipient, size, checksum, slot, [])
        self.pending += 1
        self.used = True
        return slot, number << 32 | checksum

    def settle(self, message_id: bytes, *, committed: bool) -> list[W]:
        """The commit is over: remember the id for good, or forget it so that a retry is taken anew. Returns the waiters."""
        self.pending -= 1
        known = self._ids[message_id]
        waiters = known.waiters or []
        known.waiters = None
        if not committed or self._slots.get(known.slot) != message_id:
            del self._ids[message_id]
            if self._slots.get(known.slot) == message_id:
                del self._slots[known.slot]
        return waiters


def recent_ids(connection: sqlalchemy.Connection, owner: int) -> list[tuple[int, bytes, int, int, int]]:
    """What the store remembers of a ring: slot, message id, recipient, size, stamped checksum."""
    ring = tables.recent_id.c
    query = sqlalchemy.select(ring.slot, ring.message_id, ring.recipient, ring.size, ring.checksum)
    query = query.where(ring.owner == owner)
    if connection.dialect.name != "postgresql":
        return [tuple(row) for row in connection.execute(query)]
    # There the slot is a number that grows. Which slot of the ring it is here is for us to say.
    length = _size(owner)
    newest = connection.execute(query.order_by(ring.slot.desc()).limit(length)).all()
    return [
        (number % length, *row[1:4], number << 32 | row[4] & 0xFFFFFFFF) for number, row in enumerate(reversed(newest))
    ]


def _size(owner: int) -> int:
    return DEVICE_RING if owner > 0 else SEALED_RING
