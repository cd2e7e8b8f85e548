"""How a connection begins, what it subscribes to, and how it ends."""

import contextlib
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

import mqtt5
from mqtt5 import ConnAckReasonCode, DisconnectReasonCode, SubAckReasonCode, UnsubAckReasonCode

from blindrelay.protocol.credentials import CLIENT_VERSION, CLIENT_VERSION_PROPERTY
from blindrelay.relay.access import Inbox, SubscribeRefused
from blindrelay.relay.counts import kind_of
from blindrelay.relay.errors import ConnectRefused, StoreError, StoreFull
from blindrelay.relay.mailbox import Again, Delivery
from blindrelay.relay.mqtt.filters import is_malformed_filter, judge_filter
from blindrelay.relay.mqtt.session import Session
from blindrelay.relay.mqtt.states import State
from blindrelay.relay.peer import Hold, Peer
from blindrelay.relay.sessions import MAX_SESSION_EXPIRY, SessionRecord

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

_CLIENT_VERSION: Final = re.compile(CLIENT_VERSION, re.ASCII)


class Reception:
    """The part of the exchange that deals with connections rather than messages."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._connected: dict[tuple[int, str], Peer] = {}  # (account, client id): decision D2

    # CONNECT.

    def connect(self, peer: Peer, packet: mqtt5.ConnectPacket) -> None:
        """Decide on a CONNECT; what comes behind it waits until that is done."""
        try:
            admitted = self._exchange.services.admission.admit(peer.certificate, peer.address, packet)
        except ConnectRefused as refusal:
            peer.session.refuse(refusal.code, refusal.reason)
            return
        if packet.client_id and packet.client_id != admitted.client_id:  # [3.1.3-8], class S1
            own = "the device's own address or " if admitted.client_id else ""
            peer.session.refuse(ConnAckReasonCode.CLIENT_ID_NOT_VALID, f"the client id is to be {own}empty")
            return
        peer.hold(Hold.DECIDING)
        peer.admitted, peer.identity = admitted, admitted.identity
        peer.client_id = packet.client_id or secrets.token_hex(11)
        self._exchange.peers.add(peer)
        present = self._open_session(peer, packet)
        self._exchange.spawn(self._welcome(peer, packet, present))

    def _open_session(self, peer: Peer, packet: mqtt5.ConnectPacket) -> bool:
        """Find the session, end another connection that has it, and say whether it was there."""
        account_id = peer.admitted.account_id if peer.admitted else None
        if not packet.client_id or account_id is None:
            return False
        if (other := self._connected.get((account_id, packet.client_id))) is not None:  # [3.1.4-3], class R5
            self._exchange.end(other, DisconnectReasonCode.SESSION_TAKEN_OVER)
        self._connected[account_id, packet.client_id] = peer
        expiry = min(packet.session_expiry_interval, MAX_SESSION_EXPIRY)
        record, present = self._exchange.sessions.open(
            account_id, packet.client_id, clean_start=packet.clean_start, expiry=expiry
        )
        record.ended_at = None
        peer.record = record
        peer.subscriptions = record.subscriptions
        return present

    async def _welcome(self, peer: Peer, packet: mqtt5.ConnectPacket, present: bool) -> None:
        try:
            present = await self._claim_session(peer, packet, present=present)
            await self._claim_inbox(peer, peer.subscriptions)
            await self._open_record(peer, packet)
            await self._introduce(peer)
        except StoreError:
            self._refuse(peer, ConnAckReasonCode.SERVER_UNAVAILABLE, "the store failed")
            return
        exchange, session = self._exchange, peer.session
        if session.state is not State.DECIDING:  # taken over, gone or shut down meanwhile
            self.leave(peer)
            claimed = peer.record if peer.record is not None and peer.record.epoch else None
            await self._farewell(peer, claimed)  # ledger and store have heard of it only now
            return
        if not exchange.services.accounts.stands(peer.identity):  # class S4: revoked while we waited for the store
            if (reason := exchange.services.accounts.shut_out(peer.identity)) is not None:
                self._refuse(peer, ConnAckReasonCode.SERVER_UNAVAILABLE, reason)
            else:
                self._refuse(peer, ConnAckReasonCode.NOT_AUTHORIZED, "not authorised any more")
            return
        assigned = None if packet.client_id else peer.client_id
        expiry, again = (peer.record.expiry, _sent_before(peer.record)) if peer.record else (0, Again())
        session.admit(assigned_client_id=assigned, session_present=present, session_expiry=expiry)
        exchange.counts.admitted[kind_of(peer.identity)] += 1
        for pattern in sorted(peer.subscriptions):
            self._attach(peer, pattern, again)
        exchange.carry_out(peer, session.events())
        peer.unhold(Hold.DECIDING)
        peer.flush()

    def _refuse(self, peer: Peer, code: ConnAckReasonCode, reason: str) -> None:
        if peer.session.state is State.DECIDING:
            peer.session.refuse(code, reason)
        self.leave(peer)
        peer.flush()

    async def _claim_session(self, peer: Peer, packet: mqtt5.ConnectPacket, *, present: bool) -> bool:
        """Make the session durable, with the expiry that can be promised; returns whether it was there before."""
        record = peer.record
        if record is None:
            return False
        try:
            return await self._exchange.sessions.claim(
                record,
                clean_start=packet.clean_start,
                present=present,
                is_awaited=lambda: peer.session.state is State.DECIDING,
            )
        except StoreFull:  # class R8: reading goes on with a full disk, but nothing is promised for afterwards
            record.expiry = 0
            return present

    async def _introduce(self, peer: Peer) -> None:
        """Whoever hears of a new device writes to it, perhaps at another node: it is known there, first."""
        neighbours, account_id = self._exchange.neighbours, peer.admitted.account_id if peer.admitted else None
        if neighbours is not None and account_id is not None and neighbours.is_new(account_id):
            await neighbours.introduced(account_id)

    async def _open_record(self, peer: Peer, packet: mqtt5.ConnectPacket) -> None:
        if peer.admitted is None or peer.admitted.account_id is None:
            return
        try:
            peer.access_record = await self._exchange.services.ledger.open(
                peer.admitted.account_id, peer.address, _client_version(packet)
            )
        except StoreFull:
            peer.access_record = None

    # SUBSCRIBE, UNSUBSCRIBE.

    def subscribe(self, peer: Peer, packet: mqtt5.SubscribePacket) -> None:
        """Decide filter by filter, and answer once it is durable."""
        codes: list[SubAckReasonCode] = []
        reason: str | None = None
        wanted: list[str] = []
        for topic_filter in packet.topic_filters:
            refusal = judge_filter(topic_filter) or self._may_subscribe(peer, topic_filter.pattern)
            if refusal is None:
                wanted.append(topic_filter.pattern)
                codes.append(SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE)
            else:
                codes.append(refusal[0])
                reason = reason or refusal[1]
        is_new = not peer.subscriptions.issuperset(wanted)
        peer.subscriptions.update(wanted)

        def grant() -> None:
            peer.session.grant(packet.packet_id, codes, reason)
            for pattern in wanted:
                if pattern in peer.subscriptions:
                    self._attach(peer, pattern, _sent_before(peer.record) if peer.record else Again())

        if self._exchange.neighbours is None:
            self._when_saved(peer, grant, is_new)
        else:
            self._exchange.spawn(
                self._claim_and(peer, frozenset(wanted), lambda: self._when_saved(peer, grant, is_new))
            )

    def unsubscribe(self, peer: Peer, packet: mqtt5.UnsubscribePacket) -> None:
        """Nothing new from now on [3.10.4-2]; the answer comes when that is durable."""
        codes: list[UnsubAckReasonCode] = []
        for pattern in packet.patterns:
            if pattern in peer.subscriptions:
                peer.subscriptions.discard(pattern)
                delivery = peer.delivery
                if delivery is not None and pattern == delivery.mailbox.topic:
                    delivery.close()
                codes.append(UnsubAckReasonCode.SUCCESS)
            elif is_malformed_filter(pattern):
                codes.append(UnsubAckReasonCode.TOPIC_FILTER_INVALID)
            else:
                codes.append(UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED)
        has_changed = UnsubAckReasonCode.SUCCESS in codes
        self._when_saved(peer, lambda: peer.session.release(packet.packet_id, codes), has_changed)

    def _when_saved(self, peer: Peer, answer: Callable[[], None], has_changed: bool) -> None:
        record = peer.record
        if not has_changed or record is None or record.expiry == 0:
            answer()
        else:
            self._exchange.spawn(self._save_and(peer, record, answer))

    async def _save_and(self, peer: Peer, record: SessionRecord, answer: Callable[[], None]) -> None:
        try:
            if not await self._exchange.sessions.save(record):
                # Whoever has the session now does not know of this: a client that is told that it is so would rely on it there.
                self._exchange.end(peer, DisconnectReasonCode.SESSION_TAKEN_OVER)
                return
        except StoreFull:
            # The subscription holds while the relay runs; a restart forgets it, and the client subscribes again when it
            # finds nothing. Refusing would keep a device from emptying its mailbox while the disk is full.
            pass
        except StoreError:
            self._exchange.end(peer, DisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, "the store failed")
            return
        answer()
        peer.flush()

    async def _claim_and(self, peer: Peer, patterns: frozenset[str], go_on: Callable[[], None]) -> None:
        with contextlib.suppress(StoreError):  # whoever is not woken looks
            await self._claim_inbox(peer, patterns)
        go_on()
        peer.flush()

    async def _claim_inbox(self, peer: Peer, patterns: Collection[str]) -> None:
        """If the inbox is among `patterns`: of several nodes, this one is to be woken for it, and no other one reads it."""
        neighbours, accounts = self._exchange.neighbours, self._exchange.services.accounts
        for pattern in patterns if neighbours is not None else ():
            verdict = self._exchange.services.access.subscribe(peer.identity, peer.client_id, pattern)
            mailbox = accounts.mailbox(verdict.account_id) if isinstance(verdict, Inbox) else None
            if neighbours is not None and mailbox is not None:
                await neighbours.claim(mailbox)

    def _may_subscribe(self, peer: Peer, pattern: str) -> tuple[SubAckReasonCode, str] | None:
        verdict = self._exchange.services.access.subscribe(peer.identity, peer.client_id, pattern)
        return (verdict.code, verdict.reason) if isinstance(verdict, SubscribeRefused) else None

    def _attach(self, peer: Peer, pattern: str, again: Again) -> None:
        """Start delivering what `pattern` names. Asked anew each time: a resumed session has no right of its own (class S4)."""
        exchange = self._exchange
        verdict = exchange.services.access.subscribe(peer.identity, peer.client_id, pattern)
        if isinstance(verdict, SubscribeRefused):
            peer.subscriptions.discard(pattern)
            return
        mailbox = exchange.services.accounts.mailbox(verdict.account_id) if isinstance(verdict, Inbox) else None
        if mailbox is None or peer.session.state is not State.CONNECTED:
            return
        delivery = mailbox.delivery
        if delivery is not None and delivery.peer is not peer:  # an inbox has one reader
            exchange.end(delivery.peer, DisconnectReasonCode.SESSION_TAKEN_OVER, "another session reads this inbox")
            delivery = None
        if delivery is None:
            delivery = mailbox.delivery = peer.delivery = Delivery(exchange, mailbox, peer, again)
        delivery.reopen()
        delivery.pump()
        if exchange.neighbours is not None:
            exchange.neighbours.reading(mailbox)

    # The end.

    def taken_over(self, epochs: Mapping[int, int]) -> None:
        """See `Exchange.taken_over`."""
        for (account_id, _), peer in list(self._connected.items()):
            if peer.record is not None and 0 < peer.record.epoch < epochs.get(account_id, 0):
                self._exchange.end(peer, DisconnectReasonCode.SESSION_TAKEN_OVER)

    def leave(self, peer: Peer) -> None:
        """The connection is over. May be called more than once."""
        exchange = self._exchange
        if peer.has_left:
            return
        peer.has_left = True
        self._count(peer.session)
        exchange.peers.discard(peer)
        delivery = peer.delivery
        if delivery is not None:
            delivery.close()
            peer.delivery = None
            if delivery.mailbox.delivery is delivery:
                delivery.mailbox.delivery = None
                delivery.mailbox.left_in = exchange.sweeps
            if peer.record is not None:
                peer.record.sent_up_to = delivery.sent_up_to
            if exchange.neighbours is not None:
                exchange.neighbours.left(delivery.mailbox)
        exchange.spawn(self._farewell(peer, self._close_session(peer)))

    def _count(self, session: Session) -> None:
        """How it ended, if that was our doing."""
        if session.refused_with is not None:
            self._exchange.counts.turned_away[session.refused_with] += 1
        elif session.parted_with is not None:
            self._exchange.counts.ended[session.parted_with] += 1

    def _close_session(self, peer: Peer) -> SessionRecord | None:
        """End the session, and return it when the store has to hear of that."""
        record = peer.record
        if record is None:
            return None
        del self._connected[record.account_id, record.client_id]
        self._exchange.sessions.end(record, min(peer.session.session_expiry, MAX_SESSION_EXPIRY))
        return record if self._exchange.sessions.needs_saving(record) else None

    async def _farewell(self, peer: Peer, record: SessionRecord | None) -> None:
        """Write down the end. A store that fails here says so elsewhere; after a crash both ends are found open and closed."""
        with contextlib.suppress(StoreError):
            if record is not None:
                await self._exchange.sessions.save(record)
            if peer.access_record is not None:
                number, peer.access_record = peer.access_record, None
                await self._exchange.services.ledger.close(number)


def _sent_before(record: SessionRecord) -> Again:
    """Decision D9. Nobody knows what was sent before a restart: then it is all that was there when the session ended."""
    return Again(record.sent_up_to, record.unknown_until)


def _client_version(packet: mqtt5.ConnectPacket) -> str | None:
    """What the client calls itself, if it looks like a version. Other user properties are ignored."""
    for name, value in packet.user_properties:
        if name == CLIENT_VERSION_PROPERTY and _CLIENT_VERSION.fullmatch(value):
            return value
    return None
