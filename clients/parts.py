"""Letters in parts: what is inside the ratchet message, and how parts become a letter again.

    part = version 1 (1) | expires at, epoch seconds (8) | number (2) | count (2) | transfer id (16, if count > 1) | piece

Numbers are big endian. A part belongs to the device that sent it: the same transfer id from another device is another
transfer. Incomplete transfers are bounded per sender and in all, and go when their own expiry has passed.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from blindrelay.clients.content import MAX_LETTER
from blindrelay.clients.errors import ContentRejected
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.statements import Wire

VERSION = 1
# Leaves room for a certificate and a statement in an envelope of 256 KiB, and is little to send again after a lost link.
PIECE = 180 * 1_024
MAX_PARTS = -(-MAX_LETTER // PIECE)
# A device sends one letter after the other; more than a few open at once are ones that it gave up.
MAX_TRANSFERS_PER_DEVICE = 4
# Sixteen of the largest letters: what all others together can make this device keep without its person seeing anything.
MAX_WAITING_BYTES = 256 * 2**20

_HEAD = struct.Struct(">BQHH")
_TRANSFER = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a letter. `transfer` is empty when the letter has one part alone."""

    expires_at: int
    number: int
    count: int
    transfer: bytes
    piece: bytes = field(repr=False)


def split(letter: bytes, expires_at: int) -> Iterator[bytes]:
    """The parts of an encoded letter, encoded."""
    count = max(1, -(-len(letter) // PIECE))
    transfer = os.urandom(_TRANSFER) if count > 1 else b""
    for number in range(count):
        piece = letter[number * PIECE : (number + 1) * PIECE]
        yield _HEAD.pack(VERSION, expires_at, number, count) + transfer + piece


def parse(data: bytes) -> Part:
    """Parse one of `split`'s; raise `ContentRejected`."""
    if len(data) < _HEAD.size:
        raise ContentRejected("a part is cut off")
    version, expires_at, number, count = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ContentRejected(f"a part of version {version}: this client understands version {VERSION}; update it")
    if not number < count <= MAX_PARTS:
        raise ContentRejected(f"part {number} of {count}: expected {MAX_PARTS} at most")
    start = _HEAD.size + (_TRANSFER if count > 1 else 0)
    piece = data[start:]
    # All pieces but the last are full, so that count and sizes cannot contradict each other.
    if len(piece) > PIECE or (number < count - 1 and len(piece) != PIECE) or (count > 1 and not piece):
        raise ContentRejected(f"part {number} of {count} has a piece of {len(piece)} bytes")
    return Part(expires_at, number, count, data[_HEAD.size : start], piece)


class _Transfer(Wire):
    """What is known of a letter whose parts are not all there."""

    count: int
    have: Annotated[list[int], Field(max_length=MAX_PARTS)]
    expires_at: int
    last: float


class Reassembly:
    """Puts letters together, in the key store, inside the caller's transaction."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def add(self, sender: DeviceAddress, part: Part, now: float) -> bytes | None:
        """Keep a part; return the letter when it is the last that was missing.

        Raises:
            ContentRejected: it contradicts earlier parts, or too much is waiting already.
        """
        if part.count == 1:
            return part.piece
        name = f"{sender}/{part.transfer.hex()}"
        stored = self._store.get(Space.TRANSFER, name)
        if stored is None:
            self._make_room(sender, now)
            have: list[int] = []
        else:
            transfer = _Transfer.model_validate_json(stored)
            if transfer.count != part.count:
                raise ContentRejected(f"a letter of {transfer.count} parts has a part that says {part.count}")
            have = transfer.have
        self._store.add_part(name, part.number, part.piece)
        have = sorted({*have, part.number})
        if len(have) == part.count:
            letter = b"".join(self._store.parts(name))
            self._drop(name)
            return letter
        record = _Transfer(count=part.count, have=have, expires_at=part.expires_at, last=now)
        self._store.put(Space.TRANSFER, name, record.model_dump_json().encode())
        return None

    def _make_room(self, sender: DeviceAddress, now: float) -> None:
        waiting = {name: _Transfer.model_validate_json(value) for name, value in self._store.items(Space.TRANSFER)}
        for name in [name for name, transfer in waiting.items() if transfer.expires_at < now]:
            self._drop(name)
            del waiting[name]
        of_sender = sorted(
            (name for name in waiting if name.startswith(f"{sender}/")), key=lambda name: waiting[name].last
        )
        while len(of_sender) >= MAX_TRANSFERS_PER_DEVICE:
            self._drop(oldest := of_sender.pop(0))
            del waiting[oldest]
        if sum(transfer.count for transfer in waiting.values()) * PIECE > MAX_WAITING_BYTES:
            raise ContentRejected("too many incomplete letters are waiting: this one is refused")

    def _drop(self, name: str) -> None:
        self._store.drop_parts(name)
        self._store.delete(Space.TRANSFER, name)
