"""What goes into the store on the path of a message, and what comes out of it."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy

#: Anything that is written beside the path of a message; it runs in the store's thread, inside a transaction.
Write = Callable[[sqlalchemy.Connection], Any]


class Outcome(enum.Enum):
    """What became of a batch."""

    COMMITTED = "committed"  #: durable, but for those that were refused
    STORE_FULL = "full"  #: not written; the store works on
    STORE_AWAY = "away"  #: not written: the database cannot be reached just now
    UNKNOWN = "unknown"  #: the database was lost while it was told to commit: a repetition will show what it did
    STORE_FAILED = "failed"  #: unknown; the relay leaves


class Refusal(enum.Enum):
    """Why an envelope of a committed batch is not stored by it. A store with one process alone never says so: it asks first."""

    KNOWN = "known"  #: it has been stored before; `sequence` is then a place of its mailbox that it is not above
    ID_USED = "id used"  #: its message id was another message's
    CLOSED = "closed"  #: its recipient has been revoked
    NO_ROOM = "no room"  #: its recipient's mailbox is full
    MOVED = "moved"  #: its sender's session is at another node by now, and whatever it has no answer to is sent there


@dataclass(slots=True)
class Accepted:
    """One envelope on its way to stable storage. Mutable and slotted for speed; made by the exchange.

    Ids and sequences are 1 or more; times are epoch seconds, 1 or more. `sender_id` is None for a sealed sender.
    `ring_owner`, `ring_slot` and `checksum` (CRC-32 of the payload) are its row in the ring of recent ids; `origin` is the
    exchange's own: whom to answer.

    `sequence` is a proposal until the commit, which says where it really is, or puts down why it was refused. With several
    nodes, `epoch` is that of the sender's session (0: none), and the commit says where the mailbox is read: `reader`, 0 for
    nowhere.
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
    refusal: Refusal | None = None
    epoch: int = 0
    reader: int = 0


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

    `outcome` is that of the envelopes; `results` has for each `Write` what it returned, or the exception that it raised.
    """

    outcome: Outcome
    results: list[Any]

    @property
    def stored(self) -> bool:
        """Whether the envelopes are durable, but for those that were refused."""
        return self.outcome is Outcome.COMMITTED
