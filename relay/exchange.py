"""What happens to what clients say: the one place where sessions, mailboxes and the store meet.

    PUBLISH -> limits -> access -> form -> ring (seen before?) -> quota -> committer       `Exchange._publish`
    commit  -> PUBACK to the sender, PUBLISH to the recipient, one write for each           `Exchange.settle`
    PUBACK  -> deleted in the next commit, the next one is sent                             `Exchange._acknowledged`

Nothing on this path waits: what has to wait for the store is an entry in the next commit, and `settle` goes on with it.
Connecting, subscribing and requests are in `blindrelay.relay.reception` and `blindrelay.relay.calls`.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from zlib import crc32

import mqtt5
from mqtt5 import DisconnectReasonCode, PubAckReasonCode

from blindrelay.protocol import topics
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.sizes import BUCKETS, MAX_TTL, MESSAGE_ID_LENGTH
from blindrelay.relay import ports
from blindrelay.relay.access import NO_RECIPIENT, Access, PublishRefused, RpcCall
from blindrelay.relay.calls import Calls
from blindrelay.relay.counts import Counts, kind_of
from blindrelay.relay.errors import StoreAway
from blindrelay.relay.identity import Identity
from blindrelay.relay.limits import REFUSED
from blindrelay.relay.mailbox import Delivery, Mailbox, expired_envelopes
from blindrelay.relay.mqtt.session import Acknowledged, Event
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.parting import part
from blindrelay.relay.peer import Hold, Peer
from blindrelay.relay.ports import Accounts, Admission, Envelope, Ledger, Limits, Neighbours, Rpc, Store
from blindrelay.relay.reception import Reception
from blindrelay.relay.ring import Ring, recent_ids
from blindrelay.relay.sessions import Sessions
from blindrelay.relay.store.entries import Accepted, Outcome, Refusal, StoredEnvelope

# Payload of one connection that may wait for the store before we stop reading from it, and where we go on. Four envelopes
# of the largest size, or the whole Receive Maximum at 8 KiB.
UNDECIDED_LIMIT: Final = 1_048_576
UNDECIDED_LOW: Final = 524_288
# How many commits may pass before what was accepted at a moment is taken to be in one of them.
DRAIN_ROUNDS: Final = 64
# How many mailboxes one look at the store is for, at most: of `mailbox.PAGE_BYTES` each.
PAGES_AT_ONCE: Final = 64
# One round of the expiry sweep.
EXPIRY_BATCH: Final = 1_000

_ID_USED: Final = "this message id was used for another message"
_MAILBOX_FULL: Final = "the recipient's mailbox is full"
# What is found out in the commit alone, where several nodes share the store.
_REFUSALS: Final = {
    Refusal.ID_USED: (PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, _ID_USED),
    Refusal.NO_ROOM: (PubAckReasonCode.QUOTA_EXCEEDED, _MAILBOX_FULL),
    Refusal.CLOSED: (NO_RECIPIENT.code, NO_RECIPIENT.reason),
}

_STORED: Final = (None, Refusal.KNOWN)

#: One PUBLISH on its way: from whom, its packet, to whom.
Parked: TypeAlias = tuple[Peer, mqtt5.PublishPacket, Mailbox]


class Committer(Store, Protocol):
    """The store's front, as far as envelopes are concerned: see `blindrelay.relay.store.committer`."""

    def accept(self, entry: Accepted) -> None:
        """Take an envelope into the next commit."""

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete one in the next commit."""

    async def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        """The oldest ones above a sequence."""

    async def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> list[list[StoredEnvelope]]:
        """The same for several mailboxes."""


@dataclass(frozen=True, slots=True)
class Services:
    """Whom the exchange asks."""

    admission: Admission
    access: Access
    accounts: Accounts
    limits: Limits
    ledger: Ledger
    rpc: Rpc
    clock: Clock


@dataclass(slots=True)
class Origin:
    """Where an accepted envelope came from, and where it goes: what `settle` needs."""

    peer: Peer
    packet_id: int
    mailbox: Mailbox
    ring: "Ring[Parked]"


class Exchange:
    """The engine. One event loop, no locks: every method but the few `async` ones decides at once.

    `committer` is set after construction, because the committer is given `settle`; then call `start`.
    """

    def __init__(self, services: Services, counts: Counts | None = None) -> None:
        self.services = services
        self.held_bytes = 0
        self.counts = counts or Counts()
        #: Called after each commit with envelopes in it; None as long as no real-time order has a reader.
        self.on_commit: Callable[[], None] | None = None
        self.peers: set[Peer] = set()
        self.committer: Committer
        self.sessions: ports.Sessions
        #: The other nodes; None: there are none.
        self.neighbours: Neighbours | None = None
        self._access = services.access
        self._limits = services.limits
        self._calls = Calls(self)
        self._reception = Reception(self)
        self._rings: dict[int, Ring[Parked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted: list[Delivery] = []
        self._is_asking = False
        # The wall clock is asked once: a step of it while we run neither expires nor extends anything.
        self._epoch = services.clock.now() - services.clock.monotonic()
        self._monotonic = services.clock.monotonic

    async def start(self, committer: Committer, sessions: ports.Sessions | None = None) -> None:
        """Read what outlived the last stop. The mailboxes are restored by whoever keeps the accounts."""
        self.committer = committer
        self.sessions = Sessions(committer, self.now) if sessions is None else sessions
        await self.sessions.load()

    def now(self) -> int:
        """Epoch seconds, unmoved by steps of the wall clock."""
        return int(self._epoch + self._monotonic())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that has to wait. Never once a message."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What a connection says.

    def carry_out(self, peer: Peer, events: list[Event]) -> None:
        """Do what a session's events ask for. The caller flushes the peer afterwards."""
        for event in events:
            if peer.has_left:  # thrown out by one of the events before
                break
            _CARRY_OUT[type(event)](self, peer, event)
        if peer.session.state is State.CLOSED:
            self.leave(peer)

    def leave(self, peer: Peer) -> None:
        """The connection is over, or as good as. May be called more than once."""
        self._reception.leave(peer)

    def writable(self, peer: Peer) -> None:
        """The network takes our data again."""
        if peer.delivery is not None:
            peer.delivery.pump()
        self._calls.go_on(peer)

    def _connect(self, peer: Peer, packet: mqtt5.ConnectPacket) -> None:
        self._reception.connect(peer, packet)

    def _subscribe(self, peer: Peer, packet: mqtt5.SubscribePacket) -> None:
        self._reception.subscribe(peer, packet)

    def _unsubscribe(self, peer: Peer, packet: mqtt5.UnsubscribePacket) -> None:
        self._reception.unsubscribe(peer, packet)

    def _acknowledged(self, peer: Peer, event: Acknowledged) -> None:
        delivery = peer.delivery
        if delivery is not None:
            self.counts.delivered += len(event.sequences)
            delivery.acknowledged(event.sequences)
            delivery.pump()

    # PUBLISH, up to the store.

    def _publish(self, peer: Peer, packet: mqtt5.PublishPacket) -> None:
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
        ring = self._ring(sender if sender is not None else -target.account_id)
        if ring.is_filled:
            self._take(ring, (peer, packet, target))
        else:
            ring.parked.append((peer, packet, target))

    def _publish_elsewhere(
        self, peer: Peer, packet: mqtt5.PublishPacket, target: Mailbox | RpcCall | PublishRefused
    ) -> None:
        if isinstance(target, RpcCall):
            self._calls.call(peer, packet, target.method)
        elif isinstance(target, PublishRefused):
            self.refuse(peer, packet.packet_id, target.code, target.reason)

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
        self.refuse(peer, packet.packet_id, code, reason)

    def refuse(self, peer: Peer, packet_id: int | None, code: PubAckReasonCode, reason: str) -> None:
        """Answer a PUBLISH with no, and count it."""
        self.counts.refused[int(code)] += 1
        peer.session.answer(packet_id or 0, code, reason)

    def _slow_down(self, peer: Peer, packet: mqtt5.PublishPacket, delay: float) -> bool:
        """Read from this peer again after `delay` seconds. False when the message or the peer has been refused instead."""
        if delay == REFUSED:
            reason = "the enterprise's devices together send too fast: try again later"
            self.refuse(peer, packet.packet_id, PubAckReasonCode.QUOTA_EXCEEDED, reason)
            return False
        if delay == float("inf"):
            self.end(peer, DisconnectReasonCode.MESSAGE_RATE_TOO_HIGH, "sending too fast for too long")
            return False
        if not peer.held & Hold.RATE:
            peer.hold(Hold.RATE)
            asyncio.get_running_loop().call_later(delay, peer.unhold, Hold.RATE)
        return True

    def _take(self, ring: "Ring[Parked]", parked: Parked) -> None:
        peer, packet, mailbox = parked
        if peer.has_left and not self.services.accounts.stands(peer.identity):
            return  # revoked while the ring was being filled: class S5
        payload = packet.payload
        size = len(payload)
        message_id: bytes = packet.correlation_data  # type: ignore[assignment]  # `_publish` has seen it
        packet_id: int = packet.packet_id  # type: ignore[assignment]  # QoS 1, said the gate
        checksum = crc32(payload)
        known = ring.known(message_id)
        if known is not None:
            if not known.is_same(mailbox.account_id, size, checksum):
                self.refuse(peer, packet_id, PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, _ID_USED)
            elif known.waiters is None:
                peer.session.answer(packet_id)
            else:
                known.waiters.append(parked)
            return
        if not mailbox.has_room(size):
            self.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, _MAILBOX_FULL)
            return
        now = int(self._epoch + self._monotonic())
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
        if self.neighbours is not None and peer.record is not None:
            entry.epoch = peer.record.epoch
        self.committer.accept(entry)

    # The ring of recent message ids.

    def _ring(self, owner: int) -> "Ring[Parked]":
        ring = self._rings.get(owner)
        if ring is None:
            ring = self._rings[owner] = Ring(owner)
            self.spawn(self._fill(ring))
        return ring

    async def _fill(self, ring: "Ring[Parked]") -> None:
        try:
            with contextlib.suppress(StoreAway):
                ring.fill(await self.committer.read(lambda connection: recent_ids(connection, ring.owner)))
        finally:
            parked, ring.parked = ring.parked, []
            if not ring.is_filled:  # the store cannot be read: nothing may be promised
                del self._rings[ring.owner]
                for peer, _, _ in parked:
                    self.end(peer, DisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "the store cannot be read")
        for item in parked:
            self._take(ring, item)
        self._flush({item[0] for item in parked})

    # After the commit.

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
                self.counts.accepted -= committed  # the batch is counted as a whole
                mailbox.leave(len(entry.payload))
                self._not_stored(peer, origin.packet_id, entry, outcome)
            for waiter in waiters:
                self._settle_waiter(origin.ring, waiter, entry, outcome)
                touched.add(waiter[0])
        for delivery in behind:
            delivery.pump()
        if self.neighbours is not None and committed:
            self.neighbours.stored(batch)
        self._go_on(touched)
        self.counts.outcomes[outcome.value] += 1
        if committed:
            self.counts.accepted += len(batch)
        if self.on_commit is not None and committed:
            self.on_commit()

    def _go_on(self, touched: set[Peer]) -> None:
        for peer in touched:
            if peer.held & Hold.UNDECIDED and peer.undecided < UNDECIDED_LOW:
                peer.unhold(Hold.UNDECIDED)
        self._flush(touched)

    async def drain(self) -> None:
        """Wait until what has been accepted so far is committed, or cannot be. Under overload: for `DRAIN_ROUNDS` commits.

        Raises what the store raises.
        """
        for number in range(DRAIN_ROUNDS):
            if number > 1 and not self.undecided():  # who has left is not counted, and is in the first commits
                return
            await self.committer.run(lambda connection: None)

    def _settle_waiter(self, ring: "Ring[Parked]", waiter: Parked, entry: Accepted, outcome: Outcome) -> None:
        peer, packet_id = waiter[0], waiter[1].packet_id or 0
        if outcome is Outcome.COMMITTED and entry.refusal in _STORED:
            peer.session.answer(packet_id)
        elif entry.refusal is Refusal.MOVED:  # that was the connection before: what this one sends is taken anew
            asyncio.get_running_loop().call_soon(self._take_again, ring, waiter)
        else:
            self._not_stored(peer, packet_id, entry, outcome)

    def _take_again(self, ring: "Ring[Parked]", waiter: Parked) -> None:
        self._take(ring, waiter)
        waiter[0].flush()

    def _not_stored(self, peer: Peer, packet_id: int, entry: Accepted, outcome: Outcome) -> None:
        if entry.refusal is Refusal.MOVED:
            self.end(peer, DisconnectReasonCode.SESSION_TAKEN_OVER)
        elif entry.refusal is not None:
            self.refuse(peer, packet_id, *_REFUSALS[entry.refusal])
        elif outcome is Outcome.STORE_FULL:
            self.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, "the relay's disk is full")
        elif outcome is Outcome.STORE_AWAY:
            reason = "the relay's database cannot be reached: try again later"
            self.refuse(peer, packet_id, PubAckReasonCode.QUOTA_EXCEEDED, reason)
        else:
            self.end(peer, DisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "the store failed")

    def _flush(self, peers: set[Peer]) -> None:
        for peer in peers:
            peer.flush()

    # What a delivery needs.

    def stands(self, peer: Peer) -> bool:
        """Whether this peer may (still) be given its mail. One that may not is disconnected."""
        if self.services.accounts.stands(peer.identity):
            return True
        reason = self.services.accounts.shut_out(peer.identity)
        code = DisconnectReasonCode.NOT_AUTHORIZED if reason is None else DisconnectReasonCode.ADMINISTRATIVE_ACTION
        asyncio.get_running_loop().call_soon(self.end, peer, code, reason)
        return False

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete an envelope in the next commit."""
        self.committer.remove(mailbox_id, sequence)

    def fetch(self, delivery: Delivery) -> None:
        """Bring a delivery its next page."""
        if self.neighbours is None:
            self.spawn(self._fetch(delivery))
            return
        # Much of the mail comes from other nodes. What is wanted while somebody is asking is asked for together.
        self._wanted.append(delivery)
        if not self._is_asking:
            self._is_asking = True
            self.spawn(self._fetch_wanted())

    async def _fetch_wanted(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted[:PAGES_AT_ONCE], self._wanted[PAGES_AT_ONCE:]
                # Of those that are still there: a mailbox has one.
                await self._fetch_together([each for each in wanted if each.peer.delivery is each])
        finally:
            self._is_asking = False

    async def _fetch_together(self, wanted: list[Delivery]) -> None:
        if not wanted:
            return
        known = [delivery.mailbox.committed for delivery in wanted]
        asked = [(each.mailbox.account_id, each.read_up_to, *each.page_bounds()) for each in wanted]
        try:
            pages = await self.committer.fetch_many(asked)
        except StoreAway:
            for delivery in wanted:
                self.end(delivery.peer, DisconnectReasonCode.SERVER_BUSY, "the relay's database cannot be reached")
            return
        for delivery, page, before in zip(wanted, pages, known, strict=True):
            delivery.page(list[Envelope](page), known=before)
            delivery.peer.flush()

    async def _fetch(self, delivery: Delivery) -> None:
        known = delivery.mailbox.committed
        count, size = delivery.page_bounds()
        page: list[Envelope] = []
        try:
            page.extend(await self.committer.fetch(delivery.mailbox.account_id, delivery.read_up_to, count, size))
        except StoreAway:
            self.end(delivery.peer, DisconnectReasonCode.SERVER_BUSY, "the relay's database cannot be reached")
            return
        delivery.page(page, known=known)
        delivery.peer.flush()

    # From outside.

    def news(self, mailbox: Mailbox) -> None:
        """Another node may have put something into a mailbox that is perhaps read here."""
        delivery = mailbox.delivery
        if delivery is not None:
            delivery.news()
            delivery.peer.flush()

    def taken_over(self, epochs: Mapping[int, int]) -> None:
        """These devices' sessions are at other nodes, of these epochs: connections of older ones end [3.1.4-3]."""
        self._reception.taken_over(epochs)

    def lost_inboxes(self, mailboxes: Sequence[Mailbox]) -> None:
        """These are read at other nodes: an inbox has one reader."""
        for mailbox in mailboxes:
            if mailbox.delivery is not None:
                reason = "another session reads this inbox"
                self.end(mailbox.delivery.peer, DisconnectReasonCode.SESSION_TAKEN_OVER, reason)

    def end(self, peer: Peer, code: DisconnectReasonCode, reason: str | None = None) -> None:
        """End a connection from our side, now."""
        peer.session.disconnect(code, reason)
        self.leave(peer)
        peer.flush()

    def disconnect(
        self,
        matches: Callable[[Identity], bool],
        code: DisconnectReasonCode = DisconnectReasonCode.NOT_AUTHORIZED,
        reason: str | None = None,
    ) -> int:
        """End every connection whose identity `matches`; return how many there were.

        One that is still being decided is asked for again at the end of its admission (`Accounts.stands`).
        """
        found = [peer for peer in self.peers if peer.admitted is not None and matches(peer.identity)]
        for peer in found:
            self.end(peer, code, reason)
        return len(found)

    def tell(self, matches: Callable[[Identity], bool], payload: bytes) -> None:
        """Send `payload` to the reply topic of every connection whose identity `matches`: an answer that nobody asked for.

        QoS 0: whoever is not there, or does not read, is not told.
        """
        for peer in list(self.peers):
            topic = topics.reply(peer.client_id)
            if peer.session.state is State.CONNECTED and topic in peer.subscriptions and matches(peer.identity):
                peer.session.reply(topic, payload, None)
                peer.flush()

    def forget_rings(self) -> None:
        """Forget the rings that have not been used since the last call. Whoever calls it decides how often."""
        for owner, ring in list(self._rings.items()):
            if ring.is_filled and not ring.used and not ring.pending:
                del self._rings[owner]
            ring.used = False

    async def sweep(self) -> None:
        """Delete the envelopes and sessions that have expired, and forget unused rings.

        Whoever calls it decides how often; once a minute is often enough. Of several nodes one does. Raises what the store
        raises.
        """
        self.forget_rings()
        await self.sessions.purge()
        now = self.now()
        for account_id, sequence, size in await self.committer.read(
            lambda connection: expired_envelopes(connection, now, EXPIRY_BATCH)
        ):
            mailbox = self.services.accounts.mailbox(account_id)
            if mailbox is None or not mailbox.handles(sequence):
                if mailbox is not None:
                    mailbox.leave(size)
                self.committer.remove(account_id, sequence)

    async def stop(self, patience: float = 5.0, elsewhere: Sequence[str] = ()) -> None:
        """Let everybody go, to each of `elsewhere` in turn, within `patience` seconds: see `blindrelay.relay.parting`."""
        await part(self, patience, elsewhere)

    def give_up_calls(self) -> None:
        """Requests that are being carried out stay unanswered: whoever asked asks again."""
        self._calls.cancel()

    async def at_rest(self) -> None:
        """Wait until everything is written down that has begun to be: the ends of connections, above all."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def kinds(self) -> Counter[str]:
        """How many connections have been admitted and stand, by kind."""
        return Counter(kind_of(peer.identity) for peer in self.peers if peer.session.state is State.CONNECTED)

    def undecided(self) -> int:
        """Bytes of payload that wait for the store."""
        return sum(peer.undecided for peer in self.peers)


_CARRY_OUT: Final[dict[type, Callable[[Exchange, Peer, Any], None]]] = {
    mqtt5.PublishPacket: Exchange._publish,
    Acknowledged: Exchange._acknowledged,
    mqtt5.ConnectPacket: Exchange._connect,
    mqtt5.SubscribePacket: Exchange._subscribe,
    mqtt5.UnsubscribePacket: Exchange._unsubscribe,
}
