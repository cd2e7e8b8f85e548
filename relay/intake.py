"""A PUBLISH, from the connection that it came on up to the next commit.

    limits -> access -> form -> ring (seen before?) -> quota -> committer

What becomes of it after the commit is in `blindrelay.relay.settlement`.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from zlib import crc32

import mqtt5
from mqtt5 import DisconnectReasonCode, PubAckReasonCode

from blindrelay.protocol.sizes import BUCKETS, MAX_TTL, MESSAGE_ID_LENGTH
from blindrelay.relay.access import PublishRefused, RpcCall
from blindrelay.relay.calls import Calls
from blindrelay.relay.errors import StoreAway
from blindrelay.relay.limits import REFUSED
from blindrelay.relay.mailbox import Mailbox
from blindrelay.relay.peer import Hold, Peer
from blindrelay.relay.ring import Ring, recent_ids
from blindrelay.relay.store.entries import Accepted

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

# Payload of one connection that may wait for the store before we stop reading from it. Four envelopes of the largest size, or
# the whole Receive Maximum at 8 KiB.
UNDECIDED_LIMIT: Final = 1_048_576

ID_USED: Final = "this message id was used for another message"
MAILBOX_FULL: Final = "the recipient's mailbox is full"

#: One PUBLISH on its way: from whom, its packet, to whom.
Parked: TypeAlias = tuple[Peer, mqtt5.PublishPacket, Mailbox]


@dataclass(slots=True)
class Origin:
    """Where an accepted envelope came from, and where it goes: what `settle` needs."""

    peer: Peer
    packet_id: int
    mailbox: Mailbox
    ring: "Ring[Parked]"


class Intake:
    """The part of the exchange that takes messages, or refuses them."""

    def __init__(self, exchange: "Exchange", calls: Calls) -> None:
        self._exchange = exchange
        self._calls = calls
        self._access = exchange.services.access
        self._limits = exchange.services.limits
        self._now = exchange.now
        self._rings: dict[int, Ring[Parked]] = {}

    def publish(self, peer: Peer, packet: mqtt5.PublishPacket) -> None:
        """Take a message into the next commit, or answer why not."""
        payload = packet.payload
        if (delay := self._limits.sending(peer.identity, len(payload))) and not self._slow_down(peer, packet, delay):
            return
        target = self._access.publish(peer.identity, packet.topic)
        if type(target) is not Mailbox:
            self._publish_elsewhere(peer, packet, target)
            return
        message_id = packet.correlation_data
        if (
            len(payload) not in BUCKETS
            or message_id is None
            or len(message_id) != MESSAGE_ID_LENGTH
            or packet.response_topic is not None
            or packet.user_properties
            or packet.content_type is not None
            or packet.payload_format_indicator
            or (packet.message_expiry_interval or 0) > MAX_TTL
        ):
            self._refuse_form(peer, packet)
            return
        sender = peer.admitted.account_id if peer.admitted else None
        ring = self._ring_of(sender if sender is not None else -target.account_id)
        if ring.is_filled:
            self.take(ring, (peer, packet, target))
        else:
            ring.parked.append((peer, packet, target))

    def _publish_elsewhere(
        self, peer: Peer, packet: mqtt5.PublishPacket, target: Mailbox | RpcCall | PublishRefused
    ) -> None:
        if isinstance(target, RpcCall):
            self._calls.call(peer, packet, target.method)
        elif isinstance(target, PublishRefused):
            self._exchange.refuse(peer, packet.packet_id, target.code, target.reason)

    def _refuse_form(self, peer: Peer, packet: mqtt5.PublishPacket) -> None:
        code = PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
        if len(packet.payload) not in BUCKETS:
            code = PubAckReasonCode.PAYLOAD_FORMAT_INVALID
            reason = f"{len(packet.payload)} bytes is no padding bucket: pad the envelope"
        elif len(packet.correlation_data or b"") != MESSAGE_ID_LENGTH:
            reason = f"correlation data is to be a message id of {MESSAGE_ID_LENGTH} bytes"
        elif (packet.message_expiry_interval or 0) > MAX_TTL:
            reason = f"a message expiry over {MAX_TTL} seconds"
        else:  # decision D6
            reason = "nothing but expiry and message id travels beside the envelope"
        self._exchange.refuse(peer, packet.packet_id, code, reason)

    def _slow_down(self, peer: Peer, packet: mqtt5.PublishPacket, delay: float) -> bool:
        """Read from this peer again after `delay` seconds. False when the message or the peer has been refused instead."""
        if delay == REFUSED:
            reason = "the enterprise's devices together send too fast: try again later"
            self._exchange.refuse(peer, packet.packet_id, PubAckReasonCode.QUOTA_EXCEEDED, reason)
            return False
        if delay == float("inf"):
            self._exchange.end(peer, DisconnectReasonCode.MESSAGE_RATE_TOO_HIGH, "sending too fast for too long")
            return False
        if not peer.held & Hold.RATE:
            peer.hold(Hold.RATE)
            asyncio.get_running_loop().call_later(delay, peer.unhold, Hold.RATE)
        return True

    def take(self, ring: "Ring[Parked]", parked: Parked) -> None:
        """Take one whose ring is filled, in the order in which they came."""
        peer, packet, mailbox = parked
        if peer.has_left and not self._exchange.services.accounts.stands(peer.identity):
            return  # revoked while the ring was being filled: class S5
        payload = packet.payload
        size = len(payload)
        message_id: bytes = packet.correlation_data  # type: ignore[assignment]  # `publish` has seen it
        packet_id: int = packet.packet_id  # type: ignore[assignment]  # QoS 1, said the gate
        checksum = crc32(payload)
        known = ring.known(message_id)
        if known is not None:
            if not known.is_same(mailbox.account_id, size, checksum):
                self._exchange.refuse(peer, packet_id, PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, ID_USED)
            elif known.waiters is None:
                peer.session.answer(packet_id)
            else:
                known.waiters.append(parked)
            return
        if not mailbox.has_room(size):
            self._exchange.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, MAILBOX_FULL)
            return
        now = self._now()
        interval = packet.message_expiry_interval
        slot, stamped = ring.take(message_id, mailbox.account_id, size, checksum)
        peer.undecided += size
        if peer.undecided > UNDECIDED_LIMIT:
            peer.hold(Hold.UNDECIDED)
        entry = Accepted(
            mailbox.account_id,
            mailbox.enter(size),
            ring.owner if ring.owner > 0 else None,
            message_id,
            now,
            # Without an interval the relay's own bound holds; the recipient sees what is left of it.
            now + (MAX_TTL if interval is None else interval),
            payload,
            ring.owner,
            slot,
            stamped,
            Origin(peer, packet_id, mailbox, ring),
        )
        if self._exchange.neighbours is not None and peer.record is not None:
            entry.epoch = peer.record.epoch
        self._exchange.committer.accept(entry)

    # The ring of recent message ids.

    def _ring_of(self, owner: int) -> "Ring[Parked]":
        ring = self._rings.get(owner)
        if ring is None:
            ring = self._rings[owner] = Ring(owner)
            self._exchange.spawn(self._fill(ring))
        return ring

    async def _fill(self, ring: "Ring[Parked]") -> None:
        try:
            with contextlib.suppress(StoreAway):
                ring.fill(await self._exchange.committer.read(lambda connection: recent_ids(connection, ring.owner)))
        finally:
            parked, ring.parked = ring.parked, []
            if not ring.is_filled:  # the store cannot be read: nothing may be promised
                del self._rings[ring.owner]
                for peer, _, _ in parked:
                    self._exchange.end(
                        peer, DisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "the store cannot be read"
                    )
        for item in parked:
            self.take(ring, item)
        for peer in {item[0] for item in parked}:
            peer.flush()

    def forget_rings(self) -> None:
        """Forget the rings that have not been used since the last call. Whoever calls it decides how often."""
        for owner, ring in list(self._rings.items()):
            if ring.is_filled and not ring.used and not ring.pending:
                del self._rings[owner]
            ring.used = False
