"""After a commit: PUBACK to the senders in their order, and the envelopes to recipients who are there."""

import asyncio
from typing import TYPE_CHECKING, Final

from mqtt5 import DisconnectReasonCode, PubAckReasonCode

from blindrelay.relay.access import NO_RECIPIENT
from blindrelay.relay.intake import ID_USED, MAILBOX_FULL, Intake, Origin, Parked
from blindrelay.relay.mailbox import Delivery
from blindrelay.relay.peer import Hold, Peer
from blindrelay.relay.ring import Ring
from blindrelay.relay.store.entries import Accepted, Outcome, Refusal

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

# Payload of one connection that waits for the store: when it is less than this we read from it again.
UNDECIDED_LOW: Final = 524_288

# What is found out in the commit alone, where several nodes share the store.
_REFUSALS: Final = {
    Refusal.ID_USED: (PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, ID_USED),
    Refusal.NO_ROOM: (PubAckReasonCode.QUOTA_EXCEEDED, MAILBOX_FULL),
    Refusal.CLOSED: (NO_RECIPIENT.code, NO_RECIPIENT.reason),
}

_STORED: Final = (None, Refusal.KNOWN)


class Settlement:
    """The part of the exchange that goes on with messages whose commit is over."""

    def __init__(self, exchange: "Exchange", intake: Intake) -> None:
        self._exchange = exchange
        self._intake = intake

    def settle(self, batch: list[Accepted], outcome: Outcome) -> None:
        """A commit is over: answer the senders in their order, and hand the envelopes to recipients who are there."""
        touched: set[Peer] = set()
        behind: list[Delivery] = []
        committed = outcome is Outcome.COMMITTED
        for entry in batch:
            origin: Origin = entry.origin  # type: ignore[assignment]  # we put it there
            peer, mailbox = origin.peer, origin.mailbox
            refusal = entry.refusal
            is_stored = committed and refusal in _STORED
            waiters = origin.ring.settle(entry.message_id, committed=is_stored)
            peer.undecided -= len(entry.payload)
            touched.add(peer)
            if is_stored:
                peer.session.answer(origin.packet_id)
                delivery = mailbox.delivery
                if delivery is not None:
                    # What was stored before is wherever it is: it is fetched.
                    if refusal is not None or delivery.committed(entry):
                        behind.append(delivery)
                    touched.add(delivery.peer)
                mailbox.committed = max(mailbox.committed, entry.sequence)
            else:
                self._exchange.counts.accepted -= committed  # the batch is counted as a whole
                mailbox.leave(len(entry.payload))
                self._not_stored(peer, origin.packet_id, entry, outcome)
            for waiter in waiters:
                self._settle_waiter(origin.ring, waiter, entry, outcome)
                touched.add(waiter[0])
        for delivery in behind:
            delivery.pump()
        if self._exchange.neighbours is not None and committed:
            self._exchange.neighbours.stored(batch)
        self._go_on(touched)
        self._exchange.counts.outcomes[outcome.value] += 1
        if committed:
            self._exchange.counts.accepted += len(batch)
        if self._exchange.on_commit is not None and committed:
            self._exchange.on_commit()

    def _go_on(self, touched: set[Peer]) -> None:
        for peer in touched:
            if peer.held & Hold.UNDECIDED and peer.undecided < UNDECIDED_LOW:
                peer.unhold(Hold.UNDECIDED)
        for peer in touched:
            peer.flush()

    def _settle_waiter(self, ring: "Ring[Parked]", waiter: Parked, entry: Accepted, outcome: Outcome) -> None:
        peer, packet_id = waiter[0], waiter[1].packet_id or 0
        if outcome is Outcome.COMMITTED and entry.refusal in _STORED:
            peer.session.answer(packet_id)
        elif entry.refusal is Refusal.MOVED:  # that was the connection before: what this one sends is taken anew
            asyncio.get_running_loop().call_soon(self._take_again, ring, waiter)
        else:
            self._not_stored(peer, packet_id, entry, outcome)

    def _take_again(self, ring: "Ring[Parked]", waiter: Parked) -> None:
        self._intake.take(ring, waiter)
        waiter[0].flush()

    def _not_stored(self, peer: Peer, packet_id: int, entry: Accepted, outcome: Outcome) -> None:
        if entry.refusal is Refusal.MOVED:
            self._exchange.end(peer, DisconnectReasonCode.SESSION_TAKEN_OVER)
        elif entry.refusal is not None:
            self._exchange.refuse(peer, packet_id, *_REFUSALS[entry.refusal])
        elif outcome is Outcome.STORE_FULL:
            self._exchange.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, "the relay's disk is full")
        elif outcome is Outcome.STORE_AWAY:
            reason = "the relay's database cannot be reached: try again later"
            self._exchange.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, reason)
        else:
            self._exchange.end(peer, DisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "the store failed")
