"""What goes into the store on the path of a message, and what comes out of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy

#: Anything that is written beside the path of a message; it runs in the store's thread, inside a transaction.
Write = Callable[[sqlalchemy.Connection], Any]


@dataclass(slots=True)
class Accepted:
    """One envelope on its way to stable storage. Mutable and slotted for speed; made by the exchange.

    Ids and sequences are 1 or more; times are epoch seconds, 1 or more. `sender_id` is None for a sealed sender.
    `ring_owner`, `ring_slot` and `checksum` (CRC-32 of the payload) are its row in the ring of recent ids; `origin` is the
    exchange's own: whom to answer.
    """

    mailbox_id: int
    sequence: int
    sender_id: int | None
    message_id: bytes
    accepted_at: int
    expires_at: int | None
    payload: bytes = field(repr=False)
    ring_owner: int
    ring_slot: int
    checksum: int
    origin: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """An envelope that waits in a mailbox. Times are epoch seconds."""

    sequence: int
    message_id: bytes
    accepted_at: int
    expires_at: int | None
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did.

    `stored` is false when there was no room for the envelopes; `results` has for each `Write` what it returned, or the
    exception that it raised.
    """

    stored: bool
    results: list[Any]
