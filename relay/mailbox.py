"""A device's inbox: what waits there, and how it reaches the device.

A `Mailbox` is the little that is in memory for every device: counts and numbers. The envelopes are in the store. While the
device is connected and subscribed there is a `Delivery` beside it, which hands over what waits, in the order of acceptance:
from the store, page by page, until it has caught up, and what is committed from then on as it comes.

At any moment an envelope that waits is exactly one of: in flight (sent, not acknowledged), held (in memory, next to be sent)
or behind (only in the store, to be fetched). `read_up_to` is the border: everything up to it is in flight, held or gone.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

import sqlalchemy

from blindrelay.relay.peer import Peer
from blindrelay.relay.ports import Envelope
from blindrelay.relay.store import tables
from blindrelay.relay.store.upsert import insert_or_update

# A page of the catch-up, and what a connection that does not keep up may hold in memory.
PAGE_COUNT: Final = 256
SMALL_PAGE: Final = 32
PAGE_BYTES: Final = 524_288
# What all connections together may hold; what is over it is fetched from the store when its turn comes.
HELD_LIMIT: Final = 67_108_864
# What one connection may have in its session's outbox before it is written: the transport's own bound comes after.
OUTBOX_LIMIT: Final = 262_144
# Packet ids are 1 to 65,535: sequences in flight must not span so many that two of them share one (decision D8).
ID_SPAN: Final = 65_535


@dataclass(frozen=True, slots=True)
class Quota:
    """How much may wait in one mailbox.

    The default count is a device that was off for a month, at 300 messages a day; the default size is 16 KiB for each of
    them: mails with attachments are what fills it.
    """

    count: int = 10_000
    size: int = 167_772_160


class Mailbox:
    """The numbers of one inbox.

    Attributes:
        account_id: of the device.
        topic: that the device subscribes to, and that its envelopes are sent under.
        quota: its bounds; None when the store sees to them, because other nodes fill and empty this mailbox, too.
        waiting, waiting_bytes: envelopes taken and not yet gone, and their payloads.
        next_sequence: the next envelope's place, from 1.
        committed: the highest place that is known to be durable.
        delivery: while the device is connected and subscribed.
        left_in: the sweep in which a delivery ended last; 0: none.
    """

    __slots__ = (
        "account_id",
        "committed",
        "delivery",
        "left_in",
        "next_sequence",
        "quota",
        "topic",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, account_id: int, topic: str, quota: Quota | None) -> None:
        self.account_id = account_id
        self.topic = topic
        self.quota = quota
        self.waiting = 0
        self.waiting_bytes = 0
        self.next_sequence = 1
        self.committed = 0
        self.delivery: Delivery | None = None
        self.left_in = 0

    def restore(self, count: int, size: int, last_sequence: int) -> None:
        """Take over what `waiting_envelopes` found in the store, once, at the start."""
        self.waiting, self.waiting_bytes = count, size
        self.committed, self.next_sequence = last_sequence, last_sequence + 1

    def has_room(self, size: int) -> bool:
        """Whether an envelope of `size` bytes fits in."""
        quota = self.quota
        return quota is None or (self.waiting < quota.count and self.waiting_bytes + size <= quota.size)

    def enter(self, size: int) -> int:
        """Count an envelope in, and give it its place."""
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        self.waiting += 1
        self.waiting_bytes += size
        return sequence

    def leave(self, size: int) -> None:
        """Count an envelope out: acknowledged, expired, or never committed."""
        # Not below nothing: what was under way when a mailbox was emptied still comes to leave it.
        self.waiting = max(0, self.waiting - 1)
        self.waiting_bytes = max(0, self.waiting_bytes - size)

    def close(self) -> None:
        """Take no more: its device has left. Where the store sees to the bounds, it sees to this, too."""
        if self.quota is not None:
            self.quota = Quota(0, 0)

    def empty(self) -> None:
        """Forget what waits, after it has been deleted from the store altogether (a revoked device)."""
        self.waiting = self.waiting_bytes = 0

    def handles(self, sequence: int, sweep: int) -> bool:
        """Whether this envelope is on its way to the device, or was since this sweep began and has perhaps been counted out."""
        delivery = self.delivery
        return self.left_in == sweep or (
            delivery is not None and (delivery.is_fetching or sequence <= delivery.read_up_to)
        )


def expired_envelopes(connection: sqlalchemy.Connection, now: int, limit: int) -> list[tuple[int, int, int]]:
    """Account id, sequence and size of `limit` envelopes at most whose time has passed at `now` (epoch seconds)."""
    envelope = tables.envelope.c
    query = sqlalchemy.select(envelope.mailbox_id, envelope.sequence, envelope.size)
    return [tuple(row) for row in connection.execute(query.where(envelope.expires_at <= now).limit(limit))]


def waiting_envelopes(connection: sqlalchemy.Connection) -> list[tuple[int, int, int, int]]:
    """Account id, count, bytes and highest sequence of each mailbox that is not empty.

    With PostgreSQL of each that was ever written to, count and bytes at most.
    """
    if connection.dialect.name == "postgresql":
        mailbox = tables.mailbox.c
        known = sqlalchemy.select(mailbox.account_id, mailbox.waiting, mailbox.waiting_size, mailbox.last_sequence)
        return [tuple(row) for row in connection.execute(known)]
    envelope = tables.envelope.c
    query = sqlalchemy.select(
        envelope.mailbox_id,
        sqlalchemy.func.count(),
        sqlalchemy.func.sum(envelope.size),
        sqlalchemy.func.max(envelope.sequence),
    ).group_by(envelope.mailbox_id)
    return [tuple(row) for row in connection.execute(query)]


def set_closed(connection: sqlalchemy.Connection, account_id: int, *, closed: bool) -> None:
    """Whether the store is to refuse envelopes for this mailbox from now on, whichever node takes them."""
    change = {"closed": int(closed)}
    insert_or_update(connection, tables.mailbox, {"account_id": account_id, **change}, change)


class Engine(Protocol):
    """What a delivery needs of the exchange."""

    held_bytes: int

    def now(self) -> int:
        """Epoch seconds, unmoved by steps of the wall clock."""

    def stands(self, peer: Peer) -> bool:
        """Whether this peer may (still) be given its mail: the one decision, asked before every batch."""

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete from the store."""

    def fetch(self, delivery: "Delivery") -> None:
        """Bring `delivery` the next page: call its `page` in the end."""


@dataclass(frozen=True, slots=True)
class Again:
    """What has DUP set (decision D9): what was sent before, as far as anybody knows.

    Envelopes up to `sequence` were sent in this session. What was sent before a restart nobody knows: so it is those, too,
    that were accepted up to the second `accepted_at`, when the session's last connection to an earlier process ended.
    """

    sequence: int = 0
    accepted_at: int = -1


class Delivery:
    """The way of one inbox to one connection.

    Attributes:
        is_open: False after UNSUBSCRIBE: what is in flight is completed [3.10.4-3], nothing new is sent [3.10.4-2].
        is_fetching: whether a page is under way.
        read_up_to: see the module.
        sent_up_to: the highest sequence that has been sent.
    """

    __slots__ = (
        "_again",
        "_engine",
        "_has_news",
        "_held",
        "_held_bytes",
        "_in_flight",
        "is_fetching",
        "is_open",
        "mailbox",
        "peer",
        "read_up_to",
        "sent_up_to",
    )

    def __init__(self, engine: Engine, mailbox: Mailbox, peer: Peer, again: Again) -> None:
        self.mailbox = mailbox
        self.peer = peer
        self.is_open = True
        self.is_fetching = False
        # What there is, the store says. `waiting` is a bound on what is taken, and no answer to who is owed a message.
        self.read_up_to = 0
        self.sent_up_to = again.sequence
        self._engine = engine
        self._again = again
        self._has_news = False
        self._held: deque[Envelope] = deque()
        self._held_bytes = 0
        self._in_flight: dict[int, int] = {}  # sequence -> size, in the order of sequences

    def committed(self, envelope: Envelope) -> bool:
        """An envelope of this mailbox has become durable. It is the newest; `mailbox.committed` still names the one before.

        Returns whether there is one in between that did not come through here: it comes first, so `pump` is to fetch them.
        """
        if envelope.sequence <= self.read_up_to:
            return False  # a page has brought it, of a mailbox that other nodes fill, too
        if self.read_up_to < self.mailbox.committed or not self.is_open:
            return False  # behind, or a page is under way: it will be fetched
        if envelope.sequence - 1 != self.mailbox.committed:
            return True
        if not self._held and self._can_send(envelope.sequence):
            if not self._engine.stands(self.peer):
                return False
            self.read_up_to = envelope.sequence
            self._send(envelope, self._engine.now())
        elif self._held_bytes < PAGE_BYTES and self._engine.held_bytes < HELD_LIMIT:
            self._hold(envelope)
        return False

    def acknowledged(self, sequences: list[int]) -> None:
        """The device has these. They are deleted in the next commit."""
        mailbox, engine = self.mailbox, self._engine
        for sequence in sequences:
            size = self._in_flight.pop(sequence, None)
            if size is not None:
                mailbox.leave(size)
                engine.remove(mailbox.account_id, sequence)

    def page(self, envelopes: list[Envelope], *, known: int) -> None:
        """What `Engine.fetch` found above `read_up_to`; `known` was `mailbox.committed` when it asked."""
        self.is_fetching = False
        if self.peer.delivery is not self or not self.is_open:
            return
        mailbox = self.mailbox
        if (
            mailbox.quota is None and envelopes
        ):  # other nodes fill it, too, and what they have committed comes by here alone
            mailbox.committed = max(mailbox.committed, envelopes[-1].sequence)
        # The store's thread may be ahead of us: what has been committed and not settled comes by `committed`, and only there.
        # And what has come by there since the page was asked for is not to come twice.
        settled = [each for each in envelopes if self.read_up_to < each.sequence <= mailbox.committed]
        for envelope in settled:
            self._hold(envelope)
        if not settled:
            self.read_up_to = max(self.read_up_to, known)  # the rest of them is gone: expired or purged
        self.pump()

    def news(self) -> None:
        """Another node may have put something into the mailbox: it is looked, as soon as there is room for what is found."""
        self._has_news = True
        self.pump()

    def pump(self) -> None:
        """Send what may be sent now, and see to it that more comes when there is more."""
        if not self.is_open or not self._has_window() or not self._engine.stands(self.peer):
            return
        held = self._held
        now = self._engine.now()
        while held and self._can_send(held[0].sequence):
            envelope = held.popleft()
            size = len(envelope.payload)
            self._held_bytes -= size
            self._engine.held_bytes -= size
            self._send(envelope, now)
        if held:
            if self._engine.held_bytes > HELD_LIMIT:
                self.shed()
        elif (
            (self.read_up_to < self.mailbox.committed or self._has_news) and not self.is_fetching and self._has_window()
        ):
            self._has_news = False
            self.is_fetching = True
            self._engine.fetch(self)

    def page_bounds(self) -> tuple[int, int]:
        """How many envelopes, and how many bytes, the next page is to have at most."""
        # A reader with a small window is given more than that: what it does not take now is held for it, within bounds.
        return min(PAGE_COUNT, max(SMALL_PAGE, self.peer.session.window)), PAGE_BYTES

    def shed(self) -> None:
        """Hold nothing in memory: what was held is behind again."""
        if self._held:
            self.read_up_to = self._held[0].sequence - 1
            self._engine.held_bytes -= self._held_bytes
            self._held_bytes = 0
            self._held.clear()

    def close(self) -> None:
        """Nothing more is sent. What is in flight waits in the store for the next connection."""
        self.shed()
        self.is_open = False

    def reopen(self) -> None:
        """SUBSCRIBE again on the same connection: go on where UNSUBSCRIBE left off, or nothing changes [3.8.4-3]."""
        self.is_open = True

    def _has_window(self) -> bool:
        session = self.peer.session
        return self.peer.writable and session.queued < OUTBOX_LIMIT and session.window > 0

    def _can_send(self, sequence: int) -> bool:
        if not self._has_window():
            return False
        in_flight = self._in_flight
        return not in_flight or sequence - next(iter(in_flight)) < ID_SPAN

    def _hold(self, envelope: Envelope) -> None:
        size = len(envelope.payload)
        self.read_up_to = envelope.sequence
        self._held.append(envelope)
        self._held_bytes += size
        self._engine.held_bytes += size

    def _send(self, envelope: Envelope, now: int) -> None:
        mailbox, sequence, size = self.mailbox, envelope.sequence, len(envelope.payload)
        left = None if envelope.expires_at is None else envelope.expires_at - now
        if left is not None and left <= 0:
            # [3.3.2-5], and decision D10 for what has been in flight.
            mailbox.leave(size)
            self._engine.remove(mailbox.account_id, sequence)
            return
        again = sequence <= self._again.sequence or envelope.accepted_at <= self._again.accepted_at
        self._in_flight[sequence] = size
        self.sent_up_to = max(self.sent_up_to, sequence)
        self.peer.session.deliver(1 + sequence % ID_SPAN, mailbox.topic, envelope, expiry=left, again=again)
